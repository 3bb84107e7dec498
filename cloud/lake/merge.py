"""Few files, whatever came: small neighbours are merged, and sparse periods share coarser ones."""

from collections import Counter
from collections.abc import Callable, Sequence, Set

import pyarrow as pa

from cloud.lake import plan as lake_plan
from cloud.lake.plan import Sized
from cloud.lake.rollup import merge_rows
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.schema import TableSpec, weight
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable


def merge_in(table: LakeTable, sweeper: Sweeper, held: Set[str] = frozenset()) -> int:
    """One merge, and more as long as sparse periods have too many files; how many were merged.

    None of ``held`` (paths), nor of several files that are in one order (`cloud.lake.sort`).
    """
    merged = _merge_once(table, sweeper, held)
    more = merged
    while more and lake_plan.is_crowded(_sized(table)):
        more = _merge_once(table, sweeper, held)
        merged += more
    return merged


def _merge_once(table: LakeTable, sweeper: Sweeper, held: Set[str]) -> int:
    runs = Counter((f.period, f.run) for f in table.state.files.files if f.run)
    many = {f.path for f in table.state.files.files if runs[f.period, f.run] > 1}
    period, picked = _pick([one for one in _sized(table) if one.path not in held | many])
    if picked:
        by_path = {file.path: file for file in table.state.files.files}
        combine = _combine(table.spec, picked, _sized(table, released=True))
        table.merge([by_path[each.path] for each in picked], combine, period)
        sweeper.retire(table, [each.path for each in picked])
    return len(picked)


def _pick(files: Sequence[Sized]) -> tuple[str, tuple[Sized, ...]]:
    """What to merge into which period; neighbours of one period come before sparse periods."""
    periods: dict[str, list[Sized]] = {}
    for file in files:
        periods.setdefault(file.period, []).append(file)
    for period in sorted(periods):
        picked = lake_plan.pick_merge(periods[period])
        if picked:
            return period, picked
    return lake_plan.pick_gather(files) or ("", ())


def _combine(
    spec: TableSpec, picked: Sequence[Sized], files: Sequence[Sized]
) -> Callable[[pa.Table], pa.Table]:
    if spec.width_us and lake_plan.stands_apart(picked, files):
        return lambda rows: merge_rows(rows, spec)
    if spec.width_us:
        return lake_parquet.arrange
    return lambda rows: lake_parquet.by_block(lake_parquet.arrange(rows))


def _sized(table: LakeTable, *, released: bool = False) -> list[Sized]:
    """The table's files; those of released blocks lie inside others' offsets and stay as they are.

    ``released`` names them too, for whoever asks which offsets interleave. Rows are counted as
    what they take in memory.
    """
    each = weight(table.spec)
    return [
        Sized(file.path, file.rows * each, file.start, file.end, file.period)
        for file in table.state.files.files
        if released or not file.is_release
    ]
