"""Pure: string and id columns as bytes: each distinct value once, then a number a row.

Layouts in docs/format/block.md, "strings" and "ids".
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np

from protos.codec.columns import Ints, Parts, get_ints, get_offsets, put_ints, put_offsets
from protos.codec.wire import Reader, varint
from protos.limits import TEXTS_EXPANDED_BYTES_MAX
from protos.records import Array

T = TypeVar("T")
_EXPANDED: Final = f"TEXTS_EXPANDED_BYTES_MAX of {TEXTS_EXPANDED_BYTES_MAX}"


def put_strings(out: Parts, values: Sequence[str], bytes_max: int) -> None:
    """Distinct strings in order of first use, then the number of each row's string.

    ValueError when one is over ``bytes_max`` bytes of UTF-8, or is not Unicode text at all, or
    when all rows together are over TEXTS_EXPANDED_BYTES_MAX.
    """
    codes, distinct = _distinct(values)
    encoded = [value.encode("utf-8") for value in distinct]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    if lengths.max() > bytes_max:
        raise ValueError(f"a string of {lengths.max()} bytes, {bytes_max} are the limit")
    if (expanded := int(lengths[codes].sum())) > TEXTS_EXPANDED_BYTES_MAX:
        raise ValueError(f"strings of {expanded} bytes over all rows, {_EXPANDED} is the limit")
    out.append(varint(len(encoded)))
    put_offsets(out, lengths)
    out.append(b"".join(encoded))
    put_ints(out, codes, None)


def get_strings(reader: Reader, rows: int, bytes_max: int, field: str) -> Array:
    """A column written by ``put_strings`` as an object array."""
    count = reader.number(f"distinct strings of {field}", rows)
    lengths = get_offsets(reader, count, f"lengths of {field}")
    if ((lengths < 0) | (lengths > bytes_max)).any():
        raise reader.fail(f"a string over the limit of {bytes_max} bytes", field)
    ends = np.cumsum(lengths).tolist()
    blob = reader.take(ends[-1] if count else 0, field)
    codes = _codes(reader, rows, count, field)
    # Before a string is made: a few bytes may name one long string in every row.
    if (expanded := int(lengths[codes].sum())) > TEXTS_EXPANDED_BYTES_MAX:
        raise reader.fail(f"{expanded} bytes over all rows, {_EXPANDED} is the limit", field)
    distinct = np.empty(count, object)
    try:
        distinct[:] = [blob[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)]
    except UnicodeDecodeError as cause:
        raise reader.fail(f"not UTF-8 ({cause.reason})", field) from cause
    return distinct[codes]


def encoded_once(values: Array) -> tuple[list[bytes], Ints]:
    """(UTF-8 of each row's string, lengths); rows of one string share its bytes."""
    known: dict[str, bytes] = {}
    words = values.tolist()
    encoded = [known.get(word) or known.setdefault(word, word.encode()) for word in words]
    return encoded, np.fromiter(map(len, encoded), np.int64, len(encoded))


def put_ids(out: Parts, values: Sequence[bytes]) -> None:
    """Distinct 16-byte ids in order of first use, then the number of each row's id."""
    codes, distinct = _distinct(values)
    out.append(varint(len(distinct)) + b"".join(distinct))
    put_ints(out, codes, None)


def get_ids(reader: Reader, rows: int, field: str) -> Array:
    """A column written by ``put_ids`` as a ``V16`` array."""
    count = reader.number(f"distinct ids of {field}", rows)
    distinct = np.frombuffer(reader.take(16 * count, field), "V16")
    return distinct[_codes(reader, rows, count, field)]


def _distinct(values: Sequence[T]) -> tuple[Ints, list[T]]:
    numbers: dict[T, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return np.array(codes, np.int64), list(numbers)


def _codes(reader: Reader, rows: int, count: int, field: str) -> Ints:
    codes = get_ints(reader, None, rows, field)
    if rows and not 0 <= int(codes.min()) <= int(codes.max()) < count:
        raise reader.fail(f"a row names none of the {count} distinct values", field)
    return codes
