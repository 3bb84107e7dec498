"""Pure: the parts of a Parquet file that tell of its columns, as bytes.

The footer (FileMetaData) and the page index (ColumnIndex, OffsetIndex) of a file of flat columns
that may be null. Source: parquet.thrift of Apache Parquet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from cloud.parquet.thrift import (
    BINARY,
    BOOL,
    FALSE,
    I32,
    I64,
    STOP,
    STRUCT,
    TRUE,
    binary,
    head,
    listed,
    number,
    text,
    whole,
)

MAGIC: Final = b"PAR1"
_ZSTD: Final = 6
_OPTIONAL: Final = 1
_BY_TYPE: Final = b"\x1c\x00\x00"
"""ColumnOrder: bounds are compared as the type says."""
_INT32, _INT64, _DOUBLE, _BYTE_ARRAY = 1, 2, 5, 6
_UTF8, _TIMESTAMP_MILLIS, _TIMESTAMP_MICROS, _INT_8, _INT_16 = 0, 9, 10, 15, 16


@dataclass(frozen=True, slots=True)
class Told:
    """Statistics of a chunk: its nulls, and its least and greatest value where one is told."""

    nulls: int
    low: bytes | None = None
    high: bytes | None = None


@dataclass(frozen=True, slots=True)
class PageIndex:
    """Where the pages of a chunk lie, and what is in each.

    ``places`` are bytes from the chunk's beginning (one more at the end), ``rows`` the first row of
    each, ``bounds`` its least and greatest value, None for a page of nulls alone.
    """

    places: Sequence[int]
    rows: Sequence[int]
    bounds: Sequence[tuple[bytes, bytes] | None] | None = None
    nulls: Sequence[int] = ()


def written_as(field: pa.Field, encodings: Sequence[int]) -> bytes:
    """What ColumnMetaData says of every chunk of a column that is written one way, under zstd."""
    return b"".join((
        number(1, I32, _physical(field.type)[0]),
        listed(1, I32, [whole(each) for each in encodings]),
        listed(1, BINARY, [binary(field.name.encode())]),
        number(1, I32, _ZSTD),
    ))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """One column of one row group; ``at`` is its place in the file, ``dictionary`` its bytes.

    ``how`` is as `written_as` makes it. Without ``pages`` no index is made of them.
    """

    how: bytes
    rows: int
    at: int
    dictionary: int
    bytes: int
    plain_bytes: int
    told: Told | None
    pages: PageIndex | None


def footer(schema: pa.Schema, groups: Sequence[Sequence[Placed]], at: int) -> bytes:
    """All behind the last chunk of a file, whose byte is ``at``: its indexes, and FileMetaData."""
    indexes: list[bytes] = []
    places: dict[tuple[int, int, bool], tuple[int, int]] = {}
    for is_column_index in (True, False):
        for group, chunks in enumerate(groups):
            for place, chunk in enumerate(chunks):
                if chunk.pages is None:
                    continue
                made = _column_index(chunk.pages) if is_column_index else _offset_index(chunk)
                if made:
                    places[group, place, is_column_index] = (at, len(made))
                    indexes.append(made)
                    at += len(made)
    told = b"".join(_metadata(schema, groups, places))
    return b"".join((*indexes, told, len(told).to_bytes(4, "little"), MAGIC))


def _metadata(
    schema: pa.Schema,
    groups: Sequence[Sequence[Placed]],
    places: dict[tuple[int, int, bool], tuple[int, int]],
) -> Iterable[bytes]:
    root = text(4, b"schema") + number(1, I32, len(schema)) + STOP
    yield number(1, I32, 2)
    yield listed(1, STRUCT, [root, *map(_schema_element, schema)])
    yield number(1, I64, sum(chunks[0].rows for chunks in groups))
    made = []
    for group, chunks in enumerate(groups):
        columns = [
            _column_chunk(chunk, places.get((group, at, True)), places.get((group, at, False)))
            for at, chunk in enumerate(chunks)
        ]
        made.append(_row_group(chunks, columns))
    yield listed(1, STRUCT, made)
    yield text(2, b"tidegate")
    yield listed(1, STRUCT, [_BY_TYPE] * len(schema))
    yield STOP


def _row_group(chunks: Sequence[Placed], columns: Sequence[bytes]) -> bytes:
    return b"".join((
        listed(1, STRUCT, columns),
        number(1, I64, sum(chunk.plain_bytes for chunk in chunks)),
        number(1, I64, chunks[0].rows),
        number(2, I64, chunks[0].at),
        number(1, I64, sum(chunk.bytes for chunk in chunks)),
        STOP,
    ))  # fmt: skip


def _column_chunk(
    chunk: Placed, column: tuple[int, int] | None, offset: tuple[int, int] | None
) -> bytes:
    """ColumnChunk: its ColumnMetaData, and the places of its indexes."""
    parts = [
        b"\x26\x00\x1c",  # its file is this one
        chunk.how,
        b"\x16", whole(chunk.rows),
        b"\x16", whole(chunk.plain_bytes),
        b"\x16", whole(chunk.bytes),
        b"\x26", whole(chunk.at + chunk.dictionary),
    ]  # fmt: skip
    if chunk.dictionary:
        parts += [b"\x26", whole(chunk.at)]
    if chunk.told is not None:
        parts.append(head(1 if chunk.dictionary else 3, STRUCT) + _statistics(chunk.told))
    parts.append(STOP)
    for place in (offset, column):
        if place is not None:
            parts += [b"\x16", whole(place[0]), b"\x15", whole(place[1])]
    return b"".join((*parts, STOP))


def _statistics(told: Told) -> bytes:
    nulls = number(3, I64, told.nulls)
    if told.low is None or told.high is None:
        return nulls + STOP
    return nulls + text(2, told.high) + text(1, told.low) + STOP


def _column_index(pages: PageIndex) -> bytes:
    if pages.bounds is None:
        return b""
    held = [one or (b"", b"") for one in pages.bounds]
    return b"".join((
        listed(1, BOOL, [TRUE if one is None else FALSE for one in pages.bounds]),
        listed(1, BINARY, [binary(low) for low, _ in held]),
        listed(1, BINARY, [binary(high) for _, high in held]),
        number(1, I32, 0),  # in no order
        listed(1, I64, [whole(each) for each in pages.nulls]),
        STOP,
    ))  # fmt: skip


def _offset_index(chunk: Placed) -> bytes:
    pages = chunk.pages
    assert pages is not None
    made = []
    for at, end, row in zip(pages.places, pages.places[1:], pages.rows, strict=False):
        place, size = whole(chunk.at + at), whole(end - at)
        made.append(b"".join((b"\x16", place, b"\x15", size, b"\x16", whole(row), STOP)))
    return listed(1, STRUCT, made) + STOP


def _schema_element(field: pa.Field) -> bytes:
    physical, converted, logical = _physical(field.type)
    parts = [
        number(1, I32, physical),
        number(2, I32, _OPTIONAL),
        text(1, field.name.encode()),
    ]
    if converted is not None:
        parts += [number(2, I32, converted), head(4, STRUCT), logical]
    return b"".join((*parts, STOP))


def _physical(kind: pa.DataType) -> tuple[int, int | None, bytes]:
    """Parquet's type of a column, its ConvertedType and LogicalType."""
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return _BYTE_ARRAY, _UTF8, _union(1)
    if pa.types.is_timestamp(kind):
        is_millis = kind.unit == "ms"
        unit = _union(1 if is_millis else 2)
        adjusted = b"\x11"  # true, field 1
        stamp = head(8, STRUCT) + adjusted + head(1, STRUCT) + unit + b"\x00\x00"
        return _INT64, _TIMESTAMP_MILLIS if is_millis else _TIMESTAMP_MICROS, stamp
    if pa.types.is_int8(kind) or pa.types.is_int16(kind):
        width = b"\x13" + bytes((kind.bit_width,)) + b"\x11"  # of so many bits, signed
        logical = head(10, STRUCT) + width + b"\x00\x00"
        return _INT32, _INT_8 if kind.bit_width == 8 else _INT_16, logical
    if pa.types.is_float64(kind):
        return _DOUBLE, None, b""
    assert pa.types.is_int64(kind), kind
    return _INT64, None, b""


def _union(member: int) -> bytes:
    """A union whose so-manyth member is an empty struct."""
    return head(member, STRUCT) + b"\x00\x00"
