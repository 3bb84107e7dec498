"""The consolidation role's process: `python -m cloud.roles.consolidator FD`, started by its parent.

It reads blocks from the journal's files and writes tables; whatever else it needs it asks its
parent, who alone writes the journal. It ends when told to, between two passes, and at once when its
parent is gone: a lake that is left at any step is whole, and the next one goes on from there.
"""

import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import msgspec
from deltalake.exceptions import DeltaError

from cloud.errors import OperatorError, StorageError, TidegateError
from cloud.journal.contract import Entry
from cloud.journal.counts import Tally
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.quarantine import Quarantine, Quarantined
from cloud.journal.sqlite.reader import ReaderPool
from cloud.lake.consolidator import Batch, Consolidator
from cloud.lake.embedded import Decoded, no_pause
from cloud.lake.floors import FloorKeeper
from cloud.lake.loop import ConsolidationLoop
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.lake.table.changes import change_of
from cloud.lake.table.files import FileList
from cloud.lake.upkeep import upkeep_by
from cloud.memory import reuse_pages
from cloud.retention.rules import NOTHING
from cloud.roles import wire
from cloud.roles.wire import Channel, EndedError, Told
from protos.log import log_to_stderr
from protos.series import SeriesEntry

LOCK_S: Final = 10.0
"""How long to wait for the lake of a predecessor that has just lost its parent."""
NICENESS: Final = 5
"""Nobody waits for tables: what is new is shown without them."""
_LOOK_S: Final = 0.1

T = TypeVar("T")


class Parent:
    """The other process: calls go there one at a time, orders come from there."""

    def __init__(self, channel: Channel) -> None:
        self.begun = threading.Event()
        self.stopping = threading.Event()
        self._channel = channel
        self._asking = threading.Lock()
        self._answers: queue.SimpleQueue[wire.Done | Told] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def ask(self, call: wire.Call, kind: type[T]) -> T:
        """Call, and wait for the answer.

        Raises:
            OperatorError, StorageError: what the parent failed of.
        """
        with self._asking:
            try:
                self._channel.send(call)
            except EndedError:
                leave()
            answer = self._answers.get()
        if isinstance(answer, Told):
            raise answer.error()
        return msgspec.msgpack.decode(answer.value, type=kind)

    def tell(self, call: wire.Call) -> None:
        """Call, and wait until it is done; raises as `ask`."""
        self.ask(call, type(None))

    def _listen(self) -> None:
        try:
            while True:
                match self._channel.order():
                    case wire.Done() | Told() as answer:
                        self._answers.put(answer)
                    case wire.Begin():
                        self.begun.set()
                    case wire.Stop():
                        self.stopping.set()
                        self.begun.set()
        except EndedError:
            leave()


