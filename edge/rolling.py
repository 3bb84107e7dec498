"""Pure: the last values of every series, as windows for a model, vectorised across series.

A window holds `length` values of one series in the order of arrival, the newest last, so a score
can only look back. Readings of many series come in one batch; a series may come several times in
it, and each of its readings gets the window that ends with itself. How the stream is cut into
batches changes no window.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windowed:
    """Full windows of one batch.

    Attributes:
        rows: `(m,)` int64, which readings of the batch have a full window; finite values only.
        windows: `(m, length)` float64, the newest value last.
        ordinal: `(m,)` int64, how many readings their series had before them.
    """

    rows: I8
    windows: F8
    ordinal: I8


class Windows:
    """Ring of the last `length - 1` values of each series; bounded by the highest series number.

    Args:
        length: values in a window, at least 2.
    """

    def __init__(self, length: int) -> None:
        if length < 2:
            raise ValueError(f"a window needs at least 2 values, not {length}")
        self.length = length
        self._history: F8 = np.zeros((0, length - 1))
        self._seen: I8 = np.zeros(0, np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes held for all series."""
        return self._history.nbytes + self._seen.nbytes

    def push(self, series: NDArray[np.uint32], values: F8) -> Windowed:
        """Take one batch and return the windows that are full.

        Args:
            series: `(n,)` series numbers.
            values: `(n,)` float64; those that are not finite are passed over.
        """
        kept = np.flatnonzero(np.isfinite(values))
        if not len(kept):
            return Windowed(kept, np.zeros((0, self.length)), kept)
        if len(kept) == len(values):
            order = np.argsort(series, kind="stable")
        else:
            order = kept[np.argsort(series[kept], kind="stable")]
        who = series[order]
        starts = np.flatnonzero(np.concatenate([[True], who[1:] != who[:-1]]))
        groups, counts = who[starts], np.diff(starts, append=len(order))
        self._grow(int(groups[-1]) + 1)

        past = self.length - 1
        # One line of values: each series' history, then its new values, series after series.
        base = np.arange(len(groups)) * past + starts
        rank = np.arange(len(order)) - np.repeat(starts, counts)
        first = np.repeat(base, counts) + rank
        line = np.empty(len(order) + past * len(groups))
        line[base[:, None] + np.arange(past)] = self._history[groups]
        line[first + past] = values[order]
        views = np.lib.stride_tricks.sliding_window_view(line, self.length)

        ordinal = np.repeat(self._seen[groups], counts) + rank
        self._history[groups] = line[(base + counts)[:, None] + np.arange(past)]
        self._seen[groups] += counts
        full = ordinal >= past
        return Windowed(order[full], views[first[full]], ordinal[full])

    def _grow(self, size: int) -> None:
        have = len(self._seen)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        self._history = np.concatenate([self._history, np.zeros((more, self.length - 1))])
        self._seen = np.concatenate([self._seen, np.zeros(more, np.int64)])
