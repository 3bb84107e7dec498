"""Pure: readings that follow each other in event time, as rates and stuck values need them.

A reading earlier than the newest of its series is late, and left out: it says nothing of what is
now. But a series whose clock was put back has late readings alone, and one wild stamp from the
future would make a rule blind for ever: the `LATE_RUN`-th late one in a row begins a new *life* of
the series, and nothing is compared across lives. Equal times are in order.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups
from edge.detect.rules_state import grown

I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]

LATE_RUN: Final = 8
_NEVER: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Ordered:
    """Rows of `Groups`, those in order.

    Attributes:
        at: `(m,)` places of the rows that are in order, rising.
        life: `(m,)` lives that the series of each began in this batch up to it; 0: an old one.
    """

    at: I8
    life: I8


class Order:
    """The newest time of each series."""

    def __init__(self) -> None:
        self._newest: I8 = np.zeros(0, np.int64)
        self._late: I8 = np.zeros(0, np.int64)

    def take(self, groups: Groups, ts: I8) -> Ordered:
        """Which of one batch's rows are in order; ``ts`` `(n,)` µs, in the order of ``groups``."""
        self.grow(int(groups.series.max()) + 1)
        if self._is_rising(groups, ts):
            self._newest[groups.series] = ts[groups.starts + groups.counts - 1]
            self._late[groups.series] = 0
            return Ordered(np.arange(len(ts)), np.zeros(len(ts), np.int64))
        kept, begins = np.zeros(len(ts), np.bool_), np.zeros(len(ts), np.int64)
        starts, ends = groups.starts.copy(), groups.starts + groups.counts
        who = groups.series.astype(np.int64)
        while len(who):
            again, kept_at, begun_at = self._round(who, starts, ends, ts)
            kept[kept_at], begins[begun_at] = True, 1
            starts[again[0]] = again[1]
            left = np.zeros(len(who), np.bool_)
            left[again[0]] = again[1] < ends[again[0]]
            who, starts, ends = who[left], starts[left], ends[left]
        total = np.cumsum(begins)
        before = (total - begins)[groups.starts]
        at = kept.nonzero()[0]
        return Ordered(at, (total - np.repeat(before, groups.counts))[at])

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is known, a row a series."""
        return {"newest": self._newest, "late": self._late}

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        self._newest = grown(self._newest, size, _NEVER)
        self._late = grown(self._late, size, 0)

    def _is_rising(self, groups: Groups, ts: I8) -> bool:
        falls = ts[1:] < ts[:-1]
        falls[groups.starts[1:] - 1] = False
        return not falls.any() and bool((ts[groups.starts] >= self._newest[groups.series]).all())

    def _round(self, who: I8, starts: I8, ends: I8, ts: I8) -> tuple[tuple[I8, I8], I8, I8]:
        """Judge the rows of these series up to the first that begins a life.

        Returns:
            Which of them began one and where the rows after it begin; rows in order; rows that
            begin a life.
        """
        counts = ends - starts
        group = np.repeat(np.arange(len(who)), counts)
        first = np.cumsum(counts) - counts
        row = np.arange(len(group)) + (starts - first)[group]
        late = self._late_rows(who, group, first, ts[row])
        place = np.arange(len(group))
        heard = np.maximum.accumulate(np.where(late, -1, place))
        carried = heard < first[group]
        run = np.where(carried, place - first[group] + 1 + self._late[who[group]], place - heard)
        ending = (late & (run >= LATE_RUN)).nonzero()[0]
        restarted, which = np.unique(group[ending], return_index=True)
        cut = first + counts
        cut[restarted] = ending[which]
        mine = place < cut[group]
        kept = mine & ~late
        begun = cut[restarted]
        # Of each series the newest that is kept, and how many late ones it ends with.
        last = kept.nonzero()[0]
        self._newest[who[group[last]]] = ts[row[last]]
        final = cut - 1
        ends_late = (final >= first) & late[np.maximum(final, 0)]
        self._late[who] = np.where(ends_late, run[np.maximum(final, 0)], 0)
        nothing = final < first
        self._late[who[nothing]] = 0
        self._newest[who[restarted]], self._late[who[restarted]] = ts[row[begun]], 0
        return (restarted, row[begun] + 1), row[np.concatenate([last, begun])], row[begun]

    def _late_rows(self, who: I8, group: I8, first: I8, ts: I8) -> Bools:
        """Which rows are earlier than what their series had before them."""
        every = np.concatenate([self._newest[who], ts])
        _, rank = np.unique(every, return_inverse=True)
        # Each group's newest so far stands before its rows; groups rise, so that one running
        # maximum serves all of them.
        line = np.empty(len(every), np.int64)
        base = (int(rank.max()) + 1) * np.arange(len(who))
        heads = first + np.arange(len(who))
        places = np.arange(len(ts)) + group + 1
        line[heads] = base + rank[: len(who)]
        line[places] = base[group] + rank[len(who) :]
        most = np.maximum.accumulate(line)
        return np.asarray(line[places] < most[places - 1])
