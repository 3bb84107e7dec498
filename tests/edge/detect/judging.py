"""Readings as a detector judges them, made by hand, and what episodes tell of them."""

from collections.abc import Iterable, Sequence

import numpy as np

from edge.detect.episode import Change, Course
from edge.detect.episodes import Episodes
from edge.detect.judged import Judged

S = 1_000_000
T0 = 1_700_000_000 * S
COURSE = Course(stay_share=0.5, calm_readings=3, calm_us=5 * S, gap_us=600 * S)
Readings = Iterable[tuple[float, float]]
"""Seconds since T0 and scores; the threshold is 4."""


def judged(readings: Readings, series: int | Sequence[int] = 1, detector: str = "m@1") -> Judged:
    told = list(readings)
    n = len(told)
    who = np.broadcast_to(np.asarray(series, np.uint32), n)
    ts = np.array([T0 + round(at * S) for at, _ in told], np.int64)
    score = np.array([score for _, score in told])
    return Judged(detector, who, ts, score * 10, score, np.full(n, 4.0))


def drained(made: Episodes) -> list[Change]:
    found: list[Change] = []
    while made.has_news:
        found += made.told().changes
    return found


def steady(scores: Sequence[float], first: float = 0) -> list[tuple[float, float]]:
    return [(first + n, score) for n, score in enumerate(scores)]
