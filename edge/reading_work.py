"""Pure: one batch of messages while it is read."""

from edge.chunk import Reject
from edge.heard import Counts
from edge.message import Burst
from edge.payload.known import Publish
from edge.reading_quick import Quick
from edge.reading_rows import RowLists
from protos.records import Batch, Kind


class Work:
    """A batch under way."""

    def __init__(self) -> None:
        self.numbers, self.texts = RowLists(), RowLists()
        self.rejects: list[Reject] = []
        self.counts = Counts()
        self.asked: list[tuple[str, Publish]] = []
        self._ends: list[tuple[int, int, Burst]] = []

    @property
    def rows(self) -> int:
        """Rows so far, of both kinds."""
        return len(self.numbers.values) + len(self.texts.values)

    def end(self, burst: Burst) -> None:
        """Note that what follows is of another burst."""
        self._ends.append((len(self.numbers.seen), len(self.texts.seen), burst))

    def batch(self, quick: Quick) -> Batch:
        """The rows as columns; counts them too."""
        counts, shapes, ends = self.counts, quick.shapes, self._ends
        counts.numbers, counts.texts = len(self.numbers.values), len(self.texts.values)
        told = self.numbers.tables(Kind.NUMBERS, "value", shapes, [(n, one) for n, _, one in ends])
        told |= self.texts.tables(Kind.TEXTS, "text", shapes, [(n, one) for _, n, one in ends])
        counts.clocks_ahead = self.numbers.ahead + self.texts.ahead
        counts.take_undated(quick.undated)
        return Batch(told)
