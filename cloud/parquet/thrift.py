"""Pure: what Parquet says of itself, in Thrift's compact protocol.

Source: the protocol's specification, and parquet.thrift of Apache Parquet for what is written.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cloud.parquet.small import unsigned

YES, I8, I32, I64, BINARY, LIST, STRUCT = 1, 3, 5, 6, 8, 9, 12
"""Types of fields; of one that is YES, true, that is all there is."""
_SHORT_LIST: Final = 15
Field = tuple[int, int, bytes]
"""Of a struct: its number, its type, and what `whole`, `binary`, `listed` or `struct` made."""


def whole(value: int) -> bytes:
    """A whole number of 64 bits at most."""
    return unsigned(value << 1 if value >= 0 else (-value << 1) - 1)


def binary(held: bytes) -> bytes:
    """Bytes, or a text as UTF-8."""
    return unsigned(len(held)) + held


def listed(kind: int, held: Sequence[bytes]) -> bytes:
    """A list of values of one type."""
    few = len(held) < _SHORT_LIST
    head = bytes([len(held) << 4 | kind]) if few else bytes([0xF0 | kind]) + unsigned(len(held))
    return head + b"".join(held)


def struct(fields: Iterable[Field]) -> bytes:
    """Fields in the order of their numbers, no two of which are more than 15 apart."""
    made, last = [], 0
    for number, kind, held in fields:
        made += [bytes([number - last << 4 | kind]), held]
        last = number
    return b"".join(made) + b"\x00"
