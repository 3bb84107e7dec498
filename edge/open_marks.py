"""Pure: the marks of messages that a broker may send again, as a multiset in few bytes.

A `Counter` of the default 65,536 marks takes 12 MB. Here they lie sorted in one array, with the age
and the uses of each in two more and a table of bits before them: 1.7 MB. The bits answer for nearly
every message that is no copy, so that a stream after a reconnect seldom comes to the search.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.chunk import MARK_BYTES

_SLOTS_PER_MARK: Final = 8
"""Bits of the table for each mark, at least: at most one of 8 strange marks passes it."""
_SLOT_BITS_MAX: Final = 24


class OpenMarks:
    """A multiset that never grows: marks are taken out one by one, or leave by age.

    Args:
        marks: 16 bytes each, oldest first.
    """

    def __init__(self, marks: bytes | bytearray = b"") -> None:
        # As the marks are of one length, the zeros that numpy drops at an end tell none apart.
        found = np.frombuffer(marks, f"S{MARK_BYTES}")
        order = np.argsort(found, kind="stable")
        self._sorted = found[order]
        self._ages = order.astype(np.uint32)
        self._taken = np.zeros(len(found), np.uint32)
        self._left = 0
        slot_bits = min(_SLOT_BITS_MAX, (_SLOTS_PER_MARK * len(found)).bit_length())
        self._slot_mask = (1 << slot_bits) - 1
        self._table = self._table_of(found.view("<u4")[:: MARK_BYTES // 4])

    def __bool__(self) -> bool:
        """Whether any mark has not left by age."""
        return self._left < len(self._sorted)

    def leave(self, count: int) -> None:
        """Let the ``count`` oldest go that have not gone by age."""
        self._left = min(self._left + count, len(self._sorted))

    def take(self, mark: bytes) -> bool:
        """Take one out; False when it is not in it."""
        slot = int.from_bytes(mark[:4], "little") & self._slot_mask
        if not self._table[slot >> 3] >> (slot & 7) & 1:
            return False
        first, end = self._where(mark)
        there = np.count_nonzero(self._ages[first:end] >= self._left)
        if there <= (self._taken[first] if end > first else 0):
            return False
        self._taken[first] += 1
        return True

    def _where(self, mark: bytes) -> tuple[int, int]:
        sought = np.frombuffer(mark, self._sorted.dtype)
        first = int(np.searchsorted(self._sorted, sought, "left")[0])
        return first, int(np.searchsorted(self._sorted, sought, "right")[0])

    def _table_of(self, heads: NDArray[np.uint32]) -> bytes:
        bits = np.zeros(max(8, self._slot_mask + 1), np.bool_)
        bits[heads & self._slot_mask] = True
        return np.packbits(bits, bitorder="little").tobytes()