class JournalThere:
    """The journal as consolidation needs it: blocks from its files, the rest from the parent."""

    def __init__(self, parent: Parent, folder: Path, generation: int) -> None:
        self.generation = generation
        self.apart = Quarantine(folder / "quarantine.db")
        self._parent = parent
        self._readers = ReaderPool(folder)

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any."""
        return self._readers.read(after_offset, bytes_max)

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        """The declared table of an epoch, entries after + 1 and on."""
        with self._readers.reader() as reader:
            return reader.series(gateway, epoch, after)

    def head(self) -> int:
        """The highest durable offset."""
        return self._parent.ask(wire.AskHead(), int)

    def archived(self) -> int:
        """The highest offset that was marked archived."""
        return self._parent.ask(wire.AskArchived(), int)

    def mark_archived(self, offset: int) -> Future[None]:
        """The tables hold everything up to ``offset`` durably; done when it returns."""
        self._parent.tell(wire.MarkArchived(offset))
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def quarantine(self, offset: int, reason: str) -> None:
        """Set a block apart, durably, that can never be decoded."""
        self._parent.tell(wire.SetApart(offset, reason))

    def quarantined(self) -> list[Quarantined]:
        """All blocks set apart."""
        return self.apart.list()

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""
        return self._parent.ask(wire.AskCursors(), list[Cursor])

    def counts(self) -> Mapping[str, Tally]:
        """How much was ever stored and archived of each gateway."""
        return self._parent.ask(wire.AskCounts(), dict[str, Tally])

    def rest(self) -> None:
        """Let go of the segments that are open: what is trimmed meanwhile gives its space back."""
        self._readers.close()


class ViewersThere:
    """Those who read, in the parent: told what changed of the files since they were last told."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._shown: dict[str, FileList] = {}
        self._retired = NOTHING
        self._is_anew = False

    def publish(self, batch: Batch) -> None:
        """From now on this is the batch view."""
        changes = {
            name: change_of(self._shown.get(name), files)
            for name, files in batch.tables.items()
            if files != self._shown.get(name)
        }
        is_anew = batch.is_anew or self._is_anew
        retired = None if batch.retired == self._retired else batch.retired
        self._parent.tell(wire.Show(batch.offset, batch.corrected, is_anew, changes, retired))
        self._shown, self._is_anew = dict(batch.tables), False
        self._retired = batch.retired

    def released(self, decoded: Decoded) -> None:
        """Rows came that no journal will bring: the parent reads the next view as a new one."""
        self._is_anew = True

    def in_use(self) -> frozenset[str]:
        """Absolute paths of files in any view that someone still holds."""
        return frozenset(self._parent.ask(wire.AskInUse(), list[str]))


def leave() -> NoReturn:
    """End at once: nobody is left who could take what this process does."""
    os._exit(0)


def consolidate(parent: Parent, start: wire.Start) -> None:
    """Take the lake and run passes until told to stop, or until no pass can follow."""
    folder = Path(start.lake_folder)
    journal = JournalThere(parent, Path(start.journal_folder), start.generation)
    names = Names(journal.series)
    consolidator = Consolidator(
        folder, journal, names, ViewersThere(parent),
        releases=Releases(journal.apart, names, now_us),
        floors=FloorKeeper(folder, journal), upkeep=upkeep_by(start.upkeep, now_us),
        bytes_per_pass=start.batch_bytes, let_go=no_pause,
    )  # fmt: skip
    try:
        take(consolidator)
    except (TidegateError, DeltaError, OSError) as error:
        parent.tell(wire.Refused(Told.of(error)))
        return
    parent.tell(wire.Ready())
    parent.begun.wait()
    loop = ConsolidationLoop(consolidator, start.interval_s, lambda: report(parent, loop, journal))
    loop.start()
    parent.stopping.wait()
    loop.stop()


def now_us() -> int:
    """This machine's clock, µs UTC."""
    return time.time_ns() // 1000


def take(consolidator: Consolidator) -> None:
    """Take the lake; one whose committer is about to end is waited for. Raises as `recover`."""
    until = time.monotonic() + LOCK_S
    while True:
        try:
            return consolidator.recover()
        except OperatorError:
            if time.monotonic() > until:
                raise
        time.sleep(_LOOK_S)


def report(parent: Parent, loop: ConsolidationLoop, journal: JournalThere) -> None:
    """Tell how things stand after a pass."""
    journal.rest()
    fault, failure = loop.fault, loop.failure
    parent.tell(
        wire.Passed(
            loop.progress,
            None if fault is None else Told.of(fault),
            loop.faults,
            None if failure is None else Told.of(failure),
        )
    )


def main() -> None:
    """The program."""
    # The parent says when to end; a terminal's Ctrl-C and a service's SIGTERM come to both.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    reuse_pages()
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    try:
        start = channel.order()
    except EndedError:
        return
    if not isinstance(start, wire.Start):
        raise StorageError("begin to consolidate", f"the first order is {start!r}")
    log_to_stderr(start.log_format, start.log_level)
    consolidate(Parent(channel), start)


if __name__ == "__main__":
    main()
