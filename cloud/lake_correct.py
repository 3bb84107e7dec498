"""Times put right in tables: what a correction says of rows that are in the lake already.

Rows that come with or after a correction are put right as they are decoded (`settled`). For those
before it, each table is mended in the order of the commits: `readings` file by file; each rollup by
making the days anew that readings left or came to, from `readings` or the next finer rollup;
`anomalies` by looking up the reading each is about. Every commit leaves a state from which the same
steps go on, for a reading is moved once; when all are done the table says up to which offset
(`LakeTable.mark_corrected`), so that a crash at any step costs the steps alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud import lake_plan
from cloud.correction import (
    Correction,
    Ints,
    Key,
    Known,
    apart,
    coded,
    corrections_of,
    keys_of,
    moved,
    moves_of,
    settled,
    shifted,
    within,
)
from cloud.lake_embedded import Decoded
from cloud.lake_rollup import merge_rows, reduce_rows
from cloud.lake_table import parquet as lake_parquet
from cloud.lake_table.files import DataFile
from cloud.lake_table.parquet import times
from cloud.lake_table.schema import ANOMALIES, CORRECTIONS, READINGS, ROLLUPS, is_whole
from cloud.lake_table.sweep import Sweeper
from cloud.lake_table.table import LakeTable, Piece
from cloud.rollup import DAY_US, bucket_of
from protos.records import Quality

ROWS_AT_ONCE: Final = 2_000_000
"""Readings whose rollups are made anew in one commit, at most, or those of one day."""


class Corrector:
    """Knows the corrections, and mends tables by them; for the consolidator's thread alone."""

    def __init__(self, sweeper: Sweeper, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._sweeper = sweeper
        self._rows_at_once = rows_at_once
        self._known = Known()

    def open(self, tables: Mapping[str, LakeTable]) -> None:
        """Know what the table `corrections` holds."""
        self._known = Known().plus(_read(tables[CORRECTIONS.name].state.files.files, tables))

    def settle(self, decoded: Decoded) -> Decoded:
        """These rows at their true times, by every correction so far and by their own."""
        self._known = self._known.plus(corrections_of(decoded.tables.get(CORRECTIONS.name)))
        return settled(decoded, self._known)

    def carry_out(self, tables: Mapping[str, LakeTable]) -> int:
        """Mend the tables by every correction that has come since; how many readings moved.

        All tables stand at one offset. Raises as `LakeTable.append`.
        """
        files = tables[CORRECTIONS.name].state.files.files
        offset = max((file.end for file in files if not file.is_release), default=0)
        ticket = max((file.ticket for file in files), default=0)
        moved_rows = 0
        finer = tables[READINGS.name]
        for spec in (READINGS, *ROLLUPS, ANOMALIES):
            table = tables[spec.name]
            done = table.state.corrected
            if done[0] < offset or done[1] < ticket:
                fresh = [f for f in files if (f.ticket or f.end) > done[f.is_release]]
                found = [*Known().plus(_read(fresh, tables)).found.values()]
                if spec is READINGS:
                    moved_rows = self._mend_readings(table, found)
                elif spec is ANOMALIES:
                    self._mend_anomalies(table, tables[READINGS.name], found)
                else:
                    self._mend_rollup(table, finer, found)
                table.mark_corrected(max(offset, done[0]), max(ticket, done[1]))
            if is_whole(spec):
                finer = table
        return moved_rows

    def _mend_readings(self, table: LakeTable, found: Sequence[Correction]) -> int:
        known, count = Known().plus(found), 0
        for file in table.state.files.files:
            if not any(_may_hold(file, one.gateway, *one.spans[0]) for one in found):
                continue
            rows = _rows_of(table, [file])
            moves = moves_of(rows, known)
            if moves.rows.any():
                count += int(moves.rows.sum())
                stay = rows.filter(pa.array(~moves.rows))
                gone = moved(rows, moves).filter(pa.array(moves.rows))
                span = (file.start, file.end)
                pieces = [Piece(stay, file.period, *span), *_pieces(gone, table, *span)]
                self._replace(table, [file], pieces)
        return count

    def _mend_rollup(self, table: LakeTable, finer: LakeTable, found: Sequence[Correction]) -> None:
        for gateway in sorted({one.gateway for one in found}):
            spans = [_days(*span) for one in found if one.gateway == gateway for span in one.spans]
            self.make_days_anew(table, finer, gateway, spans)

    def make_days_anew(
        self, table: LakeTable, finer: LakeTable, gateway: str, spans: Sequence[tuple[int, int]]
    ) -> None:
        """Make a rollup's rows of the days in these spans anew, a bounded part in each commit."""
        rows_a_day = _rows_a_day(finer, gateway, spans)
        for day in _rows_a_day(table, gateway, spans):
            rows_a_day.setdefault(day, 0)
        for days in _together(rows_a_day, self._rows_at_once):
            self._make_anew(table, finer, gateway, np.array(days, np.int64))

    def _make_anew(self, table: LakeTable, finer: LakeTable, gateway: str, days: Ints) -> None:
        """The rows of one gateway's days from the finer table, in place of those that are there."""
        span = (int(days[0]), int(days[-1]) + DAY_US - 1)
        files, pieces = [], []
        for file in _near(table, gateway, *span):
            rows = _rows_of(table, [file])
            old = _is_of(rows, gateway, days)
            if old.any():
                files.append(file)
                stay = rows.filter(pa.array(~old))
                pieces.append(Piece(stay, file.period, file.start, file.end))
        made, first, last = [], 0, 0
        for file in _near(finer, gateway, *span):
            rows = _rows_of(finer, [file])
            rows = rows.filter(pa.array(_is_of(rows, gateway, days)))
            if rows.num_rows:
                is_raw = finer.spec is READINGS
                part = reduce_rows(rows, table.spec, file.start) if is_raw else rows
                made.append(part.select(table.spec.schema.names))
                first, last = min(first or file.start, file.start), max(last, file.end)
        if made:
            fresh = merge_rows(pa.concat_tables(made), table.spec)
            pieces += _pieces(fresh, table, first, last)
        if files or made:
            self._replace(table, files, pieces)

    def _mend_anomalies(
        self, table: LakeTable, readings: LakeTable, found: Sequence[Correction]
    ) -> None:
        """One commit: an anomaly has no mark of its own that it was moved."""
        files, pieces = [], []
        for file in table.state.files.files:
            near = [one for one in found if _may_hold(file, one.gateway, *one.spans[0])]
            rows = _rows_of(table, [file]) if near else None
            by = _far(rows, near, readings) if rows is not None else None
            if rows is not None and by is not None and by.any():
                files.append(file)
                rows = lake_parquet.arrange(shifted(rows, by))
                pieces += _pieces(rows, table, file.start, file.end)
        if files:
            self._replace(table, files, pieces)

    def _replace(
        self, table: LakeTable, files: Sequence[DataFile], pieces: Sequence[Piece]
    ) -> None:
        table.replace(files, _joined(pieces))
        self._sweeper.retire(table, [file.path for file in files])


def _read(files: Iterable[DataFile], tables: Mapping[str, LakeTable]) -> Iterator[Correction]:
    for file in sorted(files, key=lambda one: (one.start, one.path)):
        yield from corrections_of(_rows_of(tables[CORRECTIONS.name], [file]))


def _rows_of(table: LakeTable, files: Sequence[DataFile]) -> pa.Table:
    return lake_parquet.read([table.folder / file.path for file in files], table.spec)


def _may_hold(file: DataFile, gateway: str, first: int, last: int) -> bool:
    """Whether a file may hold rows of a gateway with times in [first, last]."""
    if file.ts_min > last or file.ts_max < first:
        return False
    return file.devices is None or file.devices[0][0] <= gateway <= file.devices[1][0]


def _near(table: LakeTable, gateway: str, first: int, last: int) -> list[DataFile]:
    return [one for one in table.state.files.files if _may_hold(one, gateway, first, last)]


def _days(first: int, last: int) -> tuple[int, int]:
    """The whole days that meet [first, last]."""
    return first - first % DAY_US, last - last % DAY_US + DAY_US - 1


def _is_of(rows: pa.Table, gateway: str, days: Ints) -> NDArray[np.bool_]:
    """Which rows are of a gateway and one of these days."""
    codes, names = coded(rows["gateway"])
    if gateway not in names:
        return np.zeros(rows.num_rows, bool)
    day = bucket_of(times(rows["ts"]), DAY_US)
    of: NDArray[np.bool_] = (codes == names.index(gateway)) & np.isin(day, days)
    return of


def _rows_a_day(table: LakeTable, gateway: str, spans: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Rows of a gateway by day, of the days in the spans that have any."""
    found: dict[int, int] = {}
    first, last = apart(spans)
    for file in _near(table, gateway, int(first[0]), int(last[-1])):
        if not np.any((first <= file.ts_max) & (last >= file.ts_min)):
            continue
        rows = _rows_of(table, [file]).select(["gateway", "ts"])
        codes, names = coded(rows["gateway"])
        if gateway in names:
            ts = times(rows["ts"])[codes == names.index(gateway)]
            inside = within(ts, first, last)
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


def _pieces(rows: pa.Table, table: LakeTable, start: int, end: int) -> list[Piece]:
    rows = lake_parquet.arrange(rows)
    return [
        Piece(
            rows if isinstance(part.rows, slice) else rows.take(pa.array(part.rows)),
            part.period,
            start,
            end,
        )
        for part in lake_plan.split(times(rows["ts"]), table.spec.grain)
    ]


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces of one period and the same offsets as one; those without rows are left out."""
    by: dict[tuple[str, int, int], list[pa.Table]] = {}
    for one in pieces:
        if one.rows.num_rows:
            by.setdefault((one.period, one.start, one.end), []).append(one.rows)
    return [
        Piece(rows[0] if len(rows) == 1 else lake_parquet.arrange(pa.concat_tables(rows)), *where)
        for where, rows in by.items()
    ]


def _far(rows: pa.Table, found: Sequence[Correction], readings: LakeTable) -> Ints:
    """How far each anomaly goes: to where the reading it is about has been moved."""
    by = np.zeros(rows.num_rows, np.int64)
    codes, names = coded(rows["gateway"])
    ts = times(rows["ts"])
    for one in found:
        if one.gateway not in names:
            continue
        first, last = one.spans[0]
        inside = (codes == names.index(one.gateway)) & (ts >= first) & (ts <= last)
        near = np.flatnonzero(inside)
        if len(near):
            there = shifted(rows.take(pa.array(near)), np.full(len(near), one.offset_us))
            about = _corrected(readings, one, there)
            by[near[[key in about for key in keys_of(there)]]] = one.offset_us
    return by


def _corrected(readings: LakeTable, one: Correction, there: pa.Table) -> set[Key]:
    """The keys of corrected readings that these anomalies, as moved, may be about."""
    series, ts = there["series"].to_numpy(), times(there["ts"])
    found: set[Key] = set()
    for file in _near(readings, one.gateway, *one.spans[1]):
        rows = _rows_of(readings, [file])
        done = rows["quality"].to_numpy() == int(Quality.GATEWAY_CORRECTED)
        done &= np.isin(rows["series"].to_numpy(), series) & np.isin(times(rows["ts"]), ts)
        found.update(keys_of(rows.filter(pa.array(done))))
    return found
