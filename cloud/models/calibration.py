"""Pure: the threshold that a trained model ships with, from its scores on what was held out.

Above the 98 % quantile u of the scores held out, the tail is taken as exponential with the mean
excess m seen there (peaks over threshold; Pickands 1975, with shape 0), so a score is passed with
chance p at u + m·ln(q/p), q being the share above u. The wanted p is the stated rate of false
alarms for each series and week times the step between readings. While what was held out is too
short to have had one alarm at that rate, the threshold is not below the highest score in it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

WEEK_US: Final = 7 * 86_400 * 1_000_000
TAIL_SHARE: Final = 0.02
SCORES_MIN: Final = 128
"""Scores held out, at least: with fewer there are not three beyond the quantile."""
CHANCE_MIN: Final = 1e-12

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """``threshold`` of a score, and the chance for each reading that it was set for."""

    threshold: float
    chance: float
    scores: int


def calibrate(scores: F8, step_us: float, rate: float) -> Calibrated:
    """The threshold for ``rate`` false alarms a series and week, at one reading each ``step_us``.

    Raises:
        ValueError: fewer than SCORES_MIN scores.
    """
    if len(scores) < SCORES_MIN:
        raise ValueError(f"{len(scores)} windows are held out, {SCORES_MIN} are needed")
    chance = float(np.clip(rate * step_us / WEEK_US, CHANCE_MIN, 0.5))
    ordered = np.sort(scores)
    body = int(np.ceil((1 - TAIL_SHARE) * len(ordered))) - 1
    start, tail = ordered[body], ordered[body + 1 :]
    excess = float((tail - start).mean()) if len(tail) else 0.0
    share = max(len(tail), 1) / len(ordered)
    threshold = float(start + excess * np.log(max(share / chance, 1.0)))
    if chance * len(ordered) < 1:
        threshold = max(threshold, float(ordered[-1]))
    return Calibrated(max(threshold, float(np.finfo(np.float32).tiny)), chance, len(ordered))
