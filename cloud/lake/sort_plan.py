"""Pure: which files of a period are sorted into one order, and where the new files are cut.

Passes leave files that overlap: each holds every series for a while. A *run* is files of one
period that do not: ordered by series and time, one after another. Runs are merged into one, a few
row groups of each at a time, so that memory does not grow with the period (`cloud.lake.sort`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.lake.plan import MERGE_ROWS_MAX
from cloud.lake.table.files import DataFile

RUNS_MAX: Final = 16
"""Runs of a period beyond which some are merged, even while it still grows."""
FAN_IN_MAX: Final = 64
"""Runs merged at once: a row group of each at least is held."""
ROWS_TARGET: Final = MERGE_ROWS_MAX * 3 // 4
"""Rows at which a file of a run is cut, where the next series begins."""
ROWS_MAX: Final = MERGE_ROWS_MAX
"""Rows of a file of a run at most: a series that is longer goes on in the next."""
LOOSE_ROWS_MIN: Final = 16_384
"""Rows of a run in one order that are worth writing anew for the room it takes: 10 KB less."""


@dataclass(frozen=True, slots=True)
class Run:
    """Files of one period that do not overlap, in any order."""

    files: tuple[DataFile, ...]

    @property
    def is_loose(self) -> bool:
        """Whether it takes more room than it must: a large pass wrote it, or a merge did."""
        return self.rows >= LOOSE_ROWS_MIN and not all(file.is_sorted for file in self.files)

    @property
    def rows(self) -> int:
        """Rows of all its files."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(file.bytes for file in self.files)

    @property
    def start(self) -> int:
        """No row of it came before this offset."""
        return min(file.start for file in self.files)


def runs_of(files: Iterable[DataFile]) -> dict[str, list[Run]]:
    """The runs of each period, those that came last first."""
    found: dict[str, dict[tuple[int, str], list[DataFile]]] = {}
    for file in files:
        key = (file.run, "" if file.run else file.path)
        found.setdefault(file.period, {}).setdefault(key, []).append(file)
    return {
        period: sorted(
            (Run(tuple(held)) for held in runs.values()),
            key=lambda run: (run.start, run.files[0].path),
            reverse=True,
        )
        for period, runs in found.items()
    }


def pick(runs: Sequence[Run], bytes_max: int, *, is_quiet: bool) -> tuple[Run, ...]:
    """Which runs of a period, last come first, are merged into one; none, or two and more.

    All of a period that is ``is_quiet``; if it has a single one that `is_loose`, that one. Of one
    that grows only where there are more than RUNS_MAX, and none that is much larger than those
    before it: so each row is rewritten a logarithmic number of times. Neighbours in their coming,
    so that which of two readings of one time came later stays decidable. Their files come to
    ``bytes_max`` at most: that room the new ones need.
    """
    if not is_quiet and len(runs) <= RUNS_MAX:
        return ()
    found: list[Run] = []
    rows = size = 0
    for run in runs[:FAN_IN_MAX]:
        is_large = len(found) > 1 and run.rows > 2 * rows
        if size + run.bytes > bytes_max or (is_large and not is_quiet):
            break
        found.append(run)
        rows += run.rows
        size += run.bytes
    is_alone = is_quiet and len(runs) == 1 and runs[0].is_loose
    return tuple(found) if len(found) > 1 or is_alone else ()


def target_rows(rows: int) -> int:
    """Rows of each file, so that files of about ROWS_TARGET are of one size."""
    return -(-rows // max(-(-rows // ROWS_TARGET), 1))


def cut(
    held: int, target: int, new_series: NDArray[np.bool_], new_time: NDArray[np.bool_]
) -> int | None:
    """After how many of the next rows a file ends that has ``held``; None: after none of them.

    The flags say of each of the next rows whether it begins a series, or a time of its series: no
    cut parts readings of one series and time. At the first series past ``target``, else at the last
    time before ROWS_MAX, else at the next; before none of them (0) only if it has some.
    """
    whole = held + len(new_series)
    if whole <= target:
        return None
    low, high = max(target - held, 0), max(ROWS_MAX - held, 0)
    at = _first(new_series, low, high + 1)
    if at is None and whole > ROWS_MAX:
        at = _last(new_time, 0 if held else 1, high + 1)
        at = _first(new_time, high, len(new_time)) if at is None else at
    return at


def _first(flags: NDArray[Any], low: int, high: int) -> int | None:
    found = np.flatnonzero(flags[low:high])
    return low + int(found[0]) if len(found) else None


def _last(flags: NDArray[Any], low: int, high: int) -> int | None:
    found = np.flatnonzero(flags[low:high])
    return low + int(found[-1]) if len(found) else None


Key = tuple[Any, ...]
"""What names a series, in the order of the tables (`schema.SERIES_COLUMNS`)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the greatest series of a file."""

    low: Key
    high: Key


def touched(base: Sequence[Bounds], low: Key, high: Key) -> range:
    """Which files of a run, in order, rows of series from ``low`` to ``high`` fall into.

    Neighbours, one at least: the rows lie between the files before these and those behind them. A
    series between two files goes to the later, one behind all to the last.
    """
    first = next((i for i, one in enumerate(base) if low <= one.high), len(base) - 1)
    beyond = next((i for i, one in enumerate(base) if high < one.low), len(base))
    return range(first, max(beyond, first + 1))
