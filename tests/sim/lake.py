"""The lake of the simulated world: commits that start from an offset, and poison set aside."""

from collections import Counter
from dataclasses import dataclass, field, replace

from cloud.journal.restore import Floor
from tests.sim.card import NAME, Stored, Unit


@dataclass(frozen=True)
class Handle:
    """A table as it was loaded: what a committer builds on."""

    generation: int
    offset: int


@dataclass
class Lake:
    """What is committed; ``doubled`` would be what came twice."""

    generation: int = 1
    offset: int = 0
    rows: set[Unit] = field(default_factory=set)
    quarantined: set[Unit] = field(default_factory=set)
    doubled: set[Unit] = field(default_factory=set)
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
        for header, found, units, is_poison in blocks[handle.offset : end]:
            if is_poison:
                reached["poison quarantined"] += 1
                self.quarantined.update(units)
            else:
                self.doubled |= self.rows.intersection(units)
                self.rows.update(units)
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
