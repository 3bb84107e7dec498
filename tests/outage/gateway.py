"""A gateway in simulated time: the real buffer on a real disk, the real session, no network."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.chunk import BufferStats, Chunk
from edge.keys import find_key, make_key_file
from edge.store.limits import StoreLimits
from edge.store.store import Store
from edge.sync import Session
from edge.sync_effects import (
    BeginEpoch,
    Close,
    Effect,
    LoadBlocks,
    LoadEntries,
    Mark,
    Phase,
    Seal,
    Send,
)
from edge.sync_pace import Drain
from edge.uplink import WAKE_LINGER_S
from edge.uplink_saver import STATUS_EVERY_S
from edge.uplink_session import TICK_S
from edge.when_full import WhenFull
from protos import sync_pb2 as pb
from protos.records import Batch
from tests.outage.clockwork import Clockwork, Link
from tests.outage.plant import Plant

NAME: Final = "plant-1"
CARD_US: Final = 10_000
"""What an SD card takes for a commit."""
AHEAD_MAX: Final = 32
"""Commits under way while collecting without a cloud: the store's thread groups them."""


@dataclass
class Gateway:
    """Collects a plant into its buffer; with a line, delivers."""

    clock: Clockwork
    plant: Plant
    folder: Path
    bytes_max: int
    boot: int = 0
    polls: int = 0
    largest_bytes: int = 0
    blocks: int = 0
    session: Session | None = None
    drain: Drain = field(default_factory=Drain)
    closed: list[Close] = field(default_factory=list)
    is_collecting: bool = True
    _part: int = 0
    _up: Link | None = None
    _say: Callable[[pb.GatewayMessage], None] | None = None
    _is_waking: bool = False
    _committing: "deque[Future[Any]]" = field(default_factory=deque)

    def open(self) -> None:
        """The agent starts."""
        self.boot += 1
        key = self.folder / "buffer.key"
        if not key.exists():
            make_key_file(key)
        self.store = Store.open(
            self.folder / "buffer.db",
            gateway=NAME,
            keys=find_key(key, {}),
            limits=StoreLimits(bytes_max=self.bytes_max, when_full=WhenFull.DROP_OLDEST),
            boot_id=self.boot.to_bytes(16, "big"),
        )

    def reopen(self) -> None:
        """The agent is started anew."""
        self._settle(0)
        self.store.close()
        self.open()

    def poll(self) -> None:
        """Take in the next poll as one commit; it is on the disk a few polls later."""
        self._commit(self.plant.polled(self.polls))
        self.polls += 1
        self._settle(AHEAD_MAX)

    def poll_on_time(self) -> None:
        """As time passes: each part committed at once, the uplink woken, the next part due."""
        if not self.is_collecting and self._part == 0:
            return
        self._commit(self.plant.polled(self.polls, self._part))
        self._settle(0)
        if self.session is not None and not self._is_waking:
            self._is_waking = True
            self.clock.after(CARD_US + int(WAKE_LINGER_S * 1e6), self._wake)
        self._part = (self._part + 1) % self.plant.parts
        self.polls += self._part == 0
        self.clock.at(self.plant.heard_us(self.polls, self._part), self.poll_on_time)

    def _commit(self, batch: Batch) -> None:
        is_first = self.polls == self._part == 0
        chunk = Chunk(batch, new_entries=self.plant.entries if is_first else ())
        self._committing.append(self.store.commit(chunk))

    def _settle(self, waiting_max: int) -> None:
        while len(self._committing) > waiting_max:
            self._committing.popleft().result()

    def look_at_size(self) -> BufferStats:
        """The buffer as it is; remembers how large it was."""
        stats = self.store.stats().result()
        self.largest_bytes = max(self.largest_bytes, stats.file_bytes + stats.wal_bytes)
        return stats

    def connect(self, up: Link, say: Callable[[pb.GatewayMessage], None]) -> None:
        """Begin a session over a line."""
        self._up, self._say, self.drain = up, say, Drain()
        self._is_waking = False
        self.session = session = Session(NAME, self.boot.to_bytes(16, "big"), "a simulation")
        state = self.store.sync_state().result()
        self._carry_out(session.greet(state, pb.Status(), self.clock.now_us))
        self.clock.after(int(TICK_S * 1e6), lambda: self._tick(session, 1))

    def disconnect(self) -> None:
        """The line is cut."""
        if self._up is not None:
            self._up.is_up = False
        self.session = self._up = self._say = None

    @property
    def eta_s(self) -> float | None:
        """What `status` shows of the time that is left."""
        is_live = self.session is not None and self.session.phase is Phase.LIVE
        if not is_live or self.session is None:
            return None
        return self.drain.eta_s if self.session.pace.is_behind else 0.0

    def hear(self, session: Session, message: pb.CloudMessage) -> None:
        """A message of the cloud has come."""
        self._feed(session, lambda: session.received(message))

    def _wake(self) -> None:
        self._is_waking = False
        if self.session is not None:
            self.session.expect()
            self._feed(self.session, self.session.wake)

    def _tick(self, session: Session, ticks: int) -> None:
        if session is not self.session:
            return
        now_us = self.clock.now_us
        self.drain.note(now_us, self.store.sync_state().result().unsealed_bytes)
        self._feed(session, lambda: session.tick(now_us))
        if ticks % round(STATUS_EVERY_S / TICK_S) == 0 and session.phase is Phase.LIVE:
            self._carry_out([Send(pb.GatewayMessage(status=pb.Status(backlog_rows=1 << 40)))])
            self._feed(session, session.wake)
        self.clock.after(int(TICK_S * 1e6), lambda: self._tick(session, ticks + 1))

    def _feed(self, session: Session, event: Callable[[], list[Effect]]) -> None:
        if session is self.session:
            session.pace.tick(self.clock.now_us)
            self._carry_out(event())

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    self._send(message)
                case Close():
                    self.closed.append(effect)
                    self.disconnect()
                    return
                case _:
                    self._ask(effect)

    def _send(self, message: pb.GatewayMessage) -> None:
        assert self._up is not None
        assert self._say is not None
        say = self._say
        self.blocks += message.HasField("block")
        self._up.send(message.ByteSize(), lambda: say(message))

    def _ask(self, effect: Effect) -> None:
        session, store, now_us = self.session, self.store, self.clock.now_us
        assert session is not None
        match effect:
            case Seal(bytes_target, newest_first):
                block = store.seal_next(
                    bytes_target=bytes_target, mono_us=now_us, wall_us=now_us,
                    newest_first=newest_first,
                ).result()  # fmt: skip
                self._answer(session, lambda: session.sealed(block))
            case LoadBlocks(from_seq, bytes_max):
                blocks = store.blocks_from(from_seq, bytes_max).result()
                self._answer(session, lambda: session.blocks_loaded(blocks))
            case LoadEntries(first, limit):
                entries = store.entries_from(first, limit).result()
                self._answer(session, lambda: session.entries_loaded(entries))
            case BeginEpoch(epoch, dropped, kept, generation):
                state = store.begin_epoch(epoch, dropped, kept, generation).result()
                self._answer(session, lambda: session.epoch_begun(state))
            case Mark(stored, archived, generation):
                store.mark(stored, archived, generation).result()

    def _answer(self, session: Session, event: Callable[[], list[Effect]]) -> None:
        self.clock.after(CARD_US, lambda: self._feed(session, event))
