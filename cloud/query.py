"""Questions to history, answered from one view: tables and tail joined at its offset.

Raw readings are complete and lossless; buckets are merged from rollup partials by the same
functions that made them (`cloud.rollup`), so tables and tail give one answer. Methods block: call
them from threads. Any thread may call any of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud import rollup
from cloud.lake_names import Name
from cloud.lake_rollup import numbers, objects, readings_of
from cloud.lake_table.parquet import times
from cloud.lake_table.schema import ANOMALIES, READINGS
from cloud.live import Live, View
from cloud.live_feed import anomaly_rows
from cloud.query_lake import LakeReader
from cloud.query_plan import Buckets, Resolution, buckets_for, span
from cloud.query_pool import Pool
from cloud.query_sql import ANOMALIES as ANOMALIES_SQL
from cloud.rollup import DAY_US, Partials

_INT64_MAX: Final = np.iinfo(np.int64).max
ROWS_MAX: Final = 100_000
"""Raw readings of one answer when the caller names no other limit."""


class UnknownSeries(LookupError):  # noqa: N818 - the caller's fault, by its id
    """No series of this id; the argument is the id."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a raw answer goes on.

    At which of the asked series, from which time, and how many of the readings at exactly that
    time were already given.
    """

    index: int
    ts: int
    given: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for history: times µs in [from, to), ``points`` at most per series."""

    series: tuple[int, ...]
    from_us: int
    to_us: int
    points: int = 1000
    resolution: Resolution = Resolution.AUTO
    limit: int = ROWS_MAX
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RawSeries:
    """Readings in order of time, then arrival; ``text`` None where no reading was a text."""

    id: int
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    text: NDArray[Any] | None
    quality: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class BucketSeries:
    """Buckets that hold anything, in order."""

    id: int
    partials: Partials


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The answer: ``buckets`` None means raw. ``lake`` and ``journal`` name the view it is of."""

    buckets: Buckets | None
    series: tuple[RawSeries | BucketSeries, ...]
    lake: int
    journal: int
    next: Cursor | None


class Query:
    """Answers from the newest view of ``live``."""

    def __init__(self, live: Live, threads: int = 2) -> None:
        self._live = live
        self._pool = Pool(cursors=2 * threads, threads=threads)
        self._lake = LakeReader()

    def close(self) -> None:
        """Close the engine; queries under way fail."""
        self._pool.close()

    def history(self, ask: Ask) -> History:
        """Raw or bucketed history. UnknownSeries when an id is not known."""
        view = self._live.view
        names = [self._name(series) for series in ask.series]
        if ask.resolution is Resolution.RAW:
            return self._raw(view, names, ask)
        if ask.resolution is Resolution.AUTO and self._few(ask):
            raw = self._raw_if_few(view, names, ask)
            if raw is not None:
                return raw
        buckets = buckets_for(ask.from_us, ask.to_us, ask.points, ask.resolution)
        found = [BucketSeries(n.id, self._buckets(view, n, ask, buckets)) for n in names]
        return History(buckets, tuple(found), view.lake, view.journal, None)

    def default_span(self, series: Sequence[int], now_us: int) -> tuple[int, int]:
        """The last 24 h of what the series have: (from, to) in µs, (0, 0) when there is nothing.

        What claims to lie more than a day ahead of ``now_us`` does not count: one reading of a
        broken clock would hide the present.
        """
        known = self._live.book.known(series)
        if not len(known.last_ts):
            return 0, 0
        to_us = min(int(known.last_ts.max()) + 1, now_us + DAY_US)
        return min(to_us, now_us) - DAY_US, to_us

    def anomalies(
        self,
        from_us: int,
        to_us: int,
        *,
        series: Sequence[int] = (),
        gateway: str | None = None,
        device: str | None = None,
        limit: int = 1000,
    ) -> list[dict[str, Any]]:
        """Anomalies in [from, to), newest first, as the API tells them."""
        view = self._live.view
        parts = []
        files = view.tables[ANOMALIES.name].pick(from_us, to_us)
        if files:
            wanted = list(series)
            given = [from_us, to_us, gateway, gateway, device, device, wanted, wanted, limit]
            parts.append(self._pool.table(ANOMALIES_SQL, [files, *given]))
        tail = (batch.tables.get(ANOMALIES.name) for batch in view.tail)
        parts += [found.rows for found in tail if found is not None]
        rows = [row for part in parts for row in anomaly_rows(part)]
        ids = {f"{each:016x}" for each in series}
        rows = [
            row
            for row in rows
            if from_us <= row["ts"] < to_us
            and (not ids or row["series"] in ids)
            and gateway in (None, row["gateway"])
            and device in (None, row["device"])
        ]
        rows.sort(key=lambda row: row["ts"], reverse=True)
        return rows[:limit]

    def _name(self, series: int) -> Name:
        name = self._live.book.name(series)
        if name is None:
            raise UnknownSeries(series)
        return name

    def _few(self, ask: Ask) -> bool:
        """Whether raw readings may fit the points, by each series' mean rate so far."""
        known = self._live.book.known(ask.series)
        length = np.maximum(known.last_ts - known.first_ts, 1)
        asked = np.minimum(known.last_ts, ask.to_us) - np.maximum(known.first_ts, ask.from_us)
        share = np.clip(asked / length, 0, 1)
        return bool((known.readings * share <= 2 * ask.points + 100).all())

    def _raw_if_few(self, view: View, names: Sequence[Name], ask: Ask) -> History | None:
        found = []
        for name in names:
            rows = self._readings(view, name, ask.from_us, ask.to_us, ask.points + 1)
            if len(rows.ts) > ask.points:
                return None
            found.append(rows)
        return History(None, tuple(found), view.lake, view.journal, None)

    def _raw(self, view: View, names: Sequence[Name], ask: Ask) -> History:
        at = ask.cursor or Cursor(0, ask.from_us, 0)
        found: list[RawSeries] = []
        left = ask.limit
        for index in range(at.index, len(names)):
            start, given = (at.ts, at.given) if index == at.index else (ask.from_us, 0)
            rows = self._readings(view, names[index], start, ask.to_us, given + left + 1)
            kept = _slice(rows, given, given + left)
            found.append(kept)
            if len(rows.ts) > given + left:
                last = int(kept.ts[-1])
                again = given if last == start else 0
                cursor = Cursor(index, last, again + int((kept.ts == last).sum()))
                return History(None, tuple(found), view.lake, view.journal, cursor)
            left -= len(kept.ts)
            if not left and index + 1 < len(names):
                cursor = Cursor(index + 1, ask.from_us, 0)
                return History(None, tuple(found), view.lake, view.journal, cursor)
        return History(None, tuple(found), view.lake, view.journal, None)

    def _readings(self, view: View, name: Name, start: int, end: int, limit: int) -> RawSeries:
        """The first ``limit`` readings of a series in [start, end), tables and tail."""
        tail = _tail(view, name, start, end)
        parts = self._lake.readings(view, name, start, end, limit, origin=bool(tail)) + tail
        if not parts:
            none = np.empty(0, np.int64)
            return RawSeries(name.id, none, np.empty(0), None, none)
        return _slice(_ordered(name.id, parts), 0, limit)

    def _buckets(self, view: View, name: Name, ask: Ask, buckets: Buckets) -> Partials:
        start, end = span(ask.from_us, ask.to_us, buckets.width_us)
        tier, width = buckets.tier, buckets.width_us
        kept = self._lake.kept(view, tier, name, start, end) if tier else None
        if kept is not None:
            parts = [kept]
        else:
            pieces = self._lake.pieces(view, name, start, end)
            parts = [rollup.reduce(readings, width, part) for part, readings in pieces]
        for batch in view.tail:
            if READINGS.name in batch.tables:
                rows = batch.tables[READINGS.name].of_series(name.id, start, end)
                if rows is not None:
                    parts.append(rollup.reduce(readings_of(rows), width, batch.start))
        return rollup.merge(rollup.concat(parts), width)


