"""Pure: the rows of a bounded table, oldest first, and which must leave to keep the bound."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ring:
    """Row numbers and sizes of a table whose oldest rows leave; numbers only rise.

    A transaction works on a ``draft``: what it took in and let go is either adopted or forgotten.
    """

    rows: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0
    last: int = 0

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int]]) -> "Ring":
        """The ring of (number, size) pairs in rising order."""
        kept = deque(rows)
        return cls(kept, sum(size for _, size in kept), kept[-1][0] if kept else 0)

    def forget(self, numbers: frozenset[int]) -> None:
        """Leave rows out, wherever they stand; their numbers are not given again."""
        self.rows = deque((no, size) for no, size in self.rows if no not in numbers)
        self.total = sum(size for _, size in self.rows)

    def draft(self) -> "Draft":
        """A view to try changes on."""
        return Draft(self)


@dataclass(slots=True)
class Draft:
    """Changes to a ring that are not yet true."""

    ring: Ring
    added: list[tuple[int, int]] = field(default_factory=list)
    added_size: int = 0
    dropped: int = 0
    dropped_size: int = 0

    def append(self, size: int) -> int:
        """Take in a row; its number."""
        no = self.ring.last + len(self.added) + 1
        self.added.append((no, size))
        self.added_size += size
        return no

    def surplus(self, total_min: int) -> list[int]:
        """Let the oldest rows go as long as sizes of ``total_min`` stay; their numbers."""
        gone: list[int] = []
        while self._count and self._total - self._at(self.dropped)[1] >= total_min:
            gone.append(self._drop())
        return gone

    def beyond(self, count_max: int, total_max: int) -> list[int]:
        """Let the oldest rows go until both bounds hold; their numbers."""
        gone: list[int] = []
        while self._count and (self._count > count_max or self._total > total_max):
            gone.append(self._drop())
        return gone

    @property
    def _count(self) -> int:
        return len(self.ring.rows) + len(self.added) - self.dropped

    @property
    def _total(self) -> int:
        return self.ring.total + self.added_size - self.dropped_size

    def _drop(self) -> int:
        no, size = self._at(self.dropped)
        self.dropped += 1
        self.dropped_size += size
        return no

    def _at(self, position: int) -> tuple[int, int]:
        kept = len(self.ring.rows)
        return self.ring.rows[position] if position < kept else self.added[position - kept]

    def adopt(self) -> None:
        """Make the changes true."""
        ring = self.ring
        ring.rows.extend(self.added)
        ring.total += self.added_size - self.dropped_size
        ring.last += len(self.added)
        for _ in range(self.dropped):
            ring.rows.popleft()
