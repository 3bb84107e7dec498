"""The lake of the simulated world: commits that start from an offset, and poison set aside."""

from collections import Counter
from dataclasses import dataclass, field, replace

from cloud.journal_restore import Floor
from protos.block import Header
from tests.sim.card import NAME, Chunk, chunks_of

POISON_IN = 41
Stored = tuple[Header, bytes]


def is_poison(header: Header) -> bool:
    """No consolidation will ever take this block, in any life of it."""
    return header.chunks[0].prefix[0] % POISON_IN == 0


@dataclass(frozen=True)
class Handle:
    """A table as it was loaded: what a committer builds on."""

    generation: int
    offset: int


@dataclass
class Lake:
    """What is committed; ``doubled`` would be chunks that came twice."""

    generation: int = 1
    offset: int = 0
    rows: set[Chunk] = field(default_factory=set)
    quarantined: set[Chunk] = field(default_factory=set)
    doubled: set[Chunk] = field(default_factory=set)
    heads: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def load(self) -> Handle:
        return Handle(self.generation, self.offset)

    def is_current(self, handle: Handle) -> bool:
        """The table's offset check: nobody committed since the handle was loaded."""
        return handle == self.load()

    def commit(self, handle: Handle, blocks: list[Stored], end: int, reached: Counter[str]) -> bool:
        """All blocks after the handle's offset and up to ``end``, or nothing."""
        if not self.is_current(handle):
            reached["stale commit refused"] += 1
            return False
        for header, found in blocks[handle.offset : end]:
            chunks = set(chunks_of(header))
            if is_poison(header):
                reached["poison quarantined"] += 1
                self.quarantined |= chunks
            else:
                self.doubled |= chunks & self.rows
                self.rows |= chunks
            self.heads[header.epoch] = (header.seq, found)
        self.offset = max(self.offset, end)
        return True

    def floors(self) -> list[Floor]:
        return [Floor(NAME, epoch, *head) for epoch, head in self.heads.items()]

    def copy(self) -> "Lake":
        return replace(
            self,
            rows=set(self.rows),
            quarantined=set(self.quarantined),
            heads=dict(self.heads),
        )
