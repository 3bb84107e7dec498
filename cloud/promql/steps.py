"""Pure: the times of an answer, and where the cells lie that tell what was said before each.

Times are µs. A window of a range ends before its time: `avg_over_time(x[1h])` at 10:00 is of the
readings from 9:00 on and before 10:00, which is one row of a rollup of hours, and no reading is in
two windows that follow each other. The last reading at a time is of all until then, that time's
own among them.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.promql.tree import Selector

STEPS_MAX: Final = 11_000
"""Times of one answer, as in Prometheus."""
MILLI_US: Final = 1_000
_MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 86_400_000_000
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Steps:
    """``count`` times from ``start_us`` on, ``step_us`` apart; one time where count is 1."""

    start_us: int
    step_us: int
    count: int

    @property
    def times(self) -> _Ints:
        """All of them."""
        found: _Ints = self.start_us + np.arange(self.count, dtype=np.int64) * self.step_us
        return found

    def before(self, offset_us: int) -> "Steps":
        """As many, so much earlier."""
        return Steps(self.start_us - offset_us, self.step_us, self.count)

    @property
    def end_us(self) -> int:
        """The last of them."""
        return self.start_us + (self.count - 1) * self.step_us


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the cells of a selector lie: ``edges`` are the starts of all, and the last one's end.

    ``unit_us`` divides all that windows have; the width of the cell behind them divides it.
    """

    edges: _Ints
    unit_us: int


def layout(selector: Selector, steps: Steps, stale_us: int) -> Layout:
    """Cells that tell a selector at all steps.

    Each window is made of whole cells. With ``stale_us`` one more lies before the first, so long at
    least: for the reading that held when it began. Where the last reading is asked for, one lies
    behind the last time, for its first reading may be of that very time.
    """
    times = steps.before(selector.offset_us).times
    edges = times
    if selector.width_us:
        edges = np.union1d(times, times - selector.width_us)
    unit = int(np.gcd.reduce(edges)) or _MINUTE_US
    parts = [edges]
    if stale_us:
        parts.insert(0, edges[:1] - -(-stale_us // unit) * unit)
    if not selector.width_us:
        parts.append(edges[-1:] + _behind(unit))
    return Layout(np.concatenate(parts), unit)


def _behind(unit_us: int) -> int:
    """The width of the cell behind the last time: what fits the others, and little more."""
    if unit_us % _DAY_US == 0:
        return _DAY_US
    return unit_us if unit_us <= _HOUR_US else math.gcd(unit_us, _HOUR_US)
