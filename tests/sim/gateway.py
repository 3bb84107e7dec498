"""A gateway of the simulated world: a buffer that survives, and a process that may die."""

import hashlib
from collections import deque
from dataclasses import dataclass, field, replace
from random import Random

from edge.sync import Session
from edge.sync_effects import (
    BeginEpoch,
    BufferState,
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
from protos.block import GENESIS_HASH, Block, ChunkRun, Header
from protos.codec.header import chain_hash, encode_header
from protos.series import EMPTY_ROOT, SeriesEntry, SeriesKey, make_entry, roll
from tests.sim.link import Link

Chunk = tuple[bytes, int]
NAME = "attic"
CHUNKS_PER_BLOCK_MAX = 4


def chunks_of(header: Header) -> list[Chunk]:
    return [
        (run.prefix, number)
        for run in header.chunks
        for number in range(run.first, run.first + run.count)
    ]


@dataclass
class Buffer:
    """What is on the card: every method is one transaction."""

    epoch: int = 0
    head: int = 0
    head_hash: bytes = GENESIS_HASH
    stored: int = 0
    archived: int = 0
    generation: int = 0
    chunks: list[Chunk] = field(default_factory=list)
    blocks: dict[tuple[int, int], Block] = field(default_factory=dict)
    entries: list[SeriesEntry] = field(default_factory=list)
    root: bytes = EMPTY_ROOT

    def commit(self, chunk: Chunk, series: SeriesKey | None) -> None:
        self.chunks.append(chunk)
        if series is not None:
            number = len(self.entries) + 1
            salt = hashlib.sha256(repr((chunk, number)).encode()).digest()[:16]
            self.entries.append(make_entry(number, 1, series, salt))
            self.root = roll(self.root, self.entries[-1].leaf)

    def state(self) -> BufferState:
        kept = [seq for epoch, seq in self.blocks if epoch == self.epoch]
        return BufferState(
            epoch=self.epoch,
            head=self.head,
            head_hash=self.head_hash,
            oldest_kept=min(kept, default=self.head + 1),
            stored=self.stored,
            archived=self.archived,
            series_high=len(self.entries),
            series_root=self.root,
            unsealed_bytes=len(self.chunks),
            unsealed_rows=len(self.chunks),
            generation=self.generation,
        )

    def seal(self, count: int) -> Block | None:
        taken, self.chunks = self.chunks[:count], self.chunks[count:]
        if not taken or not self.epoch:
            return None
        header = Header(
            gateway=NAME,
            epoch=self.epoch,
            seq=self.head + 1,
            prev_hash=self.head_hash,
            boot_id=bytes(16),
            sealed_mono_us=0,
            sealed_wall_us=0,
            series_high=len(self.entries),
            series_root=self.root,
            content_root=hashlib.sha256(repr(taken).encode()).digest(),
            rows={},
            ts_min_us=0,
            ts_max_us=0,
            chunks=tuple(ChunkRun(prefix, number, 1) for prefix, number in taken),
        )
        data = encode_header(header)
        block = Block(header, chain_hash(data), data)
        self.blocks[self.epoch, header.seq] = block
        self.head, self.head_hash = header.seq, block.hash
        return block

    def blocks_from(self, seq: int, bytes_max: int) -> list[Block]:
        found: list[Block] = []
        while (block := self.blocks.get((self.epoch, seq))) is not None:
            if found and sum(len(one.data) for one in [*found, block]) > bytes_max:
                break
            found.append(block)
            seq += 1
        return found

    def mark(self, stored: int, archived: int, generation: int) -> None:
        self.generation = generation or self.generation
        self.stored, self.archived = min(stored, self.head), min(archived, self.head)
        for epoch, seq in list(self.blocks):
            if (epoch < self.epoch and archived > 0) or (epoch == self.epoch and seq <= archived):
                del self.blocks[epoch, seq]

    def begin_epoch(
        self, epoch: int, dropped: tuple[ChunkRun, ...], kept: tuple[int, int], generation: int
    ) -> BufferState:
        assert epoch > self.epoch, "epochs only rise"
        self.generation = generation
        loose: list[Chunk] = []
        for name in sorted(self.blocks):
            if name > kept:
                loose += chunks_of(self.blocks.pop(name).header)
        gone = {(run.prefix, n) for run in dropped for n in range(run.first, run.first + run.count)}
        self.chunks = [chunk for chunk in loose + self.chunks if chunk not in gone]
        self.epoch, self.head, self.head_hash = epoch, 0, GENESIS_HASH
        self.stored = self.archived = 0
        return self.state()

    def copy(self) -> "Buffer":
        lists = {"chunks": list(self.chunks), "entries": list(self.entries)}
        return replace(self, blocks=dict(self.blocks), **lists)  # type: ignore[arg-type]

    def holds(self) -> set[Chunk]:
        sealed = [chunk for block in self.blocks.values() for chunk in chunks_of(block.header)]
        return {*self.chunks, *sealed}


class Gateway:
    """The process: a session, and what of its effects is not yet carried out."""

    def __init__(self, chance: Random, buffer: Buffer | None = None) -> None:
        self.chance = chance
        self.buffer = buffer or Buffer()
        self.expected: set[Chunk] = set()  # taken in, and not lost with a card that stepped back
        self.boot_id = chance.randbytes(16)
        self.link: Link | None = None
        self.session: Session | None = None
        self.todo: deque[Effect] = deque()
        self.closed: list[Close] = []
        self.mono_us = 0
        self.open()

    def open(self) -> None:
        """The buffer is opened: chunks get ids that were never drawn before."""
        self.prefix, self.count = self.chance.randbytes(12), 0

    def take_in(self, *, names_series: bool) -> Chunk:
        """PUBACK: a chunk is committed."""
        chunk = (self.prefix, self.count)
        self.count += 1
        key = SeriesKey("pump", f"metric {len(self.buffer.entries)}") if names_series else None
        self.buffer.commit(chunk, key)
        self.expected.add(chunk)
        if self.session is not None:
            self.todo.extend(self.session.wake())
        return chunk

    def connect(self, link: Link) -> None:
        self.mono_us += 1
        self.link, self.session = link, Session(NAME, self.boot_id, "sim")
        self.todo = deque(self.session.greet(self.buffer.state(), pb.Status(), self.mono_us))

    def disconnect(self) -> None:
        self.link = self.session = None
        self.todo.clear()

    def crash(self, *, power: bool) -> None:
        self.disconnect()
        self.open()
        if power:
            self.boot_id, self.mono_us = self.chance.randbytes(16), 0

    def rewind(self, buffer: Buffer, expected: set[Chunk]) -> None:
        """The card is as it once was."""
        self.crash(power=True)
        self.buffer, self.expected = buffer.copy(), set(expected)

    def clone(self) -> "Gateway":
        """A second machine with a copy of the card; what either takes in from now on differs."""
        twin = Gateway(self.chance, self.buffer.copy())
        twin.expected = set(self.expected)
        self.open()
        return twin

    def hear(self) -> None:
        if self.link is not None and self.session is not None and self.link.down:
            self.todo.extend(self.session.received(self.link.down.popleft()))

    def act(self) -> None:
        """Carry out the oldest effect."""
        if not self.todo or self.session is None or self.link is None:
            return
        effect, session, buffer = self.todo.popleft(), self.session, self.buffer
        answer: list[Effect] = []
        match effect:
            case Send(message):
                self.link.say(message)
            case Seal():
                count = self.chance.randint(1, CHUNKS_PER_BLOCK_MAX)
                answer = session.sealed(buffer.seal(count))
            case LoadBlocks(from_seq, bytes_max):
                answer = session.blocks_loaded(buffer.blocks_from(from_seq, bytes_max))
            case LoadEntries(first, limit):
                answer = session.entries_loaded(buffer.entries[first - 1 : first - 1 + limit])
            case Mark(stored, archived, generation):
                buffer.mark(stored, archived, generation)
            case BeginEpoch(epoch, dropped, kept, generation):
                begun = buffer.begin_epoch(epoch, dropped, kept, generation)
                answer = session.epoch_begun(begun)
            case Close():
                self.closed.append(effect)
                self.disconnect()
                return
        self.todo.extend(answer)

    @property
    def is_idle(self) -> bool:
        live = self.session is not None and self.session.phase is Phase.LIVE
        return live and not self.todo and self.session is not None and self.session.drained
