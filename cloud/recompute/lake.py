"""What tables hold of some days, and of some blocks: their files, read a row group at a time.

A file that cannot be read counts as one without rows, if the journal keeps all its blocks; else
nothing is done at all, for what it held could not be brought back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from cloud.errors import StorageError
from cloud.lake.table.files import DataFile
from cloud.lake.table.parquet import times
from cloud.lake.table.row_groups import read_groups
from cloud.lake.table.schema import (
    ANOMALIES,
    EPISODES,
    READINGS,
    ROLLUPS,
    TableSpec,
    is_whole,
)
from cloud.lake.table.state import State
from cloud.recompute.comparison import (
    ORIGIN,
    UNKNOWN,
    Bools,
    Counted,
    Day,
    Numbers,
    blocks_in,
    counted_in,
    numbers_of,
)
from cloud.recompute.journal import Kept, Told
from cloud.retention.order import Order, held
from cloud.retention.rules import Hulls, within
from cloud.rollup.partials import DAY_US, Ints

_ERASED: Final = frozenset(spec.name for spec in (READINGS, ANOMALIES, EPISODES))
_RESTORE: Final = "restore the lake from a backup (docs/guide/backup.md)"
_REBUILD: Final = "`tidegate-cloud rebuild` makes it again"


class UnreadableError(StorageError):
    """A data file that cannot be read; ``table`` is its table's name."""

    def __init__(self, table: str, file: DataFile, error: StorageError) -> None:
        super().__init__(error.tried, error.cause, error.hint)
        self.table, self.file = table, file


@dataclass(frozen=True, slots=True)
class Standing:
    """A table as it is compared; ``offset``: up to which it has everything."""

    spec: TableSpec
    folder: Path
    state: State
    offset: int


