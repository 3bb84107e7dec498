"""Pure: series as numbers without holes, so that state is held for those only that need it."""

import numpy as np
from numpy.typing import NDArray

NONE = -1


class Slots:
    """Gives each series the next number when it first comes."""

    def __init__(self) -> None:
        self._of = np.zeros(0, np.int64)
        self.count = 0

    def of(self, series: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """`(n,)` the slots of ``series``, `(n,)`."""
        if not len(series):
            return series
        size = int(series.max()) + 1
        if size > len(self._of):
            more = max(size, 2 * len(self._of)) - len(self._of)
            self._of = np.concatenate([self._of, np.full(more, NONE, np.int64)])
        slots = self._of[series]
        if (slots == NONE).any():
            new = np.unique(series[slots == NONE])
            self._of[new] = np.arange(self.count, self.count + len(new))
            self.count += len(new)
            slots = self._of[series]
        return slots.astype(np.uint32)
