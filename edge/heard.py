"""Pure: what a batch of messages said, ready for the models and the buffer."""

from dataclasses import dataclass

from edge.chunk import Chunk, Reject
from edge.detect.found import Found
from edge.payload.known import Publish
from edge.payload.said import Said
from edge.payload.timestamp import Undated
from protos.records import Batch, concat
from protos.series import SeriesEntry


@dataclass(slots=True)
class Counts:
    """Messages by class, and values by kind; ``messages`` is the sum of the four classes."""

    messages: int = 0
    accepted: int = 0
    rejected: int = 0
    collapsed: int = 0
    ignored: int = 0
    retained: int = 0
    """Of the ignored ones, those that were retained values."""
    alerts: int = 0
    """Of the ignored ones, those that a gateway's agent told itself."""
    partial: int = 0
    """Of the accepted ones, those with a part that became a reject."""
    unkept: int = 0
    """Rejects of which nothing is kept but this count: there were many at once."""
    numbers: int = 0
    texts: int = 0
    missing: int = 0
    clocks_ahead: int = 0
    """Readings whose device's time was from the future, by a gateway's clock that was set."""
    clocks_unset: int = 0
    """Readings whose device's clock was never set."""
    clocks_local: int = 0
    """Readings whose device told a local time of no known zone."""

    def add(self, said: Said) -> None:
        """Count what is missing in what was said, and by what clock it was said."""
        self.missing += said.missing
        if said.undated is not None:
            self.take_undated({said.undated: len(said.numbers) + len(said.texts)})

    def take_undated(self, readings: dict[Undated, int]) -> None:
        """Count readings of devices whose time cannot be used, by why; empties ``readings``."""
        self.clocks_unset += readings.pop(Undated.NEVER_SET, 0)
        self.clocks_local += readings.pop(Undated.NO_ZONE, 0)

    def as_totals(self) -> dict[str, int]:
        """By name, those that are not zero, to be added to persisted totals."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return {name: count for name, count in named.items() if count}


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a batch of messages said.

    ``batch`` has NUMBERS and TEXTS in order of arrival; ``new_entries`` are the series it names for
    the first time; ``marks`` are for the buffer (``edge.redelivery``). ``asked`` is to be published
    in answer, each at the broker of this name, as a host of Sparkplug nodes asks for births.
    ``cost`` is what all of this may take in the buffer at most, in bytes.
    """

    batch: Batch
    new_entries: tuple[SeriesEntry, ...]
    marks: bytes
    rejects: tuple[Reject, ...]
    counts: Counts
    asked: tuple[tuple[str, Publish], ...] = ()
    cost: int = 0

    def as_chunk(self, found: Found | None = None) -> Chunk:
        """All of it, with what was found in it, as one unit of commit."""
        batch, totals = self.batch, self.counts.as_totals()
        if not found:
            return Chunk(batch, self.new_entries, self.marks, self.rejects, totals)
        batch = concat([batch, found.batch])
        totals |= found.totals()
        return Chunk(batch, self.new_entries, self.marks, self.rejects, totals, found.kept)
