"""Pure: the scores that each series has shown, counted in bins that follow their unit.

Bins are equal on the logarithm (`edge/detect/tail.py`) and reach over 16 octaves. Where they stand
follows from the series: its first score that is not 0 is put in the middle, and at the ends of
blocks they move to where most scores ask for, or by an octave for one that is beyond them.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.detect import tail
from edge.detect.tail import BINS, BINS_PER_OCTAVE, Tail

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

# Counts are halved here: old behaviour is forgotten, and they fit 16 bits.
COUNT_MAX: Final = 32_768

_UNEVEN: Final = (np.arange(BINS) % 2).astype(np.uint16)
_NO_ORIGIN: Final = -(1 << 40)
_FIRST_BIN: Final = BINS // 2
"""Where the first score of a series is put that is not 0."""
_HEAD: Final = BINS // 4
"""Bins that stay free above what is followed."""
_LOW: Final = 2 * BINS_PER_OCTAVE
"""A tail that begins below this bin is seen too coarsely: the origin moves down."""
_DOWN: Final = 4 * BINS_PER_OCTAVE


@dataclass(slots=True)
class Histograms:
    """Counts of all series, which are numbered from 0; 280 bytes each.

    Attributes:
        counts: `(series, BINS)` uint16; bin 0 counts scores of 0 and no others.
    """

    counts: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((0, BINS), np.uint16))
    _counted: I8 = field(default_factory=lambda: np.zeros(0, np.int64))
    # Where bin 0 stands, in bins from a score of 1, and the highest bin that a block asked for.
    _origin: I8 = field(default_factory=lambda: np.zeros(0, np.int64))
    _wanted: I8 = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes held for all series."""
        parts = (self.counts, self._counted, self._origin, self._wanted)
        return sum(one.nbytes for one in parts)

    def grow(self, more: int) -> None:
        """Make room for ``more`` series."""
        self.counts = np.concatenate([self.counts, np.zeros((more, BINS), np.uint16)])
        self._counted = np.concatenate([self._counted, np.zeros(more, np.int64)])
        self._origin = np.concatenate([self._origin, np.full(more, _NO_ORIGIN, np.int64)])
        self._wanted = np.concatenate([self._wanted, np.zeros(more, np.int64)])

    def count(self, who: I8, scores: F8) -> None:
        """Count ``scores``, `(n,)`, none negative, of series ``who``."""
        at = tail.place(scores)
        bins = at - self._origin[who]
        if int(bins.max()) >= BINS:
            bins = self._begin(who, at, scores)
            np.maximum.at(self._wanted, who, bins)
            bins = np.minimum(bins, BINS - 1)
        bins = np.maximum(bins, scores > 0)
        # Flat view of the table: two indices at a time cost numpy several times as much.
        np.add.at(self.counts.reshape(-1), who * BINS + bins, np.uint16(1))

    def follow(self, who: I8) -> None:
        """Move the bins of series, each once, whose last block had scores above them."""
        for series in who[self._wanted[who] >= BINS].tolist():
            counts, wanted = self.counts[series], int(self._wanted[series])
            # What most scores ask for is followed at once, a wild one by an octave.
            usual = 4 * int(counts[-1]) > int(counts.sum())
            self._raise(series, wanted - BINS + 1 + _HEAD if usual else BINS_PER_OCTAVE)
        self._wanted[who] = 0

    def forget(self, who: I8, more: I8) -> I8:
        """Count ``more`` scores of each of these series; returns those whose counts were halved."""
        self._counted[who] += more
        full = who[self._counted[who] > COUNT_MAX]
        # Odd counts go up in every other bin, for the tail must not lose what stands alone.
        self.counts[full] = (self.counts[full] + _UNEVEN) // 2
        self._counted[full] = self.counts[full].sum(axis=1)
        return full

    def tails(self, who: I8, clusters: F8) -> Tail:
        """Tails of these series; one that has shown nothing but 0 has none, for it has no scale.

        Moves the bins of those whose tails begin too low to be seen finely.
        """
        known = self._origin[who] != _NO_ORIGIN
        origin = np.where(known, self._origin[who], 0)
        found = tail.fit(self.counts[who], origin, clusters)
        start = np.where(known, found.start, np.inf)
        first = tail.place(start) - origin
        low = who[np.isfinite(start) & (first > 1) & (first < _LOW)]
        for series in low[~self.counts[low, -_DOWN:].any(axis=1)].tolist():
            counts = self.counts[series]
            counts[1 + _DOWN :] = counts[1:-_DOWN].copy()
            counts[1 : 1 + _DOWN] = 0
            self._origin[series] -= _DOWN
        return Tail(start, found.share, found.scale, found.shape)

    def _begin(self, who: I8, at: I8, scores: F8) -> I8:
        """The bins of scores, after giving series without an origin one."""
        new = ((self._origin[who] == _NO_ORIGIN) & (scores > 0)).nonzero()[0]
        series, first = np.unique(who[new], return_index=True)
        self._origin[series] = at[new[first]] - _FIRST_BIN
        return np.where(self._origin[who] == _NO_ORIGIN, 0, at - self._origin[who])

    def _raise(self, series: int, by: int) -> None:
        """Move the bins of one series up by so many; what is then below them goes to the lowest."""
        counts, within = self.counts[series], min(by, BINS - 2)
        self._origin[series] += by
        low = counts[1 : within + 2].sum()
        counts[1:-within] = counts[within + 1 :].copy()
        counts[-within:] = 0
        counts[1] = low
