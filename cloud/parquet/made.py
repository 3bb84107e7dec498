"""Pure: the pages of a column chunk put together, behind headers that say what they hold.

Source: parquet.thrift of Apache Parquet (PageHeader), Encodings.md for levels.
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.parquet.small import unsigned
from cloud.parquet.thrift import I32, STRUCT, struct, whole

_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_ZSTD: Final = {level: pa.Codec("zstd", compression_level=level) for level in (3, 6, 13, 14, 16)}


class Encoding(IntEnum):
    """Parquet's numbers of encodings."""

    PLAIN = 0
    RLE = 3
    DELTA_BINARY_PACKED = 5
    RLE_DICTIONARY = 8
    BYTE_STREAM_SPLIT = 9


@dataclass(frozen=True, slots=True)
class Chunk:
    """``data`` begins with a dictionary of ``words_size`` bytes; ``size`` is what it unpacks to.

    ``low`` and ``high``: its least and greatest value, as bytes, or nothing where they are not
    told; ``nulls``: rows without a value, None where that is not told.
    """

    data: bytes
    words_size: int
    size: int
    rows: int
    encodings: tuple[int, ...]
    low: bytes = b""
    high: bytes = b""
    nulls: int | None = None


def levels(valid: NDArray[np.bool_] | None, rows: int) -> bytes:
    """Which of the rows have a value, behind its length; None: all."""
    if valid is None or valid.all():
        held = unsigned(rows << 1) + b"\x01"
    elif not valid.any():
        held = unsigned(rows << 1) + b"\x00"
    else:
        held = unsigned(-(-rows // 8) << 1 | 1) + np.packbits(valid, bitorder="little").tobytes()
    return len(held).to_bytes(4, "little") + held


def packed(body: bytes, level: int) -> bytes:
    """A page's bytes under zstd."""
    held: bytes = _ZSTD[level].compress(body, asbytes=True)
    return held


class Made:
    """Pages that are made, one after another."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._words_size = self._size = 0
        self._encodings = {Encoding.RLE}

    def dictionary(self, held: bytes, words: int) -> None:
        """The page that comes first."""
        own = struct([(1, I32, whole(words)), (2, I32, whole(Encoding.PLAIN))])
        self._add(_DICTIONARY_PAGE, 7, own, len(held), packed(held, 3))
        self._encodings.add(Encoding.PLAIN)
        self._words_size = sum(map(len, self._parts))

    def page(self, rows: int, encoding: Encoding, size: int, stored: bytes) -> None:
        """A page of so many rows, ``size`` bytes before they were packed."""
        rle = whole(Encoding.RLE)
        own = struct([
            (1, I32, whole(rows)), (2, I32, whole(encoding)), (3, I32, rle), (4, I32, rle),
            (5, STRUCT, struct([])),
        ])  # fmt: skip
        self._add(_DATA_PAGE, 5, own, size, stored)
        self._encodings.add(encoding)

    def chunk(
        self, rows: int, low: bytes = b"", high: bytes = b"", nulls: int | None = None
    ) -> Chunk:
        """All of them."""
        encodings = tuple(sorted(int(each) for each in self._encodings))
        data = b"".join(self._parts)
        return Chunk(data, self._words_size, self._size, rows, encodings, low, high, nulls)

    def _add(self, kind: int, number: int, own: bytes, size: int, stored: bytes) -> None:
        crc = zlib.crc32(stored)
        head = struct([
            (1, I32, whole(kind)), (2, I32, whole(size)), (3, I32, whole(len(stored))),
            (4, I32, whole(crc - (crc >> 31 << 32))), (number, STRUCT, own),
        ])  # fmt: skip
        self._parts += [head, stored]
        self._size += len(head) + size
