"""Pure: which series are slow enough for a model that costs more than one can afford for all.

A reading belongs to a slow series when, of the last four stretches of `STRETCH` readings of it, at
most one was quicker: the second shortest mean step is at least what the model asks. So neither one
outage in a quick series nor one burst in a slow one moves a series from one model to another. A
series is not slow before two stretches of it are known.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import by_series

I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]

STRETCH_BITS: Final = 4
STRETCH: Final = 1 << STRETCH_BITS
STRETCHES: Final = 4
_UNKNOWN: Final = -1


class Pace:
    """The last stretches of every series.

    Args:
        step_s: mean seconds between readings of a slow series, at least.
    """

    def __init__(self, step_s: float) -> None:
        self._least_us = int(step_s * 1e6) * STRETCH
        self._seen = np.zeros(0, np.int64)
        self._marked = np.zeros(0, np.int64)
        self._spans = np.zeros((0, STRETCHES), np.int64)
        self._slow = np.zeros(0, np.bool_)

    @property
    def nbytes(self) -> int:
        """Bytes held for all series."""
        return self._seen.nbytes + self._marked.nbytes + self._spans.nbytes + self._slow.nbytes

    def slow(self, series: NDArray[np.uint32], ts: I8) -> Bools:
        """`(n,)` whether each reading's series is slow, as far as it tells until then.

        Args:
            series: `(n,)` series numbers, readings of one series in the order of arrival.
            ts: `(n,)` event times, int64 µs.
        """
        told = np.zeros(len(series), np.bool_)
        if not len(series):
            return told
        groups = by_series(series)
        self.grow(int(groups.series[-1]) + 1)
        order = np.arange(len(series)) if groups.order is None else groups.order
        before = self._seen[groups.series]
        self._seen[groups.series] = before + groups.counts
        ordinal = np.arange(len(series)) + np.repeat(before - groups.starts, groups.counts)
        rounds = (ordinal >> STRETCH_BITS) - np.repeat(before >> STRETCH_BITS, groups.counts)
        for number in range(int(rounds.max()) + 1):
            here = (rounds == number).nonzero()[0]
            first = here[(ordinal[here] & (STRETCH - 1)) == 0]
            if len(first):
                self._mark(groups.who[first].astype(np.int64), ordinal[first], ts[order[first]])
            told[order[here]] = self._slow[groups.who[here]]
        return told

    def _mark(self, who: I8, ordinal: I8, ts: I8) -> None:
        """End a stretch of each of these series with the reading that begins the next."""
        known = ordinal > 0
        # A clock that steps back says nothing of the pace, nor does one that leaps by centuries.
        span = np.clip(ts.astype(np.float64) - self._marked[who], 0, 2.0**62).astype(np.int64)
        self._marked[who] = ts
        who, span = who[known], span[known]
        spans = self._spans[who]
        spans[:, 1:] = spans[:, :-1].copy()
        spans[:, 0] = span
        self._spans[who] = spans
        told = (spans != _UNKNOWN).sum(axis=1)
        ordered = np.sort(np.where(spans == _UNKNOWN, np.iinfo(np.int64).max, spans), axis=1)
        self._slow[who] = (told >= 2) & (ordered[:, 1] >= self._least_us)

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is known, a row a series; to be kept and put back."""
        return {
            "seen": self._seen, "marked": self._marked, "spans": self._spans, "slow": self._slow,
        }  # fmt: skip

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        have = len(self._seen)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        self._seen = np.concatenate([self._seen, np.zeros(more, np.int64)])
        self._marked = np.concatenate([self._marked, np.zeros(more, np.int64)])
        unknown = np.full((more, STRETCHES), _UNKNOWN, np.int64)
        self._spans = np.concatenate([self._spans, unknown])
        self._slow = np.concatenate([self._slow, np.zeros(more, np.bool_)])
