"""When a period of `readings` is sorted, what room that needs, and how far it is.

A period is due when nothing came into it for a while, when its files wait for long, or when it has
too many of them. One whose files are in order, but not as small as they could be, is written anew
once. One is sorted at a time, a slice with each pass; what else changes its files
(a correction, retention) ends it, and it begins again later.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.errors import StorageError
from cloud.journal.sqlite.room import free_bytes
from cloud.lake.embedded import Pause, no_pause
from cloud.lake.sort import BYTES_HELD, Sorting, memory_of
from cloud.lake.sort_plan import RUNS_MAX, Bounds, Run, pick, runs_of, touched
from cloud.lake.sort_stream import bounds_of
from cloud.lake.table.parquet import SyncFailedError
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable

QUIET_S: Final = 600.0
"""A period into which nothing came for so long is sorted."""
PATIENCE_S: Final = 6 * 3600.0
"""One that waits for so long is sorted though more comes into it all the time."""
ROWS_A_SLICE: Final = 1_000_000
"""What one pass sorts: a second of work."""
LEFT_ALONE_MAX: Final = 256
"""Periods that could not be sorted, and are not tried again as they are."""
FREE_BYTES_MIN: Final = 256 << 20
"""Free space that the new files may not take: the lake's own passes need it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SortProgress:
    """Periods that are not in one order, or take more room than they must, and how far one is.

    ``waits_for_bytes``: of room on the disk, so much is lacking; 0 when none is.
    """

    unsorted: int = 0
    period: str = ""
    done: int = 0
    rows: int = 0
    waits_for_bytes: int = 0


