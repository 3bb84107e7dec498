"""Pure: one series as of a view, stored or joined, and what of it only its readings tell.

What no row of a rollup knows is made from the readings of its bucket, some at a time and so many at
most for one answer.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.query.plan import Buckets
from cloud.query.rows import RawSeries, picked
from cloud.rollup import partials as rollup
from cloud.rollup.partials import Ints, Partials, Readings
from cloud.rollup.time import UNKNOWN

READINGS_AT_ONCE: Final = 1_000_000
"""Readings that are held while buckets are made of them anew, or those of one bucket."""
READINGS_MAX: Final = 10_000_000
"""Readings looked at for one answer because no rollup says what was asked: seconds of one core."""
_LAST_US: Final = int(np.iinfo(np.int64).max)


class TooManyReadings(ValueError):  # noqa: N818 - the caller's fault, by a count
    """What was asked would take more than READINGS_MAX readings; the argument is how many."""


@dataclass(slots=True)
class Budget:
    """How many readings were looked at for one answer, beside those that it tells."""

    readings: int = 0

    def spend(self, readings: int) -> None:
        """TooManyReadings when it comes to more than READINGS_MAX."""
        self.readings += readings
        if self.readings > READINGS_MAX:
            raise TooManyReadings(self.readings)


@dataclass(frozen=True, slots=True)
class OneSeries(ABC):
    """A series as of one view: `cloud.query.series.SeriesView`, or several of them as one.

    ``budget`` is that of the answer which it is asked for.
    """

    name: Name
    budget: Budget

    @property
    @abstractmethod
    def is_all(self) -> bool:
        """Whether it has all readings that its gateway sent: none is left out."""

    @abstractmethod
    def readings(self, start: int, end: int, limit: int) -> RawSeries:
        """The first ``limit`` readings in [start, end)."""

    @abstractmethod
    def partials(self, start: int, end: int, buckets: Buckets) -> Partials:
        """One row a bucket that has readings, of the whole buckets [start, end)."""

    def whole(self, partials: Partials, ends: Ints, *, rises: bool) -> Partials:
        """The partials, what is not known of them made from the readings; ``ends`` of the buckets.

        ``rises``: it must be known how often they fell, too. It stays unknown of a bucket whose
        readings are not all there any more (retention). TooManyReadings as `Budget.spend`.
        """
        lacking = rollup.unknown(partials, rises=rises)
        if not lacking.any():
            return partials
        made = [rollup.take(partials, ~lacking)]
        is_made = np.zeros(len(partials), bool)
        for rows, raw, at in self.chunks(partials, ends, np.flatnonzero(lacking)):
            made.append(rollup.reduce_in(_as_readings(raw), partials.bucket[rows][at], 0))
            is_made[rows] = True
        if not is_made[lacking].all():
            made.append(_untold(rollup.take(partials, lacking & ~is_made)))
        both = rollup.concat(made)
        return rollup.take(both, np.argsort(both.bucket, kind="stable"))

    def chunks(
        self, partials: Partials, ends: Ints, rows: Ints
    ) -> Iterator[tuple[Ints, RawSeries, Ints]]:
        """The readings of the buckets of these ``rows`` of partials, in order, some at a time.

        Each time: which rows, their readings, and in which of the rows each reading lies. Rows of
        which not all readings are there any more are left out. TooManyReadings as `Budget.spend`.
        """
        self.budget.spend(int(partials.count[rows].sum()))
        for some in _together(rows, partials.count):
            starts = partials.bucket[some]
            raw = self.readings(int(starts[0]), int(ends[some[-1]]), _LAST_US)
            at = np.searchsorted(starts, raw.ts, "right") - 1
            inside = raw.ts < ends[some][at]
            is_whole = np.bincount(at[inside], minlength=len(some)) == partials.count[some]
            kept = inside & is_whole[at]
            if not kept.all():
                raw, at = picked(raw, kept), at[kept]
            if not is_whole.all():
                at, some = (np.cumsum(is_whole) - 1)[at], some[is_whole]
            if len(some):
                yield some, raw, at


def ends_of(bucket: Ints, buckets: Buckets) -> Ints:
    """The ends of the buckets that begin so."""
    if buckets.edges is None:
        return bucket + buckets.width_us
    ends: Ints = buckets.edges[np.searchsorted(buckets.edges, bucket, "right")]
    return ends


def _untold(partials: Partials) -> Partials:
    """Rows of which nothing tells what they did over time, but how they began and ended."""
    lacking = partials.held == UNKNOWN
    return replace(
        partials,
        reset_sum=np.full(len(partials), np.nan),
        head=np.where(lacking, partials.first, partials.head),
        tail=np.where(lacking, partials.last, partials.tail),
    )


def _as_readings(raw: RawSeries) -> Readings:
    text: NDArray[Any] = np.full(len(raw.ts), None, object) if raw.text is None else raw.text
    series = np.full(len(raw.ts), raw.id, np.int64)
    return Readings(series, raw.ts, raw.value, text, raw.quality.astype(np.uint8))


def _together(rows: Ints, count: Ints) -> Iterator[Ints]:
    """Rows that follow each other, as many at a time as have READINGS_AT_ONCE readings."""
    begun, held = 0, 0
    for at, row in enumerate(rows.tolist()):
        readings = int(count[row])
        is_next = at > begun and row == rows[at - 1] + 1
        if at > begun and not (is_next and held + readings <= READINGS_AT_ONCE):
            yield rows[begun:at]
            begun, held = at, 0
        held += readings
    if begun < len(rows):
        yield rows[begun:]
