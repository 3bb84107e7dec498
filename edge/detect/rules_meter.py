"""Pure: how far readings are beyond what a rule allows: levels, rates of change, stuck values.

Each meter gives a score that is 1.0 at the limit. What it cannot judge it leaves out.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups
from edge.detect.rules_order import Order
from edge.detect.rules_rate import References
from edge.detect.rules_state import grown
from edge.settings_watch import RATES, Watch, When

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]

SECOND_US: Final = 1e6


@dataclass(frozen=True, slots=True)
class Metered:
    """Rows of `Groups` that a meter could judge.

    Attributes:
        at: `(m,)` their places, rising.
        score: `(m,)` 1.0 at the limit; may be negative.
        over, back: `(m,)` beyond the limit, and so far on its good side that it is over.
    """

    at: I8
    score: F8
    over: Bools
    back: Bools


class Meter(Protocol):
    """Judges readings; it may keep what it needs of each series."""

    release: float
    """The score at which it is over: 1.0 without hysteresis."""

    def measure(self, groups: Groups, ts: I8, value: F8) -> Metered:
        """Judge the rows of one batch, in the order of ``groups``; ``value`` is finite.

        Their series are numbered from 0, and need not rise.
        """


class Level:
    """A value above or below a limit, in the order of arrival, whatever its time.

    The score is 1 + (how far beyond) / scale; the scale is the size of the limit, or of the
    hysteresis if that is more, or 1 where both are 0: for a limit above 0, value / limit.
    """

    def __init__(self, watch: Watch) -> None:
        self._limit, self._back = watch.limit, watch.back
        self._is_above = watch.when is When.ABOVE
        self._scale = max(abs(watch.limit), watch.back) or 1.0
        self.release = 1.0 - watch.back / self._scale

    def measure(self, groups: Groups, ts: I8, value: F8) -> Metered:
        """All rows are judged."""
        limit, back = self._limit, self._back
        if self._is_above:
            beyond, over, over_again = value - limit, value > limit, value > limit - back
        else:
            beyond, over, over_again = limit - value, value < limit, value < limit + back
        return Metered(np.arange(len(value)), 1.0 + beyond / self._scale, over, ~over & ~over_again)


class Rate:
    """A change against an older reading, for each `per`; late readings are left out.

    The score is the rate over the limit. A reading is compared with the last one that is two spans
    of `over_s` before its own, spans counted from 1970: at least `over_s` older, and at most twice
    that where there is one.
    """

    def __init__(self, watch: Watch) -> None:
        self._limit, self._back = watch.limit, watch.back
        self._sign = {When.RISES: 1.0, When.FALLS: -1.0}.get(watch.when, 0.0)
        self._per_us = watch.per_s * SECOND_US
        self._order = Order()
        self._references = References(max(1, round(watch.over_s * SECOND_US)))
        self.release = 1.0 - watch.back / watch.limit

    def measure(self, groups: Groups, ts: I8, value: F8) -> Metered:
        """Rows in order that have something to be compared with are judged."""
        ordered = self._order.take(groups, ts)
        at = ordered.at
        if not len(at):
            nothing = np.zeros(0, np.bool_)
            return Metered(at, np.zeros(0), nothing, nothing)
        found = self._references.take(groups.who[at], ordered.life, ts[at], value[at])
        at = at[found.at]
        # As floats: the widest step between int64 times has no int64.
        passed = ts[at].astype(np.float64) - found.ts.astype(np.float64)
        rate = (value[at] - found.value) / np.maximum(passed, 1.0) * self._per_us
        rate = np.abs(rate) if not self._sign else self._sign * rate
        over, over_again = rate > self._limit, rate > self._limit - self._back
        return Metered(at, rate / self._limit, over, ~over & ~over_again)

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is known, a row a series; to be kept and put back."""
        return self._order.by_series() | self._references.by_series()

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        self._order.grow(size)
        self._references.grow(size)


class Stuck:
    """The same value, to the bit, for longer than the limit; late readings are left out.

    The score is the time it has not changed, over the limit.
    """

    release = 1.0

    def __init__(self, watch: Watch) -> None:
        self._limit_s = watch.limit
        self._order = Order()
        self._value: F8 = np.zeros(0)
        self._since: I8 = np.zeros(0, np.int64)

    def measure(self, groups: Groups, ts: I8, value: F8) -> Metered:
        """Rows in order are judged."""
        ordered = self._order.take(groups, ts)
        at = ordered.at
        who, when, what = groups.who[at], ts[at], value[at]
        self.grow(int(groups.series.max()) + 1)
        first = np.ones(len(at), np.bool_)
        first[1:] = who[1:] != who[:-1]
        before = np.empty(len(at))
        before[1:] = what[:-1]
        before[first] = self._value[who[first]]
        born = ordered.life > 0
        born[1:] &= first[1:] | (ordered.life[1:] != ordered.life[:-1])
        changed = (what != before) | born
        place = np.arange(len(at))
        since_at = np.maximum.accumulate(np.where(changed | first, place, 0))
        since = np.where(changed[since_at], when[since_at], self._since[who])
        self._value[who], self._since[who] = what, since  # the last of each series stays
        score = (when.astype(np.float64) - since.astype(np.float64)) / SECOND_US / self._limit_s
        over = score > 1.0
        return Metered(at, score, over, ~over)

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is known, a row a series; to be kept and put back."""
        return self._order.by_series() | {"value": self._value, "since": self._since}

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        self._order.grow(size)
        # No value equals NaN: a series begins with a change.
        self._value = grown(self._value, size, np.nan)
        self._since = grown(self._since, size, 0)


def meter_of(watch: Watch) -> Meter:
    """What judges the readings of a rule that is not for silence."""
    if watch.when in RATES:
        return Rate(watch)
    return Stuck(watch) if watch.when is When.STUCK else Level(watch)
