"""Pure: a column of long runs of equal values as the pages of a Parquet chunk.

A library looks at every value in order to find out that it is the one before. Of rows in order,
what names their series changes every few hundred rows: here a chunk is made of its runs. One
dictionary of the values, one data page of run-length encoded indexes ("Run Length Encoding /
Bit-Packing Hybrid" of Apache Parquet's Encodings.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.parquet.footer import Told
from cloud.parquet.made import Chunk, Encoding, Made, levels, packed

_LEVEL: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of a column without nulls: ``lengths`` rows each, of the word of that number.

    ``words`` are as a dictionary page has them (`text_word`, or the bytes of a number).
    """

    codes: NDArray[np.int64]
    lengths: NDArray[np.int64]
    words: Sequence[bytes]
    is_text: bool

    @property
    def bounds(self) -> tuple[bytes, bytes] | None:
        """The least and the greatest text; None of numbers."""
        if not self.is_text:
            return None
        plain = [word[4:] for word in self.words]
        return min(plain), max(plain)


def chunk_of_runs(runs: Runs, *, is_told: bool) -> Chunk:
    """The chunk of a column of runs; ``is_told``: with the bounds of its texts."""
    bits = max((len(runs.words) - 1).bit_length(), 1)
    rows = int(runs.lengths.sum())
    body = levels(None, rows) + bytes((bits,)) + _hybrid(runs.codes, runs.lengths, bits)
    made = Made()
    made.dictionary(b"".join(runs.words), len(runs.words), _LEVEL)
    made.page(rows, Encoding.RLE_DICTIONARY, len(body), packed(body, _LEVEL))
    return made.chunk(rows, Told(0, *(runs.bounds or ())) if is_told else None)


def chunk_of_nulls(rows: int, *, is_told: bool) -> Chunk:
    """The chunk of rows that have no value."""
    body = levels(np.zeros(1, bool), rows)
    made = Made()
    made.page(rows, Encoding.PLAIN, len(body), packed(body, _LEVEL))
    return made.chunk(rows, Told(rows) if is_told else None)


def text_word(word: bytes) -> bytes:
    """A text as a dictionary has it."""
    return len(word).to_bytes(4, "little") + word


def _hybrid(codes: NDArray[np.int64], lengths: NDArray[np.int64], bits: int) -> bytes:
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
