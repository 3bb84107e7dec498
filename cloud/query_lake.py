"""One series in the tables: its readings, or partials of them from the rollup that has them."""

from collections.abc import Iterator
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
    OVER_TIME,
    READINGS,
    ROLLUP_1H,
    ROLLUPS,
    SERIES_COLUMNS,
    TableSpec,
    added,
    is_whole,
)
from cloud.live import View
from cloud.query_files import SeriesFiles
from cloud.query_rows import OVER, More
from cloud.rollup import HOUR_US, Partials, Readings

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
"""What is read of a rollup where nobody asks for more."""
_OF_MORE: Final = MappingProxyType(
    {
        More.QUANTILES: frozenset({"bin_exponent", "bins", "bin_counts"}),
        More.DURATIONS: frozenset({"states", *OVER_TIME}),
        **dict.fromkeys(OVER, frozenset(OVER_TIME)),
    }
)
"""What is read besides of those that have it."""


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

        A table a file, each in order of time, then arrival; files that begin behind the limit are
        not opened. ``origin``: with `epoch` and `seq`, which are there too where two files have
        readings of one time.
        """
        columns = _COLUMNS[READINGS.name] if origin else _SAID
        found: list[pa.Table] = []
        ts = np.empty(0, np.int64)
        for file in _in_time(view, READINGS, name, start, end):
            if len(ts) >= limit and np.partition(ts, limit - 1)[limit - 1] < file.ts_min:
                break
            rows = self._rows(view, READINGS, file, name, (start, end), columns)
            if rows is not None:
                found.append(rows)
                ts = np.concatenate([ts, times(rows["ts"])])
        if not origin and len(found) > 1 and not np.diff(np.sort(ts, kind="stable")).all():
            return self.readings(view, name, start, end, limit, origin=True)
        return found

    def kept(
        self,
        view: View,
        tier: TableSpec,
        name: Name,
        span: tuple[int, int],
        more: frozenset[More],
    ) -> Partials | None:
        """The series' rows of a rollup; None where it does not account for all its readings.

        What is not asked for with ``more`` they do not know.
        """
        columns = _wanted(tier, more)
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
        found = (
            self._rows(view, tier, file, name, span, columns)
            for file in _in_time(view, tier, name, *span)
        )
        return rollup.concat([partials_of(rows, name.kind) for rows in found if rows is not None])

    def pieces(
        self, view: View, name: Name, start: int, end: int
    ) -> Iterator[tuple[int, Readings]]:
        """The readings in [start, end), a file at a time; with the offset where each begins."""
        for file in _in_time(view, READINGS, name, start, end):
            rows = self._rows(view, READINGS, file, name, (start, end), _FOR_ROLLUPS)
            if rows is not None:
                yield file.start, readings_of(rows, name.kind)

    def _rows(
        self,
        view: View,
        spec: TableSpec,
        file: DataFile,
        name: Name,
        span: tuple[int, int],
        columns: pa.Schema,
    ) -> pa.Table | None:
        path = view.tables[spec.name].path(file)
        return self._files.rows(path, name, *span, columns)


def _wanted(tier: TableSpec, more: frozenset[More]) -> pa.Schema:
    if not more:
        return _BRIEF[tier.name]
    besides = frozenset[str]().union(*(_OF_MORE.get(each, frozenset()) for each in more))
    left_out = added(tier) - besides
    return pa.schema([field for field in _COLUMNS[tier.name] if field.name not in left_out])


def _in_time(view: View, spec: TableSpec, name: Name, start: int, end: int) -> list[DataFile]:
    near = view.tables[spec.name].near(start, end, (name.gateway, name.device))
    return sorted(near, key=lambda file: (file.ts_min, file.start))
