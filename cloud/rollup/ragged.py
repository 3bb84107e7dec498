"""Pure: lists of different lengths, one a row, their elements laid end to end.

``offsets`` i8, one more than there are rows: row i has the elements [offsets[i], offsets[i + 1]).
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Array = NDArray[Any]

TOGETHER: Final = 1_000_000
"""Elements that are worked on at once: some 50 MB of indexes and keys."""
_PADDED: Final = 2
"""Times as many cells as elements may be sorted; beyond, rows of like lengths are by themselves."""


def offsets_of(lengths: Array) -> Ints:
    """The offsets of lists of these lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def gather(offsets: Ints, rows: Array) -> tuple[Ints, Ints]:
    """The lists of an index or mask array, in its order: their offsets, and where each element is.

    In the order of the rows themselves that is where each of them goes.
    """
    rows = np.arange(len(offsets) - 1)[rows]
    lengths = np.diff(offsets)[rows]
    made = offsets_of(lengths)
    at = np.repeat(offsets[rows] - made[:-1], lengths)
    at += np.arange(len(at))
    return made, at


def row_of(offsets: Ints) -> Ints:
    """The row of each element."""
    rows: Ints = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return rows


def sort_rows(values: Array, lengths: Ints) -> Array:
    """The elements of each list in order, none of them the greatest of its type.

    In a matrix of as many cells as the longest has: short rows are sorted in a fiftieth of the time
    that all of them take as one.
    """
    if not len(values):
        return values
    if len(lengths) * int(lengths.max()) <= _PADDED * len(values):
        return _sorted(values, lengths)
    ordered, offsets = np.empty_like(values), offsets_of(lengths)
    _, size = np.frexp(lengths.astype(np.float64))
    for each in np.unique(size).tolist():
        rows = np.flatnonzero(size == each)
        _, at = gather(offsets, rows)
        ordered[at] = _sorted(values[at], lengths[rows])
    return ordered


def _sorted(values: Array, lengths: Ints) -> Array:
    width = int(lengths.max())
    if len(values) == width * len(lengths):
        return np.sort(values.reshape(len(lengths), width), axis=1).ravel()
    there = np.arange(width) < lengths[:, None]
    matrix = np.full(there.shape, np.iinfo(values.dtype).max, values.dtype)
    matrix[there] = values
    matrix.sort(axis=1)
    return matrix[there]


def together(weights: Array, most: int = TOGETHER) -> Iterator[slice]:
    """Rows that follow each other, as many at a time as weigh so much; one at least."""
    ends = np.cumsum(weights)
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        end = max(int(np.searchsorted(ends, before + most, "right")), start + 1)
        yield slice(start, end)
        start = end
