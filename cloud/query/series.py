"""One series of a view, tables and tail as one: its readings, and partials of them in buckets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cloud.lake.rollup import readings_of
from cloud.lake.table.schema import has_lists
from cloud.live.tail import series_rows
from cloud.live.view import View
from cloud.query import clean as query_clean
from cloud.query import rows as query_rows
from cloud.query.clean import Bad, Piece
from cloud.query.columns import Told
from cloud.query.lake import LakeReader
from cloud.query.one import OneSeries
from cloud.query.plan import Buckets
from cloud.query.rows import LISTS, RawSeries
from cloud.rollup import partials as rollup
from cloud.rollup.partials import Ints, Partials, Readings


@dataclass(frozen=True, slots=True)
class SeriesView(OneSeries):
    """A stored series as of one view, without what of it is ``bad``; reads from ``lake``.

    Its partials say as much as is to be ``told``, as far as rollups have it: the less, the less is
    read.
    """

    lake: LakeReader
    view: View
    bad: Bad
    told: Told

    @property
    def is_all(self) -> bool:
        """Whether nothing of it is bad."""
        return not self.bad

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
        return series_rows(self.view.tail, self.name.id, start, end)

    def partials(self, start: int, end: int, buckets: Buckets) -> Partials:
        """One row a bucket that has readings, of the whole buckets [start, end)."""
        parts: list[Partials] = []
        tail = list(self._tail_parts(start, end))
        if buckets.tier is None:
            parts += self._reduced(Piece(start, end, is_raw=True), buckets, self.told)
        else:
            # The ends say which of two rows of one bucket is the first.
            is_one = buckets.is_tier and not tail
            told = self.told if is_one else self.told.with_ends
            for piece in query_clean.pieces(start, end, buckets.tier.width_us, self.bad):
                parts += self._reduced(piece, buckets, told)
        for part, rows in tail:
            readings = query_rows.without(readings_of(rows), self.bad)
            parts.append(self._reduce(readings, part, buckets))
        found = rollup.concat(parts)
        if buckets.edges is None:
            return rollup.merge(found, buckets.width_us)
        return rollup.merge(replace(found, bucket=_begin(found.bucket, buckets.edges)), 1)

    def _reduced(self, piece: Piece, buckets: Buckets, told: Told) -> Iterator[Partials]:
        """Partials of a stretch, from the rollup or from raw readings that are not bad.

        Where readings left (retention), the hours that the rollup accounts for are its own.
        """
        kept_hours = np.empty(0, np.int64)
        tier = None if piece.is_raw else buckets.tier
        if tier is not None:
            span = (piece.start, piece.end)
            kept = self.lake.kept(self.view, tier, self.name, span, told)
            if kept is not None:
                yield kept
                return
            if self._is_aged(*span):
                kept, kept_hours = self.lake.in_hours(self.view, tier, self.name, span, told)
                yield kept
        for part, readings in self.lake.pieces(self.view, self.name, piece.start, piece.end):
            good = query_rows.without(readings, self.bad)
            if len(kept_hours):
                good = good.where(~np.isin(rollup.bucket_of(good.ts, rollup.HOUR_US), kept_hours))
            yield self._reduce(good, part, buckets)

    def _reduce(self, readings: Readings, part: int, buckets: Buckets) -> Partials:
        """Partials with what the rollup's rows have beside which they are."""
        has = buckets.tier is not None and has_lists(buckets.tier)
        lists = has and not LISTS.isdisjoint(self.told.more)
        return rollup.reduce(readings, buckets.fine_us, part, lists=lists)

    def _is_aged(self, start: int, end: int) -> bool:
        low, high = self.view.retired.hulls.get(self.name.id, (0, 0))
        return max(low, start) < min(high, end)


def _begin(ts: Ints, edges: Ints) -> Ints:
    starts: Ints = edges[np.searchsorted(edges, ts, "right") - 1]
    return starts
