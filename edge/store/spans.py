"""Pure: a set of numbers as merged intervals, and the stretches that it leaves free."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

TOP: Final = (1 << 63) - 1
"""The last number there can be: SQLite's integers are signed."""


class Spans:
    """Numbers from 1 on, in as few intervals as hold them."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []

    def __len__(self) -> int:
        return len(self._first)

    def __contains__(self, no: int) -> bool:
        at = bisect_right(self._first, no)
        return at > 0 and self._last[at - 1] >= no

    def add(self, first: int, last: int) -> None:
        """Take in first … last, joining what it touches; nothing when it is empty."""
        if last < first:
            return
        low = bisect_left(self._last, first - 1)
        high = bisect_right(self._first, last + 1)
        if low < high:
            first, last = min(first, self._first[low]), max(last, self._last[high - 1])
        self._first[low:high] = [first]
        self._last[low:high] = [last]

    def free(self) -> Iterator[tuple[int, int]]:
        """The stretches between the intervals, ascending; the last one ends at `TOP`."""
        start = 1
        for first, last in zip(self._first, self._last, strict=True):
            if start < first:
                yield start, first - 1
            start = last + 1
        yield start, TOP
