"""What is on a gateway's card in a world of rules alone: a buffer, every method one transaction.

`tests.sim.card_on_disk` is the real one.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from edge.sync_effects import BufferState
from protos.block import GENESIS_HASH, Block, ChunkRun, Header
from protos.codec.header import chain_hash, encode_header
from protos.series import EMPTY_ROOT, SeriesEntry, SeriesKey, make_entry, roll

Chunk = tuple[bytes, int]
Note = tuple[bytes, int, int]
Unit = Chunk | int | Note
"""What is followed on its way: a chunk by its id; on real disks a reading by its number, and a note
of gaps by its chunk and how many readings it declares."""
NAME = "attic"
POISON_IN = 41


class Stored(NamedTuple):
    """A block in the journal, and what is in it."""

    header: Header
    hash: bytes
    units: tuple[Unit, ...]
    is_poison: bool
    """No consolidation will ever take it."""


def chunks_of(header: Header) -> list[Chunk]:
    return [
        (run.prefix, number)
        for run in header.chunks
        for number in range(run.first, run.first + run.count)
    ]


def stored(header: Header, found: bytes) -> Stored:
    """As the world of rules alone knows it: poison is so in any life of the block."""
    units = tuple(chunks_of(header))
    return Stored(header, found, units, units[0][0][0] % POISON_IN == 0)


@dataclass
class Buffer:
    """Chunks, blocks and series. ``changes`` counts transactions, for whoever looks at it."""

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
    changes: int = 0

    def commit(self, chunk: Chunk, series: SeriesKey | None) -> None:
        self.changes += 1
        self.chunks.append(chunk)
        if series is not None:
            number = len(self.entries) + 1
            salt = hashlib.sha256(repr((chunk, number)).encode()).digest()[:16]
            self.entries.append(make_entry(number, 1, series, salt))
            self.root = roll(self.root, self.entries[-1].leaf)

    def evict(self, count: int, gap: Chunk) -> list[Chunk]:
        """The oldest unsealed chunks go, and ``gap`` stands for them."""
        self.changes += 1
        gone, self.chunks = self.chunks[:count], [gap, *self.chunks[count:]]
        return gone

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

    def seal(self, count: int, wall_us: int, *, newest_first: bool) -> Block | None:
        if not self.chunks or not self.epoch:
            return None
        self.changes += 1
        if newest_first:
            taken, self.chunks = self.chunks[-count:], self.chunks[:-count]
        else:
            taken, self.chunks = self.chunks[:count], self.chunks[count:]
        header = Header(
            gateway=NAME,
            epoch=self.epoch,
            seq=self.head + 1,
            prev_hash=self.head_hash,
            boot_id=bytes(16),
            sealed_mono_us=0,
            sealed_wall_us=wall_us,
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
        size = 0
        while (block := self.blocks.get((self.epoch, seq))) is not None:
            size += len(block.data)
            if found and size > bytes_max:
                break
            found.append(block)
            seq += 1
        return found

    def entries_from(self, first: int, limit: int) -> list[SeriesEntry]:
        return self.entries[first - 1 : first - 1 + limit]

    def mark(self, stored: int, archived: int, generation: int) -> None:
        self.changes += 1
        self.generation = generation or self.generation
        self.stored, self.archived = min(stored, self.head), min(archived, self.head)
        for epoch, seq in list(self.blocks):
            if (epoch < self.epoch and archived > 0) or (epoch == self.epoch and seq <= archived):
                del self.blocks[epoch, seq]

    def begin_epoch(
        self, epoch: int, dropped: tuple[ChunkRun, ...], kept: tuple[int, int], generation: int
    ) -> BufferState:
        assert epoch > self.epoch, "epochs only rise"
        self.changes += 1
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
        return replace(
            self, chunks=list(self.chunks), entries=list(self.entries), blocks=dict(self.blocks)
        )

    def waiting(self, durable: set[Unit]) -> list[int]:
        """Sizes of the blocks of the epoch that are sealed and that the cloud does not hold."""
        return [
            len(block.data)
            for (epoch, seq), block in self.blocks.items()
            if epoch == self.epoch
            and seq > self.stored
            and not durable.issuperset(chunks_of(block.header))
        ]

    def holds(self) -> set[Unit]:
        sealed = [chunk for block in self.blocks.values() for chunk in chunks_of(block.header)]
        return {*self.chunks, *sealed}
