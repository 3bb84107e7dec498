"""Pure: for each reading the older one that its rate of change is taken against.

Event time is cut into spans. A reading is compared with the last one of its series that lies at
least two spans back, so that the time between them is longer than a span: no two readings with one
time, or a few milliseconds apart, make a rate. Of each series three readings are kept, the last of
its three last spans: whatever comes next, what it is compared with is among them.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.rules_state import grown

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U4 = NDArray[np.uint32]

KEPT: Final = 3
BACK: Final = 2
"""Spans from a reading's own to that of what it is compared with, at least."""


@dataclass(frozen=True, slots=True)
class Referred:
    """Readings with something to be compared with.

    Attributes:
        at: `(m,)` their places.
        ts, value: `(m,)` of what each is compared with.
    """

    at: I8
    ts: I8
    value: F8


class References:
    """What the readings of every series are compared with.

    Args:
        span_us: length of a span, in µs.
    """

    def __init__(self, span_us: int) -> None:
        self._span_us = span_us
        self._ts: I8 = np.zeros((0, KEPT), np.int64)
        self._value: F8 = np.zeros((0, KEPT))
        self._count: I8 = np.zeros(0, np.int64)

    def take(self, who: U4, life: I8, ts: I8, value: F8) -> Referred:
        """Find what each reading is compared with, and keep what the next batch needs.

        Args:
            who: `(n,)` series, those of one together; at least one row.
            life: `(n,)` lives that it began in this batch; 0: the one of the batch before.
            ts: `(n,)` µs, never falling within a series and life.
            value: `(n,)`.
        """
        self.grow(int(who.max()) + 1)
        fresh = np.ones(len(who), np.bool_)
        fresh[1:] = who[1:] != who[:-1]
        series = who[fresh].astype(np.int64)
        group = np.cumsum(fresh) - 1
        old_at = (np.arange(KEPT) < self._count[series][:, None]).nonzero()
        # Of each series what is kept, then what is new: one line of all.
        order = np.argsort(np.concatenate([old_at[0], group]), kind="stable")
        old = len(old_at[0])
        line_ts = np.concatenate([self._ts[series[old_at[0]], old_at[1]], ts])[order]
        line_value = np.concatenate([self._value[series[old_at[0]], old_at[1]], value])[order]
        line_group = np.concatenate([old_at[0], group])[order]
        line_life = np.concatenate([np.zeros(old, np.int64), life])[order]
        breaks = np.ones(len(order), np.bool_)
        breaks[1:] = (line_group[1:] != line_group[:-1]) | (line_life[1:] != line_life[:-1])
        part = np.cumsum(breaks) - 1
        span = line_ts // self._span_us
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        mine = place[old:]
        found = _last_before(part, span, mine)
        self._keep(series, line_group, part, span, line_ts, line_value)
        has = (found >= 0).nonzero()[0]
        return Referred(has, line_ts[found[has]], line_value[found[has]])

    def _keep(self, series: I8, group: I8, part: I8, span: I8, ts: I8, value: F8) -> None:
        """Keep the last readings of the last three spans of each series' last life."""
        ends = np.ones(len(ts), np.bool_)
        ends[:-1] = (part[1:] != part[:-1]) | (span[1:] != span[:-1])
        last = ends.nonzero()[0]
        close = np.searchsorted(group[last], np.arange(len(series)), side="right")
        newest = part[last[close - 1]]
        begin = np.searchsorted(part[last], newest, side="left")
        count = np.minimum(close - begin, KEPT)
        at = np.minimum((close - count)[:, None] + np.arange(KEPT), len(last) - 1)
        self._count[series] = count
        self._ts[series], self._value[series] = ts[last[at]], value[last[at]]

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is kept, a row a series."""
        return {"ts": self._ts, "value": self._value, "count": self._count}

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        self._ts = grown(self._ts, size, 0)
        self._value = grown(self._value, size, 0.0)
        self._count = grown(self._count, size, 0)


def _last_before(part: I8, span: I8, rows: I8) -> I8:
    """For each of ``rows`` the last row of its part that is `BACK` spans older; -1: there is none.

    ``part`` and the spans within one never fall.
    """
    every = np.concatenate([span, span[rows] - BACK])
    _, rank = np.unique(every, return_inverse=True)
    most = int(rank.max()) + 1
    line, wanted = part * most + rank[: len(span)], part[rows] * most + rank[len(span) :]
    found = np.searchsorted(line, wanted, side="right") - 1
    return np.where((found >= 0) & (part[np.maximum(found, 0)] == part[rows]), found, -1)
