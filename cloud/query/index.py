"""What is known of the lake's Parquet files: where in them a series stands, where pages lie.

Files never change, so what was once found of one stays true: its footer, the series of a row group
that was looked into, the pages of a column that was read, the one number that all rows of a row
group have. All of it takes INDEX_BYTES_MAX at most, and files that were not asked for longest are
forgotten first. Readings are never kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.errors import StorageError
from cloud.parquet.pages import NotPages, Pages
from cloud.parquet.small import Leaf

INDEX_BYTES_MAX: Final = 96 << 20
"""A day of 100 M readings in some forty files takes 40 MB of it, and as much when it is sorted."""
_CHUNK_BYTES: Final = 450
"""What a library holds of one column of one row group."""
_NOTE_BYTES: Final = 150
"""What an entry of a dictionary takes, with its key."""
_INT64_MIN: Final = int(np.iinfo(np.int64).min)
_INT64_MAX: Final = int(np.iinfo(np.int64).max)
_HIGHEST: Final = "\U0010ffff"
_SORTED_BY: Final = ("gateway", "device", "metric")
_TYPES: Final = {"INT32": 1, "INT64": 2, "DOUBLE": 5, "BYTE_ARRAY": 6}
_CODECS: Final = {"UNCOMPRESSED": 0, "ZSTD": 6}
_STRANGE: Final = Leaf(-1, -1)
"""A column that is not read here; nobody minds it as long as nobody asks for it."""
SeriesKey = tuple[str, str, str]
"""Gateway, device, metric."""
_Key = TypeVar("_Key")
_Note = TypeVar("_Note")
_Bounds = tuple[SeriesKey, SeriesKey]


@dataclass(frozen=True, slots=True)
class Column:
    """How a file holds a column: as which leaf, at which place; ``times`` makes µs of its times."""

    leaf: Leaf
    place: int
    times: int


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The series of a row group in their order, and where each begins; one more at the end."""

    series: NDArray[np.int64]
    starts: NDArray[np.int64]

    def of(self, series: int) -> tuple[int, int]:
        """The rows of a series, from the first up to the one behind the last."""
        at = np.flatnonzero(self.series == series)
        return (int(self.starts[at[0]]), int(self.starts[at[-1] + 1])) if len(at) else (0, 0)


