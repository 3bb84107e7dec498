"""Single pages of a file's columns, read: numbers at once where that is simple, else by a library.

Numbers that stand one after another in a page, with no null among them, need no decoding; neither
do those of a row group that has one number alone. Everything else is decoded by pyarrow from a
small file in memory (`cloud.parquet.small`). Checksums of pages are looked at either way.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.lake.table.parquet import run_starts
from cloud.parquet.pages import Body, NotPages, Pages, behind_levels, bodies, pages_of
from cloud.parquet.small import Leaf, Part, small_file
from cloud.query.footers import SeriesKey
from cloud.query.index import IndexedFile, Runs

_DTYPES: Final[Mapping[int, np.dtype[Any]]] = {
    1: np.dtype("<i4"),
    2: np.dtype("<i8"),
    5: np.dtype("<f8"),
}
_ZSTD: Final = 6
WINDOW_BYTES: Final = 8 << 10
"""Of a chunk, read at once beyond the share of it that the rows wanted should take."""
_UNPACK: Final = pa.Codec("zstd")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows [start, end) of a row group of a file."""

    file: IndexedFile
    group: int
    start: int
    end: int


class OpenFile:
    """A file that is open from its first page that is read until it is left.

    All methods raise NotPages, OSError or ArrowException when the file is damaged.
    """

    def __init__(self, file: IndexedFile) -> None:
        self.of = file
        self._handle: int | None = None

    def __enter__(self) -> "OpenFile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def runs(self, group: int) -> Runs:
        """The series of a row group."""
        return self.of.runs(group, lambda: self._runs(group))

    def numbers(self, group: int, name: str, start: int, end: int) -> NDArray[Any] | None:
        """The numbers of rows [start, end) as they are stored; None where `part` must tell them.

        That is where they are packed, words of a dictionary, no numbers, or some of them null.
        """
        leaf = self.of.columns[name].leaf
        pages, dtype = self._pages(group, name, end), _DTYPES.get(leaf.type)
        if dtype is None or not pages.is_ours:
            return None
        if pages.words == 1:
            word = self.of.word(group, name, lambda: self._word(group, name))
            return None if word is None else np.full(end - start, word, dtype)
        if not pages.is_plain:
            return None
        first, last = pages.around(start, end)
        found = []
        for one in bodies(self._chunk(group, name, pages.places[first], pages.places[last])):
            page = _unpacked(one, leaf)
            begin = behind_levels(page, one.rows)
            if begin is None or len(page) - begin != one.rows * dtype.itemsize:
                return None
            found.append(np.frombuffer(page, dtype, one.rows, begin))
        held = found[0] if len(found) == 1 else np.concatenate(found)
        skip = start - pages.rows[first]
        return held[skip : skip + end - start]

    def part(self, group: int, name: str, start: int, end: int) -> tuple[Part, int]:
        """The pages that hold rows [start, end) of a group, and the row that they begin with."""
        pages = self._pages(group, name, end)
        first, last = pages.around(start, end)
        words = pages.places[0]
        dictionary = self._chunk(group, name, 0, words) if words else b""
        data = self._chunk(group, name, pages.places[first], pages.places[last])
        return Part(pages.rows[last] - pages.rows[first], dictionary, data), pages.rows[first]

    def _runs(self, group: int) -> Runs:
        part, _ = self.part(group, "series", 0, self.of.rows(group))
        ids = decoded(self.of.columns["series"].leaf, [part]).to_numpy(zero_copy_only=False)
        starts = run_starts(ids)
        return Runs(ids[starts], np.append(starts, len(ids)))

    def _pages(self, group: int, name: str, end: int) -> Pages:
        """The pages of a chunk, up to that of the row before ``end`` at least.

        Only as much of the chunk is looked at as that takes, for its headers lie between its bytes.
        """
        found = self.of.pages(group, name)
        if found is not None and found.rows[-1] >= end:
            return found
        whole, rows = self.of.place(group, name)[1], self.of.rows(group)
        window = WINDOW_BYTES + whole * end // rows
        while found is None or found.rows[-1] < end:
            at = found.places[-1] if found else 0
            if at >= whole:
                raise NotPages(f"{name} has no row {end - 1} in a group of {rows}")
            data = self._chunk(group, name, at, min(at + window, whole))
            more = pages_of(data, found, is_end=at + len(data) == whole)
            window *= 2 if found is not None and more.places[-1] == at else 1
            found = more
        self.of.note_pages(group, name, found)
        return found

    def _word(self, group: int, name: str) -> Any:
        """The only number that a chunk has; None where some of its rows may be null."""
        leaf, rows = self.of.columns[name].leaf, self.of.rows(group)
        pages = self._pages(group, name, rows)
        if not pages.is_ours:
            return None
        data = self._chunk(group, name, pages.places[0], pages.places[-1])
        for one in bodies(data):
            if not one.is_words or behind_levels(_unpacked(one, leaf), one.rows) is None:
                return None
        part, _ = self.part(group, name, 0, 1)
        return decoded(leaf, [part])[0].as_py()

    def _chunk(self, group: int, name: str, start: int, end: int) -> bytes:
        """Bytes [start, end) of a column chunk."""
        at = self.of.place(group, name)[0] + start
        if self._handle is None:
            self._handle = os.open(self.of.path, os.O_RDONLY)
        found = os.pread(self._handle, end - start, at)
        if len(found) != end - start:
            raise NotPages(f"the file ends before byte {at + end - start}")
        return found


def stretches(
    file: IndexedFile, key: SeriesKey, series: int, from_us: int, to_us: int
) -> list[Stretch]:
    """Where a series may have rows with ``ts`` in [from, to), in order. Raises as OpenFile."""
    found = []
    with OpenFile(file) as opened:
        for group in file.groups(key):
            if not file.meets(group, from_us, to_us):
                continue
            start, end = opened.runs(group).of(series)
            if end > start:
                found.append(Stretch(file, group, start, end))
    return found


def decoded(leaf: Leaf, parts: list[Part]) -> pa.Array:
    """The values of parts, one after another, in the type that Parquet stores them as.

    ArrowException when they are damaged.
    """
    source = pa.BufferReader(small_file(leaf, parts))
    with pq.ParquetFile(source, pre_buffer=False, page_checksum_verification=True) as file:
        column = file.read(use_threads=False).column(0)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _unpacked(one: Body, leaf: Leaf) -> Any:
    return _UNPACK.decompress(one.stored, one.size) if leaf.codec == _ZSTD else one.stored
