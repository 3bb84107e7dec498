"""Pure: how often something happened, and between what that rate lies: Poisson's exact interval.

The bounds are those of Garwood (1936): the rates at which so few, or so many, would be seen with a
chance of 2.5 % each.
"""

import math
from dataclasses import dataclass
from typing import Final

TAIL: Final = 0.025
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` in ``weeks`` of series; per series and week, with its 95 % interval."""

    count: int
    weeks: float

    @property
    def per_week(self) -> float:
        """The rate; 0 where nothing was watched."""
        return self.count / self.weeks if self.weeks > 0 else 0.0

    @property
    def low(self) -> float:
        """The lower bound."""
        return self._bound(self.count - 1, 1 - TAIL) if self.count else 0.0

    @property
    def high(self) -> float:
        """The upper bound; infinite where nothing was watched."""
        return self._bound(self.count, TAIL)

    def _bound(self, count: int, chance: float) -> float:
        """The rate at which at most ``count`` are seen with this chance."""
        if not self.weeks > 0:
            return math.inf
        low, high = 0.0, 2.0 * count + 20.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if at_most(count, middle) > chance else (low, middle)
        return low / self.weeks


def at_most(count: int, mean: float) -> float:
    """The chance that a Poisson count of this mean is at most ``count``, 0 or more."""
    if mean <= 0:
        return 1.0
    terms = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
    return min(1.0, math.fsum(math.exp(term) for term in terms))
