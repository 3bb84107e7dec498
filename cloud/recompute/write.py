"""What differs put right: rows taken out of files and brought in, a commit for some blocks at once.

Each commit is whole: of these blocks a table has its old rows or those that the journal gives. Then
the touched days of the rollups are made anew; which these are is on the disk before `readings` are
touched (`recompute.json` in the lake's folder), so that a process that dies between leaves nothing
that the next `consolidate` does not finish.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from deltalake.transaction import AddAction

from cloud.errors import StorageError
from cloud.lake import plan as lake_plan
from cloud.lake.days import make_days_anew
from cloud.lake.mend import rows_of
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.files import DataFile, file_name, sorted_name
from cloud.lake.table.parquet import fsync, times
from cloud.lake.table.schema import PERIOD, READINGS, ROLLUPS, is_whole
from cloud.lake.table.stats import stats_of
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable
from cloud.recompute.comparison import Day
from cloud.recompute.rows import Difference
from cloud.retention.rules import Hulls
from cloud.rollup.partials import DAY_US, Ints

FILE: Final = "recompute.json"
_REBUILD: Final = "`tidegate-cloud rebuild` makes the rollups again"


def put_right(
    table: LakeTable, found: Difference, lost: Sequence[DataFile], sweeper: Sweeper
) -> None:
    """In one commit, the blocks as the journal gives them; ``lost`` files leave too.

    Raises as `LakeTable.append`.
    """
    version = table.state.files.version + 1
    files = {file.path: file for file in table.state.files.files}
    touched = [files[path] for path in sorted(found.held)]
    adds = []
    for number, together in enumerate(_named_alike(touched)):
        parts = [_left(table, file, found.held[file.path]) for file in together]
        rows = parts[0] if len(parts) == 1 else lake_parquet.arrange(pa.concat_tables(parts))
        if rows.num_rows:
            first = together[0]
            name = file_name(first.start, first.end, version)
            if first.run:
                name = sorted_name(first.run, version, number + 1, first.start, first.end)
            adds.append(_written(table, rows, first.period, name))
    due = [rows for rows in found.due if rows.num_rows]
    if due:
        rows = lake_parquet.arrange(pa.concat_tables(due))
        name = sorted_name(version, version, 0, *found.span)  # a run of its own in each period
        for part in lake_plan.split(times(rows["ts"]), table.spec.grain):
            some = rows if isinstance(part.rows, slice) else rows.take(pa.array(part.rows))
            adds.append(_written(table, some, part.period, name))
    table.swap([*touched, *lost], adds, 0)
    sweeper.retire(table, [file.path for file in (*touched, *lost)])


def make_rollups_anew(
    tables: Mapping[str, LakeTable], days: Set[Day], hulls: Hulls, sweeper: Sweeper
) -> None:
    """The rollups' rows of gateways' days from `readings`.

    Raises:
        StorageError: a file cannot be read, or the disk refuses.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    for gateway, day in sorted(days):
        spans.setdefault(gateway, []).append((day, day + DAY_US - 1))
    finer = tables[READINGS.name]
    for spec in ROLLUPS:
        for gateway, each in spans.items():
            try:
                make_days_anew(tables[spec.name], finer, gateway, each, sweeper, hulls=hulls)
            except pa.ArrowException as error:
                tried = f"make {spec.name} of {gateway} anew"
                raise StorageError(tried, str(error).splitlines()[0], _REBUILD) from error
        if is_whole(spec):
            finer = tables[spec.name]


def read_begun(root: Path) -> set[Day]:
    """Days whose rollups a process that died was to make anew. StorageError: it is damaged."""
    path = root / FILE
    try:
        return {(str(gateway), int(day)) for gateway, day in json.loads(path.read_text())}
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"read {path}", str(error), f"remove it; {_REBUILD}") from error


def write_begun(root: Path, days: Set[Day]) -> None:
    """Bring to the disk which days are to be made anew; none: nothing is left to do."""
    path = root / FILE
    if days:
        new = path.with_suffix(".new")
        new.write_text(json.dumps(sorted(days)))
        fsync(new)
        os.replace(new, path)
    else:
        path.unlink(missing_ok=True)
    fsync(root)


def _named_alike(files: Sequence[DataFile]) -> list[list[DataFile]]:
    """Files that would be written anew under one name, together; those of runs have numbers."""
    alike: dict[tuple[str, ...], list[DataFile]] = {}
    for file in files:
        name = (file.path,) if file.run else (file.period, str(file.start), str(file.end))
        alike.setdefault(name, []).append(file)
    return [*alike.values()]


def _left(table: LakeTable, file: DataFile, leaving: Sequence[Ints]) -> pa.Table:
    rows = rows_of(table, file)
    stays = np.ones(rows.num_rows, bool)
    stays[np.concatenate(leaving)] = False
    return rows.filter(pa.array(stays))


def _written(table: LakeTable, rows: pa.Table, period: str, name: str) -> AddAction:
    path = f"{PERIOD}={period}/{name}"
    size = lake_parquet.write_durably(table.folder / path, rows, table.spec, table.step)
    now_ms = time.time_ns() // 1_000_000
    return AddAction(path, size, {PERIOD: period}, now_ms, True, stats_of(rows))
