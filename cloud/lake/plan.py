"""Pure: what the lake decides before it touches a disk.

Where rows go, what a pass covers, which files are merged. Everything here depends on its arguments
alone, so that a pass repeated after a crash decides the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.lake.table.schema import Grain
from cloud.rollup.partials import DAY_US

FILES_PER_PASS_MAX: Final = 48
"""Periods of one grain in one pass before the next coarser grain is taken."""
DENSE_ROWS: Final = 131_072
"""A period with a full row group gets a file of its own, however many others there are."""
MERGE_FILES: Final = 8
"""Files of one size class in one period that become one."""
MERGE_ROWS_MAX: Final = 16 * DENSE_ROWS
"""Rows of a merged file: bounds what a merge holds in memory (about 200 B a row, twice)."""
_TIER_ROWS: Final = 1_024
SPARSE_PERIODS_MAX: Final = 512
"""Periods of one table, none of them dense, before neighbours share a coarser one."""
SPARSE_FILES_MAX: Final = 1_000
"""Files in such periods; no pass ends with more while anything can be merged."""
ALL: Final = "all"

_FIRST_DAY: Final = int(np.datetime64("0001-01-01", "D").astype(np.int64))
_LAST_DAY: Final = int(np.datetime64("9999-12-31", "D").astype(np.int64))
_UNITS: Final = {Grain.DAY: "M8[D]", Grain.MONTH: "M8[M]", Grain.YEAR: "M8[Y]"}


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one period: ``rows`` are indexes (or a slice) in the order of the table."""

    period: str
    rows: NDArray[Any] | slice