def _tail(view: View, name: Name, start: int, end: int) -> list[pa.Table]:
    found = []
    for batch in view.tail:
        rows = batch.tables.get(READINGS.name)
        part = rows.of_series(name.id, start, end) if rows is not None else None
        if part is not None:
            found.append(part)
    return found


def _ordered(series: int, parts: Sequence[pa.Table]) -> RawSeries:
    """Rows of tables and tail in one order: time, then epoch and seq, then as they stood.

    Of parts without those no two have a time in common.
    """

    def column(name: str) -> NDArray[Any]:
        of = times if name == "ts" else objects if name == "text" else numbers
        return np.concatenate([of(part[name]) for part in parts])

    ts, value, text, quality = column("ts"), column("value"), column("text"), column("quality")
    if len(parts) > 1:
        origin = [column(name) for name in ("seq", "epoch") if name in parts[0].column_names]
        order = np.lexsort((*origin, ts))
        ts, value, text, quality = ts[order], value[order], text[order], quality[order]
    return RawSeries(series, ts, value, text, quality)


def _slice(rows: RawSeries, start: int, end: int) -> RawSeries:
    text = None if rows.text is None else rows.text[start:end]
    if text is not None and all(each is None for each in text):
        text = None
    part = slice(start, end)
    return RawSeries(rows.id, rows.ts[part], rows.value[part], text, rows.quality[part])
