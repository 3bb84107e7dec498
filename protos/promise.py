"""Pure: whether a model keeps its promised rate of alarms, which gateway and cloud judge alike."""

import math
from typing import Final

TIMES_MAX: Final = 3.0
"""Alarms over promised ones that are borne: a promise speaks of false alarms, and some are true."""
BESIDE_MAX: Final = 2.0
"""Alarms over those of the model in service on the same readings that are borne."""
CHANCE: Final = 1e-3
"""How rarely a model that keeps within what is borne may be taken for one that does not."""
TERMS_MAX: Final = 100_000


def poisson_tail(count: int, mean: float) -> float:
    """P(X ≥ ``count``) of a Poisson variable with this ``mean``; 1 where count is not over it.

    Terms from ``count`` on, each the one before times mean / (k + 1), which falls faster than a
    geometric series since k > mean; what is left out is below 1e-12 of the sum.
    """
    if count <= mean or count <= 0:
        return 1.0
    if mean <= 0.0:
        return 0.0
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    total = 0.0
    for k in range(count, count + TERMS_MAX):
        total += term
        term *= mean / (k + 1)
        if term <= 1e-13 * total:
            break
    return min(total, 1.0)


def is_off(alarms: int, series_weeks: float, promised_per_week: float, beside: int) -> bool:
    """Whether ``alarms`` over ``series_weeks`` are too many for a promise.

    Borne is the larger of `TIMES_MAX` times what was promised for that time, and `BESIDE_MAX` times
    what the model in service raised over the same readings and one more (``beside`` + 1): where
    there is much to tell, both tell of it. Off is what by `CHANCE` does not come of that.
    """
    promised = TIMES_MAX * promised_per_week * series_weeks
    borne = max(promised, BESIDE_MAX * (beside + 1))
    return poisson_tail(alarms, borne) < CHANCE
