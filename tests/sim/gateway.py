"""A gateway of the simulated world: a card that survives, and a process that may die."""

from collections import Counter, deque
from collections.abc import Collection
from random import Random

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
from protos import sync_pb2 as pb
from protos.block import Block
from protos.series import SeriesKey
from tests.sim.card import NAME, Buffer, Chunk, Unit
from tests.sim.link import Link

CHUNKS_PER_BLOCK_MAX = 4
ROOM_CHUNKS = 24
Copy = tuple[Buffer, set[Unit]]


class Gateway:
    """The process: a session, and what of its effects is not yet carried out.

    ``expected`` are the acknowledged chunks that are this machine's to deliver; ``gaps`` what a
    Gap chunk stands for; ``reached`` counts what the rules did; ``wall_us`` may be any time.
    """

    def __init__(self, chance: Random, reached: Counter[str], buffer: Buffer | None = None) -> None:
        self.chance = chance
        self.reached = reached
        self.buffer = buffer or Buffer()
        self.expected: set[Unit] = set()
        self.gaps: dict[Unit, set[Unit]] = {}
        self.released: set[Unit] = set()  # stored, and let go for room
        self.boot_id = chance.randbytes(16)
        self.wall_us = self.mono_ahead_us = 0
        self.is_full_often = False
        self.drops_oldest = False
        self.unsynced: Copy | None = None  # what the disk really has, while it lies
        self.copies: list[Copy] = []
        self.link: Link | None = None
        self.session: Session | None = None
        self.todo: deque[Effect] = deque()
        self.closed: list[Close] = []
        self.open()

    def open(self) -> None:
        """The buffer is opened: chunks get ids that were never drawn before."""
        self.prefix, self.count = self.chance.randbytes(12), 0

    def take_in(self, *, names_series: bool) -> Collection[Unit]:
        """A chunk is committed, then PUBACK; nothing when the full buffer refuses it."""
        if self.is_full_often and len(self.buffer.chunks) >= ROOM_CHUNKS:
            if not self.drops_oldest:
                self.reached["refused: full"] += 1
                return ()
            self._make_room()
        chunk = self._next_chunk()
        key = SeriesKey("pump", f"metric {len(self.buffer.entries)}") if names_series else None
        self.buffer.commit(chunk, key)
        self.expected.add(chunk)
        if self.session is not None:
            self.todo.extend(self.session.wake())
        return (chunk,)

    def _make_room(self) -> None:
        gap = self._next_chunk()
        gone = self.buffer.evict(3, gap)
        self.gaps[gap] = set(gone).union(*(self.gaps.get(chunk, set()) for chunk in gone))
        self.expected.add(gap)
        self.reached["evicted"] += len(gone)

    def _next_chunk(self) -> Chunk:
        self.count += 1
        return self.prefix, self.count

    def keep_copy(self) -> Copy:
        return self.buffer.copy(), set(self.expected)

    def connect(self, link: Link, now_us: int) -> None:
        self.link, self.session = link, Session(NAME, self.boot_id, "sim")
        mono_us = max(1, now_us + self.mono_ahead_us)
        self.todo = deque(self.session.greet(self.buffer.state(), pb.Status(), mono_us))

    def disconnect(self) -> None:
        self.link = self.session = None
        self.todo.clear()

    def crash(self, *, power: bool) -> None:
        self.disconnect()
        self.open()
        if power:
            self.boot_id = self.chance.randbytes(16)

    def step_back(self, buffer: Buffer, expected: set[Unit]) -> None:
        """The card is as it once was."""
        self.crash(power=True)
        changes = self.buffer.changes
        self.buffer, self.expected, self.unsynced = buffer.copy(), set(expected), None
        self.buffer.changes = changes + 1

    def clone(self) -> "Gateway":
        """A second machine with a copy of the card; what either takes in from now on differs."""
        twin = Gateway(self.chance, self.reached, self.buffer.copy())
        twin.expected, twin.gaps = set(self.expected), dict(self.gaps)
        self.open()
        return twin

    def hear(self) -> None:
        link = self.link
        if link is not None and link.is_broken and not link.down:
            self.disconnect()
        elif link is not None and self.session is not None and link.down and not link.is_stalled:
            self.todo.extend(self.session.received(link.down.popleft()))

    def look(self, now_us: int) -> None:
        """The time passes: a cloud that fell silent is noticed."""
        if self.session is not None:
            effects = self.session.tick(now_us)
            self.reached["silence noticed"] += bool(effects)
            self.todo.extend(effects)

    def act(self) -> None:
        """Carry out the oldest effect."""
        if not self.todo or self.session is None or self.link is None:
            return
        effect, session, buffer = self.todo.popleft(), self.session, self.buffer
        self.reached[type(effect).__name__] += 1
        answer: list[Effect] = []
        match effect:
            case Send(message):
                self.reached[f"say {message.WhichOneof('body')}"] += 1
                self.say(message)
            case Seal():
                self.reached["sealed newest first"] += effect.newest_first
                answer = session.sealed(self.seal(effect))
            case LoadBlocks(from_seq, bytes_max):
                answer = session.blocks_loaded(buffer.blocks_from(from_seq, bytes_max))
            case LoadEntries(first, limit):
                answer = session.entries_loaded(buffer.entries_from(first, limit))
            case Mark(stored, archived, generation):
                buffer.mark(stored, archived, generation)
            case BeginEpoch(epoch, dropped, kept, generation):
                self.reached["older epochs freed"] += kept[0] < buffer.epoch
                begun = buffer.begin_epoch(epoch, dropped, kept, generation)
                answer = session.epoch_begun(begun)
            case Close(code):
                self.reached[f"closed {pb.Code.Name(code)}"] += 1
                self.closed.append(effect)
                self.disconnect()
                return
        self.todo.extend(answer)

    def seal(self, effect: Seal) -> Block | None:
        count = self.chance.randint(1, CHUNKS_PER_BLOCK_MAX)
        return self.buffer.seal(count, self.wall_us, newest_first=effect.newest_first)

    def say(self, message: pb.GatewayMessage) -> None:
        if self.link is not None:
            self.link.say(message)

    @property
    def is_idle(self) -> bool:
        live = self.session is not None and self.session.phase is Phase.LIVE
        return live and not self.todo and self.session is not None and self.session.drained
