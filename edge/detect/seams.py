"""Pure: where the readings of a series are too far apart in time to stand in one window.

A manifest of a model of one series may say how long a silence is bridged (`gap_s`). A step of event
time of more than that from the reading before, in the order of arrival, is a *seam*: the window
begins anew with the reading behind it. A step back that is as wide is one as well: what a device
kept back, or a clock that was set. Without `gap_s` there are no seams, whatever the times.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.slots import Series

I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NEVER: Final = np.iinfo(np.int64).min


class Seams:
    """The last event time of each series; they are numbered from 0.

    Args:
        gap_us: the widest step that is none, in µs.
    """

    def __init__(self, gap_us: float) -> None:
        self._gap_us = gap_us
        self._last: I8 = np.zeros(0, np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes held for all series."""
        return self._last.nbytes

    def between(self, who: Series, ts: I8) -> Bools:
        """`(n,)` which readings stand behind a seam.

        Args:
            who: `(n,)` series, those of one together, each in the order of arrival.
            ts: `(n,)` event times, int64 µs.
        """
        if not len(who):
            return np.zeros(0, np.bool_)
        self.grow(int(who.max()) + 1)
        before: I8 = np.empty_like(ts)
        before[1:], before[0] = ts[:-1], _NEVER
        first = np.ones(len(who), np.bool_)
        first[1:] = who[1:] != who[:-1]
        before[first] = self._last[who[first]]
        self._last[who] = ts  # of one series the last stays
        # As floats: the widest step between int64 times has no int64.
        step = np.abs(ts.astype(np.float64) - before.astype(np.float64))
        seam: Bools = (step > self._gap_us) & (before != _NEVER)
        return seam

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is known, a row a series; to be kept and put back."""
        return {"last": self._last}

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        have = len(self._last)
        if size > have:
            more = max(size, 2 * have) - have
            self._last = np.concatenate([self._last, np.full(more, _NEVER)])


def rounds(who: Series, seam: Bools) -> I8:
    """`(n,)` how many seams of its series lie at or before each reading; arguments as `between`."""
    total = np.cumsum(seam)
    first = np.ones(len(who), np.bool_)
    first[1:] = who[1:] != who[:-1]
    counts = np.diff(np.append(first.nonzero()[0], len(who)))
    counted: I8 = total - np.repeat((total - seam)[first], counts)
    return counted