def split(ts: NDArray[np.int64], finest: Grain) -> list[Slice]:
    """Where rows of these event times go; the number of slices is bounded whatever the times are.

    Periods are of the ``finest`` grain as long as there are few; with many (a backlog of months, a
    gateway with a mad clock), dense ones keep that grain and the others share months, years, or
    one file. Bounded by FILES_PER_PASS_MAX + rows / DENSE_ROWS.
    """
    if not len(ts):
        return []
    ends = np.clip(np.array([ts.min(), ts.max()]) // DAY_US, _FIRST_DAY, _LAST_DAY)
    names, _ = _periods(ends, finest)
    if len(names) == 1:
        return [Slice(names[0], slice(None))]
    days = np.clip(ts // DAY_US, _FIRST_DAY, _LAST_DAY)
    found: list[Slice] = []
    rest = np.arange(0)
    for grain in (grain for grain in Grain if grain >= finest):
        names, code = _periods(days, grain)
        if len(names) == 1 and not found:
            return [Slice(names[0], slice(None))]
        if not found and not len(rest):
            rest = np.arange(len(ts))
        if len(names) <= FILES_PER_PASS_MAX:
            return found + _slices(names, code, rest)
        dense = np.bincount(code) >= DENSE_ROWS
        if dense.any():
            kept = [name for name, is_dense in zip(names, dense, strict=True) if is_dense]
            found += _slices(kept, *_only(dense, code, rest))
            rest, days = rest[~dense[code]], days[~dense[code]]
        if not len(rest):
            return found
    raise AssertionError("the coarsest grain takes everything")


def _periods(days: NDArray[np.int64], grain: Grain) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the periods in which ``days`` lie, and each row's index among them."""
    low, high = int(days.min()), int(days.max())
    if grain is Grain.ALL:
        return [ALL], np.zeros(len(days), np.int64)
    unit = _UNITS[grain]
    first = np.array(low, "M8[D]").astype(unit).astype(np.int64)
    last = np.array(high, "M8[D]").astype(unit).astype(np.int64)
    if first == last:
        return [str(np.array(low, "M8[D]").astype(unit))], np.zeros(len(days), np.int64)
    number = days.astype("M8[D]").astype(unit).astype(np.int64) - first
    present = np.bincount(number, minlength=int(last - first) + 1) > 0
    names = (np.flatnonzero(present) + first).astype(unit)
    return [str(name) for name in names], (np.cumsum(present) - 1)[number]


def _only(
    dense: NDArray[np.bool_], code: NDArray[np.int64], rest: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes of the dense periods alone, numbered anew, and their rows."""
    kept = dense[code]
    return (np.cumsum(dense) - 1)[code[kept]], rest[kept]


def _slices(names: Sequence[str], code: NDArray[np.int64], rows: NDArray[np.int64]) -> list[Slice]:
    order = np.argsort(code, kind="stable")
    edges = np.cumsum(np.bincount(code, minlength=len(names)))[:-1]
    pieces = np.split(rows[order], edges)
    return [Slice(name, piece) for name, piece in zip(names, pieces, strict=True)]


@dataclass(frozen=True, slots=True)
class Range:
    """What the next pass covers: offsets after ``start``, at most ``limit``, for ``tables``."""

    start: int
    limit: int
    tables: frozenset[str]


def next_range(offsets: Mapping[str, int], head: int) -> Range | None:
    """The lowest range that some table lacks; None when every table stands at ``head``.

    After a crash between two commits some tables are behind: they alone catch up first, up to
    where the next one stands, so that no commit ever covers an offset twice.
    """
    start = min(offsets.values())
    ahead = [offset for offset in offsets.values() if offset > start]
    limit = min(ahead, default=head)
    if limit <= start:
        return None
    behind = frozenset(name for name, offset in offsets.items() if offset == start)
    return Range(start, limit, behind)


@dataclass(frozen=True, slots=True)
class Sized:
    """What a merge decides by: a file's name, rows, the offsets it covers, where it lies."""

    path: str
    rows: int
    start: int
    end: int
    period: str = ALL


def pick_merge(files: Sequence[Sized]) -> tuple[Sized, ...]:
    """Files of one period to be merged into one, or none.

    The oldest run of MERGE_FILES neighbours (by offset) that are of one size class or smaller, so
    that every row is rewritten a logarithmic number of times. Runs are neighbours because only
    disjoint ranges of offsets keep the order of arrival.
    """
    ordered = sorted(files, key=lambda file: (file.start, file.end))
    tiers = [_tier(file.rows) for file in ordered]
    for tier in sorted(set(tiers)):
        run: list[Sized] = []
        rows = 0
        for file, of in zip(ordered, tiers, strict=True):
            small = of <= tier and file.rows <= MERGE_ROWS_MAX // 2
            if not small or rows + file.rows > MERGE_ROWS_MAX:
                run, rows = [], 0
            if small:
                run.append(file)
                rows += file.rows
            if sum(_tier(f.rows) == tier for f in run) >= MERGE_FILES:
                return tuple(run)
    return ()


def _tier(rows: int) -> int:
    """Size class: each holds MERGE_FILES times what the one below holds."""
    tier = 0
    while rows > _TIER_ROWS * MERGE_FILES**tier:
        tier += 1
    return tier


def is_crowded(files: Sequence[Sized]) -> bool:
    """Whether a table has too many sparse periods, or too many files in them."""
    sparse = _sparse(files)
    return len(sparse) > SPARSE_PERIODS_MAX or sum(map(len, sparse.values())) > SPARSE_FILES_MAX


def pick_gather(files: Sequence[Sized]) -> tuple[str, tuple[Sized, ...]] | None:
    """Files of sparse periods to be merged into one of a coarser period, which is named; or None.

    Only where there are too many of them. Days go to the month that has most of them, months and
    days to such a year, and what has too few neighbours even there to one file for all times, the
    sparsest half first: so times that lie about leave, and those that stand together stay.
    """
    if not is_crowded(files):
        return None
    sparse = _sparse(files)
    for grain in (Grain.MONTH, Grain.YEAR, Grain.ALL):
        inside: dict[str, list[str]] = {}
        for period in sorted(sparse):
            parent = _parent(period, grain)
            if len(parent) < len(period):
                inside.setdefault(parent, []).append(period)
        chosen = max(inside, key=lambda parent: len(inside[parent]), default=ALL)
        periods = sorted(inside.get(chosen, ()), key=lambda period: _rows(sparse[period]))
        if len(periods) >= MERGE_FILES:
            kept = len(periods) if chosen != ALL else max(MERGE_FILES, len(periods) // 2)
            return chosen, _upto_rows([sparse[period] for period in periods[:kept]])
    return None


def stands_apart(picked: Sequence[Sized], files: Sequence[Sized]) -> bool:
    """Whether no other file may hold rows of the same time that arrived between the picked ones.

    Only then may rollup rows of one bucket become one row: `part` is the order of their arrival.
    """
    first, last = min(file.start for file in picked), max(file.end for file in picked)
    inside = {file.path for file in picked}
    periods = {file.period for file in picked}
    return not any(
        file.start < last and file.end > first and any(_akin(file.period, p) for p in periods)
        for file in files
        if file.path not in inside
    )


def _sparse(files: Sequence[Sized]) -> dict[str, list[Sized]]:
    """Files by period, of those that hold less than a row group."""
    periods: dict[str, list[Sized]] = {}
    for file in files:
        if file.period != ALL:
            periods.setdefault(file.period, []).append(file)
    return {period: held for period, held in periods.items() if _rows(held) < DENSE_ROWS}


def _parent(period: str, grain: Grain) -> str:
    """The period of this grain in which another lies; itself where that is no finer."""
    if grain is Grain.ALL:
        return ALL
    return period[: len("0001-01") if grain is Grain.MONTH else len("0001")]


def _akin(one: str, other: str) -> bool:
    """Whether two periods have a time in common."""
    return ALL in (one, other) or one.startswith(other) or other.startswith(one)


def _rows(files: Sequence[Sized]) -> int:
    return sum(file.rows for file in files)


def _upto_rows(periods: Sequence[Sequence[Sized]]) -> tuple[Sized, ...]:
    """The files of as many whole periods, from the first, as MERGE_ROWS_MAX takes."""
    found: list[Sized] = []
    for files in periods:
        if found and _rows(found) + _rows(files) > MERGE_ROWS_MAX:
            break
        found += files
    return tuple(found)
