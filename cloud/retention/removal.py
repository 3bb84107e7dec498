"""Retention carried out: rows past the age of their rule leave the tables, a file with each pass.

A file is looked at a row group at a time; where some rows are due it is written anew without them,
where all are it goes. What leaves `readings` is told of first (`cloud.retention.retired`), then the
commit carries its ticket; a process that dies between repeats the step. Rollup rows leave only of
days whose readings left before.

Time is this cloud's clock, but never past the newest reading: a clock that jumped ahead removes
nothing that measured time does not make old.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from deltalake.transaction import AddAction

from cloud.lake.embedded import Pause, no_pause
from cloud.lake.table.files import DataFile, FileList
from cloud.lake.table.parquet import one, run_starts, times
from cloud.lake.table.row_groups import read_groups
from cloud.lake.table.schema import READINGS, TableSpec
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable
from cloud.retention.retired import take_up, write_retired
from cloud.retention.rewrite import without
from cloud.retention.rules import (
    NEVER,
    NOTHING,
    Bools,
    Past,
    Retired,
    Rules,
    hulls_of,
    past_buckets,
    past_readings,
    united,
    within,
)

LOOKED_MAX: Final = 1_000_000
"""Files of which it is remembered when they are due next, some 200 B each."""
ROWS_LOOKED: Final = 2_000_000
"""Rows that a pass looks at, at least one file; after a start each old file is looked at once."""
_NAMES: Final = ("gateway", "device", "metric", "series", "ts")
_READINGS: Final = (*_NAMES, "quality", "lag_us", "epoch")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Found:
    """What of one file is due: ``rows`` by (gateway, epoch), or under epoch 0 for a rollup.

    ``of`` counts them by the name of their rule, ``due_us`` is when others will be.
    """

    rows: Counter[tuple[str, int]] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)
    hulls: dict[int, tuple[int, int]] = field(default_factory=dict)
    due_us: int = int(NEVER)


class Retention:
    """Removes what the rules say; for the consolidator's thread alone."""

    def __init__(self, rules: Rules, now_us: Callable[[], int], pause: Pause = no_pause) -> None:
        self.retired: Retired = NOTHING
        """What was removed so far, as committed."""
        self.is_behind = False
        """Whether rows just left, and more are likely to be due."""
        self.is_looking = False
        """Whether some files that may have rows to remove were not looked at."""
        self._rules = rules
        self._now_us = now_us
        self._pause = pause
        self._due: dict[str, int] = {}
        """When rows of a file (absolute path) are due next; files never change."""

    def open(self, readings: LakeTable) -> None:
        """Take up where the tables stand. StorageError when what was removed is not known."""
        self.retired = take_up(readings.folder.parent, readings.state.retired)

    def carry_out(
        self, tables: Sequence[LakeTable], sweeper: Sweeper, held: Set[str] = frozenset()
    ) -> int:
        """Look at some files, and remove what is due of one; how many rows left.

        ``tables`` are `readings`, then rollups, at one offset; files of ``held`` wait. Raises as
        `LakeTable.append`.
        """
        if not self._rules.rules:
            return 0
        now_us = believed_us(tables[0].state.files, self._now_us())
        looked = 0
        for table in tables:
            for file in list(self._candidates(table, now_us, held)):
                count = self._look(table, file, now_us, sweeper)
                looked += file.rows
                if count or looked >= ROWS_LOOKED:
                    self.is_behind, self.is_looking = bool(count), True
                    return count
        self.is_behind = self.is_looking = False
        return 0

    def _candidates(self, table: LakeTable, now_us: int, held: Set[str]) -> Iterator[DataFile]:
        keep = self._rules.shortest_us(rollups=table.spec is not READINGS)
        for file in table.state.files.files if keep else ():
            due = self._due.get(table.state.files.path(file), file.ts_min + keep)
            if due <= now_us and file.path not in held:
                yield file

    def _look(self, table: LakeTable, file: DataFile, now_us: int, sweeper: Sweeper) -> int:
        found = look_at(
            table.folder / file.path, table.spec, self._rules, self.retired, now_us, self._pause
        )
        count = found.rows.total()
        if not count:
            if len(self._due) >= LOOKED_MAX:
                self._due.clear()
            self._due[table.state.files.path(file)] = max(found.due_us, now_us + 1)
            return 0
        adds = [] if count == file.rows else [self._rewrite(table, file, now_us)]
        ticket = 0
        if table.spec is READINGS:
            told = self.retired.after(found.rows, found.hulls)
            write_retired(table.folder.parent, told)
            table.step("retirement told")
            ticket = told.ticket
        table.swap([file], adds, ticket)
        if table.spec is READINGS:
            self.retired = told
        sweeper.retire(table, [file.path])
        _log.info("retention: %d rows left %s of %s", count, table.spec.name, file.period)
        return count

    def _rewrite(self, table: LakeTable, file: DataFile, now_us: int) -> AddAction:
        """The file without the rows that are due, durable."""

        def due(rows: pa.Table) -> Bools:
            self._pause()
            is_readings = table.spec is READINGS
            return _past(rows, is_readings, self._rules, self.retired, now_us)[0].rows

        return without(table, file, due)


