"""Pure: the parts of a Parquet file that tell of its columns, as bytes.

The footer (FileMetaData) and the page index (ColumnIndex, OffsetIndex) of a file of flat columns
that may be null. Source: parquet.thrift of Apache Parquet, in Thrift's compact protocol.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from cloud.parquet.small import unsigned

MAGIC: Final = b"PAR1"
PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
_BOOL, _I32, _I64, _BINARY, _STRUCT = 1, 5, 6, 8, 12
_OPTIONAL: Final = 1
_FLAG: Final = {True: b"\x01", False: b"\x02"}
_INT32, _INT64, _DOUBLE, _BYTE_ARRAY = 1, 2, 5, 6
_UTF8, _TIMESTAMP_MILLIS, _TIMESTAMP_MICROS, _INT_8, _INT_16 = 0, 9, 10, 15, 16
CODECS: Final = {"UNCOMPRESSED": 0, "SNAPPY": 1, "GZIP": 2, "LZ4_RAW": 7, "ZSTD": 6}
ENCODINGS: Final = {
    "PLAIN": PLAIN,
    "PLAIN_DICTIONARY": 2,
    "RLE": RLE,
    "DELTA_BINARY_PACKED": 5,
    "DELTA_LENGTH_BYTE_ARRAY": 6,
    "DELTA_BYTE_ARRAY": 7,
    "RLE_DICTIONARY": RLE_DICTIONARY,
    "BYTE_STREAM_SPLIT": 9,
}


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


def written_as(field: pa.Field, codec: int, encodings: Sequence[int]) -> bytes:
    """What ColumnMetaData says of every chunk of a column that is written one way."""
    return b"".join((
        _number(1, _I32, _physical(field.type)[0]),
        _list(1, _I32, len(encodings)), *map(_signed, encodings),
        _list(1, _BINARY, 1), _bytes(field.name.encode()),
        _number(1, _I32, codec),
    ))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chunk:
    """One column of one row group; ``at`` is its place in the file, ``dictionary`` its bytes.

    ``how`` is as `written_as` makes it.
    """

    how: bytes
    rows: int
    at: int
    dictionary: int
    bytes: int
    plain_bytes: int
    told: Told | None
    pages: PageIndex


def footer(schema: pa.Schema, groups: Sequence[Sequence[Chunk]], at: int) -> bytes:
    """All behind the last chunk of a file, whose byte is ``at``: its indexes, and FileMetaData."""
    indexes: list[bytes] = []
    places: dict[tuple[int, int, bool], tuple[int, int]] = {}
    for is_column_index in (True, False):
        for number, chunks in enumerate(groups):
            for place, chunk in enumerate(chunks):
                made = _column_index(chunk.pages) if is_column_index else _offset_index(chunk)
                if made:
                    places[number, place, is_column_index] = (at, len(made))
                    indexes.append(made)
                    at += len(made)
    told = b"".join(_metadata(schema, groups, places))
    return b"".join((*indexes, told, len(told).to_bytes(4, "little"), MAGIC))


def _metadata(
    schema: pa.Schema,
    groups: Sequence[Sequence[Chunk]],
    places: dict[tuple[int, int, bool], tuple[int, int]],
) -> Iterable[bytes]:
    yield _number(1, _I32, 2)
    yield _list(1, _STRUCT, 1 + len(schema))
    yield b"\x48\x06schema" + _number(1, _I32, len(schema)) + b"\x00"
    yield from map(_schema_element, schema)
    yield _number(1, _I64, sum(chunks[0].rows for chunks in groups))
    yield _list(1, _STRUCT, len(groups))
    for number, chunks in enumerate(groups):
        yield _list(1, _STRUCT, len(chunks))
        for place, chunk in enumerate(chunks):
            column, offset = places.get((number, place, True)), places[number, place, False]
            yield _column_chunk(chunk, column, offset)
        yield _number(1, _I64, sum(chunk.plain_bytes for chunk in chunks))
        yield _number(1, _I64, chunks[0].rows)
        yield _number(2, _I64, chunks[0].at)
        yield _number(1, _I64, sum(chunk.bytes for chunk in chunks))
        yield b"\x00"
    yield _binary(2, b"tidegate")
    yield _list(1, _STRUCT, len(schema)) + b"\x1c\x00\x00" * len(schema)  # TypeDefinedOrder
    yield b"\x00"


def _column_chunk(chunk: Chunk, column: tuple[int, int] | None, offset: tuple[int, int]) -> bytes:
    """ColumnChunk: its ColumnMetaData, and the places of its indexes."""
    parts = [
        b"\x26\x00\x1c",  # its file is this one
        chunk.how,
        b"\x16", _signed(chunk.rows),
        b"\x16", _signed(chunk.plain_bytes),
        b"\x16", _signed(chunk.bytes),
        b"\x26", _signed(chunk.at + chunk.dictionary),
    ]  # fmt: skip
    if chunk.dictionary:
        parts += [b"\x26", _signed(chunk.at)]
    if chunk.told is not None:
        parts.append(_head(1 if chunk.dictionary else 3, _STRUCT) + _statistics(chunk.told))
    parts += [b"\x00\x16", _signed(offset[0]), b"\x15", _signed(offset[1])]
    if column is not None:
        parts += [b"\x16", _signed(column[0]), b"\x15", _signed(column[1])]
    return b"".join((*parts, b"\x00"))


def _statistics(told: Told) -> bytes:
    nulls = _number(3, _I64, told.nulls)
    if told.low is None or told.high is None:
        return nulls + b"\x00"
    return nulls + _binary(2, told.high) + _binary(1, told.low) + b"\x00"


def _column_index(pages: PageIndex) -> bytes:
    if pages.bounds is None:
        return b""
    count = len(pages.bounds)
    held = [one or (b"", b"") for one in pages.bounds]
    return b"".join((
        _list(1, _BOOL, count), *(_FLAG[one is None] for one in pages.bounds),
        _list(1, _BINARY, count), *(_bytes(low) for low, _ in held),
        _list(1, _BINARY, count), *(_bytes(high) for _, high in held),
        _number(1, _I32, 0),  # in no order
        _list(1, _I64, count), *map(_signed, pages.nulls),
        b"\x00",
    ))  # fmt: skip


def _offset_index(chunk: Chunk) -> bytes:
    pages = chunk.pages
    if len(pages.rows) == 1:
        at, end = pages.places
        place, size = _signed(chunk.at + at), _signed(end - at)
        return b"".join((b"\x19\x1c\x16", place, b"\x15", size, b"\x16\x00\x00\x00"))
    parts = [_list(1, _STRUCT, len(pages.rows))]
    for at, end, row in zip(pages.places, pages.places[1:], pages.rows, strict=False):
        parts += [b"\x16", _signed(chunk.at + at), b"\x15", _signed(end - at)]
        parts += [b"\x16", _signed(row), b"\x00"]
    return b"".join((*parts, b"\x00"))


def _schema_element(field: pa.Field) -> bytes:
    physical, converted, logical = _physical(field.type)
    parts = [
        _number(1, _I32, physical),
        _number(2, _I32, _OPTIONAL),
        _binary(1, field.name.encode()),
    ]
    if converted is not None:
        parts += [_number(2, _I32, converted), _head(4, _STRUCT), logical]
    return b"".join((*parts, b"\x00"))


def _physical(kind: pa.DataType) -> tuple[int, int | None, bytes]:
    """Parquet's type of a column, its ConvertedType and LogicalType."""
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return _BYTE_ARRAY, _UTF8, _union(1)
    if pa.types.is_timestamp(kind):
        is_millis = kind.unit == "ms"
        unit = _union(1 if is_millis else 2)
        adjusted = b"\x11"  # true, field 1
        stamp = _head(8, _STRUCT) + adjusted + _head(1, _STRUCT) + unit + b"\x00\x00"
        return _INT64, _TIMESTAMP_MILLIS if is_millis else _TIMESTAMP_MICROS, stamp
    if pa.types.is_int8(kind) or pa.types.is_int16(kind):
        width = b"\x13" + bytes((kind.bit_width,)) + b"\x11"  # of so many bits, signed
        logical = _head(10, _STRUCT) + width + b"\x00\x00"
        return _INT32, _INT_8 if kind.bit_width == 8 else _INT_16, logical
    if pa.types.is_float64(kind):
        return _DOUBLE, None, b""
    assert pa.types.is_int64(kind), kind
    return _INT64, None, b""


def _union(number: int) -> bytes:
    """A union whose ``number``-th member is an empty struct."""
    return _head(number, _STRUCT) + b"\x00\x00"


def _head(step: int, kind: int) -> bytes:
    """The head of a field, ``step`` numbers behind the one before."""
    return bytes((step << 4 | kind,))


def _number(step: int, kind: int, value: int) -> bytes:
    return _head(step, kind) + _signed(value)


def _signed(value: int) -> bytes:
    return unsigned((value << 1) ^ (value >> 63))


def _binary(step: int, value: bytes) -> bytes:
    return _head(step, _BINARY) + _bytes(value)


def _bytes(value: bytes) -> bytes:
    return unsigned(len(value)) + value


def _list(step: int, kind: int, count: int) -> bytes:
    head = _head(step, 9)
    if count < 15:
        return head + bytes((count << 4 | kind,))
    return head + bytes((0xF0 | kind,)) + unsigned(count)
