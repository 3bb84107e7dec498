"""Pure: the pages of a column chunk put together, behind headers that say what they hold.

Source: parquet.thrift of Apache Parquet (PageHeader), Encodings.md for levels.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.parquet.footer import PageIndex, Told
from cloud.parquet.thrift import unsigned, whole

_DATA_PAGE: Final = b"\x15\x00"
_DICTIONARY_PAGE: Final = b"\x15\x04"
_LEVELS: Final = b"\x15\x06\x15\x06\x00\x00"
"""Levels are run-length encoded; the end of both headers."""
_ZSTD: Final = {level: pa.Codec("zstd", compression_level=level) for level in (3, 6, 16, 18)}


class Encoding(IntEnum):
    """Parquet's numbers of encodings."""

    PLAIN = 0
    PLAIN_DICTIONARY = 2
    RLE = 3
    DELTA_BINARY_PACKED = 5
    DELTA_LENGTH_BYTE_ARRAY = 6
    DELTA_BYTE_ARRAY = 7
    RLE_DICTIONARY = 8
    BYTE_STREAM_SPLIT = 9


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column of a row group: ``data`` begins with a ``dictionary`` of so many bytes.

    ``plain_bytes`` is what it unpacks to; ``told`` and ``pages``: what the file's footer says of it
    beyond that.
    """

    data: bytes
    dictionary: int
    plain_bytes: int
    rows: int
    encodings: Sequence[int]
    told: Told | None = None
    pages: PageIndex | None = None


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
        self._dictionary = self._plain_bytes = 0
        self._encodings = {int(Encoding.RLE)}

    def dictionary(self, held: bytes, words: int, level: int) -> None:
        """The page that comes first."""
        own = b"".join((b"\x3c\x15", whole(words), b"\x15\x00\x00\x00"))
        self._add(_DICTIONARY_PAGE, own, len(held), packed(held, level))
        self._encodings.add(int(Encoding.PLAIN))
        self._dictionary = sum(map(len, self._parts))

    def page(self, rows: int, encoding: Encoding, size: int, stored: bytes) -> None:
        """A page of so many rows, ``size`` bytes before they were packed."""
        own = b"".join((b"\x1c\x15", whole(rows), b"\x15", whole(encoding), _LEVELS))
        self._add(_DATA_PAGE, own, size, stored)
        self._encodings.add(int(encoding))

    def chunk(self, rows: int, told: Told | None = None) -> Chunk:
        """All of them."""
        encodings = tuple(sorted(self._encodings))
        data = b"".join(self._parts)
        return Chunk(data, self._dictionary, self._plain_bytes, rows, encodings, told)

    def _add(self, kind: bytes, own: bytes, size: int, stored: bytes) -> None:
        crc = zlib.crc32(stored)
        crc -= crc >> 31 << 32  # an i32
        told = whole(size), whole(len(stored)), whole(crc)
        head = b"".join((kind, b"\x15", told[0], b"\x15", told[1], b"\x15", told[2], own))
        self._parts += [head, stored]
        self._plain_bytes += len(head) + size
