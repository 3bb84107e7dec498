"""Pure: the episodes that scores of one series come to, by the rules that gateways go by.

A reading whose score is above the threshold begins one. Readings that score at least a share of the
threshold keep it alive, and it ends at the last of them: after so many calmer ones in a row over so
long, or at a silence longer than a gap. A test holds this to what a gateway makes of the same.
"""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

STAY_SHARE: Final = 0.5
CALM_READINGS: Final = 16
CALM_US: Final = 30_000_000
GAP_US: Final = 7_200_000_000

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """One episode: its first and last reading that was not calm, its highest score; µs."""

    from_us: int
    to_us: int
    peak_us: int
    peak: float
    points: int


def episodes_of(ts: I8, score: F8, threshold: float) -> list[Found]:
    """Episodes of one series; ``ts`` rising, scores that are not finite were not judged.

    Args:
        ts: `(n,)` int64 µs.
        score: `(n,)` float64.
        threshold: above 0.
    """
    judged = np.isfinite(score)
    ts, score = ts[judged], score[judged]
    alive = np.flatnonzero(score >= STAY_SHARE * threshold)
    if not len(alive):
        return []
    calm = np.diff(alive) - 1
    # Of calm readings between two that are not: from the first of them to the last.
    calm_us = ts[alive[1:] - 1] - ts[np.minimum(alive[:-1] + 1, len(ts) - 1)]
    ended = (calm >= CALM_READINGS) & (calm_us >= CALM_US)
    gaps = np.concatenate([[0], np.cumsum(np.diff(ts) > GAP_US)])
    ended |= gaps[alive[1:]] > gaps[alive[:-1]]
    edges = [0, *(1 + np.flatnonzero(ended)).tolist(), len(alive)]
    found = []
    for start, end in itertools.pairwise(edges):
        mine = alive[start:end]
        strange = np.flatnonzero(score[mine] > threshold)
        if not len(strange):
            continue
        mine = mine[strange[0] :]
        peak = mine[int(np.argmax(score[mine]))]
        first, last = int(ts[mine[0]]), int(ts[mine[-1]])
        found.append(Found(first, last, int(ts[peak]), float(score[peak]), len(mine)))
    return found
