"""What SQLite says nothing of: frames behind the place where it takes a write-ahead log to end.

SQLite reads a log up to the first frame whose checksum is wrong, and what follows is gone without a
word. A process that was killed leaves whole frames without a commit there, or part of one. A frame
that is wrong in itself is a torn last commit (a power cut) or damage to one that was acknowledged;
the two look alike, so the caller must take it for the worse. https://sqlite.org/fileformat2.html
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = 0x377F0682
_MASK: Final = 0xFFFF_FFFF

Words = NDArray[np.uint32]
Order = Literal["<", ">"]


@dataclass(frozen=True, slots=True)
class LogEnd:
    """``frames`` that SQLite takes for good, up to a commit; ``wrong`` ones that lie behind."""

    frames: int = 0
    wrong: int = 0


def read_end(log: Path) -> LogEnd:
    """Where a log ends, by its checksums, and what of it lies behind that; OSError is raised."""
    with log.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return LogEnd()
        magic, _, page_bytes, _, *rest = _HEADER.unpack(head)
        order: Order = "<" if magic == _MAGIC else ">"
        salts, sums = rest[:2], (rest[2], rest[3])
        if magic | 1 != _MAGIC | 1 or _Sums(24).over(_words(head[:24], order), (0, 0)) != sums:
            return LogEnd(0, 1 if file.read(1) else 0)
        whole, end, wrong = _Sums(8 + page_bytes), 0, 0
        for number, frame in enumerate(_frames(file.read, _FRAME.size + page_bytes), 1):
            fields = _FRAME.unpack_from(frame)
            if not any(map(eq, fields[2:4], salts)):
                break  # of an earlier use of the log
            if not wrong:
                words = np.concatenate(
                    (_words(frame[:8], order), _words(frame[_FRAME.size :], order))
                )
                sums = whole.over(words, sums)
            if wrong or sums != fields[4:6] or list(fields[2:4]) != salts:
                wrong += 1
            elif fields[1]:
                end = number
        return LogEnd(end, wrong)


class _Sums:
    """SQLite's running checksum over ``size`` bytes at once: it is linear, so two dot products.

    One step takes (a, b) and the words x, y to (a + x + b, b + y + a + x + b), modulo 2^32.
    """

    def __init__(self, size: int) -> None:
        pairs = size // 8
        self._x = np.empty((pairs, 2), np.uint32)
        self._y = np.empty((pairs, 2), np.uint32)
        a, b = (1, 1), (0, 1)  # what x and y of the last pair add to both sums
        for at in range(pairs - 1, -1, -1):
            self._x[at], self._y[at] = a, b
            a, b = _step(a), _step(b)
        # The sums before all words: the first counts as the first x does, the second as a step more
        # than the first y.
        self._first, self._second = (int(self._x[0, 0]), int(self._x[0, 1])), b

    def over(self, words: Words, before: tuple[int, int]) -> tuple[int, int]:
        """The checksum after these words, from the one before them."""
        x, y = words[::2, None], words[1::2, None]
        added = (x * self._x + y * self._y).sum(axis=0, dtype=np.uint32)
        first, second = (
            (int(added[i]) + before[0] * self._first[i] + before[1] * self._second[i]) & _MASK
            for i in (0, 1)
        )
        return first, second


def _step(pair: tuple[int, int]) -> tuple[int, int]:
    """A pair of sums, one step of zero words later."""
    a, b = pair
    return (a + b) & _MASK, (a + 2 * b) & _MASK


def _words(data: bytes, order: Order) -> Words:
    return np.frombuffer(data, np.dtype(np.uint32).newbyteorder(order)).astype(np.uint32)


def _frames(read: Callable[[int], bytes], step: int) -> Iterator[bytes]:
    while len(frame := read(step)) == step:
        yield frame
