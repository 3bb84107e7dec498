"""Pure: a column of long runs of equal values as the pages of a Parquet chunk.

A library looks at every value in order to find out that it is the one before. Of rows in order,
what names their series changes every few hundred rows: here a chunk is made of its runs. One
dictionary of the values, one data page of run-length encoded indexes (PageHeader of parquet.thrift,
"Run Length Encoding / Bit-Packing Hybrid" of Apache Parquet's Encodings.md).
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.parquet.footer import PLAIN, RLE, RLE_DICTIONARY
from cloud.parquet.small import unsigned

Compress = Callable[[bytes], bytes]
_DATA_PAGE: Final = b"\x15\x00"
_DICTIONARY_PAGE: Final = b"\x15\x04"
_LEVELS: Final = b"\x15\x06\x15\x06\x00\x00"
"""Levels are run-length encoded; the end of both headers."""
_NULL, _VALUE = b"\x00", b"\x01"
ENCODINGS: Final = (PLAIN, RLE, RLE_DICTIONARY)


@dataclass(frozen=True, slots=True)
class Written:
    """A chunk: its bytes, of which the first ``dictionary`` are a dictionary, and unpacked ones."""

    data: bytes
    dictionary: int
    plain_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of a column without nulls: ``lengths`` rows each, of the word of that number.

    ``words`` are as a dictionary page has them (`text_word`, or the bytes of a number).
    """

    codes: NDArray[np.int64]
    lengths: NDArray[np.int64]
    words: Sequence[bytes]
    is_text: bool


def chunk_of_runs(runs: Runs, compress: Compress) -> Written:
    """The chunk of a column of runs."""
    bits = max((len(runs.words) - 1).bit_length(), 1)
    rows = int(runs.lengths.sum())
    levels = unsigned(rows << 1) + _VALUE
    packed = _packed(runs.codes, runs.lengths, bits)
    body = b"".join((len(levels).to_bytes(4, "little"), levels, bytes((bits,)), packed))
    dictionary, unpacked = _dictionary_page(b"".join(runs.words), len(runs.words), compress)
    page, more = _data_page(body, rows, RLE_DICTIONARY, compress)
    return Written(dictionary + page, len(dictionary), unpacked + more)


def chunk_of_nulls(rows: int, compress: Compress) -> Written:
    """The chunk of rows that have no value."""
    levels = unsigned(rows << 1) + _NULL
    page, size = _data_page(len(levels).to_bytes(4, "little") + levels, rows, PLAIN, compress)
    return Written(page, 0, size)


def text_word(word: bytes) -> bytes:
    """A text as a dictionary has it."""
    return len(word).to_bytes(4, "little") + word


def _packed(codes: NDArray[np.int64], lengths: NDArray[np.int64], bits: int) -> bytes:
    """Each run: twice its length as a varint, and its value in as few bytes as all need."""
    head = lengths << 1
    width = (int(head.max()).bit_length() + 6) // 7
    size = (bits + 7) // 8
    made = np.empty((len(head), width + size), np.uint8)
    for at in range(width - 1):
        made[:, at] = (head >> (7 * at) & 0x7F) | 0x80
    made[:, width - 1] = head >> (7 * (width - 1))
    for at in range(size):
        made[:, width + at] = codes >> (8 * at) & 0xFF
    return made.tobytes()


def _dictionary_page(plain: bytes, words: int, compress: Compress) -> tuple[bytes, int]:
    own = b"\x3c\x15" + _signed(words) + b"\x15\x00\x00\x00"
    return _page(_DICTIONARY_PAGE, plain, own, compress)


def _data_page(body: bytes, rows: int, encoding: int, compress: Compress) -> tuple[bytes, int]:
    own = b"\x1c\x15" + _signed(rows) + b"\x15" + _signed(encoding) + _LEVELS
    return _page(_DATA_PAGE, body, own, compress)


def _page(kind: bytes, plain: bytes, own: bytes, compress: Compress) -> tuple[bytes, int]:
    """A page, and how many bytes it would have if it were not packed."""
    stored = compress(plain)
    crc = zlib.crc32(stored)
    crc -= (crc >> 31) << 32  # an i32
    head = b"".join(
        (kind, b"\x15", _signed(len(plain)), b"\x15", _signed(len(stored)), b"\x15", _signed(crc))
    )
    return head + own + stored, len(head) + len(own) + len(plain)


def _signed(value: int) -> bytes:
    return unsigned((value << 1) ^ (value >> 63))
