"""A file of sorted readings that takes the least room plain Parquet allows.

Times and values, nearly all of its bytes, are encoded by `cloud.parquet.chunk`, a page for each
series, and columns that mostly repeat by `cloud.parquet.runs`; the others, and all where series are
short, by pyarrow, a row group at a time in memory, and taken over as they are.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.lake.table.library_writer import own_names
from cloud.lake.table.parquet import ROW_GROUP, one, run_starts, times
from cloud.parquet.chunk import number_pages, numbers_chunk, page_ends, split, times_chunk
from cloud.parquet.file import MAGIC, footer, row_group
from cloud.parquet.made import Chunk, Encoding
from cloud.parquet.runs import runs_chunk, runs_of

SERIES_ROWS_MIN: Final = 512
"""Rows a series, on average, below which the library writes all: pages of few rows cost more."""
_OURS: Final = ("ts", "value", "seq")
_ENCODINGS: Final = {each.name: each for each in Encoding} | {"PLAIN_DICTIONARY": 2}


class DenseWriter:
    """Writes row groups one after another, as `pq.ParquetWriter` does; `close` makes it whole.

    ``schema``: as a `Form` has it, with columns ``ts`` and ``value``; rows come in order of series.
    """

    def __init__(self, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._schema = schema
        self._theirs = [name for name in schema.names if name not in _OURS]
        self._told = frozenset(options["write_statistics"])
        self._options = options
        self._groups: list[bytes] = []
        self._rows = 0
        self._at = 0
        self._is_open, self._is_sound = True, True
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._put(MAGIC)

    def write_table(self, rows: pa.Table, *, is_last: bool = True) -> int:
        """A row group of these rows, one at least, or several where that takes less.

        Returns how many rows were written: unless it ``is_last``, those of a row group that may
        become larger are to come again, with those behind them.
        """
        starts = run_starts(one(rows["series"]).to_numpy())
        if len(starts) * SERIES_ROWS_MIN > len(rows):
            for begin in range(0, len(rows), ROW_GROUP):
                self._add(self._by_library(rows.slice(begin, ROW_GROUP)))
            return len(rows)
        ends = page_ends(starts, len(rows))
        numbers, begin = number_pages(*_numbers(one(rows["value"])), ends), 0
        for pages in split(numbers):
            end = begin + sum(page.rows for page in pages)
            if begin and end == len(rows) and not is_last:
                return begin
            mine = [(at - begin, is_one) for at, is_one in ends if begin < at <= end]
            self._write(rows.slice(begin, end - begin), mine, numbers_chunk(pages))
            begin = end
        return len(rows)

    def _write(self, rows: pa.Table, ends: list[tuple[int, bool]], numbers: Chunk) -> None:
        steady = times_chunk(one(rows["seq"]).to_numpy(), [(len(rows), True)], is_told=False)
        made = {"ts": times_chunk(times(rows["ts"]), ends), "value": numbers, "seq": steady}
        varied = []
        for name in self._theirs:
            column = one(rows[name])
            runs = runs_of(column)
            if runs is None:
                varied.append(name)
            else:
                made[name] = runs_chunk(column, runs, is_told=name in self._told)
        if varied:
            made |= self._by_library(rows.select(varied))
        self._add(made)

    def close(self) -> None:
        """Write the footer, unless a write failed before, and let go of the file; once."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            if self._is_sound:
                self._put(footer(self._schema, self._rows, self._groups))
        finally:
            os.close(self._file)

    def _add(self, made: Mapping[str, Chunk]) -> None:
        chunks = [made[name] for name in self._schema.names]
        self._rows += chunks[0].rows
        self._groups.append(row_group(self._schema, chunks, self._at))
        for chunk in chunks:
            self._put(chunk.data)

    def _put(self, data: bytes) -> None:
        self._is_sound, left = False, memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self._is_sound = True
        self._at += len(data)

    def _by_library(self, rows: pa.Table) -> dict[str, Chunk]:
        rows = own_names(rows)
        sink = pa.BufferOutputStream()
        told: list[pq.FileMetaData] = []
        with pq.ParquetWriter(
            sink, rows.schema, metadata_collector=told, **_only(rows.schema.names, self._options)
        ) as writer:
            writer.write_table(rows, row_group_size=rows.num_rows)
        held, group = sink.getvalue(), told[0].row_group(0)
        columns = (group.column(at) for at in range(group.num_columns))
        return {each.path_in_schema: _taken(held, each) for each in columns}


def _taken(held: pa.Buffer, column: Any) -> Chunk:
    """A chunk that the library wrote."""
    data = column.data_page_offset
    begin = column.dictionary_page_offset if column.has_dictionary_page else data
    bounds, nulls = (b"", b""), None
    if column.statistics is not None:
        nulls = column.statistics.null_count
        if column.statistics.has_min_max:
            bounds = _plain(column.statistics.min_raw), _plain(column.statistics.max_raw)
    return Chunk(
        bytes(held[begin : begin + column.total_compressed_size]),
        data - begin,
        column.total_uncompressed_size,
        column.num_values,
        tuple(sorted({int(_ENCODINGS[name]) for name in column.encodings})),
        *bounds,
        nulls,
    )


def _plain(bound: int | bytes | str) -> bytes:
    """A bound of a time or a text as the file holds it."""
    if isinstance(bound, int):
        return bound.to_bytes(8, "little", signed=True)
    return bound.encode() if isinstance(bound, str) else bound


def _numbers(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    if not column.null_count:
        return column.to_numpy(), None
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return column.fill_null(0.0).to_numpy(), valid


def _only(names: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The writer's options for some of the columns."""
    kept = dict(options)
    for key in ("compression_level", "column_encoding"):
        kept[key] = {name: held for name, held in options[key].items() if name in names}
    for key in ("use_dictionary", "write_statistics"):
        kept[key] = [name for name in options[key] if name in names]
    return kept