@dataclass(slots=True, eq=False)
class IndexedFile:
    """A footer, and what was found behind it so far; ``size`` is about the memory it takes."""

    path: str
    footer: pq.FileMetaData
    columns: dict[str, Column]
    size: int
    _bounds: dict[int, _Bounds] = field(default_factory=dict)
    _nulls: dict[tuple[int, str], bool] = field(default_factory=dict)
    _runs: dict[int, Runs] = field(default_factory=dict)
    _pages: dict[tuple[int, str], Pages] = field(default_factory=dict)
    _words: dict[tuple[int, str], Any] = field(default_factory=dict)
    _latest: dict[str, int] = field(default_factory=dict)
    _spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    _places: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: str) -> "IndexedFile":
        """The file's footer, read. OSError, ArrowException."""
        footer = pq.read_metadata(path)
        of = (footer.schema.column(i) for i in range(footer.num_columns))
        columns = {one.path.split(".")[0]: _column(one, i, footer) for i, one in enumerate(of)}
        size = _CHUNK_BYTES * footer.num_columns * footer.num_row_groups + 1_000
        return cls(path, footer, columns, size)

    def groups(self, key: SeriesKey) -> range:
        """Row groups that may hold rows of a key: neighbours, for rows are sorted by it."""
        count = self.footer.num_row_groups
        first = _first(count, lambda group: self._high(group) >= key)
        return range(first, _first(count, lambda group: self._low(group) > key))

    def place(self, group: int, name: str) -> tuple[int, int]:
        """Where the chunk of a column begins in the file, and how many bytes it has.

        NotPages for a column that is none of ours.
        """
        return self._noted(self._places, (group, name), lambda: self._place(group, name), _size0)

    def _place(self, group: int, name: str) -> tuple[int, int]:
        if self.columns[name].leaf is _STRANGE:
            raise NotPages(f"{name} is no flat column of numbers, texts or bytes under zstd")
        chunk = self.footer.row_group(group).column(self.columns[name].place)
        begin = chunk.data_page_offset
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            begin = min(begin, chunk.dictionary_page_offset)
        return begin, chunk.total_compressed_size

    def rows(self, group: int) -> int:
        """Rows of a row group."""
        return int(self.footer.row_group(group).num_rows)

    def is_null(self, group: int, name: str) -> bool:
        """Whether it is known that a column has no value in a group, or the file no such column."""
        return self._noted(self._nulls, (group, name), lambda: self._all_null(group, name), _size0)

    def meets(self, group: int, from_us: int, to_us: int) -> bool:
        """Whether a group may have rows with ``ts`` in [from, to)."""
        low, high = self._noted(self._spans, group, lambda: self._span(group), _size0)
        return low < to_us and high >= from_us

    def runs(self, group: int, find: Callable[[], Runs]) -> Runs:
        """The series of a row group; ``find`` looks into it."""
        return self._noted(self._runs, group, find, lambda it: 2 * it.starts.nbytes)

    def pages(self, group: int, name: str) -> Pages | None:
        """The pages of a chunk that are known, from its first on; None as long as none are."""
        return self._pages.get((group, name))

    def note_pages(self, group: int, name: str, pages: Pages) -> None:
        """Know these pages of a chunk, which begin with those known before."""
        before = self._pages.get((group, name))
        self._pages[group, name] = pages
        self.size += pages.bytes - (before.bytes if before else -_NOTE_BYTES)

    def word(self, group: int, name: str, find: Callable[[], Any]) -> Any:
        """The only number of a chunk; ``find`` looks into it."""
        return self._noted(self._words, (group, name), find, _size0)

    def latest(self, name: str, find: Callable[[], int]) -> int:
        """The latest time of a column in all of the file; ``find`` reads it."""
        return self._noted(self._latest, name, find, _size0)

    def _noted(
        self, notes: dict[_Key, _Note], key: _Key, find: Callable[[], _Note],
        size: Callable[[_Note], int],
    ) -> _Note:  # fmt: skip
        if key in notes:
            return notes[key]
        found = notes[key] = find()
        self.size += size(found) + _NOTE_BYTES
        return found

    def _all_null(self, group: int, name: str) -> bool:
        if name not in self.columns:
            return True
        told = self.footer.row_group(group).column(self.columns[name].place).statistics
        return bool(told is not None and told.has_null_count and not told.num_values)

    def _span(self, group: int) -> tuple[int, int]:
        """The least and the greatest time in a group, µs, as far as its statistics tell."""
        held = self.columns["ts"]
        told = self.footer.row_group(group).column(held.place).statistics
        if told is None or not told.has_min_max:
            return _INT64_MIN, _INT64_MAX
        return told.min_raw * held.times, told.max_raw * held.times

    def _low(self, group: int) -> SeriesKey:
        """No row of the group has a lower key; nor than any row of the group before it."""
        low = self._bounds_of(group)[0]
        return max(low, self._bounds_of(group - 1)[0]) if group else low

    def _high(self, group: int) -> SeriesKey:
        high = self._bounds_of(group)[1]
        last = group + 1 >= self.footer.num_row_groups
        return high if last else min(high, self._bounds_of(group + 1)[1])

    def _bounds_of(self, group: int) -> _Bounds:
        found = self._bounds.get(group)
        if found is None:
            found = self._bounds[group] = _bounds(self.footer.row_group(group), self.columns)
            self.size += 2 * _NOTE_BYTES
        return found


class FileIndex:
    """Files by their path; any thread may ask, several at once."""

    def __init__(self, bytes_max: int = INDEX_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._files: OrderedDict[str, IndexedFile] = OrderedDict()

    def file(self, path: str) -> IndexedFile:
        """A file by its path. OSError, ArrowException when it cannot be read."""
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
        """Memory that all of it takes, about; what came to a file since counts at the next one."""
        return sum(file.size for file in self._files.values())


class reading:  # noqa: N801 - a context manager, which a generator is at four times the cost
    """StorageError, which names the files, for what is wrong with them meanwhile."""

    __slots__ = ("_paths",)

    def __init__(self, *paths: str) -> None:
        self._paths = paths

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, (pa.ArrowException, OSError, NotPages)):
            names = ", ".join(sorted(Path(path).name for path in self._paths))
            raise StorageError("query the lake", f"{names}: {error}") from error


def _size0(_: object) -> int:
    return 0


def _column(one: Any, place: int, footer: pq.FileMetaData) -> Column:
    codec = footer.row_group(0).column(place).compression if footer.num_row_groups else "ZSTD"
    is_flat = one.max_definition_level == 1 and one.max_repetition_level == 0
    if not is_flat or one.physical_type not in _TYPES or codec not in _CODECS:
        return Column(_STRANGE, place, 1)
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


def _bounds(group: Any, columns: dict[str, Column]) -> _Bounds:
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
