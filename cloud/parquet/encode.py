"""Pure: numbers as the bytes of Parquet pages, in forms that a library does not write.

pyarrow packs words of a dictionary into as few bits as they need, where zstd finds nothing to
repeat, and differences in blocks of 128. Here words take whole bytes, and blocks are larger. All of
it is plain Parquet. Source: Encodings.md of Apache Parquet.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.parquet.thrift import unsigned, whole

WORDS_MAX: Final = 1 << 16
"""Places in a dictionary that two bytes tell apart."""
_BLOCK_MAX: Final = 16_384
"""Differences in a block, which has a least one, where a page holds one series."""
_SMALL_BLOCK: Final = 128
"""Where it holds many: the step from one to the next widens all of its block."""
_PART: Final = 32
"""Differences of a block that have one width: the fewest, for the last of a page is filled up."""
Ints = NDArray[np.int64]
_Words = NDArray[np.uint64]


def words(places: NDArray[Any]) -> bytes:
    """Places in a dictionary, below WORDS_MAX, in one byte each or in two."""
    width = 2 if int(places.max(initial=0)) >> 8 else 1
    groups = -(-len(places) // 8)
    held = np.zeros(groups * 8, f"<u{width}")
    held[: len(places)] = places
    return bytes([8 * width]) + unsigned(groups << 1 | 1) + held.tobytes()


def planes(numbers: NDArray[np.float64]) -> list[bytes]:
    """BYTE_STREAM_SPLIT: all lowest bytes, all second lowest and so on."""
    held = np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 8).T)
    return [plane.tobytes() for plane in held]


def differences(pages: Sequence[Ints], *, is_large: Sequence[bool]) -> list[bytes]:
    """DELTA_BINARY_PACKED of each page's numbers, one at least; ``is_large``: its blocks are."""
    stepped = [
        _Steps(page, min(-(-len(page) // 128) * 128, _BLOCK_MAX) if large else _SMALL_BLOCK)
        for page, large in zip(pages, is_large, strict=True)
    ]
    above = np.concatenate([each.above for each in stepped])
    packed, at = _packed(above, np.concatenate([each.widths for each in stepped])), 0
    made = []
    for each in stepped:
        made.append(each.page(packed[at : at + len(each.widths)]))
        at += len(each.widths)
    return made


class _Steps:
    """Steps from number to number in blocks: the least of each, and how far others lie above."""

    def __init__(self, numbers: Ints, block: int) -> None:
        self._head = unsigned(block) + unsigned(block // _PART) + unsigned(len(numbers))
        self._head += whole(int(numbers[0]))
        self._each = block // _PART
        count = len(numbers) - 1
        blocks, parts = -(-count // block), -(-count // _PART)
        with np.errstate(over="ignore"):
            steps = numbers[1:] - numbers[:-1]
            held = np.empty((blocks, block), np.int64)
            held.reshape(-1)[:count] = steps
            held.reshape(-1)[count:] = steps[-1:]
            self._low = held.min(axis=1)
            held -= self._low[:, None]
        self.above = held.reshape(-1, _PART)[:parts].view(np.uint64)
        self.widths = _bits(self.above.max(axis=1, initial=0))

    def page(self, packed: Sequence[bytes]) -> bytes:
        """The bytes of the page, of the parts as they were packed."""
        made = [self._head]
        for at, low in enumerate(self._low.tolist()):
            mine = slice(at * self._each, (at + 1) * self._each)
            widths = self.widths[mine].tobytes().ljust(self._each, b"\x00")
            made += [whole(low), widths, *packed[mine]]
        return b"".join(made)


def _bits(most: _Words) -> NDArray[np.uint8]:
    """How many bits each number takes."""
    bits = np.zeros(len(most), np.uint8)
    left = most.copy()
    for step in (32, 16, 8, 4, 2, 1):
        large = left >> np.uint64(step) > 0
        bits[large] += step
        left[large] >>= np.uint64(step)
    return bits + (left > 0).astype(np.uint8)


def _packed(parts: _Words, widths: NDArray[np.uint8]) -> list[bytes]:
    """Each part's numbers in so many bits each, the lowest bits first."""
    made = [b""] * len(parts)
    for width in np.unique(widths[widths > 0]).tolist():
        rows = np.flatnonzero(widths == width)
        lanes = np.ascontiguousarray(parts[rows].T)
        held = np.zeros((-(-width // 2), lanes.shape[1]), np.uint64)
        for lane in range(_PART):
            at, shift = divmod(lane * width, 64)
            held[at] |= lanes[lane] << np.uint64(shift)
            if shift + width > 64:
                held[at + 1] |= lanes[lane] >> np.uint64(64 - shift)
        data = np.ascontiguousarray(held.T).astype("<u8", copy=False).view(np.uint8)
        size = _PART * width // 8
        packed = data[:, :size].tobytes()
        for number, row in enumerate(rows.tolist()):
            made[row] = packed[number * size : (number + 1) * size]
    return made