@dataclass(slots=True)
class Seen:
    """What the tables hold of the asked days.

    ``blocks``: which of the kept are to be compared. ``beyond``: readings of blocks that the
    journal does not keep. ``counted``: what `readings` and each rollup count, by (table, width of
    the buckets) and gateway's day.
    """

    blocks: Bools
    beyond: int = 0
    counted: dict[tuple[str, int], dict[Day, Counted]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of a row group that are of compared blocks: which, at which places of which file."""

    path: str
    places: Ints
    block: Ints
    numbers: Numbers
    ts: Ints


@dataclass(slots=True)
class LakeSide:
    """Tables by name beside the kept blocks; ``days`` as [from, to) in µs."""

    tables: dict[str, Standing]
    kept: Kept
    hulls: Hulls
    days: tuple[int, int]
    told: Told
    orders: tuple[Order, ...] = ()
    lost: dict[tuple[str, str], DataFile] = field(default_factory=dict)
    """Files that count as without rows, by table and path."""

    def lose(self, error: UnreadableError) -> None:
        """Count a file as one without rows; StorageError where that would lose some."""
        file, low = error.file, error.file.ts_min // DAY_US * DAY_US
        if file.start + 1 < self.kept.oldest:
            why = "the journal does not keep all of its blocks any more"
            raise StorageError(error.tried, f"{error.cause}; {why}", _RESTORE) from error
        hulls = self.hulls.values() if error.table == READINGS.name else ()
        if any(first <= file.ts_max and last > low for first, last in hulls):
            why = "retention removed readings of its days"
            raise StorageError(error.tried, f"{error.cause}; {why}", _RESTORE) from error
        if any(file.start < order.upto for order in self.orders):
            why = "some of what it held may have been erased"
            raise StorageError(error.tried, f"{error.cause}; {why}", _RESTORE) from error
        self.lost[error.table, file.path] = file

    def see(self, chosen: Bools) -> Seen:
        """Which blocks are to be compared beside the ``chosen``, and what the tables count."""
        seen = Seen(chosen.copy())
        for (name, _), file in self.lost.items():
            standing = self.tables[name]
            due = self.kept.due(standing.offset, standing.state.released)
            seen.blocks |= due & self.kept.of_offsets(file.start, file.end)
        for standing in self.tables.values():
            files = standing.state.files.near(*self.days)
            for at, file in enumerate(files):
                self.told(f"{standing.spec.name} of the days", at, len(files))
                if (standing.spec.name, file.path) not in self.lost:
                    self._see_file(standing, file, seen)
        return seen

    def held(self, name: str, chosen: Bools) -> Iterator[Part]:
        """A table's rows of chosen blocks, outside of what retention cleared.

        Raises:
            UnreadableError: a file that may hold some cannot be read.
        """
        standing = self.tables[name]
        offsets = self.kept.offsets[chosen]
        files = [
            file
            for file in standing.state.files.files
            if np.searchsorted(offsets, file.start, "right")
            < np.searchsorted(offsets, file.end, "right")
            and (name, file.path) not in self.lost
        ]
        for number, file in enumerate(files):
            self.told(f"{name} of the blocks", number, len(files))
            at = 0
            for rows in self._groups(standing, file, ()):
                block = blocks_in(rows, self.kept.index)
                block = np.where((block == UNKNOWN) | ~chosen[block], UNKNOWN, block)
                block = self.open_to(name, rows, block)
                mine = np.flatnonzero(block != UNKNOWN)
                if len(mine):
                    some = rows.take(pa.array(mine))
                    numbers = numbers_of(some, standing.spec)
                    yield Part(file.path, at + mine, block[mine], numbers, times(some["ts"]))
                at += rows.num_rows

    def open_to(self, name: str, rows: pa.Table, block: Ints) -> Ints:
        """Each row's block; UNKNOWN where retention cleared days, or an order to erase holds it."""
        found = block
        if name == READINGS.name and self.hulls:
            gone = within(rows["series"].to_numpy(), times(rows["ts"]), self.hulls)
            found = np.where(gone, UNKNOWN, found)
        if self.orders and name in _ERASED:
            is_held = held(rows, self.kept.offsets[block], self.tables[name].spec, self.orders)
            found = np.where(is_held, UNKNOWN, found)
        return found

    def _see_file(self, standing: Standing, file: DataFile, seen: Seen) -> None:
        spec = standing.spec
        is_rollup = bool(spec.width_us)
        columns = ["series", "ts"]
        columns += ["gateway", "count"] if is_rollup else ORIGIN
        for rows in self._groups(standing, file, columns):
            ts = times(rows["ts"])
            rows = rows.filter(pa.array((ts >= self.days[0]) & (ts < self.days[1])))
            if not rows.num_rows:
                continue
            if is_rollup:
                self._count(seen, spec, rows, rows["count"].to_numpy())
                continue
            block = blocks_in(rows, self.kept.index)
            seen.blocks[np.unique(block[block != UNKNOWN])] = True
            if spec is READINGS:
                seen.beyond += int((block == UNKNOWN).sum())
                for rollup in ROLLUPS:
                    self._count(seen, spec, rows, np.ones(rows.num_rows, np.int64), rollup.width_us)

    def _count(
        self, seen: Seen, spec: TableSpec, rows: pa.Table, counts: Ints, width_us: int = 0
    ) -> None:
        gone = within(rows["series"].to_numpy(), times(rows["ts"]), self.hulls)
        if gone.any():
            rows, counts = rows.filter(pa.array(~gone)), counts[~gone]
        if rows.num_rows:
            to = seen.counted.setdefault((spec.name, width_us or spec.width_us), {})
            for day, counted in counted_in(rows, counts, width_us or spec.width_us).items():
                to[day] = to.get(day, Counted()).plus(counted)

    def _groups(
        self, standing: Standing, file: DataFile, columns: Sequence[str]
    ) -> Iterator[pa.Table]:
        try:
            yield from read_groups(standing.folder / file.path, standing.spec, columns)
        except StorageError as error:
            if standing.spec.width_us:
                raise StorageError(error.tried, error.cause, _REBUILD) from error
            raise UnreadableError(standing.spec.name, file, error) from error


def unequal(seen: Seen) -> set[Day]:
    """The gateways' days of which a rollup does not count what `readings` have, bucket by bucket.

    Minutes are there of frequent series alone: of them it is told where they count too much.
    """
    found: set[Day] = set()
    for spec in ROLLUPS:
        due = seen.counted.get((READINGS.name, spec.width_us), {})
        held = seen.counted.get((spec.name, spec.width_us), {})
        for day in due.keys() | held.keys():
            one, other = due.get(day, Counted()), held.get(day, Counted())
            if is_whole(spec):
                is_wrong = (one.readings, one.where) != (other.readings, other.where)
            else:
                is_wrong = other.readings > one.readings
            if is_wrong:
                found.add(day)
    return found


def rollup_rows(seen: Seen, name: str, width_us: int, days: set[Day]) -> int:
    """Rows that a rollup has of these days now."""
    held = seen.counted.get((name, width_us), {})
    return sum(held[day].rows for day in days if day in held)
