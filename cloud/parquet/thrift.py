"""Pure: what Parquet says of itself, in Thrift's compact protocol.

Parts are put together by who knows their order. Source: the protocol's specification.
"""

from collections.abc import Sequence
from typing import Final

BOOL, I32, I64, BINARY, LIST, STRUCT = 1, 5, 6, 8, 9, 12
"""Types of fields and of what a list holds."""
STOP: Final = b"\x00"
"""The end of a struct."""
TRUE, FALSE = b"\x01", b"\x02"
"""In a list."""
_SHORT_LIST: Final = 15


def unsigned(value: int) -> bytes:
    """A whole number as it is written where none is negative."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 0x200000:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def whole(value: int) -> bytes:
    """A whole number of 64 bits at most."""
    return unsigned((value << 1) ^ (value >> 63))


def binary(held: bytes) -> bytes:
    """Bytes, or a text as UTF-8."""
    return unsigned(len(held)) + held


def head(step: int, kind: int) -> bytes:
    """The head of a field, ``step`` numbers (1 to 15) behind the one before."""
    return bytes((step << 4 | kind,))


def number(step: int, kind: int, value: int) -> bytes:
    """A field that is a whole number."""
    return head(step, kind) + whole(value)


def text(step: int, held: bytes) -> bytes:
    """A field of bytes, or of a text."""
    return head(step, BINARY) + binary(held)


def listed(step: int, kind: int, held: Sequence[bytes]) -> bytes:
    """A field that is a list of what was made of one type."""
    count = len(held)
    if count < _SHORT_LIST:
        return b"".join((head(step, LIST), bytes((count << 4 | kind,)), *held))
    return b"".join((head(step, LIST), bytes((0xF0 | kind,)), unsigned(count), *held))
