"""Pure: what is known of each series from one batch to the next, and the switch with hysteresis."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups

I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]
State = TypeVar("State", bound=NDArray[Any])


def grown(state: State, size: int, fill: float) -> State:
    """``state`` with room for ``size`` series at least; new ones hold ``fill``."""
    have = len(state)
    if size <= have:
        return state
    more = np.full((max(size, 2 * have) - have, *state.shape[1:]), fill, state.dtype)
    return np.concatenate([state, more])  # type: ignore[return-value]


class Switch:
    """Open or closed by series: opens with what is over, closes with what is back, else stays."""

    def __init__(self) -> None:
        self._open: Bools = np.zeros(0, np.bool_)

    def take(self, groups: Groups, over: Bools, back: Bools) -> tuple[Bools, Bools]:
        """Whether each row found its series open, and whether it leaves it open.

        Args:
            groups: the rows by series.
            over: `(n,)` what opens, in the order of the groups.
            back: `(n,)` what closes; never both.
        """
        self._open = grown(self._open, int(groups.series[-1]) + 1, False)
        place = np.arange(len(over))
        told = np.maximum.accumulate(np.where(over | back, place, -1))
        start = np.repeat(groups.starts, groups.counts)
        after = np.where(told < start, self._open[groups.who], over[np.maximum(told, 0)])
        before = np.empty_like(after)
        before[1:] = after[:-1]
        before[groups.starts] = self._open[groups.series]
        self._open[groups.series] = after[groups.starts + groups.counts - 1]
        return before, after

    def is_open(self, series: NDArray[Any]) -> Bools:
        """Which of ``series`` are open."""
        self._open = grown(self._open, int(series.max()) + 1 if len(series) else 0, False)
        return np.asarray(self._open[series])

    def put(self, series: NDArray[Any], *, is_open: bool) -> None:
        """Have ``series`` open or closed, whatever was."""
        self.is_open(series)
        self._open[series] = is_open

    @property
    def standing(self) -> I8:
        """The series that are open, rising."""
        return self._open.nonzero()[0]
