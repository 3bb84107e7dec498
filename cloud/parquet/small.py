"""Pure: some pages of a Parquet column as a small file of their own.

A library that decodes whole files is given less: the pages that hold the wanted rows, byte by byte
as they stand on the disk, behind a footer that says so. Every encoding stays the library's. Source:
parquet.thrift of Apache Parquet (FileMetaData), in Thrift's compact protocol.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cloud.parquet.thrift import unsigned

_MAGIC: Final = b"PAR1"
_I32, _STRUCT = 5, 12
_ENCODINGS: Final = (0, 3, 5, 8, 9)
"""PLAIN, RLE, DELTA_BINARY_PACKED, RLE_DICTIONARY, BYTE_STREAM_SPLIT: what is said of every chunk;
pages say more."""
_OPTIONAL: Final = 1
_UTF8: Final = 0


@dataclass(frozen=True, slots=True)
class Leaf:
    """How a column is stored: Parquet's numbers of its physical type and codec.

    ``is_text``: its bytes are UTF-8.
    """

    type: int
    codec: int
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring pages of one chunk, ``rows`` rows, and the ``dictionary`` page before them."""

    rows: int
    dictionary: bytes
    data: bytes


def small_file(leaf: Leaf, parts: Sequence[Part]) -> bytes:
    """A Parquet file of one nullable column, `c`: a row group for each part."""
    body = [_MAGIC]
    groups, fixed = [], _fixed(leaf)
    at = len(_MAGIC)
    for part in parts:
        body += [part.dictionary, part.data]
        groups.append(_row_group(fixed, part, at))
        at += len(part.dictionary) + len(part.data)
    footer = b"".join(_footer(leaf, sum(part.rows for part in parts), groups))
    return b"".join([*body, footer, len(footer).to_bytes(4, "little"), _MAGIC])


def _footer(leaf: Leaf, rows: int, groups: Sequence[bytes]) -> Iterable[bytes]:
    """FileMetaData: version, schema, rows, row groups, who made it."""
    root = b"\x48\x06schema" + _i32(1, 1) + b"\x00"
    text = _i32(2, _UTF8) if leaf.is_text else b""
    column = _i32(1, leaf.type) + _i32(2, _OPTIONAL) + b"\x18\x01c" + text + b"\x00"
    yield _i32(1, 2)
    yield b"\x19" + _list(_STRUCT, 2) + root + column
    yield b"\x16" + _varint(rows)
    yield b"\x19" + _list(_STRUCT, len(groups))
    yield from groups
    yield b"\x28\x08tidegate\x00"


def _row_group(fixed: bytes, part: Part, at: int) -> bytes:
    """RowGroup of one ColumnChunk, whose bytes begin at ``at``; ``fixed`` as `_fixed` makes it."""
    size, rows = _varint(len(part.dictionary) + len(part.data)), _varint(part.rows)
    place = _varint(at)
    words = b"\x26" + place if part.dictionary else b""
    return b"".join((
        b"\x19\x1c\x26", place, fixed,
        rows, b"\x16", size, b"\x16", size, b"\x26", _varint(at + len(part.dictionary)), words,
        b"\x00\x00\x16", size, b"\x16", rows, b"\x00",
    ))  # fmt: skip


def _fixed(leaf: Leaf) -> bytes:
    """What ColumnMetaData says of every chunk: type, encodings, path, codec; up to its rows."""
    encodings = b"\x19" + _list(_I32, len(_ENCODINGS)) + b"".join(map(_varint, _ENCODINGS))
    path = b"\x19\x18\x01c"
    return b"\x1c" + _i32(1, leaf.type) + encodings + path + _i32(1, leaf.codec) + b"\x16"


def _list(kind: int, count: int) -> bytes:
    """The head of a list."""
    if count < 15:
        return bytes([count << 4 | kind])
    return bytes([0xF0 | kind]) + unsigned(count)


def _i32(step: int, value: int) -> bytes:
    """A field of a struct, ``step`` numbers behind the one before."""
    return bytes([step << 4 | _I32]) + _varint(value)


def _varint(value: int) -> bytes:
    """A whole number that is not negative, as a signed one is written."""
    return unsigned(value << 1)
