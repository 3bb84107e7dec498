"""Pure: how far apart the readings of a series come, whatever clocks do.

Steps of event time are looked at a block of readings at a time. A step counts as at most
`STEP_OVER` times the middle one of its block, and one backwards not at all, so that a clock that
jumps by years (a Pi that wakes in 1970, one wild stamp) hardly moves the mean.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

BLOCK_BITS: Final = 5
BLOCK: Final = 1 << BLOCK_BITS
# A gap longer than this many usual steps is time in which nothing was watched.
STEP_OVER: Final = 16.0
STEPS_MAX: Final = 8192
"""Steps are halved here: an old cadence is forgotten."""


class Cadence:
    """The steps of all series; they are numbered from 0, and memory grows with the highest."""

    def __init__(self) -> None:
        self._times = np.zeros((0, BLOCK), np.int64)
        self._watched_us = np.zeros(0)
        self._steps = np.zeros(0, np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes held for all series."""
        return self._times.nbytes + self._watched_us.nbytes + self._steps.nbytes

    def grow(self, size: int) -> None:
        """Make room for series below ``size``."""
        more = size - len(self._steps)
        self._times = np.concatenate([self._times, np.zeros((more, BLOCK), np.int64)])
        self._watched_us = np.concatenate([self._watched_us, np.zeros(more)])
        self._steps = np.concatenate([self._steps, np.zeros(more, np.int64)])

    def note(self, who: I8, place: I8, ts: I8) -> None:
        """Keep times of readings, each at its ``place`` in the block of its series."""
        # Flat view of the table: two indices at a time cost numpy several times as much.
        self._times.reshape(-1)[(who << BLOCK_BITS) + place] = ts

    def learn(self, who: I8) -> None:
        """Add the steps inside the block that these series have just filled."""
        # As floats: the widest step between int64 times has no int64.
        times = self._times[who].astype(np.float64)
        step = times[:, 1:] - times[:, :-1]
        if (step > 0).all():
            middle = np.partition(step, (BLOCK - 1) // 2, axis=1)[:, (BLOCK - 1) // 2]
            counted = np.broadcast_to(np.bool_(True), step.shape)
        else:
            forward = np.where(step > 0, step, np.inf)
            middle = np.sort(forward, axis=1)[np.arange(len(who)), (step > 0).sum(axis=1) // 2]
            counted = (step >= 0) & np.isfinite(middle)[:, None]
        bounded = np.minimum(step, STEP_OVER * middle[:, None])
        self._watched_us[who] += np.where(counted, bounded, 0.0).sum(axis=1)
        self._steps[who] += counted.sum(axis=1)
        old = who[self._steps[who] > STEPS_MAX]
        self._watched_us[old] /= 2
        self._steps[old] //= 2

    def step_us(self, who: I8) -> F8:
        """`(m,)` mean step of these series, µs, above 0."""
        return np.maximum(self._watched_us[who], 1.0) / np.maximum(self._steps[who], 1)
