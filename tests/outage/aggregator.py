"""The cloud in simulated time: the real journal on a real disk; a stand-in archives what it holds.

The lake is left out: in a simulated outage nobody reads history. What is archived leaves the
journal, and is first given, block by block as the disk holds it, to whoever accounts for it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from cloud.journal.contract import Entry
from cloud.journal.cursor import Cursor, Decision, ack
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from protos import sync_pb2 as pb
from protos.limits import MIB, WINDOW_BYTES_DEFAULT
from protos.series import decode_entry
from tests.outage.clockwork import Clockwork, Link
from tests.outage.gateway import NAME, Gateway

DISK_US: Final = 10_000
"""From a block's arrival to its fsync."""
ARCHIVE_US: Final = 10_000_000
"""Between two consolidations, as `lake.interval_s` has it."""


class Cloud:
    """One gateway's cloud. ``looked_at`` is told of each block once, before it is archived."""

    def __init__(self, clock: Clockwork, folder: Path, looked_at: Callable[[Entry], None]) -> None:
        self.clock = clock
        self.journal = SqliteJournal.open(folder, now_us=lambda: clock.now_us + DISK_US)
        self.session = 0
        self._looked_at = looked_at
        self._archived = 0
        self._tell: Callable[[pb.CloudMessage], None] = lambda message: None
        self.journal.subscribe_archived(self._risen)
        self._cursors: Sequence[Cursor] = ()
        self.start()

    def start(self) -> None:
        """Consolidate from now on."""
        self.clock.after(ARCHIVE_US, self._archive)

    def line(self, gateway: Gateway, bytes_per_s: float, latency_us: int) -> Link:
        """Connect a gateway over a line of so many bytes a second up, and as many down."""
        up, down = (Link(self.clock, bytes_per_s, latency_us) for _ in range(2))

        def tell(message: pb.CloudMessage) -> None:
            if session is not None and session is gateway.session:
                hear = partial(gateway.hear, session, message)
                down.send(message.ByteSize(), hear)

        self._tell = tell
        gateway.connect(up, lambda message: self._hear(message, tell))
        session = gateway.session
        return up

    def _hear(self, message: pb.GatewayMessage, tell: Callable[[pb.CloudMessage], None]) -> None:
        asked = self._asked(message)
        if asked is None:
            return
        decision = asked.result()
        self.session = decision.cursor.session
        for reply in decision.replies:
            self.clock.after(DISK_US, partial(tell, reply))

    def _asked(self, message: pb.GatewayMessage) -> "Future[Decision] | None":
        journal = self.journal
        match message.WhichOneof("body"):
            case "hello":
                return journal.hello(NAME, message.hello, WINDOW_BYTES_DEFAULT)
            case "block":
                block = message.block
                return journal.append(NAME, block.session, block.epoch, block.seq, block.data)
            case "declare":
                told = message.declare
                entries = [decode_entry(entry) for entry in told.entries]
                return journal.declare(NAME, told.session, told.epoch, told.first, entries)
            case "epoch_request":
                return journal.request_epoch(NAME, message.epoch_request)
            case _:
                return None

    def _risen(self, cursors: Sequence[Cursor]) -> None:
        self._cursors = cursors

    def _archive(self) -> None:
        while entries := self.journal.read(self._archived, 4 * MIB):
            for entry in entries:
                self._looked_at(entry)
            self._archived = entries[-1].offset
        if self._archived:
            self.journal.mark_archived(self._archived).result()
            self.journal.trim()
        for cursor in self._cursors:
            self._tell(ack(replace(cursor, session=self.session)))
        self._cursors = ()
        self.clock.after(ARCHIVE_US, self._archive)
