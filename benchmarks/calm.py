"""Simulated series in which nothing is wrong, of many kinds, at many cadences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Chance = np.random.Generator

DAY_S: Final = 86_400
START_US: Final = 1_767_225_600_000_000
STEPS_S: Final = (5, 30, 60, 60, 300, 300, 600)
"""Seconds between readings; a series has one of them."""
BURST: Final = 12


@dataclass(frozen=True, slots=True)
class Calm:
    """One series.

    Attributes:
        kind: of `KINDS`.
        step_s: seconds between readings, the mean of them where they come in bursts.
        ts: `(n,)` int64 µs.
        value: `(n,)` float64.
    """

    kind: str
    step_s: int
    ts: I8
    value: F8


def _after(noise: F8, *weights: float) -> F8:
    """Autoregression: each value is what ``weights`` make of those before it, plus noise."""
    values = [0.0] * len(weights)
    for one in noise.tolist():
        values.append(
            one + sum(w * v for w, v in zip(weights, values[: -len(weights) - 1 : -1], strict=True))
        )
    return np.array(values[len(weights) :])


def _day(t: F8) -> F8:
    return np.sin(2 * np.pi * t / DAY_S) + 0.4 * np.sin(4 * np.pi * t / DAY_S + 1)


def _week(t: F8) -> F8:
    """Louder on five days of seven."""
    weekday = (t // DAY_S).astype(np.int64) % 7 < 5
    return np.where(weekday, 3.0, 1.0) * np.maximum(np.sin(2 * np.pi * t / DAY_S), 0)


def _slow(chance: Chance, n: int) -> F8:
    return _after(chance.normal(size=n), 0.98) / 5


KINDS: Final[dict[str, Callable[[Chance, F8], F8]]] = {
    "normal": lambda c, t: c.normal(size=len(t)),
    "laplace": lambda c, t: c.laplace(size=len(t)),
    "student t4": lambda c, t: c.standard_t(4, len(t)),
    "uniform": lambda c, t: c.uniform(0, 1, len(t)),
    "lognormal": lambda c, t: c.lognormal(0, 0.5, len(t)),
    "quantised": lambda c, t: (c.normal(0, 0.15, len(t))).round(1),
    "two levels": lambda c, t: _slow(c, len(t)).round() + c.normal(0, 0.1, len(t)),
    "daily": lambda c, t: 3 * _day(t) + c.normal(0, 0.5, len(t)),
    "weekly": lambda c, t: 3 * _week(t) + c.normal(0, 0.5, len(t)),
    "daily quantised": lambda c, t: (_day(t) + c.normal(0, 0.05, len(t))).round(1),
    "weather": lambda c, t: _day(t) + _after(c.normal(0, 0.02, len(t)), 0.998),
    "random walk": lambda c, t: np.cumsum(c.normal(size=len(t))),
    "ar1": lambda c, t: _after(c.normal(size=len(t)), 0.9),
    "ar2": lambda c, t: _after(c.normal(size=len(t)), 1.6, -0.8),
    "bursts": lambda c, t: _after(c.normal(size=len(t)), 0.5),
}


def series(number: int, days: float, seed: int, steps_s: Sequence[int] = STEPS_S) -> Calm:
    """Series ``number`` of a campaign: its kind and its cadence follow from the number."""
    chance = np.random.default_rng((seed, number))
    kind = list(KINDS)[number % len(KINDS)]
    step_s = steps_s[(number // len(KINDS)) % len(steps_s)]
    count = int(days * DAY_S / step_s)
    at = np.arange(count, dtype=np.float64) * step_s
    if kind == "bursts":
        # Twelve readings a second apart, then silence until the next twelve.
        at = at // (BURST * step_s) * (BURST * step_s) + np.arange(count) % BURST
    unit, offset = 10.0 ** chance.uniform(-3, 4), chance.choice([0.0, 20.0, 1013.25])
    value = KINDS[kind](chance, at + chance.integers(7 * DAY_S)) * unit + offset * unit
    return Calm(kind, step_s, START_US + (at * 1e6).astype(np.int64), value)
