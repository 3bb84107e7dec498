"""Pure: series as numbers without holes, so that state is held for those only that need it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]
Series = NDArray[np.uint32]

NONE = -1
STATE_BYTES_MAX: Final = 32 << 20
"""What the series or devices of a model may take. Arrays grow by doubling: they may have room for
up to twice that."""
SERIES: Final = "series"
"""The column that says whose the rows are."""


class Slots:
    """Gives each series the next number when it first comes, as long as there are any.

    Args:
        most: how many series may have one.
    """

    def __init__(self, most: int = 1 << 32) -> None:
        self.most = most
        self._of = np.zeros(0, np.int64)
        self._series = np.zeros(0, np.int64)
        self.count = 0

    @property
    def series(self) -> NDArray[np.int64]:
        """`(count,)` the series of each slot."""
        return self._series[: self.count]

    @property
    def is_full(self) -> bool:
        """Whether no further series gets one."""
        return self.count >= self.most

    def has(self, series: Series) -> Bools:
        """`(n,)` which of ``series``, `(n,)`, have one."""
        known = np.zeros(len(series), np.bool_)
        here = (series < len(self._of)).nonzero()[0]
        known[here] = self._of[series[here]] != NONE
        return known

    def fits(self, series: Series) -> Bools | None:
        """`(n,)` which of ``series`` have one, or there is one for; None: all of them."""
        if self.count + len(series) <= self.most:
            return None
        known = self.has(series)
        new = np.unique(series[~known])
        left = max(self.most - self.count, 0)
        return None if len(new) <= left else known | np.isin(series, new[:left])

    def of(self, series: Series) -> Series:
        """`(n,)` the slots of ``series``, `(n,)`, for which there are slots."""
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
            self._series = np.concatenate([self.series, new.astype(np.int64)])
            self.count += len(new)
            slots = self._of[series]
        return slots.astype(np.uint32)


class _Rows(Protocol):
    """What is known of each slot."""

    def by_series(self) -> dict[str, NDArray[Any]]:
        """Its arrays, each with a row a slot."""
        ...

    def grow(self, size: int) -> None:
        """Have rows for slots 0 to ``size`` - 1 at least."""
        ...


def row_bytes(rows: Mapping[str, NDArray[Any]]) -> int:
    """Bytes of what is known of one series."""
    return sum(held.itemsize * int(np.prod(held.shape[1:])) for held in rows.values())


def slots_for(*known: _Rows) -> Slots:
    """Slots for as many series as `STATE_BYTES_MAX` have room for what is ``known`` of each."""
    return Slots(STATE_BYTES_MAX // sum(row_bytes(one.by_series()) for one in known))


@runtime_checkable
class Outdated(Protocol):
    """What is to know that it was kept before its run ended."""

    def outdate(self) -> None:
        """What was put back is older than what was last done."""
        ...


class Slotted:
    """What is known of slots, to be kept with whose they are, and put back for these.

    Args:
        slots: which series have which.
        of: what is known.
        whose: of series, `(n,)`, those under which what is known of them is kept; None: each under
            its own.
    """

    def __init__(self, slots: Slots, of: _Rows, whose: Callable[[I8], I8] | None = None) -> None:
        self._slots, self._of, self._whose = slots, of, whose

    def by_series(self) -> dict[str, NDArray[Any]]:
        """The arrays with a row a slot in use, and whose each row is as `SERIES`."""
        count = self._slots.count
        self._of.grow(count)
        rows = {name: held[:count] for name, held in self._of.by_series().items()}
        return {SERIES: self._slots.series, **rows}

    def grow(self, size: int) -> None:
        """Nothing: rows are made for series, by `places`."""

    def outdate(self) -> None:
        """What was put back was kept before its run ended: it was killed."""
        if isinstance(self._of, Outdated):
            self._of.outdate()

    def places(self, series: NDArray[Any]) -> I8:
        """`(n,)` the rows of ``series``, `(n,)`, which have them from now on."""
        named = series.astype(np.int64)
        if self._whose is not None:
            named = self._whose(named)
        return self._slots.of(named.astype(np.uint32)).astype(np.int64)
