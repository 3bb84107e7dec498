"""Pure: which stretches of a series are left out of an answer, and what must be read instead.

Readings marked as bad data are left out when they are asked about, never from the tables. A bucket
of a rollup that a bad stretch covers is dropped, one that it cuts is made anew from its raw
readings; all others are taken as they are. So an answer without bad data costs little more than
one with it, and a mark that is withdrawn brings everything back at once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RAW_PIECES_MAX: Final = 32
"""Stretches read raw beside a rollup; nearer ones are read as one, with what lies between."""


@dataclass(frozen=True, slots=True, eq=False)
class Bad:
    """Disjoint stretches [start, end) in µs, in order; of one series."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]

    def __bool__(self) -> bool:
        return len(self.start) > 0

    def good(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which times lie in no bad stretch."""
        at = np.searchsorted(self.start, ts, "right") - 1
        if not self:
            return np.ones(len(ts), bool)
        bad: NDArray[np.bool_] = (at >= 0) & (ts < self.end[np.maximum(at, 0)])
        return ~bad

    def end_at(self, ts: int) -> int:
        """The end of the stretch that holds ``ts``, itself when none does."""
        at = int(np.searchsorted(self.start, ts, "right")) - 1
        return max(ts, int(self.end[at])) if at >= 0 else ts


def bad_of(stretches: Iterable[tuple[int, int]]) -> Bad:
    """Stretches of any order that may overlap."""
    joined: list[list[int]] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        elif end > start:
            joined.append([start, end])
    array = np.array(joined, np.int64).reshape(-1, 2)
    return Bad(array[:, 0].copy(), array[:, 1].copy())


NONE: Final = bad_of(())


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch [start, end) of an answer, read from the rollup or from raw readings."""

    start: int
    end: int
    is_raw: bool


def pieces(start: int, end: int, width_us: int, bad: Bad) -> list[Piece]:
    """How to read [start, end), whole buckets of ``width_us``: in order, without what is all bad.

    At most RAW_PIECES_MAX of them are raw.
    """
    cut = _grouped(_touched(start, end, width_us, bad))
    found = []
    at = start
    for low, high in cut:
        if low > at:
            found.append(Piece(at, low, is_raw=False))
        found += [Piece(low, high, is_raw=True)] if not _covered(low, high, bad) else []
        at = high
    if at < end:
        found.append(Piece(at, end, is_raw=False))
    return found


def _touched(start: int, end: int, width_us: int, bad: Bad) -> list[tuple[int, int]]:
    """Runs of buckets that a bad stretch meets: its first, its last, and what lies between."""
    found: list[tuple[int, int]] = []
    for low, high in zip(bad.start.tolist(), bad.end.tolist(), strict=True):
        if high <= start or low >= end:
            continue
        low, high = max(low, start), min(high, end)
        outer = low - low % width_us, high + -high % width_us
        inner = low + -low % width_us, high - high % width_us
        parts = [outer]
        if inner[0] < inner[1]:  # whole buckets inside, which are dropped
            parts = [(outer[0], inner[0]), inner, (inner[1], outer[1])]
        found += [part for part in parts if part[0] < part[1]]
    return found


def _covered(low: int, high: int, bad: Bad) -> bool:
    return bad.end_at(low) >= high


def _grouped(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs that meet the same buckets joined, and the nearest too where they are too many."""
    joined: list[tuple[int, int]] = []
    for low, high in runs:
        if joined and low < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    if len(joined) <= RAW_PIECES_MAX:
        return joined
    between = np.array([b[0] - a[1] for a, b in pairwise(joined)])
    ends = sorted(np.argsort(between, kind="stable")[len(joined) - RAW_PIECES_MAX :].tolist())
    starts = [0, *(at + 1 for at in ends)]
    pairs = zip(starts, [*ends, len(joined) - 1], strict=True)
    return [(joined[first][0], joined[last][1]) for first, last in pairs]


def without(
    fetch: Callable[[int, int, int], Any], start: int, end: int, limit: int, bad: Bad
) -> list[Any]:
    """Pages of ``fetch(start, end, limit)`` until ``limit`` good rows are there, or the end.

    ``fetch`` gives rows with a column ``ts``, in order of it. Of the rows at one time all are in
    one page, or no row of it.
    """
    found: list[Any] = []
    left, ask = limit, limit
    start = bad.end_at(start)
    while start < end and left > 0:
        page = fetch(start, end, ask)
        if len(page.ts) < ask:
            return [*found, page]
        last = int(page.ts[-1])
        if last == int(page.ts[0]):  # all at one time: take it whole, or step over it
            if bad.end_at(last) > last:
                start, ask = bad.end_at(last), left
                continue
            return [*found, page]
        whole = int(np.searchsorted(page.ts, last))
        good = int(bad.good(page.ts[:whole]).sum())
        if good >= left:
            return [*found, page]
        found.append(page.first(whole))
        left -= good
        start, ask = bad.end_at(last), left
    return found
