"""Pure: the footer of a Parquet file of flat nullable columns.

Source: parquet.thrift of Apache Parquet (FileMetaData).
"""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from cloud.parquet.made import Chunk
from cloud.parquet.thrift import (
    BINARY,
    I8,
    I32,
    I64,
    LIST,
    STRUCT,
    YES,
    Field,
    binary,
    listed,
    struct,
    whole,
)

MAGIC: Final = b"PAR1"
_ZSTD: Final = 6
_OPTIONAL: Final = 1
_INT32, _INT64, _DOUBLE, _BYTES = 1, 2, 5, 6
_NOTHING: Final = struct([])
_BY_TYPE: Final = struct([(1, STRUCT, _NOTHING)])
"""ColumnOrder: bounds are compared as the type says."""


def row_group(schema: pa.Schema, chunks: Sequence[Chunk], at: int) -> bytes:
    """RowGroup of a chunk for each column, which stand one after another from byte ``at`` on."""
    columns, begin = [], at
    for field, chunk in zip(schema, chunks, strict=True):
        columns.append(_column(field, chunk, begin))
        begin += len(chunk.data)
    return struct([
        (1, LIST, listed(STRUCT, columns)), (2, I64, whole(sum(one.size for one in chunks))),
        (3, I64, whole(chunks[0].rows)), (5, I64, whole(at)), (6, I64, whole(begin - at)),
    ])  # fmt: skip


def footer(schema: pa.Schema, rows: int, groups: Sequence[bytes]) -> bytes:
    """What stands behind the row groups, to the end of the file."""
    root = struct([(4, BINARY, binary(b"schema")), (5, I32, whole(len(schema)))])
    held = struct([
        (1, I32, whole(2)), (2, LIST, listed(STRUCT, [root, *map(_element, schema)])),
        (3, I64, whole(rows)), (4, LIST, listed(STRUCT, groups)),
        (6, BINARY, binary(b"tidegate")), (7, LIST, listed(STRUCT, [_BY_TYPE] * len(schema))),
    ])  # fmt: skip
    return held + len(held).to_bytes(4, "little") + MAGIC


def _column(field: pa.Field, chunk: Chunk, begin: int) -> bytes:
    """ColumnChunk."""
    encodings = listed(I32, [whole(each) for each in chunk.encodings])
    told: list[Field] = [
        (1, I32, whole(_type(field.type)[0])), (2, LIST, encodings),
        (3, LIST, listed(BINARY, [binary(field.name.encode())])), (4, I32, whole(_ZSTD)),
        (5, I64, whole(chunk.rows)), (6, I64, whole(chunk.size)),
        (7, I64, whole(len(chunk.data))), (9, I64, whole(begin + chunk.words_size)),
    ]  # fmt: skip
    if chunk.words_size:
        told.append((11, I64, whole(begin)))
    if chunk.nulls is not None:
        bounds: list[Field] = [(3, I64, whole(chunk.nulls))]
        if chunk.nulls < chunk.rows:
            bounds += [(5, BINARY, binary(chunk.high)), (6, BINARY, binary(chunk.low))]
        told.append((12, STRUCT, struct(bounds)))
    return struct([(2, I64, whole(0)), (3, STRUCT, struct(told))])


def _element(field: pa.Field) -> bytes:
    """SchemaElement of a column."""
    physical, converted, logical = _type(field.type)
    told: list[Field] = [
        (1, I32, whole(physical)), (3, I32, whole(_OPTIONAL)),
        (4, BINARY, binary(field.name.encode())),
    ]  # fmt: skip
    if converted is not None:
        told += [(6, I32, whole(converted)), (10, STRUCT, logical)]
    return struct(told)


def _type(kind: pa.DataType) -> tuple[int, int | None, bytes]:
    """Parquet's numbers of the physical and the converted type, and the logical type.

    ValueError for a type that no table of the lake writes this way.
    """
    if pa.types.is_timestamp(kind):
        unit = 1 if kind.unit == "ms" else 2
        measure = struct([(unit, STRUCT, _NOTHING)])
        logical = struct([(1, YES, b""), (2, STRUCT, measure)])
        return _INT64, 8 + unit, struct([(8, STRUCT, logical)])
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return _BYTES, 0, struct([(1, STRUCT, _NOTHING)])
    if pa.types.is_int8(kind):
        logical = struct([(1, I8, bytes([8])), (2, YES, b"")])
        return _INT32, 15, struct([(10, STRUCT, logical)])
    if pa.types.is_int64(kind):
        return _INT64, None, b""
    if pa.types.is_float64(kind):
        return _DOUBLE, None, b""
    raise ValueError(f"no column of a lake is written as {kind}")
