"""Parquet files of rows of any kind, as the library writes them."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_WORDS_UNUSED_MAX: Final = 1_024
"""Words of a dictionary that a row group may hold without looking which of them it uses."""


class LibraryWriter:
    """Writes a file; ``options`` are those of `pyarrow.parquet.ParquetWriter`."""

    def __init__(self, path: Path, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        self._writer = pq.ParquetWriter(path, schema, **options)

    def __enter__(self) -> "LibraryWriter":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def write(self, rows: pa.Table, group_rows: int) -> None:
        """Append rows, in the schema given, in row groups of so many."""
        for begin in range(0, rows.num_rows, group_rows):
            self._writer.write_table(own_names(rows.slice(begin, group_rows)))

    def close(self) -> None:
        """Write what tells of the columns; nothing more may come."""
        self._writer.close()


def own_names(rows: pa.Table) -> pa.Table:
    """The rows with dictionaries cut down to what they use: Parquet would write all of each."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type) and rows.num_rows:
            column = _one(rows.column(index).unify_dictionaries())
            rows = rows.set_column(index, field, _cut_down(column))
    return rows


def _cut_down(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Rows in order use neighbours of the dictionary, so that a slice of it is mostly all."""
    bounds = pc.min_max(column.indices)
    low, high = bounds["min"].as_py() or 0, bounds["max"].as_py() or 0
    if high - low >= _WORDS_UNUSED_MAX:
        return _used_alone(column)
    if low:
        moved = pc.subtract(column.indices, pa.scalar(low, pa.int32()))
        return pa.DictionaryArray.from_arrays(moved, column.dictionary.slice(low, high - low + 1))
    return pa.DictionaryArray.from_arrays(column.indices, column.dictionary.slice(0, high + 1))


def _used_alone(column: pa.DictionaryArray) -> pa.DictionaryArray:
    code = column.indices.fill_null(0).to_numpy()
    used = np.zeros(max(len(column.dictionary), 1), bool)
    used[code] = True
    number = (np.cumsum(used) - 1).astype(np.int32)
    mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    indices = pa.array(number[code], pa.int32(), mask=mask)
    kept = pa.array(np.flatnonzero(used[: len(column.dictionary)]))
    return pa.DictionaryArray.from_arrays(indices, column.dictionary.take(kept))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
