"""What is known of the lake's Parquet files: where in them a series stands, where pages lie.

Files never change, so what was once found of one stays true: its footer, the series of a row group
that was looked into, the pages of a column that was read. Never a value of a row. All of it takes
INDEX_BYTES_MAX at most; files that were not asked for longest are forgotten first.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.lake_table.parquet import run_starts
from cloud.parquet_pages import Leaf, NotPages, Pages, Part, pages_of, small_file

INDEX_BYTES_MAX: Final = 96 << 20
"""A day of 100 M readings in some forty files takes 30 MB of it, sorted into few files less."""
_CHUNK_BYTES: Final = 450
"""What a library holds of one column of one row group."""
_HIGHEST: Final = "\U0010ffff"
_SORTED_BY: Final = ("gateway", "device", "metric")
_TYPES: Final = {"INT32": 1, "INT64": 2, "DOUBLE": 5, "BYTE_ARRAY": 6}
_CODECS: Final = {"UNCOMPRESSED": 0, "ZSTD": 6}
SeriesKey = tuple[str, str, str]
"""Gateway, device, metric."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a file holds a column: as which leaf, at which place; ``times`` makes µs of its times."""

    leaf: Leaf
    place: int
    times: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows [start, end) of a row group of a file."""

    file: "IndexedFile"
    group: int
    start: int
    end: int


@dataclass(slots=True, eq=False)
class IndexedFile:
    """A footer, and what was found behind it so far; ``size`` is about the memory it takes."""

    path: str
    footer: pq.FileMetaData
    columns: dict[str, Column]
    size: int
    _bounds: dict[int, tuple[SeriesKey, SeriesKey]] = field(default_factory=dict)
    _runs: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=dict)
    _pages: dict[tuple[int, str], Pages] = field(default_factory=dict)
    _nulls: dict[tuple[int, str], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, path: str) -> "IndexedFile":
        """The file's footer, read. OSError, ArrowException, NotPages."""
        footer = pq.read_metadata(path)
        of = (footer.schema.column(i) for i in range(footer.num_columns))
        columns = {one.name: _column(one, i, footer) for i, one in enumerate(of)}
        size = _CHUNK_BYTES * footer.num_columns * footer.num_row_groups + 1_000
        return cls(path, footer, columns, size)

    def stretches(self, key: SeriesKey, series: int) -> list[Stretch]:
        """Where a series stands, in order. Raises as `pages`; OSError."""
        found = []
        for group in self._groups(key):
            start, end = self._rows_of(group, series)
            if end > start:
                found.append(Stretch(self, group, start, end))
        return found

    def _groups(self, key: SeriesKey) -> range:
        """Row groups that may hold rows of a key: neighbours, for rows are sorted by it."""
        count = self.footer.num_row_groups
        first = _first(count, lambda group: self._high(group) >= key)
        return range(first, _first(count, lambda group: self._low(group) > key))

    def _low(self, group: int) -> SeriesKey:
        """No row of the group has a lower key; nor than any row of the group before it."""
        low = self._bounds_of(group)[0]
        return max(low, self._bounds_of(group - 1)[0]) if group else low

    def _high(self, group: int) -> SeriesKey:
        high = self._bounds_of(group)[1]
        last = group + 1 >= self.footer.num_row_groups
        return high if last else min(high, self._bounds_of(group + 1)[1])

    def _rows_of(self, group: int, series: int) -> tuple[int, int]:
        """Which rows of a group a series has, from the first up to the one behind the last."""
        found = self._runs.get(group)
        if found is None:
            count = self.footer.row_group(group).num_rows
            with OpenFile(self) as file:
                part, _ = file.part(group, "series", 0, count)
            ids = decoded(self.columns["series"].leaf, [part]).to_numpy(zero_copy_only=False)
            starts = run_starts(ids)
            found = ids[starts], np.append(starts, len(ids))
            self._runs[group] = found
            self.size += found[0].nbytes + found[1].nbytes + 200
        at = np.flatnonzero(found[0] == series)
        return (int(found[1][at[0]]), int(found[1][at[-1] + 1])) if len(at) else (0, 0)

    def is_null(self, group: int, name: str) -> bool:
        """Whether it is known that a column has no value in a group, or the file no such column."""
        known = self._nulls.get((group, name))
        if known is None:
            known = name not in self.columns
            if not known:
                told = self.footer.row_group(group).column(self.columns[name].place).statistics
                known = told is not None and told.has_null_count and not told.num_values
            self._nulls[group, name] = known
            self.size += 100
        return known

    def pages(self, group: int, name: str, read: Callable[[int, int], bytes]) -> tuple[int, Pages]:
        """Where a column's chunk of a group begins, and its pages in it; ``read`` reads the file.

        NotPages when it is damaged.
        """
        chunk = self.footer.row_group(group).column(self.columns[name].place)
        begin = chunk.data_page_offset
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            begin = min(begin, chunk.dictionary_page_offset)
        found = self._pages.get((group, name))
        if found is None:
            found = pages_of(read(begin, chunk.total_compressed_size))
            if found.rows[-1] != chunk.num_values:
                raise NotPages(f"the pages of {name} hold {found.rows[-1]} rows")
            self._pages[group, name] = found
            self.size += found.bytes
        return begin, found

    def _bounds_of(self, group: int) -> tuple[SeriesKey, SeriesKey]:
        found = self._bounds.get(group)
        if found is None:
            found = self._bounds[group] = _bounds(self.footer.row_group(group), self.columns)
            self.size += 400
        return found


