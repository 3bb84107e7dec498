"""Pure: quantiles of buckets, told from their bins.

A quantile q of n numbers is the ceil(q n)th from below. `cloud.rollup.bins` says how far off what
is told may be: it lies in the same bin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from cloud.rollup.bins import Bins, Floats, Ints, Spread, places

SHARES: Final[Mapping[str, float]] = MappingProxyType(
    {"p1": 0.01, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
)
FINE: Final = 512
"""Of bins that are so many times narrower than the range the shortest decimal is told."""
_POWER_MAX: Final = 22
"""Powers of ten up to here are doubles, so that a decimal is rounded once."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """By name of SHARES, a number a bucket (NaN: it has none), each at most ``error`` off.

    ``of_bins``: some are told from bins.
    """

    told: Mapping[str, Floats]
    error: Floats
    of_bins: bool


def rank(valid: Ints, share: float) -> Ints:
    """Which number from below a quantile is, 0 of nothing."""
    # The product may lie a rounding above the whole number that it is.
    found: Ints = np.ceil(np.round(valid * share, 9)).astype(np.int64)
    return found


def quantiles(bins: Bins, spread: Spread) -> Quantiles:
    """Of rows whose bins are known."""
    has_list = spread.has_list
    rows = np.flatnonzero(has_list)
    some, exponent = spread.rows(rows), bins.exponent[rows].astype(np.int64)
    first, width = places(some.low, exponent), np.ldexp(1.0, exponent)
    is_fine = width <= (some.high / FINE - some.low / FINE)
    upto = np.cumsum(bins.count)
    before = np.append(0, upto)[bins.offsets[:-1]][rows]
    told: dict[str, Floats] = {}
    for name, share in SHARES.items():
        ranks = rank(spread.valid, share)
        found = np.where(ranks * 2 <= spread.valid, spread.low, spread.high)
        at = np.searchsorted(upto, before + ranks[rows])
        place = (first + bins.index[at]).astype(np.float64)
        with np.errstate(over="ignore"):  # a bin may begin or end behind what is a double
            low = np.maximum(np.ldexp(place, exponent), some.low)
            high = np.minimum(np.ldexp(place + 1, exponent), some.high)
        number = np.where(is_fine, _shortest(low, high), low / 2 + high / 2)
        number = np.where(ranks[rows] == 1, some.low, number)
        found[rows] = np.where(ranks[rows] == some.valid, some.high, number)
        told[name] = np.where(spread.valid > 0, found, np.nan)
    error = np.zeros(len(spread.valid))
    error[rows] = np.where(is_fine, width, width / 2)
    return Quantiles(told, error, of_bins=True)


def _shortest(low: Floats, high: Floats) -> Floats:
    """The decimal of fewest digits within each [low, high]; the middle where a double has none."""
    middle = low / 2 + high / 2
    found = middle.copy()
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        digits = np.ceil(-np.log10(high - low))
        for fewer in (0, 1):  # a rounder number still is one of these too
            power = digits - fewer
            up = 10.0 ** np.clip(power, 0, _POWER_MAX)
            down = 10.0 ** np.clip(-power, 0, _POWER_MAX)
            decimal = np.rint(middle * up / down) / up * down
            holds = (np.abs(power) <= _POWER_MAX) & (low <= decimal) & (decimal <= high)
            found = np.where(holds, decimal, found)
    return found
