"""Pure: the Numenta Anomaly Benchmark's score, standard profile, from its published definition.

Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms" (2015): a labelled window earns
by the earliest alarm in it, weighed by a scaled sigmoid that falls from 1 at the window's first row
to 0 at its last; a window without an alarm costs 1; an alarm outside costs up to 0.11, less just
behind a window. The first rows of a file are for learning and count for nothing. A corpus is scored
as the sum over its files, from 0 for no alarm at all to 100 for one at the start of each window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]

FALSE_ALARM: Final = 0.11
MISSED: Final = 1.0
STEEPNESS: Final = 5.0
FAR_BEHIND: Final = 3.0
"""Widths behind a window at which an alarm costs all that one can."""
PROBATION_SHARE: Final = 0.15
PROBATION_ROWS_MAX: Final = 750
"""The share of the first 5,000 rows."""
THRESHOLDS_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Worth:
    """What an alarm on each row of one file is worth.

    Attributes:
        worth: `(n,)` what the row's alarm adds: in a window at most 1, outside at least -0.11.
        window: `(n,)` the window of a row, -1 for none.
        counts: `(n,)` whether the row is behind the probation.
        windows: how many windows the file has.
    """

    worth: F8
    window: I8
    counts: Bools
    windows: int


def scaled_sigmoid(place: F8) -> F8:
    """2 / (1 + e^(5y)) - 1; -1 beyond `FAR_BEHIND`; y is -1 at a window's start, 0 at its end."""
    bounded = np.minimum(place, FAR_BEHIND)
    return np.where(place > FAR_BEHIND, -1.0, 2.0 / (1.0 + np.exp(STEEPNESS * bounded)) - 1.0)


def worth_of(ts: I8, windows: Sequence[tuple[int, int]]) -> Worth:
    """What alarms on the rows of one file are worth.

    Args:
        ts: `(n,)` times in the order of the file; they may repeat or step back.
        windows: first and last time of each window, rising, none within another.

    Raises:
        ValueError: a window holds no row, or begins before the one before it has ended.
    """
    rows = len(ts)
    worth, window = np.full(rows, -FALSE_ALARM), np.full(rows, -1, np.int64)
    counts = np.arange(rows) >= min(int(PROBATION_SHARE * rows), PROBATION_ROWS_MAX)
    most, end = float(scaled_sigmoid(np.array(-1.0))), -1
    for number, (left, right) in enumerate(windows):
        inside = ((ts >= left) & (ts <= right)).nonzero()[0]
        if not len(inside):
            raise ValueError(f"window {number} of {len(windows)} holds no row")
        first, last = int(inside[0]), int(inside[-1])
        if first <= end:
            raise ValueError(f"window {number} of {len(windows)} begins in the one before it")
        width, end = last - first + 1, last
        at = np.arange(first, last + 1)
        worth[at] = scaled_sigmoid(-(last - at + 1) / width) / most
        window[at] = number
        behind = np.arange(last + 1, rows)
        worth[behind] = FALSE_ALARM * scaled_sigmoid((behind - last) / max(width - 1, 1))
    return Worth(worth, window, counts, len(windows))


def raw_score(worth: Worth, alarms: I8) -> float:
    """The score of one file before it is normalised; ``alarms`` are rows that raise one."""
    alarms = alarms[worth.counts[alarms]]
    window, value = worth.window[alarms], worth.worth[alarms]
    best = np.full(worth.windows, -MISSED)
    inside = window >= 0
    np.maximum.at(best, window[inside], value[inside])
    return float(best.sum() + value[~inside].sum())


def normalised(raw: float, windows: int) -> float:
    """From 0 for no alarm to 100 for one at the start of each of the corpus' ``windows``."""
    if not windows:
        raise ValueError("a corpus without a labelled window has no score")
    return 100.0 * (raw + MISSED * windows) / ((1.0 + MISSED) * windows)


def begins(excess: I8, quiet: int) -> I8:
    """The rows of ``excess``, rising, that begin a run: none of it in the ``quiet`` rows before."""
    if not len(excess):
        return excess
    return excess[np.append(True, np.diff(excess) > quiet)]


@dataclass(frozen=True, slots=True)
class Swept:
    """The best single threshold for a corpus: its score, the threshold, each file's alarms."""

    score: float
    threshold: float
    alarms_of: list[I8]

    @property
    def alarms(self) -> int:
        """How many it raises."""
        return sum(map(len, self.alarms_of))


def sweep(worths: Sequence[Worth], scores: Sequence[F8], quiet: int) -> Swept:
    """Try thresholds on a whole corpus and keep the best.

    Args:
        worths: of each file.
        scores: of each file; those that are not finite raise no alarm.
        quiet: readings without an excess that end a run; one alarm is kept of each.
    """
    windows = sum(worth.windows for worth in worths)
    best = Swept(0.0, np.inf, [np.zeros(0, np.int64) for _ in worths])
    for threshold in _thresholds(scores):
        told = [begins((score >= threshold).nonzero()[0], quiet) for score in scores]
        raw = sum(raw_score(worth, rows) for worth, rows in zip(worths, told, strict=True))
        found = Swept(normalised(raw, windows), float(threshold), told)
        best = max(best, found, key=lambda one: one.score)
    return best


def _thresholds(scores: Sequence[F8]) -> F8:
    """Scores to try: each distinct one, or of many every so-manieth, the highest most densely."""
    known = np.unique(np.concatenate([score[np.isfinite(score)] for score in scores]))[::-1]
    if len(known) <= THRESHOLDS_MAX:
        return known
    places = np.geomspace(1, len(known), THRESHOLDS_MAX).astype(np.int64) - 1
    return known[np.unique(places)]
