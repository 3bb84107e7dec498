"""One series of a view, tables and tail as one: its readings, and partials of them in buckets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud import query_clean, query_rows, rollup
from cloud.lake_names import Name
from cloud.lake_rollup import readings_of
from cloud.lake_table.schema import READINGS
from cloud.live import View
from cloud.query_clean import Bad, Piece
from cloud.query_lake import LakeReader
from cloud.query_plan import Buckets
from cloud.query_rows import RawSeries
from cloud.rollup import Ints, Partials, Readings

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
class SeriesView:
    """A series as of one view, without what of it is ``bad``; reads from ``lake``.

    Its partials say what was over time if ``over_time`` is set, which takes more reading.
    """

    lake: LakeReader
    view: View
    name: Name
    bad: Bad
    budget: Budget
    over_time: bool

    def readings(self, start: int, end: int, limit: int) -> RawSeries:
        """The first ``limit`` readings in [start, end) that are not bad."""
        if not self.bad:
            return self._all(start, end, limit)
        pages = query_clean.without(self._all, start, end, limit, self.bad)
        rows = query_rows.only(query_rows.joined(self.name.id, pages), self.bad)
        return query_rows.cut(rows, 0, limit)

    def _all(self, start: int, end: int, limit: int) -> RawSeries:
        """The first ``limit`` readings of a series in [start, end), tables and tail."""
        tail = self._tail(start, end)
        origin = bool(tail)
        parts = self.lake.readings(self.view, self.name, start, end, limit, origin=origin) + tail
        if not parts:
            none = np.empty(0, np.int64)
            return RawSeries(self.name.id, none, np.empty(0), None, none)
        return query_rows.cut(query_rows.ordered(self.name.id, parts), 0, limit)

    def _tail(self, start: int, end: int) -> list[pa.Table]:
        return [rows for _, rows in self._tail_parts(start, end)]

    def _tail_parts(self, start: int, end: int) -> Iterator[tuple[int, pa.Table]]:
        for batch in self.view.tail:
            held = batch.tables.get(READINGS.name)
            rows = held.of_series(self.name.id, start, end) if held is not None else None
            if rows is not None:
                yield batch.start, rows

    def partials(self, start: int, end: int, buckets: Buckets) -> Partials:
        """One row a bucket that has readings, of the whole buckets [start, end)."""
        parts: list[Partials] = []
        if buckets.tier is None:
            parts += self._reduced(Piece(start, end, is_raw=True), buckets)
        else:
            for piece in query_clean.pieces(start, end, buckets.tier.width_us, self.bad):
                parts += self._reduced(piece, buckets)
        for part, rows in self._tail_parts(start, end):
            readings = query_rows.without(readings_of(rows), self.bad)
            parts.append(rollup.reduce(readings, buckets.fine_us, part))
        found = rollup.concat(parts)
        if buckets.edges is None:
            return rollup.merge(found, buckets.width_us)
        return rollup.merge(replace(found, bucket=_begin(found.bucket, buckets.edges)), 1)

    def _reduced(self, piece: Piece, buckets: Buckets) -> Iterator[Partials]:
        """Partials of a stretch, from the rollup or from raw readings that are not bad."""
        tier = None if piece.is_raw else buckets.tier
        if tier is not None:
            span = (piece.start, piece.end)
            kept = self.lake.kept(self.view, tier, self.name, span, over_time=self.over_time)
            if kept is not None:
                yield kept
                return
        for part, readings in self.lake.pieces(self.view, self.name, piece.start, piece.end):
            good = query_rows.without(readings, self.bad)
            yield rollup.reduce(good, buckets.fine_us, part)

    def whole(self, partials: Partials, ends: Ints) -> Partials:
        """The partials, what is not known of them made from the readings; ``ends`` of the buckets.

        TooManyReadings as `Budget.spend`.
        """
        lacking = np.flatnonzero(rollup.unknown(partials))
        if not len(lacking):
            return partials
        made = [rollup.take(partials, ~rollup.unknown(partials))]
        for rows, raw, at in self.chunks(partials, ends, lacking):
            made.append(rollup.reduce_in(_as_readings(raw), partials.bucket[rows][at], 0))
        both = rollup.concat(made)
        return rollup.take(both, np.argsort(both.bucket, kind="stable"))

    def chunks(
        self, partials: Partials, ends: Ints, rows: Ints
    ) -> Iterator[tuple[Ints, RawSeries, Ints]]:
        """The readings of the buckets of these ``rows`` of partials, in order, some at a time.

        Each time: which rows, their readings, and in which of the rows each reading lies.
        TooManyReadings as `Budget.spend`.
        """
        self.budget.spend(int(partials.count[rows].sum()))
        for some in _together(rows, partials.count):
            starts = partials.bucket[some]
            raw = self.readings(int(starts[0]), int(ends[some[-1]]), _LAST_US)
            yield some, raw, np.searchsorted(starts, raw.ts, "right") - 1


def ends_of(bucket: Ints, buckets: Buckets) -> Ints:
    """The ends of the buckets that begin so."""
    if buckets.edges is None:
        return bucket + buckets.width_us
    ends: Ints = buckets.edges[np.searchsorted(buckets.edges, bucket, "right")]
    return ends


def _begin(ts: Ints, edges: Ints) -> Ints:
    starts: Ints = edges[np.searchsorted(edges, ts, "right") - 1]
    return starts


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
