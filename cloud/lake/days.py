"""Days of a rollup made anew for one gateway, from `readings` or the next finer rollup.

A bounded part goes into each commit, which is whole: a day has its old rows or its new ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.correction import Ints, apart, coded
from cloud.lake.correction import within as within_spans
from cloud.lake.mend import Spans, near, pieces_of, replace, rows_of
from cloud.lake.rollup import REDUCED, merge_rows, reduce_rows
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import one, times
from cloud.lake.table.schema import READINGS, weight
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable, Piece
from cloud.retention.rules import NO_HULLS, Hulls, within
from cloud.rollup.partials import DAY_US, bucket_of

ROWS_AT_ONCE: Final = 2_000_000
"""Readings whose rollups are made anew in one commit, at most, or those of one day."""
_COLUMNS: Final = (*REDUCED, "epoch", "seq")


def make_days_anew(
    table: LakeTable,
    finer: LakeTable,
    gateway: str,
    spans: Spans,
    sweeper: Sweeper,
    rows_at_once: int = ROWS_AT_ONCE,
    hulls: Hulls = NO_HULLS,
) -> None:
    """Make a rollup's rows of the days in these spans, which are of whole days, anew.

    Not of days of a series in its hull: their readings are not all there any more.
    """
    rows_at_once //= weight(finer.spec)
    rows_a_day = _rows_a_day(finer, gateway, spans)
    for day in _rows_a_day(table, gateway, spans):
        rows_a_day.setdefault(day, 0)
    for days in _together(rows_a_day, rows_at_once):
        whole = np.array(days, np.int64)
        _make_anew(table, finer, gateway, whole, sweeper, rows_at_once, hulls)


def _make_anew(
    table: LakeTable,
    finer: LakeTable,
    gateway: str,
    days: Ints,
    sweeper: Sweeper,
    rows_at_once: int,
    hulls: Hulls,
) -> None:
    """The rows of one gateway's days from the finer table, in place of those that are there."""
    spans = {gateway: [(day, day + DAY_US - 1) for day in days.tolist()]}
    files, pieces = [], []
    for file in near(table, spans):
        rows = rows_of(table, file)
        old = _is_of(rows, gateway, days, hulls)
        if old.any():
            files.append(file)
            stay = rows.filter(pa.array(~old))
            pieces.append(Piece(stay, file.period, file.start, file.end))
    made: list[pa.Table] = []
    held: list[tuple[int, pa.Table]] = []
    first, last = 0, 0
    for file in sorted(near(finer, spans), key=lambda one: one.start):
        rows = rows_of(finer, file, _COLUMNS if finer.spec is READINGS else ())
        rows = rows.filter(pa.array(_is_of(rows, gateway, days, hulls)))
        if rows.num_rows:
            first, last = min(first or file.start, file.start), max(last, file.end)
            if finer.spec is not READINGS:
                made.append(rows.select(table.spec.schema.names))
                continue
            held.append((file.start, rows))
            if sum(rows.num_rows for _, rows in held) >= rows_at_once:
                made.append(_reduced(held, table))
                held = []
    if held:
        made.append(_reduced(held, table))
    if made:
        fresh = merge_rows(pa.concat_tables(made), table.spec)
        pieces += pieces_of(fresh, table, first, last)
    if files or made:
        replace(table, files, pieces, sweeper)


def _reduced(held: Sequence[tuple[int, pa.Table]], table: LakeTable) -> pa.Table:
    """Rows of the rollup from readings of several files, whose times may interleave."""
    rows = lake_parquet.arrange(pa.concat_tables([rows for _, rows in held]))
    if len(held) > 1:
        rows = _as_they_came(rows)
    return reduce_rows(rows, table.spec, held[0][0]).rows


def _as_they_came(rows: pa.Table) -> pa.Table:
    """One gateway's arranged rows, those of one series and time in the order of their blocks.

    A file may hold earlier blocks and later ones than another does: recomputing moves single ones.
    """
    series, ts = one(rows["series"]).to_numpy(), times(rows["ts"])
    is_same = (series[1:] == series[:-1]) & (ts[1:] == ts[:-1])
    if not is_same.any():
        return rows
    together = np.concatenate([[0], np.cumsum(~is_same)])
    origin = [one(rows[name]).to_numpy() for name in ("seq", "epoch")]
    return rows.take(pa.array(np.lexsort((*origin, together))))


def _is_of(rows: pa.Table, gateway: str, days: Ints, hulls: Hulls) -> NDArray[np.bool_]:
    """Which rows are of a gateway and one of these days, outside of the hulls."""
    codes, names = coded(rows["gateway"])
    if gateway not in names:
        return np.zeros(rows.num_rows, bool)
    day = bucket_of(times(rows["ts"]), DAY_US)
    of: NDArray[np.bool_] = (codes == names.index(gateway)) & np.isin(day, days)
    return of & ~within(one(rows["series"]).to_numpy(), day, hulls) if hulls else of


def _rows_a_day(table: LakeTable, gateway: str, spans: Spans) -> dict[int, int]:
    """Rows of a gateway by day, of the days in the spans that have any."""
    found: dict[int, int] = {}
    for file in near(table, {gateway: spans}):
        rows = rows_of(table, file, ["gateway", "ts"])
        codes, names = coded(rows["gateway"])
        if gateway in names:
            ts = times(rows["ts"])[codes == names.index(gateway)]
            inside = within_spans(ts, *apart(spans))
            days, counts = np.unique(bucket_of(ts[inside], DAY_US), return_counts=True)
            for day, count in zip(days.tolist(), counts.tolist(), strict=True):
                found[day] = found.get(day, 0) + count
    return found


def _together(rows_a_day: Mapping[int, int], rows_max: int) -> Iterator[list[int]]:
    """Days in order, as many at a time as hold so many rows; one at least."""
    group: list[int] = []
    rows = 0
    for day in sorted(rows_a_day):
        if group and rows + rows_a_day[day] > rows_max:
            yield group
            group, rows = [], 0
        group.append(day)
        rows += rows_a_day[day]
    if group:
        yield group
