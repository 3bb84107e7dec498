"""Pure: answers about joined series, made of those about the stored series that they consist of.

A segment's readings are those of its stored series in [from, to), in the joined unit. Outside of it
they are left out as bad data is: a bucket that a seam cuts is made anew from its readings, so what
lies on either side is never mixed in. Of readings at one time those of the later segment are last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cloud.lake.names import Name
from cloud.live.series import Known
from cloud.query import rows as query_rows
from cloud.query.clean import NONE, Bad, bad_of
from cloud.query.one import Budget, OneSeries
from cloud.query.plan import Buckets
from cloud.query.rows import RawSeries
from cloud.rollup import partials as rollup
from cloud.rollup.partials import Partials
from cloud.rollup.time import UNKNOWN
from cloud.series.joined import Joined, Segment
from cloud.series.operation import BEGINNING, END
from cloud.series.units import Factor

_PART_BITS: Final = 48
"""Of the journal's offsets in `Partials.part`: segments are told apart above them."""


@dataclass(frozen=True, slots=True)
class JoinedView(OneSeries):
    """A joined series as of one view; ``parts`` are its segments, each as it is stored."""

    parts: Sequence[tuple[Segment, OneSeries]]

    @property
    def is_all(self) -> bool:
        """Of no joined series: what lies beside its segments is left out."""
        return False

    def readings(self, start: int, end: int, limit: int) -> RawSeries:
        """As `OneSeries.readings`, of all segments."""
        found: list[RawSeries] = []
        for segment, series in self.parts:
            meets = segment.within(start, end)
            if meets is None:
                continue
            if _enough(found, limit, meets.from_us):
                break
            rows = series.readings(meets.from_us, meets.to_us, limit)
            found.append(replace(rows, id=self.name.id, value=segment.factor.of(rows.value)))
        return _in_order(self.name.id, found, limit)

    def partials(self, start: int, end: int, buckets: Buckets) -> Partials:
        """As `OneSeries.partials`, of all segments."""
        found: list[Partials] = []
        for order, (segment, series) in enumerate(self.parts):
            if segment.within(start, end) is not None:
                made = series.partials(*_aligned(segment, start, end, buckets.fine_us), buckets)
                found.append(partials_of(self.name.id, order, segment, made))
        return found[0] if len(found) == 1 else rollup.merge(rollup.concat(found), 1)


def view_of(
    joined: Joined,
    without: Mapping[int, Bad],
    budget: Budget,
    stored: Callable[[Name, Bad], OneSeries],
) -> OneSeries:
    """A joined series, of views of stored ones without what is bad or beside their segments."""
    parts = [
        (segment, stored(segment.name, outside(segment, without.get(segment.name.id, NONE))))
        for segment in joined.segments
    ]
    if joined.is_stored:
        return parts[0][1]
    return JoinedView(joined.name, budget, parts)


def outside(segment: Segment, bad: Bad) -> Bad:
    """What of the stored series is left out: what is bad, and all that is not of the segment."""
    if segment.from_us == BEGINNING and segment.to_us == END:
        return bad
    stretches = list(zip(bad.start.tolist(), bad.end.tolist(), strict=True))
    if segment.from_us > BEGINNING:
        stretches.append((BEGINNING, segment.from_us))
    if segment.to_us < END:
        stretches.append((segment.to_us, END))
    return bad_of(stretches)


def bounds(asked: Joined, stored: Known) -> tuple[int, int] | None:
    """Times of which none of its readings is before the first or behind the last; None of none."""
    held = {name.id: i for i, name in enumerate(stored.names) if stored.readings[i]}
    found: list[tuple[int, int]] = []
    for segment in asked.segments:
        at = held.get(segment.name.id)
        if at is not None:
            first = max(int(stored.first_ts[at]), segment.from_us)
            last = min(int(stored.last_ts[at]), segment.to_us - 1)
            found += [(first, last)] if first <= last else []
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def _enough(parts: Sequence[RawSeries], limit: int, start: int) -> bool:
    """Whether the first ``limit`` readings are there, all of them before ``start``."""
    ts = np.concatenate([part.ts for part in parts]) if parts else np.empty(0, np.int64)
    return len(ts) >= limit and bool(np.partition(ts, limit - 1)[limit - 1] < start)


def _in_order(series: int, parts: Sequence[RawSeries], limit: int) -> RawSeries:
    """The first ``limit`` readings of all segments."""
    if len(parts) == 1 and len(parts[0].ts) <= limit:
        return parts[0]
    rows = query_rows.joined(series, parts)
    order = np.argsort(rows.ts, kind="stable")[:limit]
    text = None if rows.text is None else rows.text[order]
    ordered = RawSeries(series, rows.ts[order], rows.value[order], text, rows.quality[order])
    return query_rows.cut(ordered, 0, limit)


def partials_of(series: int, order: int, segment: Segment, partials: Partials) -> Partials:
    """Partials of a segment, the ``order``-th, as those of the joined series."""
    factor, count = segment.factor, partials.valid
    partials = _over_time(factor, partials)
    low, high = (partials.min, partials.max) if factor.a > 0 else (partials.max, partials.min)
    return replace(
        partials,
        series=np.full(len(partials), series, np.int64),
        part=partials.part + (order << _PART_BITS),
        sum=np.where(count > 0, factor.of(partials.sum, count), 0.0),
        min=factor.of(low),
        max=factor.of(high),
        first=factor.of(partials.first),
        last=factor.of(partials.last),
        # Bins of another unit lie otherwise: where one is asked for them it reads the readings.
        bins=partials.bins if factor.is_identity else None,
        states=partials.states if factor.is_identity else None,
    )


def _over_time(factor: Factor, partials: Partials) -> Partials:
    """What they were over time, in the joined unit; where that is not known it stays so.

    A row does not say how often it fell: where zero moves, or what rose falls, the sum of what it
    fell from is not known.
    """
    if factor.is_identity:
        return partials
    known = partials.held != UNKNOWN
    keeps_falls = factor.a > 0 and factor.b == 0
    fell_from = factor.of(partials.reset_sum) if keeps_falls else np.full(len(partials), np.nan)
    return replace(
        partials,
        integral=np.where(known, factor.of(partials.integral, partials.held), partials.integral),
        reset_sum=np.where(known, fell_from, partials.reset_sum),
        head=factor.of(partials.head),
        tail=factor.of(partials.tail),
    )


def _aligned(segment: Segment, start: int, end: int, width_us: int) -> tuple[int, int]:
    """What of [start, end), whole buckets, the segment meets, in whole buckets of ``width_us``."""
    low, high = max(segment.from_us, start), min(segment.to_us, end)
    return max(low - low % width_us, start), min(high + -high % width_us, end)
