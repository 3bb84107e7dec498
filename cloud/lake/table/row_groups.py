"""Row groups of a data file, read one after another: a file is never in memory whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from cloud.errors import StorageError
from cloud.lake.table.forms import MILLIS, whole_millis
from cloud.lake.table.schema import TableSpec, added

ROW_BYTES: Final = 96
"""What a row of `readings` takes in memory, its text aside."""


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: ``bytes`` of it in memory, as far as the footer tells."""

    path: Path
    number: int
    rows: int
    bytes: int


def open_file(path: Path, spec: TableSpec) -> pq.ParquetFile:
    """A data file whose names are read as dictionaries.

    Raises:
        StorageError: it cannot be opened.
    """
    names = [f.name for f in spec.schema if pa.types.is_dictionary(f.type)]
    try:
        return pq.ParquetFile(path, read_dictionary=names, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def groups_of(path: Path, spec: TableSpec) -> list[Group]:
    """The row groups of a file, in order. Raises as `open_file`."""
    found = []
    with open_file(path, spec) as file:
        text = file.schema_arrow.get_field_index("text")
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            size = group.num_rows * ROW_BYTES
            size += group.column(text).total_uncompressed_size if text >= 0 else 0
            found.append(Group(path, number, group.num_rows, size))
    return found


def read_group(
    file: pq.ParquetFile, group: Group, spec: TableSpec, columns: Sequence[str] = ()
) -> pa.Table:
    """A row group in the table's in-memory schema, of some columns or all; one chunk a column.

    Columns `added` since it was written are null. StorageError when it cannot be read.
    """
    schema = pa.schema([spec.schema.field(name) for name in columns or spec.schema.names])
    lacking = added(spec).difference(file.schema_arrow.names)
    present = [name for name in schema.names if name not in lacking]
    try:
        rows = file.read_row_group(group.number, present, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(group.path, error) from error
    for name in lacking.intersection(schema.names):
        rows = rows.append_column(schema.field(name), pa.nulls(len(rows), schema.field(name).type))
    return rows.select(schema.names).cast(schema).combine_chunks()


def read_groups(path: Path, spec: TableSpec, columns: Sequence[str] = ()) -> Iterator[pa.Table]:
    """All row groups of a file, one after another, each as `read_group`."""
    groups = groups_of(path, spec)
    with open_file(path, spec) as file:
        for group in groups:
            yield read_group(file, group, spec, columns)


def are_millis(path: Path, spec: TableSpec) -> bool:
    """Whether all times of a file are whole milliseconds. Raises as `read_group`."""
    with open_file(path, spec) as file:
        if file.schema_arrow.field("ts").type == MILLIS:
            return True
    return all(whole_millis(rows["ts"]) for rows in read_groups(path, spec, ["ts"]))


def _unreadable(path: Path, error: Exception) -> StorageError:
    hint = "restore the lake from a backup (docs/guide/backup.md)"
    return StorageError(f"read {path}", str(error).splitlines()[0], hint)