def believed_us(readings: FileList, now_us: int) -> int:
    """The clock's time, but none past the newest reading that is not in its future."""
    times_of = [file.ts_max for file in readings.files if file.ts_max <= now_us]
    return max(times_of, default=int(-NEVER))


def look_at(
    path: Path, spec: TableSpec, rules: Rules, retired: Retired, now_us: int, pause: Pause
) -> Found:
    """What of a file is due; a row group in memory. StorageError when it cannot be read."""
    found = Found()
    is_readings = spec is READINGS
    columns = _READINGS if is_readings else _NAMES
    for rows in read_groups(path, spec, columns):
        pause()
        past, of = _past(rows, is_readings, rules, retired, now_us)
        found.due_us = min(found.due_us, past.due_us)
        if of:
            found.of.update(of)
            gone = rows.filter(pa.array(past.rows))
            found.rows.update(by_epoch(gone) if is_readings else {("", 0): gone.num_rows})
            own = hulls_of(one(gone["series"]).to_numpy(), times(gone["ts"]))
            found.hulls = united(found.hulls, own)
    return found


def _past(
    rows: pa.Table, is_readings: bool, rules: Rules, retired: Retired, now_us: int
) -> tuple[Past, Counter[str]]:
    """Which of arranged rows are due, and how many by the name of their rule."""
    series, ts = one(rows["series"]).to_numpy(), times(rows["ts"])
    starts = run_starts(series)
    heads = rows.select(_NAMES[:3]).take(pa.array(starts)).to_pydict()
    paths = ("/".join(names) for names in zip(*heads.values(), strict=True))
    of = [rules.rule(*each) for each in zip(series[starts].tolist(), paths, strict=True)]
    keeps = [rule.readings_us if is_readings else rule.rollups_us for rule in of]
    keep = np.repeat(np.array(keeps, np.int64), np.diff(starts, append=len(series)))
    if is_readings:
        lag, quality = one(rows["lag_us"]).to_numpy(), one(rows["quality"]).to_numpy()
        past = past_readings(keep, ts, lag, quality, now_us)
    else:
        past = past_buckets(keep, ts, within(series, ts, retired.hulls), now_us)
    counts: Counter[str] = Counter()
    if past.rows.any():
        for rule, count in zip(of, np.add.reduceat(past.rows.astype(int), starts), strict=True):
            if count:
                counts[rule.name] += int(count)
    return past, counts


def by_epoch(rows: pa.Table) -> Counter[tuple[str, int]]:
    """Rows by their gateway and epoch."""
    counted = rows.group_by(["gateway", "epoch"]).aggregate([([], "count_all")])
    found: Counter[tuple[str, int]] = Counter()
    for row in counted.to_pylist():
        found[row["gateway"], row["epoch"]] += row["count_all"]
    return found
