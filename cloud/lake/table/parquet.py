"""Parquet files of the lake: rows put in order, encoded our way, durable when a call ends."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.errors import StorageError
from cloud.lake.table.forms import Form, form_of
from cloud.lake.table.library_writer import LibraryWriter
from cloud.lake.table.run_writer import RunWriter
from cloud.lake.table.schema import READINGS, SERIES_COLUMNS, TableSpec, added

ROW_GROUP: Final = 32_768
"""What a merge of many files holds of each; questions read single pages (`forms.PAGE_BYTES`)."""
ROLLUP_GROUP: Final = 32_768
"""Of a rollup: a footer tells of 25 columns of each, and of those asked for the pages are found."""
TEMPORARY: Final = ".writing"
"""What the name of a file ends with until it is whole."""

Step = Callable[[str], None]
"""Told the name of each step of a commit before the next begins; a test crashes in it."""


def no_step(_: str) -> None:
    """The step of a real run: nothing."""


def arrange(table: pa.Table) -> pa.Table:
    """The rows by gateway, device, metric …, ts; rows equal in all of these keep their order."""
    if not table.num_rows:
        return table
    names, starts = _runs(table)
    rank, ts = ranks(names), times(table["ts"])
    lengths = np.diff(starts, append=len(ts))
    runs = order_of(rank, starts)
    if runs is None and not _is_late(ts, starts, rank):
        return table.unify_dictionaries().combine_chunks()
    order: NDArray[np.int64] | None = None
    if runs is not None:
        starts, lengths, rank = starts[runs], lengths[runs], rank[runs]
        ends = np.cumsum(lengths)
        order = np.repeat(starts - (ends - lengths), lengths)
        order += np.arange(len(ts))
        ts, starts = ts[order], ends - lengths
    if _is_late(ts, starts, rank):
        late = order_of(np.repeat(rank, lengths), ts)
        order = late if order is None else order[late]
        ts = ts[late]
    assert order is not None
    return _in_order(table, names, runs, lengths, order)


def _runs(table: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """The name of each run of rows of one series, and where it begins; a chunk begins one."""
    names, starts = [], []
    at = 0
    for batch in table.select(SERIES_COLUMNS).to_batches():
        series, gateway = batch["series"].to_numpy(), batch["gateway"].indices.to_numpy()
        # What speaks of a gateway itself is of one series in all of them.
        is_new = (series[1:] != series[:-1]) | (gateway[1:] != gateway[:-1])
        first = np.concatenate([[0], np.flatnonzero(is_new) + 1])
        names.append(batch.take(pa.array(first)))
        starts.append(first + at)
        at += batch.num_rows
    return pa.Table.from_batches(names).unify_dictionaries().combine_chunks(), np.concatenate(
        starts
    )


def _is_late(ts: NDArray[np.int64], starts: NDArray[np.int64], rank: NDArray[np.int64]) -> bool:
    """Whether a row comes before the one above it, in runs from ``starts`` of ascending rank."""
    late = ts[1:] < ts[:-1]
    late[starts[1:][rank[1:] != rank[:-1]] - 1] = False
    return bool(late.any())


def _in_order(
    table: pa.Table,
    names: pa.Table,
    runs: NDArray[np.int64] | None,
    lengths: NDArray[np.int64],
    order: NDArray[np.int64],
) -> pa.Table:
    """The rows in an order, the name of each of whose runs is known: it is not looked for."""
    columns = []
    for field in table.schema:
        if field.name in SERIES_COLUMNS:
            columns.append(_spread(one(names[field.name]), runs, lengths))
        else:
            columns.append(_taken(table[field.name], order))
    return pa.table(columns, schema=table.schema)


def _spread(
    names: pa.Array, runs: NDArray[np.int64] | None, lengths: NDArray[np.int64]
) -> pa.Array:
    is_text = pa.types.is_dictionary(names.type)
    values = (names.indices if is_text else names).to_numpy()
    rows = pa.array(np.repeat(values if runs is None else values[runs], lengths))
    return pa.DictionaryArray.from_arrays(rows, names.dictionary) if is_text else rows


def _taken(column: pa.ChunkedArray, order: NDArray[np.int64]) -> pa.Array:
    """A column in another order; numpy takes numbers in half the time, and what is alike stays."""
    if pa.types.is_dictionary(column.type):
        if column.null_count == len(column):
            return pa.nulls(len(column), column.type)
        return one(column.unify_dictionaries()).take(pa.array(order))
    held = one(column)
    is_time = pa.types.is_timestamp(held.type)
    if held.null_count or not (is_time or pa.types.is_primitive(held.type)):
        return held.take(pa.array(order))
    values = (held.view(pa.int64()) if is_time else held).to_numpy()
    if pa.types.is_integer(held.type) and values[0] == values[-1] and (values == values[0]).all():
        return held
    taken = pa.array(values[order])
    return taken.view(held.type) if is_time else taken


def run_starts(values: NDArray[Any]) -> NDArray[np.int64]:
    """Index of the first of each run of equal neighbours."""
    new = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return np.flatnonzero(new)


def ranks(names: pa.Table) -> NDArray[np.int64]:
    """Place of each row's series among all; rows of one series have one place, in any number."""
    keys = []
    for name in SERIES_COLUMNS:
        column = one(names[name])
        if pa.types.is_dictionary(column.type):
            words = column.dictionary
            place = np.empty(len(words), np.int64)
            place[pc.array_sort_indices(words).to_numpy()] = np.arange(len(words))
            keys.append(place[column.indices.to_numpy()])
        else:
            keys.append(column.to_numpy().astype(np.int64))
    order = np.lexsort(keys[::-1])
    new = np.zeros(len(order), bool)
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.cumsum(new)
    return rank


