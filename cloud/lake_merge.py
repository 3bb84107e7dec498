"""Merging small files of one period, and deleting what a merge replaced."""

from collections.abc import Callable, Iterable

import pyarrow as pa

from cloud import lake_plan
from cloud.lake_rollup import merge_rows
from cloud.lake_table import parquet as lake_parquet
from cloud.lake_table.schema import TableSpec
from cloud.lake_table.sweep import Sweeper
from cloud.lake_table.table import LakeTable


def merge_all(tables: Iterable[LakeTable], sweeper: Sweeper) -> int:
    """Merge the files of at most one period a table, where there are many; how many files."""
    return sum(_merge_in(table, sweeper) for table in tables)


def _merge_in(table: LakeTable, sweeper: Sweeper) -> int:
    # A released block lies within the offsets of another file: merged, both could get one name.
    files = {file.path: file for file in table.state.files.files if not file.is_release}
    periods: dict[str, list[lake_plan.Sized]] = {}
    for file in files.values():
        sized = lake_plan.Sized(file.path, file.rows, file.start, file.end)
        periods.setdefault(file.period, []).append(sized)
    for period in sorted(periods):
        picked = lake_plan.pick_merge(periods[period])
        if picked:
            table.merge([files[each.path] for each in picked], _combine(table.spec))
            sweeper.retire(table, [each.path for each in picked])
            return len(picked)
    return 0


def _combine(spec: TableSpec) -> Callable[[pa.Table], pa.Table]:
    if spec.width_us:
        return lambda rows: merge_rows(rows, spec)
    return lake_parquet.arrange
