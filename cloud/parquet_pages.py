"""Pure: some pages of a Parquet column as a small file of their own.

A library decodes whole column chunks, tens of thousands of rows where hundreds are wanted. So it is
given less: the pages that hold the wanted rows, byte by byte as they stand on the disk, behind a
footer that says so. Encodings stay the library's but for the simplest, numbers one after another;
here are the places of pages and the few structures around them. Source: parquet.thrift of Apache
Parquet (PageHeader, FileMetaData), in Thrift's compact protocol.
"""

import re
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_MAGIC: Final = b"PAR1"
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_TYPE, _SIZE = 1, 3
_HEADERS: Final = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
"""Fields of PageHeader: the kind of page, its bytes behind the header, and its own header."""
_VALUES: Final = 1
"""Field of DataPageHeader and DataPageHeaderV2: how many rows, nulls among them."""
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_ENCODINGS: Final = (0, 3, 5, 8)
"""PLAIN, RLE, DELTA_BINARY_PACKED, RLE_DICTIONARY: what is said of every chunk; pages say more."""
_PLAIN: Final = b"\x00"
_BITS: Final = 64
_LENGTH: Final = 4
"""Bytes that tell how many bytes the levels of a page take, which say what is null."""
_OPTIONAL: Final = 1
_UTF8: Final = 0


_WHOLE: Final = rb"([\x80-\xff]{0,9}[\x00-\x7f])"
_DATA_HEADER: Final = re.compile(
    rb"\x15\x00\x15" + _WHOLE + rb"\x15" + _WHOLE + rb"(?:\x15" + _WHOLE + rb")?\x1c\x15"
    + _WHOLE + rb"\x15([\x00-\x7f])\x15\x06\x15\x06(?:\x1c\x00)?\x00\x00",
    re.DOTALL,
).match  # fmt: skip
"""The header of a data page without statistics, as ours are: a quarter of the time of `_struct`.

Groups: its bytes, those as they are stored, their CRC, rows, encoding.
"""