IDLE: Final = SortProgress()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Rows and files of a period that is not sorted, since when it has these rows, and waits."""

    rows: int
    files: frozenset[str]
    quiet_since: float
    since: float


class Sorter:
    """Sorts periods of one table; for the consolidator's thread alone."""

    def __init__(
        self,
        *,
        quiet_s: float = QUIET_S,
        free_bytes_min: int = FREE_BYTES_MIN,
        rows_a_slice: int = ROWS_A_SLICE,
        clock: Callable[[], float] = time.monotonic,
        free: Callable[[Path], int] = free_bytes,
        pause: Pause = no_pause,
    ) -> None:
        self.progress = SortProgress()
        self._quiet_s = quiet_s
        self._free_bytes_min = free_bytes_min
        self._rows_a_slice = rows_a_slice
        self._clock = clock
        self._free = free
        self._pause = pause
        self._waiting: dict[str, _Waiting] = {}
        self._left_alone: set[frozenset[str]] = set()
        """Files of periods that could not be sorted: not tried again as they are."""
        self._sorting: Sorting | None = None

    @property
    def held(self) -> frozenset[str]:
        """Files (relative paths) that are being sorted: no merge may take them."""
        files = self._sorting.files if self._sorting is not None else ()
        return frozenset(file.path for file in files)

    def forget(self) -> None:
        """The table was opened anew, which removed what was not committed."""
        if self._sorting is not None:
            self._sorting.close()
        self._sorting = None

    @property
    def is_behind(self) -> bool:
        """Whether there is more to do now."""
        return self._sorting is not None

    def carry_out(self, table: LakeTable, sweeper: Sweeper) -> int:
        """Sort one slice; how many files were replaced, which are the ``sweeper``'s then.

        Raises as `LakeTable.append`.
        """
        replaced = 0
        runs = runs_of(table.state.files.files)
        self._watch(runs)
        if self._sorting is not None and not self._still(table, self._sorting):
            self._end(self._sorting)
        lacking = 0
        if self._sorting is None:
            self._sorting, lacking = self._begin(table, runs)
        if self._sorting is not None:
            replaced = self._advance(self._sorting, sweeper)
        self._tell(lacking)
        return replaced

    def _watch(self, runs: Mapping[str, Sequence[Run]]) -> None:
        now = self._clock()
        waiting: dict[str, _Waiting] = {}
        for period, held in runs.items():
            if len(held) > 1 or held[0].is_loose:
                rows = sum(run.rows for run in held)
                files = frozenset(file.path for run in held for file in run.files)
                before = self._waiting.get(period, _Waiting(rows, files, now, now))
                since = now if rows > before.rows else before.quiet_since
                waiting[period] = _Waiting(rows, files, since, before.since)
        self._waiting = waiting

    def _begin(
        self, table: LakeTable, runs: Mapping[str, Sequence[Run]]
    ) -> tuple[Sorting | None, int]:
        """What is sorted next, if anything is due; else how much room it lacks."""
        room = self._free(table.folder) - self._free_bytes_min
        lacking = 0
        for period in sorted(self._waiting, key=lambda one: self._waiting[one].since):
            waiting = self._waiting[period]
            is_due = self._is_due(waiting)
            if waiting.files in self._left_alone or not (is_due or len(runs[period]) > RUNS_MAX):
                continue
            picked = pick(runs[period], max(room, 0), is_quiet=is_due)
            if not picked:
                two = sum(run.bytes for run in runs[period][:2])
                lacking = max(lacking, two - room)
                continue
            try:
                return self._sorting_of(table, period, picked), 0
            except SyncFailedError:
                raise
            except StorageError as error:
                self._leave_alone(period, error)
        return None, lacking

    def _is_due(self, waiting: _Waiting) -> bool:
        now = self._clock()
        is_quiet = now - waiting.quiet_since >= self._quiet_s
        return is_quiet or now - waiting.since >= max(PATIENCE_S, self._quiet_s)

    def _sorting_of(self, table: LakeTable, period: str, picked: Sequence[Run]) -> Sorting:
        """Of as many runs as memory takes; of one of many files only those that others meet.

        A run alone is taken whole, into a run of its own number.
        """
        kept: list[Run] = []
        size = 0
        for run in picked:
            size += memory_of(table, run)
            if len(kept) > 1 and size > 2 * BYTES_HELD:
                break
            kept.append(run)
        base, number = max(kept, key=lambda run: len(run.files)), 0
        others = [_in_order(table, run) for run in kept if run is not base]
        if not others:
            base = _in_order(table, base)
        elif len(base.files) > 1:
            number = base.files[0].run
            base = _met(table, base, others)
        kept = [*others, base]
        sorting = Sorting(table, period, kept, number)
        _log.info("sorting %d readings of %s in %d files", sorting.rows, period, len(sorting.files))
        return sorting

    def _advance(self, sorting: Sorting, sweeper: Sweeper) -> int:
        if self._free(sorting.table.folder) < self._free_bytes_min:
            _log.warning("sorting of %s ends: the disk has no room left for it", sorting.period)
            self._end(sorting)
            return 0
        try:
            sorting.advance(self._rows_a_slice, self._pause)
        except SyncFailedError:
            raise
        except (StorageError, OSError) as error:
            self._end(sorting)
            self._leave_alone(sorting.period, error)
            return 0
        if not sorting.is_done:
            return 0
        sorting.commit()
        self._sorting = None
        self._waiting.pop(sorting.period, None)
        sweeper.retire(sorting.table, [file.path for file in sorting.files])
        made = f"{sorting.made} files in place of {len(sorting.files)}"
        _log.info("sorted %d readings of %s: %s", sorting.rows, sorting.period, made)
        return len(sorting.files)

    def _still(self, table: LakeTable, sorting: Sorting) -> bool:
        """Whether the table has all files yet that are being sorted."""
        named = {file.path for file in table.state.files.files}
        return all(file.path in named for file in sorting.files)

    def _end(self, sorting: Sorting) -> None:
        sorting.drop()
        self._sorting = None

    def _leave_alone(self, period: str, error: Exception) -> None:
        _log.warning("the files of %s stay as they are: %s", period, error)
        if len(self._left_alone) >= LEFT_ALONE_MAX:
            self._left_alone.clear()
        self._left_alone.add(self._waiting[period].files)

    def _tell(self, lacking: int) -> None:
        sorting = self._sorting
        period, done, rows = ("", 0, 0) if sorting is None else sorting.told
        if lacking > 0 and not self.progress.waits_for_bytes:
            text = "readings are not sorted: the disk lacks %d bytes for the new files"
            _log.warning(text, lacking)
        self.progress = SortProgress(len(self._waiting), period, done, rows, max(lacking, 0))


def _in_order(table: LakeTable, run: Run) -> Run:
    """A run with its files one after another."""
    if len(run.files) == 1:
        return run
    first = {file: bounds_of(table.folder / file.path, table.spec) for file in run.files}
    return Run(tuple(sorted(run.files, key=lambda one: (first[one][0].low, first[one][1]))))


def _met(table: LakeTable, base: Run, others: Sequence[Run]) -> Run:
    """Of a run the files between the first and the last that rows of others fall into, in order."""

    def bounds(runs: Sequence[Run]) -> list[Bounds]:
        paths = [table.folder / file.path for run in runs for file in run.files]
        return [bounds_of(path, table.spec)[0] for path in paths]

    ordered, keys = _in_order(table, base), bounds(others)
    low, high = min(one.low for one in keys), max(one.high for one in keys)
    met = touched(bounds([ordered]), low, high)
    return Run(ordered.files[met.start : met.stop])
