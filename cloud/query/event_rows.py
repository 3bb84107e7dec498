"""Rows of events out of a table's files: what meets a range, put in order, the first of it.

An engine takes ten milliseconds to plan a question, over every file that there is, for an event may
have begun long before the range that it meets. So for each file the latest end in it is remembered,
and rows of what is left are picked here as long as they are few.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.lake.table.parquet import one, times
from cloud.query.index import FileIndex, IndexedFile, reading

ROWS_MAX: Final = 250_000
"""Rows that are looked through here, 30 MB of them; an engine does it when there are more."""
_US: Final = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Events of a table that meet [from, to) µs: ``columns`` of them, ``end`` is that of their end.

    By gateway, device and series where these are named.
    """

    columns: Sequence[str]
    end: str
    from_us: int
    to_us: int
    gateway: str | None
    device: str | None
    series: Sequence[int]


class EventFiles:
    """Reads events out of files that never change; any thread may, several at once."""

    def __init__(self, index: FileIndex) -> None:
        self._index = index

    def meeting(self, paths: Sequence[str], wanted: Wanted) -> list[str]:
        """The files in which an event ends in the range or behind it. StorageError."""
        return [path for path in paths if self._latest(path, wanted.end) >= wanted.from_us]

    def rows(self, paths: Sequence[str], wanted: Wanted) -> pa.Table | None:
        """The rows of these files that are wanted; None where there may be too many. StorageError.

        Times are µs since 1970.
        """
        found, looked = [], 0
        for path in paths:
            with reading(path):
                file = self._index.file(path)
                looked += file.rows_all
                if looked > ROWS_MAX:
                    return None
                found.append(_rows(file, wanted))
        return pa.concat_tables(found)

    def _latest(self, path: str, end: str) -> int:
        with reading(path):
            file = self._index.file(path)
            return file.latest(end, lambda: int(times(_read(file, [end])[end]).max()))


def _rows(file: IndexedFile, wanted: Wanted) -> pa.Table:
    """What is wanted of one file: first by its times, then by all else."""
    ends = dict.fromkeys(("ts", wanted.end))
    span = _read(file, list(ends))
    there = (times(span["ts"]) < wanted.to_us) & (times(span[wanted.end]) >= wanted.from_us)
    rows = _read(file, [name for name in wanted.columns if name not in ends])
    for name in ends:
        rows = rows.append_column(name, span[name])
    rows = rows.select(wanted.columns).filter(pa.array(there))
    plain = [pa.field(f.name, _plain(f.type)) for f in rows.schema]
    rows = rows.cast(pa.schema(plain))
    for name, value in (("gateway", wanted.gateway), ("device", wanted.device)):
        if value is not None:
            rows = rows.filter(pc.equal(rows[name], value))
    if wanted.series:
        rows = rows.filter(pc.is_in(rows["series"], pa.array(wanted.series, pa.int64())))
    for at, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(at, field.name, one(rows[field.name]).view(pa.int64()))
    return rows


def _read(file: IndexedFile, columns: list[str]) -> pa.Table:
    """Columns of a file, its times in µs, its words as they are stored: each once."""
    words = [name for name in columns if file.columns[name].leaf.is_text]
    with pq.ParquetFile(
        file.path, metadata=file.footer, read_dictionary=words, pre_buffer=False
    ) as opened:
        rows = opened.read(columns, use_threads=False)
    for at, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type != _US:
            rows = rows.set_column(at, field.name, rows[field.name].cast(_US))
    return rows


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def newest(rows: pa.Table, of: Sequence[str], by: Sequence[str]) -> pa.Table:
    """Of rows that are equal in ``of`` the one that is greatest ``by`` those columns."""
    groups = [_rank(rows[name]) for name in of]
    order = np.lexsort([_rank(rows[name]) for name in reversed(by)] + groups)
    last = np.ones(len(order), bool)
    if len(order):
        same = [key[order][1:] == key[order][:-1] for key in groups]
        last[:-1] = ~np.logical_and.reduce(same)
    return rows.take(pa.array(order[last]))


def first(rows: pa.Table, by: Sequence[tuple[str, bool]], limit: int) -> pa.Table:
    """The first rows in order ``by`` columns, each rising or, if it says so, falling; NaN last."""
    keys: list[NDArray[Any]] = []
    for name, falls in by:
        key = _rank(rows[name])
        if not falls:
            keys.append(key)
        elif key.dtype.kind == "f":
            keys += [np.isnan(key), -key]
        else:
            keys.append(~key)
    return rows.take(pa.array(np.lexsort(keys[::-1])[:limit]))


def _rank(column: pa.ChunkedArray) -> NDArray[Any]:
    """Numbers in the order of a column: itself, or the places of its words among all of them."""
    if not (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
        numbers: NDArray[Any] = one(column).to_numpy(zero_copy_only=False)
        return numbers
    coded = one(column.dictionary_encode())
    place = np.empty(len(coded.dictionary), np.int64)
    place[pc.array_sort_indices(coded.dictionary).to_numpy()] = np.arange(len(place))
    found: NDArray[Any] = place[coded.indices.to_numpy()]
    return found
