"""Parquet files, read in batches of rows, whatever the size of their row groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from cloud.errors import OperatorError
from cloud.imports.cell_values import can_hold_readings
from cloud.imports.columns import lay_out
from cloud.imports.piece import Keys, Piece
from cloud.imports.source import Wish
from cloud.imports.table_rows import TableReader
from protos.limits import TEXT_BYTES_MAX

CELLS_AT_ONCE: Final = 262_144
"""Rows times columns of one batch."""
GROUP_BYTES_MAX: Final = 2 << 30
"""Uncompressed bytes of one row group's columns that are read: beyond it memory has no bound."""
TEXT_BYTES_AT_ONCE: Final = 64 << 20
"""Texts of one batch, each word as often as it stands: a dictionary of one long word makes many."""


@dataclass(slots=True)
class ParquetFile:
    """A Parquet file; see `cloud.imports.source.Source`. ``size`` counts rows."""

    path: Path
    reader: TableReader
    keys: Keys
    size: int

    @classmethod
    def open(cls, path: Path, wish: Wish) -> Self:
        """Make out its columns from its schema.

        Raises:
            OperatorError: it is damaged, or its columns cannot be made out.
        """
        try:
            with pq.ParquetFile(path) as file:
                schema, rows = file.schema_arrow, file.metadata.num_rows
                names = list(schema.names)
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise _unreadable(path, error) from error

        def holds(name: str) -> bool:
            return can_hold_readings(schema.field(name).type)

        layout = lay_out(names, wish.mapping, str(path), path.stem, holds)
        for name in layout.columns:
            kind = schema.field(name).type
            if name != layout.time and not can_hold_readings(kind):
                cause = f"its column {name!r} holds {kind}, which is no reading"
                raise OperatorError(f"read {path}", cause, "leave it out with --ignore")
        keys, mapping = Keys(), wish.mapping
        counters = frozenset(mapping.counters)
        decimal = wish.decimal or "."
        reader = TableReader(layout, wish.rule, keys, counters, mapping.units, decimal)
        return cls(path, reader, keys, rows)

    @property
    def told(self) -> str:
        """How the file is understood."""
        layout = self.reader.layout
        what = f"Parquet, {self.size:,} rows, time {layout.time!r}"
        if layout.metric_column:
            return f"{what}, metric {layout.metric_column!r}, value {layout.value_column!r}"
        count = len(layout.metrics)
        return f"{what}, {count} column{'s' if count > 1 else ''} of values"

    def pieces(self) -> Iterator[Piece]:
        """Readings, batch by batch."""
        names = self.reader.layout.columns
        rows = max(1024, CELLS_AT_ONCE // len(names))
        done = 0
        try:
            with pq.ParquetFile(self.path, pre_buffer=False, read_dictionary=names) as file:
                self._check(file.metadata, set(names))
                for whole in file.iter_batches(rows, columns=names, use_threads=False):
                    for batch in parts_of(whole):
                        done += batch.num_rows
                        yield self.reader.piece(batch, done)
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise _unreadable(self.path, error, done) from error

    def _check(self, metadata: pq.FileMetaData, names: set[str]) -> None:
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            columns = (group.column(index) for index in range(group.num_columns))
            size = sum(
                column.total_uncompressed_size
                for column in columns
                if column.path_in_schema in names
            )
            if size > GROUP_BYTES_MAX:
                cause = f"row group {number} has {size:,} bytes, {GROUP_BYTES_MAX:,} are allowed"
                raise OperatorError(f"read {self.path}", cause, "write it in smaller row groups")


def parts_of(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch cut so that texts of each part, written out, come to TEXT_BYTES_AT_ONCE or one row.

    A word that is too long for a reading is cut short: it is still too long.
    """
    arrays, size = [], np.zeros(batch.num_rows, np.int64)
    for array in batch.columns:
        if pa.types.is_dictionary(array.type) and _is_text(array.type.value_type):
            words = pc.utf8_slice_codeunits(array.dictionary, 0, TEXT_BYTES_MAX + 1)
            array = pa.DictionaryArray.from_arrays(array.indices, words)
            lengths = pc.binary_length(words).take(array.indices)
            size += pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False)
        arrays.append(array)
    bounded = pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
    ends, start = np.cumsum(size), 0
    while start < batch.num_rows:
        before = ends[start - 1] if start else 0
        end = int(np.searchsorted(ends, before + TEXT_BYTES_AT_ONCE, "right"))
        yield bounded.slice(start, max(end, start + 1) - start)
        start = max(end, start + 1)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _unreadable(path: Path, error: Exception, rows: int = 0) -> OperatorError:
    where = f"after row {rows:,}: " if rows else ""
    cause = where + (str(error).splitlines() or ["it is damaged"])[0]
    return OperatorError(f"read {path}", cause, "is it whole, and Parquet?")