class OpenFile:
    """A file that is open from its first page that is read until it is closed."""

    def __init__(self, file: IndexedFile) -> None:
        self.of = file
        self._handle: int | None = None

    def __enter__(self) -> "OpenFile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def part(self, group: int, name: str, start: int, end: int) -> tuple[Part, int]:
        """The pages that hold rows [start, end) of a group, and the row that they begin with."""
        begin, pages = self.of.pages(group, name, self._read)
        first, last = pages.around(start, end)
        low, high = pages.places[first], pages.places[last]
        dictionary = self._read(begin, pages.places[0]) if pages.places[0] else b""
        rows = pages.rows[last] - pages.rows[first]
        return Part(rows, dictionary, self._read(begin + low, high - low)), pages.rows[first]

    def _read(self, at: int, size: int) -> bytes:
        if self._handle is None:
            self._handle = os.open(self.of.path, os.O_RDONLY)
        found = os.pread(self._handle, size, at)
        if len(found) != size:
            raise NotPages(f"the file ends before byte {at + size}")
        return found


class FileIndex:
    """Files by their path; any thread may ask, several at once."""

    def __init__(self, bytes_max: int = INDEX_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._files: OrderedDict[str, IndexedFile] = OrderedDict()

    def file(self, path: str) -> IndexedFile:
        """A file by its path. OSError, ArrowException, NotPages when it cannot be read."""
        with self._lock:
            found = self._files.get(path)
            if found is not None:
                self._files.move_to_end(path)
                return found
        made = IndexedFile.of(path)
        with self._lock:
            found = self._files.setdefault(path, made)
            size = self.bytes
            while size > self._bytes_max and len(self._files) > 1:
                _, oldest = self._files.popitem(last=False)
                size -= oldest.size
        return found

    @property
    def bytes(self) -> int:
        """Memory that all of it takes, about."""
        return sum(file.size for file in self._files.values())


def decoded(leaf: Leaf, parts: list[Part]) -> pa.Array:
    """The values of parts, one after another, in the type that Parquet stores them as.

    ArrowException when they are damaged.
    """
    source = pa.BufferReader(small_file(leaf, parts))
    with pq.ParquetFile(source, pre_buffer=False, page_checksum_verification=True) as file:
        column = file.read(use_threads=False).column(0)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _column(one: Any, place: int, footer: pq.FileMetaData) -> Column:
    codec = footer.row_group(0).column(place).compression if footer.num_row_groups else "ZSTD"
    is_flat = one.max_definition_level == 1 and one.max_repetition_level == 0
    if not is_flat or one.physical_type not in _TYPES or codec not in _CODECS:
        raise NotPages(f"{one.name} is {one.physical_type}, {codec}: no column of ours")
    kind = one.logical_type.to_json()
    leaf = Leaf(_TYPES[one.physical_type], _CODECS[codec], '"String"' in kind)
    return Column(leaf, place, 1_000 if '"milliseconds"' in kind else 1)


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The first of so many for which it holds; it does for all behind it."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _bounds(group: Any, columns: dict[str, Column]) -> tuple[SeriesKey, SeriesKey]:
    """The least and the greatest key that rows of a group may have, by its statistics."""
    low, high = ["", "", ""], [_HIGHEST] * 3
    for at, name in enumerate(_SORTED_BY):
        found = group.column(columns[name].place).statistics
        if found is None or not found.has_min_max:
            break
        low[at], high[at] = found.min, found.max
        if found.min != found.max:
            break
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])
