"""Pure: the rows of a batch brought together by series, without losing their order of arrival."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int64]
U4 = NDArray[np.uint32]

_NARROW: Final = 1 << 16
"""Numbers below it are sorted by radix, which costs a third of comparing them."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows by series.

    Attributes:
        order: `(n,)` rows series after series, each in order of arrival; None: they stand so.
        who: `(n,)` the series of each row, in this order.
        series: `(g,)` the series, rising.
        starts, counts: `(g,)` where the rows of each begin in this order, and how many they are.
    """

    order: I8 | None
    who: U4
    series: U4
    starts: I8
    counts: I8


def by_series(series: U4) -> Groups:
    """Group rows of ``series``, `(n,)`."""
    order: I8 | None = None
    changes = series[1:] != series[:-1]
    if (series[1:] < series[:-1]).any():
        order = rising(series)
        series = series[order]
        changes = series[1:] != series[:-1]
    starts = np.zeros(int(np.count_nonzero(changes)) + 1 if len(series) else 0, np.int64)
    np.add(changes.nonzero()[0], 1, out=starts[1:])
    counts = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1:] = len(series) - starts[-1:]
    return Groups(order, series, series[starts], starts, counts)


def rising(series: U4) -> I8:
    """The order in which ``series`` rise, equal ones as they stand."""
    if len(series) and int(series.max()) < _NARROW:
        return np.argsort(series.astype(np.uint16), kind="stable")
    return np.argsort(series, kind="stable")
