"""Pure: a column that mostly says the same again, as runs of words of a small dictionary.

A library looks at each value; here only the places count where one differs from the one before.
Source: Encodings.md of Apache Parquet (RLE_DICTIONARY).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.parquet.made import Chunk, Encoding, Made, levels, packed
from cloud.parquet.small import unsigned

ROWS_A_RUN: Final = 64
"""Runs are told one by one, which pays where they are this long on average."""
_LEVEL: Final = 3


def runs_of(column: pa.Array) -> NDArray[np.int64] | None:
    """Where a column's runs begin; None where they are short or some of its rows are null.

    Of a column that is null throughout they are none.
    """
    if column.null_count:
        return np.empty(0, np.int64) if column.null_count == len(column) else None
    held = column.indices if pa.types.is_dictionary(column.type) else column
    numbers = held.to_numpy()
    starts = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    return None if len(starts) * ROWS_A_RUN > len(numbers) else np.append(0, starts)


def runs_chunk(column: pa.Array, starts: NDArray[np.int64], *, is_told: bool) -> Chunk:
    """A column of texts or whole numbers as `runs_of` found it; ``is_told``: its texts' bounds."""
    rows, made = len(column), Made()
    if not len(starts):
        body = levels(np.zeros(rows, bool), rows)
        made.page(rows, Encoding.PLAIN, len(body), packed(body, _LEVEL))
        return made.chunk(rows, nulls=rows if is_told else None)
    firsts = column.take(pa.array(starts))
    if pa.types.is_dictionary(firsts.type):
        firsts = firsts.cast(firsts.type.value_type)
    known = firsts.dictionary_encode()
    words: list[str | int] = known.dictionary.to_pylist()
    size = 4 if pa.types.is_int8(firsts.type) else 8
    made.dictionary(b"".join(_plain(word, size) for word in words), len(words))
    lengths = np.diff(starts, append=rows).tolist()
    body = levels(None, rows) + _hybrid(known.indices.to_pylist(), lengths, len(words))
    made.page(rows, Encoding.RLE_DICTIONARY, len(body), packed(body, _LEVEL))
    if not is_told:
        return made.chunk(rows)
    bounds = sorted(str(word).encode() for word in words)
    return made.chunk(rows, bounds[0], bounds[-1], 0)


def _plain(word: str | int, size: int) -> bytes:
    """A word of the dictionary; whole numbers have so many bytes."""
    if isinstance(word, int):
        return word.to_bytes(size, "little", signed=True)
    held = word.encode()
    return len(held).to_bytes(4, "little") + held


def _hybrid(places: Sequence[int], lengths: Sequence[int], words: int) -> bytes:
    """Runs of places in a dictionary, each as its length and its place."""
    bits = max(1, (words - 1).bit_length())
    size = -(-bits // 8)
    runs = zip(places, lengths, strict=True)
    held = (unsigned(length << 1) + place.to_bytes(size, "little") for place, length in runs)
    return bytes([bits]) + b"".join(held)
