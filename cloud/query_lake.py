"""One series in the tables: its readings, or partials of them from the rollup that has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa

from cloud import rollup
from cloud.lake_names import Name
from cloud.lake_rollup import partials_of, readings_of
from cloud.lake_table.files import DataFile
from cloud.lake_table.parquet import times
from cloud.lake_table.schema import (
    READINGS,
    ROLLUP_1H,
    ROLLUPS,
    SERIES_COLUMNS,
    TableSpec,
    added,
    is_whole,
)
from cloud.live import View
from cloud.query_files import FoundRows, SeriesFiles
from cloud.query_index import Stretch
from cloud.rollup import HOUR_US, Partials, Readings

ROWS_AT_ONCE: Final = 500_000
"""Rows of one series that are read before some of them are used: 30 MB."""
FILES_AT_ONCE: Final = 64
"""Files that a question has open."""
_NAMES: Final = frozenset(SERIES_COLUMNS) - {"series"}
_COLUMNS: Final = MappingProxyType(
    {
        spec.name: pa.schema([field for field in spec.schema if field.name not in _NAMES])
        for spec in (READINGS, *ROLLUPS)
    }
)
"""What is read of each table: all but what names the series, which is known."""
_BRIEF: Final = MappingProxyType(
    {
        spec.name: pa.schema([f for f in _COLUMNS[spec.name] if f.name not in added(spec)])
        for spec in ROLLUPS
    }
)
"""What is read of a rollup where nobody asks what was over time."""


def _of_readings(*names: str) -> pa.Schema:
    return pa.schema([READINGS.schema.field(name) for name in names])


_SAID: Final = _of_readings("ts", "value", "text", "quality")
_FOR_ROLLUPS: Final = _of_readings("series", "ts", "value", "text", "quality")


class LakeReader:
    """Asks the tables of a view; any thread may."""

    def __init__(self) -> None:
        self._files = SeriesFiles()

    def readings(
        self, view: View, name: Name, start: int, end: int, limit: int, *, origin: bool
    ) -> list[pa.Table]:
        """The first ``limit`` readings in [start, end) and perhaps some behind them.

        In one table if they stand in order, else one for each file, each in order of time, then
        arrival; files that begin behind the limit are not opened. ``origin``: with `epoch` and
        `seq`, which are there too where two files have readings of one time.
        """
        columns = _COLUMNS[READINGS.name] if origin else _SAID
        found: list[FoundRows] = []
        ts = np.empty(0, np.int64)
        for some in self._some(view, READINGS, name, (start, end), min(limit, ROWS_AT_ONCE)):
            if len(ts) >= limit and np.partition(ts, limit - 1)[limit - 1] < some.files[0].ts_min:
                break
            found.append(self._files.rows(some.places, start, end, columns))
            ts = np.concatenate([ts, times(found[-1].rows["ts"])])
        steps = np.diff(ts)
        if bool((steps > 0).all()):
            return [pa.concat_tables([each.rows for each in found])] if len(ts) else []
        parts = [rows for each in found for rows in each.by_file()]
        if not origin and len(parts) > 1 and not np.diff(np.sort(ts, kind="stable")).all():
            return self.readings(view, name, start, end, limit, origin=True)
        return parts

    def kept(
        self, view: View, tier: TableSpec, name: Name, span: tuple[int, int], *, over_time: bool
    ) -> Partials | None:
        """The series' rows of a rollup; None where it does not account for all its readings.

        Without ``over_time`` they do not know what was over time.
        """
        columns = (_COLUMNS if over_time else _BRIEF)[tier.name]
        if is_whole(tier):
            return self._of_tier(view, tier, name, span, columns)
        start, end = span
        span_us = (start - start % HOUR_US, end + -end % HOUR_US)
        found = self._of_tier(view, tier, name, span_us, columns)
        if not len(found):
            return None
        whole = self._of_tier(view, ROLLUP_1H, name, span_us, _BRIEF[ROLLUP_1H.name])
        if found.count.sum() != whole.count.sum():
            return None
        return rollup.take(found, (found.bucket >= start) & (found.bucket < end))

    def _of_tier(
        self, view: View, tier: TableSpec, name: Name, span: tuple[int, int], columns: pa.Schema
    ) -> Partials:
        found = [
            self._files.rows(some.places, *span, columns).rows
            for some in self._some(view, tier, name, span, ROWS_AT_ONCE)
        ]
        return rollup.concat([partials_of(rows) for rows in found if rows.num_rows])

    def pieces(
        self, view: View, name: Name, start: int, end: int
    ) -> Iterator[tuple[int, Readings]]:
        """The readings in [start, end), those of a file together; with the offset where it begins.

        As many at a time as ROWS_AT_ONCE.
        """
        for some in self._some(view, READINGS, name, (start, end), ROWS_AT_ONCE):
            found = self._files.rows(some.places, start, end, _FOR_ROLLUPS)
            for number, file in enumerate(some.files):
                rows = found.of_file(number)
                if rows is not None:
                    yield file.start, readings_of(rows)

    def _some(
        self, view: View, spec: TableSpec, name: Name, span: tuple[int, int], rows: int
    ) -> Iterator["_Some"]:
        """The files that hold the series in a range of time, in order of their times.

        So many at a time that they have ``rows`` of it, or the last of them brings that many.
        """
        some = _Some([], [])
        held = 0
        for file in _in_time(view, spec, name, *span):
            place = self._files.find(view.tables[spec.name].path(file), name)
            if place:
                some.files.append(file)
                some.places.append(place)
                held += sum(one.end - one.start for one in place)
            if held >= rows or len(some.files) == FILES_AT_ONCE:
                yield some
                some, held = _Some([], []), 0
        if some.files:
            yield some


@dataclass(frozen=True, slots=True)
class _Some:
    """Files that hold a series, and where it stands in each."""

    files: list[DataFile]
    places: list[list[Stretch]]


def _in_time(view: View, spec: TableSpec, name: Name, start: int, end: int) -> list[DataFile]:
    near = view.tables[spec.name].near(start, end, (name.gateway, name.device))
    return sorted(near, key=lambda file: (file.ts_min, file.start))
