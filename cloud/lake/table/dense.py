"""A file of sorted readings that takes the least room plain Parquet allows.

Times and values, nearly all of its bytes, are encoded by `cloud.parquet.chunk`, a page for each
series, columns of runs as in `cloud.lake.table.run_writer`; the others, and all where series are
short, by the library.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.table.chunk_file import ChunkFile
from cloud.lake.table.column_runs import runs_of
from cloud.lake.table.library_writer import own_names
from cloud.lake.table.parquet import ROW_GROUP, one, run_starts, times
from cloud.lake.table.run_writer import RunChunks
from cloud.lake.table.taken_chunks import TakenChunks
from cloud.parquet.chunk import number_pages, numbers_chunk, page_ends, split, times_chunk
from cloud.parquet.made import Chunk

SERIES_ROWS_MIN: Final = 512
"""Rows a series, on average, below which the library writes all: pages of few rows cost more."""
_OURS: Final = ("ts", "value", "seq")


class DenseWriter:
    """Writes row groups one after another, as `pq.ParquetWriter` does; `close` makes it whole.

    ``schema``: as a `Form` has it, with columns ``ts`` and ``value``; rows come in order of series.
    """

    def __init__(self, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._others = pa.schema([field for field in schema if field.name not in _OURS])
        self._options = options
        self._chunks = RunChunks(options, is_indexed=False)
        self._file = ChunkFile(path, schema)

    def write_table(self, rows: pa.Table, *, is_last: bool = True) -> int:
        """A row group of these rows, one at least, or several where that takes less.

        Returns how many rows were written: unless it ``is_last``, those of a row group that may
        become larger are to come again, with those behind them.
        """
        rows = rows.unify_dictionaries().combine_chunks()
        starts = run_starts(one(rows["series"]).to_numpy())
        if len(starts) * SERIES_ROWS_MIN > len(rows):
            for begin in range(0, len(rows), ROW_GROUP):
                self._file.add(self._by_library(rows.slice(begin, ROW_GROUP)))
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

    def close(self) -> None:
        """Write the footer, unless a write failed before, and let go of the file; once."""
        self._file.close()

    def _write(self, rows: pa.Table, ends: list[tuple[int, bool]], numbers: Chunk) -> None:
        steady = times_chunk(one(rows["seq"]).to_numpy(), [(len(rows), True)], is_told=False)
        made = self._chunks.of(runs_of(rows, self._others, {}), len(rows))
        made |= {"ts": times_chunk(times(rows["ts"]), ends), "value": numbers, "seq": steady}
        varied = [name for name in self._others.names if name not in made]
        if varied:
            made |= self._by_library(rows.select(varied))
        self._file.add(made)

    def _by_library(self, rows: pa.Table) -> dict[str, Chunk]:
        taken = TakenChunks(own_names(rows), self._options, len(rows))
        return {name: taken.chunk(name, 0, is_indexed=False) for name in rows.schema.names}


def _numbers(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    if not column.null_count:
        return column.to_numpy(), None
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return column.fill_null(0.0).to_numpy(), valid
