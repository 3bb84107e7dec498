"""Pure: the last values of every series, as windows for a model, vectorised across series.

A window holds `length` values of one series in the order of arrival, the newest last, so a score
can only look back. A model may take windows that are not full yet, with NaN for what is not there.
Readings of many series come in one batch; a series may come several times in it, and each of its
readings gets the window that ends with itself. How the stream is cut into batches changes no
window.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups, by_series

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windowed:
    """Full windows of one batch, as places in a line of values.

    Windows of neighbours overlap, so each value stands once: of every series its past, then what is
    new. A stretch of the line that no place begins may hold values of two series.

    Attributes:
        rows: `(m,)` int64, which readings of the batch have a full window, series after series;
            finite values only.
        line: float64, the values.
        at: `(m,)` int64, where in the line each window begins.
        ordinal: `(m,)` int64, how many readings their series had before them.
    """

    rows: I8
    line: F8
    at: I8
    ordinal: I8


class Windows:
    """Ring of the last `length - 1` values of each series; bounded by the highest series number.

    Args:
        length: values in a window, at least 2.
        least: values from which a series has windows, at most ``length`` and by default that; what
            such a window lacks is NaN, and stands first.
    """

    def __init__(self, length: int, least: int = 0) -> None:
        if length < 2:
            raise ValueError(f"a window needs at least 2 values, not {length}")
        if not 0 <= least <= length:
            raise ValueError(f"a window of {length} values cannot have {least} of them at least")
        self.length = length
        self._least = least or length
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
        finite = np.isfinite(values)
        kept = None if finite.all() else np.flatnonzero(finite)
        if kept is not None:
            series, values = series[kept], values[kept]
        nothing = np.zeros(0, np.int64)
        if not len(values):
            return Windowed(nothing, np.zeros(0), nothing, nothing)
        groups = by_series(series)
        self.grow(int(groups.series[-1]) + 1)
        line, first = self._line(groups, values if groups.order is None else values[groups.order])

        seen = self._seen[groups.series]
        self._seen[groups.series] = seen + groups.counts
        rank = np.arange(len(values)) - np.repeat(groups.starts - seen, groups.counts)
        order = np.arange(len(values)) if groups.order is None else groups.order
        if kept is not None:
            order = kept[order]
        if int(seen.min()) < self._least - 1:
            full = np.flatnonzero(rank >= self._least - 1)
            order, first, rank = order[full], first[full], rank[full]
        return Windowed(order, line, first, rank)

    def _line(self, groups: Groups, values: F8) -> tuple[F8, I8]:
        """Every series' past and its new ``values``, and where the window of each begins.

        Keeps what will be the past of the next batch.
        """
        past, series = self.length - 1, groups.series
        base = groups.starts + np.arange(len(series)) * past
        first = np.arange(len(values)) + np.repeat(base - groups.starts, groups.counts)
        line = np.empty(len(values) + past * len(series))
        line[first + past] = values
        # Stretches of the line as rows, so that each past is copied whole and not value by value.
        pasts = np.lib.stride_tricks.sliding_window_view(line, past, writeable=True)
        pasts[base] = self._history[series]
        self._history[series] = pasts[base + groups.counts]
        return line, first

    def begin_anew(self, series: NDArray[np.uint32]) -> None:
        """Forget the values of these series."""
        self._history[series], self._seen[series] = np.nan, 0

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is held, a row a series; to be kept and put back."""
        return {"history": self._history, "seen": self._seen}

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        have = len(self._seen)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        self._history = np.concatenate([self._history, np.full((more, self.length - 1), np.nan)])
        self._seen = np.concatenate([self._seen, np.zeros(more, np.int64)])
