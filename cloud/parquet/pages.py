"""Pure: where the pages of a Parquet column lie, by the headers between them.

A library decodes whole column chunks, tens of thousands of rows where hundreds are wanted. Here are
the places of single pages; `cloud.parquet.small` has the library decode them alone. Only what needs
no decoding is told here: numbers one after another. Source: parquet.thrift of Apache Parquet
(PageHeader), in Thrift's compact protocol.
"""

import re
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cloud.parquet.thrift import unsigned

_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_TYPE, _SIZE = 1, 3
_HEADERS: Final = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
"""Fields of PageHeader: the kind of page, its bytes behind the header, and its own header."""
_VALUES: Final = 1
"""Field of DataPageHeader and DataPageHeaderV2: how many rows, nulls among them."""
_I32, _I64, _BINARY, _STRUCT = 5, 6, 8, 12
_PLAIN: Final = b"\x00"
_OF_WORDS: Final = (b"\x04", b"\x10")
"""PLAIN_DICTIONARY and RLE_DICTIONARY."""
_BITS: Final = 64
_LENGTH: Final = 4
"""Bytes that tell how many bytes the levels of a page take, which say what is null."""


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


def pages_of(data: bytes, before: Pages | None = None, *, is_end: bool = True) -> Pages:
    """The pages of a chunk that ``data`` holds whole, behind those ``before`` it.

    ``is_end``: the chunk ends with it. NotPages when it is none of a flat column.
    """
    known = before or Pages(array("q", [0]), array("q", [0]), 0, is_plain=True, is_ours=True)
    rows, places = known.rows[:], known.places[:]
    words, is_plain, is_ours = known.words, known.is_plain, known.is_ours
    base, at, end = places[-1], 0, len(data)
    while at < end:
        try:
            page = _page(data, at)
        except _CutOff as error:
            if not is_end:
                break
            raise NotPages(f"the page at byte {base + at} is cut off") from error
        if page.kind != _DICTIONARY:
            rows.append(rows[-1] + page.rows)
            places.append(base + page.end)
            is_plain, is_ours = is_plain and page.is_plain, is_ours and page.is_ours
        elif len(rows) > 1 or places[0]:
            raise NotPages(f"the page at byte {base + at} is a dictionary behind data")
        else:
            words, places[0] = page.rows, page.end
        at = page.end
    return Pages(rows, places, words, is_plain, is_ours)


class _CutOff(Exception):  # noqa: N818 - a state of the bytes
    """The bytes end before the page does."""


class _Page(NamedTuple):
    """A page's kind, its rows (of a dictionary its words), and where it ends."""

    kind: int
    rows: int
    end: int
    is_plain: bool
    is_ours: bool


def _page(data: bytes, at: int) -> _Page:
    """The page at a place. NotPages, _CutOff."""
    found = _DATA_HEADER(data, at)
    if found is not None:
        kind, rows, end = _DATA, _signed(found[4]), found.end() + _signed(found[2])
    else:
        kind, size, rows, body = _header(data, at)
        end = body + size
    if rows < 0 or end < at:
        raise NotPages("a page has less than no rows or bytes")
    if end > len(data):
        raise _CutOff
    is_plain = found is not None and found[5] == _PLAIN
    return _Page(kind, rows, end, is_plain, found is not None)


def _header(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Of a page: its kind, its bytes, its rows, and where its bytes begin."""
    try:
        header, body = _struct(data, at)
    except IndexError as error:
        raise _CutOff from error
    except RecursionError as error:
        raise NotPages("a page header is too deep") from error
    kind, size = header.get(_TYPE), header.get(_SIZE)
    own = header.get(_HEADERS.get(kind, 0)) if isinstance(kind, int) else None
    values = own.get(_VALUES) if isinstance(own, dict) else None
    if not (isinstance(kind, int) and isinstance(size, int) and isinstance(values, int)):
        raise NotPages("there is no page of data")
    if size < 0:
        raise NotPages("a page has less than no bytes")
    return kind, size, values, body


def _signed(number: bytes) -> int:
    """A whole number as a match found it."""
    value = shift = 0
    for byte in number:
        value |= (byte & 0x7F) << shift
        shift += 7
    return value >> 1 ^ -(value & 1)


class Body(NamedTuple):
    """What is behind a data page's header: ``size`` bytes once they are decompressed.

    ``is_plain``: its values are numbers one after another. ``is_words``: words of a dictionary.
    """

    stored: bytes
    size: int
    rows: int
    is_plain: bool
    is_words: bool


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
        encoding = found[5]
        size, rows = _signed(found[1]), _signed(found[4])
        yield Body(stored, size, rows, encoding == _PLAIN, encoding in _OF_WORDS)
        at = end


def behind_levels(page: Any, rows: int) -> int | None:
    """Where the values of an unpacked page (a buffer) begin; None where rows of it may be null."""
    held = memoryview(page).cast("B")
    size = int.from_bytes(held[:_LENGTH], "little")
    all_there = unsigned(rows << 1) + b"\x01"  # one run of rows that have a value
    return _LENGTH + size if held[_LENGTH : _LENGTH + size] == all_there else None


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
