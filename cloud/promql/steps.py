"""Pure: the times of an answer, and where the cells lie that tell what was said before each.

Times are µs. A window of a range ends before its time: `avg_over_time(x[1h])` at 10:00 is of the
readings from 9:00 on and before 10:00, which is one row of a rollup of hours, and no reading is in
two windows that follow each other. The last reading at a time is of all until then, that time's
own among them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.promql.tree import Selector

STEPS_MAX: Final = 11_000
"""Times of one answer, as in Prometheus."""
MILLI_US: Final = 1_000
_MINUTE_US: Final = 60_000_000
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

    ``unit_us`` divides every edge.
    """

    edges: _Ints
    unit_us: int


def layout(selector: Selector, steps: Steps, stale_us: int) -> Layout:
    """Cells that tell a selector at all steps, of series whose readings go stale in ``stale_us``.

    Each window is made of whole cells. One cell lies before the first, for the reading that held
    when it began; behind the last time lies one whose first reading may be of that very time.
    """
    times = steps.before(selector.offset_us).times
    edges = times
    if selector.width_us:
        edges = np.union1d(times, times - selector.width_us)
    unit = int(np.gcd.reduce(edges)) or _MINUTE_US
    lead = -(-stale_us // unit) * unit if unit >= MILLI_US else stale_us
    ends = [edges[:1] - lead, edges]
    if not selector.width_us:
        ends.append(edges[-1:] + _behind(unit))
    return Layout(np.concatenate(ends), unit)


def _behind(unit_us: int) -> int:
    """The width of the cell behind the last time: narrow, but no narrower than need be."""
    for width in (86_400_000_000, 3_600_000_000, _MINUTE_US):
        if unit_us % width == 0:
            return width
    return unit_us if unit_us < _MINUTE_US else MILLI_US
