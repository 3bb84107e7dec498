"""Pure: what a series says at each step, from what its readings come to in cells of time.

A cell is a bucket of history or a single reading: the same functions serve both, and give the same.
What is no number (NaN, a text) is no reading here.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.promql.steps import Steps
from cloud.promql.tree import Selector
from cloud.rollup.partials import Partials

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Values = tuple[Floats, Bools]
"""A value a step, and whether there is one."""
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Columns of one length, in order of ``start``, a row a cell that holds numbers.

    ``rise`` is how much a counter rose from its first number to its last one; NaN is unknown.
    """

    start: Ints
    count: Ints
    sum: Floats
    low: Floats
    high: Floats
    first_ts: Ints
    first: Floats
    last_ts: Ints
    last: Floats
    rise: Floats


def cells_of(partials: Partials) -> Cells | None:
    """The same of buckets; None where some readings are no numbers: then ask the readings.

    What came last and when is told of all readings, not of the numbers among them.
    """
    if (partials.valid != partials.count).any():
        return None
    with np.errstate(invalid="ignore"):
        rise = partials.last - partials.first + partials.reset_sum
    return Cells(
        partials.bucket, partials.valid, partials.sum, partials.min, partials.max,
        partials.first_ts, partials.first, partials.last_ts, partials.last, rise,
    )  # fmt: skip


def cells_of_readings(ts: Ints, value: Floats) -> Cells:
    """A cell a reading, in order of time, then arrival; what is no number is left out."""
    kept = ~np.isnan(value)
    ts, value = ts[kept], value[kept] + 0.0
    one, none = np.ones(len(ts), np.int64), np.zeros(len(ts))
    return Cells(ts, one, value, value, value, ts, value, ts, value, none)


def told(cells: Cells, selector: Selector, function: str, steps: Steps, stale_us: int) -> Values:
    """A function of a selector's range at each step, or the last reading where there is none."""
    times = steps.before(selector.offset_us).times
    if not selector.width_us:
        return _last(cells, times, stale_us)
    begun = times - selector.width_us
    low = np.searchsorted(cells.start, begun)
    high = np.searchsorted(cells.start, times)
    if function in ("rate", "increase"):
        value, there = _increase(cells, low, high, begun, stale_us)
        return (value / (selector.width_us / _SECOND_US) if function == "rate" else value), there
    count = _over(np.add, cells.count, low, high)
    value = _OVER_TIME[function](cells, low, high, count)
    return value, count > 0


def looked_at(cells: Cells, selector: Selector, steps: Steps) -> int:
    """How many cells all windows have together, which is what they cost."""
    times = steps.before(selector.offset_us).times
    begun = np.searchsorted(cells.start, times - selector.width_us)
    return int((np.searchsorted(cells.start, times) - begun).sum())


def _last(cells: Cells, times: Ints, stale_us: int) -> Values:
    """The last reading at each time that is not older than ``stale_us``."""
    rows = len(cells.start)
    value, age = np.zeros(len(times)), np.full(len(times), stale_us, np.int64)
    before = np.searchsorted(cells.start, times) - 1
    has = before >= 0
    value[has], age[has] = cells.last[before[has]], (times[has] - cells.last_ts[before[has]])
    # Of those cells that begin at a time, the first reading may be of that time.
    at = np.searchsorted(cells.start, times, "right") - 1
    inside = (at >= 0) & (at < rows)
    now = np.zeros(len(times), bool)
    now[inside] = cells.first_ts[at[inside]] == times[inside]
    value[now], age[now] = cells.first[at[now]], 0
    return value, age < stale_us


def _increase(cells: Cells, low: Ints, high: Ints, begun: Ints, stale_us: int) -> Values:
    """How much a counter rose in each window: from what it was at the start, if that is known.

    What it was when a window began is its last number before, unless that was stale by then.
    """
    rise_to = np.zeros(len(cells.start))
    before, after = cells.last[:-1], cells.first[1:]
    with np.errstate(invalid="ignore"):
        rise_to[1:] = np.where(after < before, after, after - before)
    within = _over(np.add, rise_to, low + 1, high) + _over(np.add, cells.rise, low, high)
    some = high > low
    known = some & (low > 0)
    known[known] = begun[known] - cells.last_ts[low[known] - 1] < stale_us
    within[known] += rise_to[low[known]]
    readings = _over(np.add, cells.count, low, high)
    return within, some & (known | (readings > 1)) & ~np.isnan(within)


def _over(ufunc: np.ufunc, values: NDArray[Any], low: Ints, high: Ints) -> NDArray[Any]:
    """What the rows [low, high) of each window come to; 0 where there are none."""
    found = np.zeros(len(low), values.dtype)
    some = high > low
    if some.any():
        bounds = np.stack((low[some], high[some]), 1).reshape(-1)
        padded = np.append(values, values[-1:])  # a bound may lie behind the last row
        with np.errstate(invalid="ignore", over="ignore"):
            found[some] = ufunc.reduceat(padded, bounds)[::2]
    return found


def _average(cells: Cells, low: Ints, high: Ints, count: Ints) -> Floats:
    return _over(np.add, cells.sum, low, high) / np.maximum(count, 1)


def _newest(cells: Cells, low: Ints, high: Ints, count: Ints) -> Floats:
    last = np.append(cells.last, 0.0)
    return np.where(high > low, last[high - 1], 0.0)


_OVER_TIME: Final = {
    "avg_over_time": _average,
    "sum_over_time": lambda cells, low, high, _: _over(np.add, cells.sum, low, high),
    "min_over_time": lambda cells, low, high, _: _over(np.minimum, cells.low, low, high),
    "max_over_time": lambda cells, low, high, _: _over(np.maximum, cells.high, low, high),
    "count_over_time": lambda _cells, _low, _high, count: count.astype(np.float64),
    "last_over_time": _newest,
}
