"""What stands beside a figure over labelled runs: detectors that know little, or nothing.

Each takes the values of one file, `(rows, channels)`, and how many of its rows may be trained on,
and gives which rows it flags, `(rows,)`.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROLLING = 200
ROLLING_SIGMAS = 3.0
Q_WINDOW, Q_VARIANCE, Q_SMOOTHED, Q_LIMIT = 5, 0.9, 10, 1.5


def all_rows(values: F8, rows: int) -> Bools:
    """Every row."""
    return np.ones(len(values), np.bool_)


def random_rows(values: F8, rows: int) -> Bools:
    """Half of them, by chance."""
    return np.random.default_rng(len(values)).uniform(size=len(values)) < 0.5


def rolling_z(values: F8, rows: int) -> Bools:
    """A channel is over `ROLLING_SIGMAS` deviations from its mean over the last `ROLLING` rows."""
    flagged = np.zeros(len(values), np.bool_)
    views = np.lib.stride_tricks.sliding_window_view(values, ROLLING, axis=0)[:-1]
    apart = np.abs(values[ROLLING:] - views.mean(axis=2))
    flagged[ROLLING:] = (apart > ROLLING_SIGMAS * np.maximum(views.std(axis=2), 1e-9)).any(axis=1)
    return flagged


def plain_q(values: F8, rows: int) -> Bools:
    """The textbook's Q of windows of `Q_WINDOW` rows, its mean over `Q_SMOOTHED` of them.

    Flagged is what lies over `Q_LIMIT` times the 99 % quantile of the rows trained on.
    """
    mean, deviation = values[:rows].mean(axis=0), values[:rows].std(axis=0)
    z = (values - mean) / np.where(deviation > 0, deviation, 1.0)
    views = np.lib.stride_tricks.sliding_window_view(z, Q_WINDOW, axis=0).reshape(
        len(z) - Q_WINDOW + 1, -1
    )
    centre = views[: rows - Q_WINDOW + 1].mean(axis=0)
    _, size, vectors = np.linalg.svd(views[: rows - Q_WINDOW + 1] - centre, full_matrices=False)
    held = int(np.searchsorted(np.cumsum(size**2) / (size**2).sum(), Q_VARIANCE)) + 1
    apart = views - centre
    rest = apart - apart @ vectors[:held].T @ vectors[:held]
    total = np.cumsum(np.append(0.0, (rest**2).sum(axis=1)))
    first = Q_WINDOW + Q_SMOOTHED - 2
    q = np.zeros(len(values))
    q[first:] = (total[Q_SMOOTHED:] - total[:-Q_SMOOTHED]) / Q_SMOOTHED
    return q > Q_LIMIT * float(np.quantile(q[first:rows], 0.99))


BASELINES: dict[str, Callable[[F8, int], Bools]] = {
    "flag_all": all_rows,
    "random": random_rows,
    "rolling_z": rolling_z,
    "plain_q": plain_q,
}


def poisson_interval(count: int, chance: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count (Garwood 1936)."""
    tail = (1 - chance) / 2
    low = _mean_at(lambda mean: 1 - _at_most(count - 1, mean), tail) if count else 0.0
    return low, _mean_at(lambda mean: -_at_most(count, mean), -tail)


def _at_most(count: int, mean: float) -> float:
    logs = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1))
    return sum(math.exp(log) for log in logs)


def _mean_at(rising: Callable[[float], float], wanted: float) -> float:
    """Where a rising function of a mean is ``wanted``, by halving."""
    low, high = 1e-9, 1.0
    while rising(high) < wanted:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return high