def order_of(rank: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Stable order by (rank, ts), None when rows stand in it; radix sort, then what is late."""
    if _sorted(rank, ts):
        return None
    order = np.argsort((rank & 0xFFFF).astype(np.uint16), kind="stable")
    if rank.max() > 0xFFFF:
        order = order[np.argsort((rank[order] >> 16).astype(np.uint16), kind="stable")]
    by_rank, times_of = rank[order], ts[order]
    late = (by_rank[1:] == by_rank[:-1]) & (times_of[1:] < times_of[:-1])
    if late.any():
        rows = np.flatnonzero(np.isin(by_rank, np.unique(by_rank[1:][late])))
        order[rows] = order[rows][np.lexsort((times_of[rows], by_rank[rows]))]
    return order


def _sorted(rank: NDArray[np.int64], ts: NDArray[np.int64]) -> bool:
    step = np.diff(rank)
    return bool(((step > 0) | ((step == 0) & (ts[1:] >= ts[:-1]))).all())


def begins(rows: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of arranged rows: which begin a series, and which a time of theirs; the first a time."""
    series, ts = one(rows["series"]).to_numpy(), times(rows["ts"])
    new_series = np.zeros(len(series), bool)
    np.not_equal(series[1:], series[:-1], out=new_series[1:])
    new_time = new_series.copy()
    new_time[1:] |= ts[1:] != ts[:-1]
    new_time[:1] = True
    return new_series, new_time


def by_block(rows: pa.Table) -> pa.Table:
    """Arranged rows of any blocks, those of one time in the order in which their blocks came.

    A gateway's blocks come by epoch and seq, and a series is of one gateway.
    """
    _, new_time = begins(rows)
    epoch, seq = one(rows["epoch"]).to_numpy(), one(rows["seq"]).to_numpy()
    late = (epoch[1:] < epoch[:-1]) | ((epoch[1:] == epoch[:-1]) & (seq[1:] < seq[:-1]))
    if not (late & ~new_time[1:]).any():
        return rows
    return rows.take(pa.array(np.lexsort((seq, epoch, np.cumsum(new_time)))))


def times(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """A timestamp column as int64 µs, whatever the time (no conversion that could overflow)."""
    found: NDArray[np.int64] = one(column).view(pa.int64()).to_numpy(zero_copy_only=False)
    return found


def one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array; `combine_chunks` copies even where there is one already."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def write_durably(path: Path, table: pa.Table, spec: TableSpec, step: Step) -> int:
    """Write rows that are in order; when this returns, file and folder are on the disk.

    Returns the size in bytes. The file appears whole under its name or not at all.
    """
    make_folder(path.parent)
    temporary = path.with_name(path.name + TEMPORARY)
    form = form_of(table, spec)
    with open_writer(temporary, spec, form) as writer:
        writer.write(form.of(table), group_rows(spec))
    return settle(path, temporary, step)


def open_writer(path: Path, spec: TableSpec, form: Form) -> RunWriter | LibraryWriter:
    """What writes a file of a table; it takes rows that the form was given (`Form.of`)."""
    schema = form.of(spec.schema.empty_table()).schema
    kind = RunWriter if spec is READINGS else LibraryWriter
    return kind(path, schema, form.options)


def settle(path: Path, temporary: Path, step: Step) -> int:
    """Give a file that is written its name, durably; its size in bytes."""
    step("data file written")
    fsync(temporary)
    os.replace(temporary, path)
    fsync(path.parent)
    step("data file durable")
    return path.stat().st_size


def group_rows(spec: TableSpec) -> int:
    """Rows of a whole row group."""
    return ROLLUP_GROUP if spec.width_us else ROW_GROUP


def make_folder(folder: Path) -> None:
    """Make a folder, and its parents; their names are on the disk when this returns."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir()
        fsync(folder.parent)


class SyncFailedError(StorageError):
    """An fsync failed. What the kernel dropped cannot be known: never tried again, the end."""


def fsync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk; SyncFailedError when it refuses."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        hint = "check the disk, then start again: the lake takes up from what the disk holds"
        raise SyncFailedError(f"bring {path} to the disk", str(error.strerror), hint) from error
    finally:
        os.close(handle)


def read(paths: list[Path], spec: TableSpec, columns: Sequence[str] = ()) -> pa.Table:
    """All rows of the files, in the order of the list, in the spec's own (in-memory) schema.

    Of these columns alone where some are named; those `added` since a file was written are null.
    """
    schema = pa.schema([spec.schema.field(name) for name in columns or spec.schema.names])
    names = [f.name for f in schema if pa.types.is_dictionary(f.type)]
    tables = []
    for path in paths:
        file = pq.ParquetFile(path, read_dictionary=names)
        lacking = added(spec).difference(file.schema_arrow.names).intersection(schema.names)
        rows = file.read([name for name in schema.names if name not in lacking], use_threads=False)
        for name in lacking:
            field = schema.field(name)
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
        tables.append(rows.select(schema.names).cast(schema))
    return pa.concat_tables(tables)