class NotPages(ValueError):  # noqa: N818 - what the bytes are
    """Bytes that are no pages of one flat column."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """How a column is stored: Parquet's numbers of its physical type and codec.

    ``is_text``: its bytes are UTF-8.
    """

    type: int
    codec: int
    is_text: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Pages:
    """Where the pages of a chunk lie, and which rows they hold.

    The i-th data page holds the rows from ``rows[i]`` up to ``rows[i + 1]`` and lies from
    ``places[i]`` up to ``places[i + 1]``, bytes from the chunk's first. What lies before
    ``places[0]`` is its dictionary, if it has one, of so many ``words``. ``is_plain``: where no
    row is null their values are numbers one after another. ``is_ours``: `bodies` knows the headers.
    """

    rows: "array[int]"
    places: "array[int]"
    words: int
    is_plain: bool
    is_ours: bool

    @property
    def bytes(self) -> int:
        """Memory that this takes, about."""
        return 200 + 16 * len(self.rows)

    def around(self, start: int, end: int) -> tuple[int, int]:
        """The first of the pages that hold the rows [start, end), and the one behind the last."""
        return bisect_right(self.rows, start) - 1, bisect_left(self.rows, end)


def pages_of(chunk: bytes) -> Pages:
    """The pages of a whole column chunk. NotPages when it is none of a flat column."""
    rows, places, words = array("q", [0]), array("q"), 0
    at, end, is_plain, is_ours = 0, len(chunk), True, True
    while at < end:
        found = _DATA_HEADER(chunk, at)
        if found is None:
            kind, size, values, body = _header(chunk, at)
            is_ours = is_ours and kind == _DICTIONARY
        else:
            kind, body = _DATA, found.end()
            size, values = _signed(found[2]), _signed(found[4])
            is_plain = is_plain and found[5] == _PLAIN
        if size < 0 or values < 0 or body + size > end:
            raise NotPages(f"the page at byte {at} goes on behind the chunk")
        if kind != _DICTIONARY:
            places.append(at)
            rows.append(rows[-1] + values)
        elif places:
            raise NotPages(f"the page at byte {at} is a dictionary behind data")
        else:
            words = values
        at = body + size
    places.append(at)
    return Pages(rows, places, words, is_plain, is_ours)


@dataclass(frozen=True, slots=True)
class Body:
    """What is behind a data page's header: ``size`` bytes once they are decompressed.

    ``is_plain``: its values are no words of a dictionary, and not packed.
    """

    stored: bytes
    size: int
    rows: int
    is_plain: bool


def bodies(data: bytes) -> Iterator[Body]:
    """Data pages that follow each other, of a chunk that `Pages.is_ours`.

    NotPages when their bytes are not those that were written.
    """
    at = 0
    while at < len(data):
        found = _DATA_HEADER(data, at)
        if found is None:
            raise NotPages("a page header is not what it was")
        end = found.end() + _signed(found[2])
        stored = data[found.end() : end]
        if found[3] and zlib.crc32(stored) != _signed(found[3]) & 0xFFFFFFFF:
            raise NotPages("the checksum of a page is wrong")
        yield Body(stored, _signed(found[1]), _signed(found[4]), found[5] == _PLAIN)
        at = end


def behind_levels(page: Any, rows: int) -> int | None:
    """Where the values of an unpacked page (a buffer) begin; None where rows of it may be null."""
    held = memoryview(page).cast("B")
    size = int.from_bytes(held[:_LENGTH], "little")
    all_there = _plain(rows << 1) + b"\x01"  # one run of rows that have a value
    return _LENGTH + size if held[_LENGTH : _LENGTH + size] == all_there else None


def _header(chunk: bytes, at: int) -> tuple[int, int, int, int]:
    """Of a page: its kind, its bytes, its rows, and where its bytes begin."""
    try:
        header, body = _struct(chunk, at)
    except (IndexError, RecursionError) as error:
        raise NotPages(f"a page header is cut off at byte {at}") from error
    kind, size = header.get(_TYPE), header.get(_SIZE)
    own = header.get(_HEADERS.get(kind, 0)) if isinstance(kind, int) else None
    values = own.get(_VALUES) if isinstance(own, dict) else None
    if not (isinstance(kind, int) and isinstance(size, int) and isinstance(values, int)):
        raise NotPages(f"at byte {at} is no page of data")
    return kind, size, values, body


def _signed(number: bytes) -> int:
    """A whole number as a match found it."""
    value = _whole(number, 0)[0]
    return value >> 1 ^ -(value & 1)


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
    return bytes([0xF0 | kind]) + _plain(count)


def _i32(step: int, value: int) -> bytes:
    """A field of a struct, ``step`` numbers behind the one before."""
    return bytes([step << 4 | _I32]) + _varint(value)


def _varint(value: int) -> bytes:
    """A whole number that is not negative, as a signed one is written."""
    value <<= 1
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 0x200000:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    return _plain(value)


def _plain(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """The whole numbers and structs of a struct by their field, and where it ends.

    IndexError when it is cut off, NotPages for a type that no header of a page has.
    """
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        kind, at = head & 15, at + 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _whole(data, at)
            number = number >> 1 ^ -(number & 1)
        if kind in (_I32, _I64, 4):
            value, at = _whole(data, at)
            fields[number] = value >> 1 ^ -(value & 1)
        elif kind == _STRUCT:
            fields[number], at = _struct(data, at)
        elif kind == _BINARY:
            size, at = _whole(data, at)
            at += size
        elif kind not in (1, 2):  # true and false are their own value
            raise NotPages(f"a page header has a field of type {kind}")
    return fields, at + 1


def _whole(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value, shift = value & 0x7F, 7
    while (byte := data[at := at + 1]) > 0x7F:
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > _BITS:
            raise NotPages("a number of a page header is too long")
    return value | byte << shift, at + 1
