"""Pure: a batch as bytes and back: the body of a block and the plaintext of a chunk.

Layout in docs/format/block.md, "body". Order of rows is kept; columns of a series are coded
together wherever its rows stand. Decoding allocates in proportion to bounded counts only.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from protos import limits
from protos.codec.columns import (
    Parts,
    Segments,
    get_ints,
    get_uints,
    put_ints,
    put_uints,
    runs,
)
from protos.codec.decimals import get_floats, put_floats
from protos.codec.frame import frame, unframe
from protos.codec.strings import get_ids, get_strings, put_ids, put_strings
from protos.codec.wire import FormatError, MalformedBlock, Reader, varint
from protos.records import SCHEMAS, Array, Batch, Column, ColumnType, Kind, Rows

_IN_RUNS: Final = 0x20
_SEGMENT_ROWS_MIN: Final = 4
"""Mean rows a series below which segments cost more than they save."""
_REFERENCE: Final = {
    "arrival": "ts",
    "to": "ts",
    "end": "ts",
    "peak_ts": "ts",
    "seq_to": "seq_from",
    "mono_to": "mono_from",
}
"""Columns kept as the difference from another of the same table."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What decoding may come to: rows of all kinds, and bytes of the uncompressed body."""

    rows_max: int = limits.BLOCK_ROWS_MAX
    plain_bytes_max: int = limits.PLAIN_BYTES_MAX


_DEFAULT: Final = BodyLimits()


def encode_body(batch: Batch, *, level: int = 3) -> bytes:
    """The batch as bytes; equal batches give equal bytes with one version of zstd.

    ``level`` is zstd's. ValueError when the batch or a string of it is over its limit.
    """
    kinds = [kind for kind in SCHEMAS if batch.count(kind)]
    if batch.rows > limits.BLOCK_ROWS_MAX:
        raise ValueError(f"{batch.rows} rows in one body, {limits.BLOCK_ROWS_MAX} are the limit")
    out: Parts = [bytes((len(kinds),))]
    for kind in kinds:
        out.append(bytes((kind,)) + varint(batch.count(kind)))
        _put_table(out, batch.tables[kind], SCHEMAS[kind])
    size = sum(map(len, out))
    if size > limits.PLAIN_BYTES_MAX:
        raise ValueError(f"a body of {size} plain bytes, {limits.PLAIN_BYTES_MAX} are the limit")
    return frame(out, level)


def decode_body(
    data: bytes, *, limits: BodyLimits = _DEFAULT, error: type[FormatError] = MalformedBlock
) -> Batch:
    """The batch; ``error`` (a MalformedBlock) says what is wrong and where."""
    reader = Reader(unframe(data, "body", limits.plain_bytes_max, error), "body", error)
    tables: dict[Kind, Rows] = {}
    last, left = 0, limits.rows_max
    for _ in range(reader.number("number of tables", len(SCHEMAS))):
        number = reader.number("kind", 255)
        if number not in SCHEMAS or number <= last:
            raise reader.fail(f"kind {number} is unknown to this version or out of order", "kind")
        kind, last = Kind(number), number
        rows = reader.number(f"rows of {kind.name}", left)
        if rows == 0:
            raise reader.fail("a table without rows", kind.name)
        left -= rows
        tables[kind] = _get_table(reader, rows, kind)
    reader.end()
    return Batch(tables)


def _put_table(out: Parts, rows: Rows, columns: tuple[Column, ...]) -> None:
    series = rows["series"]
    segments, in_runs = _segments(series)
    worth = len(segments.starts) * _SEGMENT_ROWS_MIN <= len(series)
    _put_series(out, series, segments if in_runs else None)
    by_series = segments if worth else None
    by_row = segments if worth and in_runs else None
    for column in columns[1:]:
        values = rows[column.name]
        match column.type:
            case ColumnType.F8:
                put_floats(out, values, by_series)
            case ColumnType.STR:
                put_strings(out, values.tolist(), column.bytes_max)
            case ColumnType.ID16:
                put_ids(out, values.tolist())
            case _:
                reference = _REFERENCE.get(column.name)
                ints = values.astype(np.int64, copy=False)
                put_ints(out, ints - rows[reference] if reference else ints, by_row)


def _get_table(reader: Reader, rows: int, kind: Kind) -> Rows:
    series, segments = _get_series(reader, rows, f"{kind.name}.series")
    table: dict[str, Array] = {"series": series}
    for column in SCHEMAS[kind][1:]:
        field = f"{kind.name}.{column.name}"
        match column.type:
            case ColumnType.F8:
                values: Array = get_floats(reader, segments, rows, field)
            case ColumnType.STR:
                values = get_strings(reader, rows, column.bytes_max, field)
            case ColumnType.ID16:
                values = get_ids(reader, rows, field)
            case _:
                ints = get_ints(reader, segments, rows, field)
                reference = _REFERENCE.get(column.name)
                values = _narrow(
                    reader, ints + table[reference] if reference else ints, column, field
                )
        table[column.name] = values
    return table


def _narrow(reader: Reader, ints: Array, column: Column, field: str) -> Array:
    if column.type is ColumnType.I8:
        return ints
    top = int(np.iinfo(column.dtype).max)
    if ints.min() < 0 or ints.max() > top:
        raise reader.fail(f"a value outside 0 to {top}", field)
    return ints.astype(column.dtype)


def _segments(series: Array) -> tuple[Segments, bool]:
    """(segments, whether they are the runs as they stand): else a series' rows are gathered."""
    segments = runs(series)
    if len(segments.starts) * 2 <= len(series) or len(series) == 1:
        return segments, True
    return _gathered(series), False


def _gathered(series: Array) -> Segments:
    order = np.argsort(series, kind="stable")
    return runs(series[order], order)


def _put_series(out: Parts, series: Array, segments: Segments | None) -> None:
    if segments is None:
        out.append(b"\0")
        put_ints(out, series.astype(np.int64), None)
        return
    out.append(bytes((_IN_RUNS,)) + varint(len(segments.starts)))
    put_ints(out, series[segments.starts].astype(np.int64), None)
    put_uints(out, (segments.lengths - 1).view(np.uint64))


def _get_series(reader: Reader, rows: int, field: str) -> tuple[Array, Segments]:
    form = reader.take(1, f"form of {field}")[0]
    u4 = Column("series", ColumnType.U4)
    if form == 0:
        series = _narrow(reader, get_ints(reader, None, rows, field), u4, field)
        return series, _gathered(series)
    if form != _IN_RUNS:
        raise reader.fail(f"form {form:#04x} is not of this version", field)
    count = reader.number(f"runs of {field}", rows)
    if count == 0:
        raise reader.fail("rows without a run", field)
    firsts = _narrow(reader, get_ints(reader, None, count, field), u4, field)
    spare = get_uints(reader, count, f"lengths of {field}")
    if int(spare.max()) >= rows or int(spare.sum()) != rows - count:
        raise reader.fail(f"runs that do not add up to {rows} rows", field)
    lengths = spare.view(np.int64) + 1
    starts = np.cumsum(lengths) - lengths
    return np.repeat(firsts, lengths), Segments(starts, lengths)
