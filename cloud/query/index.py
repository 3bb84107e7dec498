"""What is known of the lake's Parquet files: where in them a series stands, where pages lie.

Files never change, so what was once found of one stays true: what its footer says, the series of a
row group that was looked into, the pages of a column that was read, the one number that all rows of
a row group have. All of it takes INDEX_BYTES_MAX at most, and files that were not asked for longest
are forgotten first. Readings are never kept.
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
from cloud.query.footers import STRANGE, Chunks, Column, SeriesKey

INDEX_BYTES_MAX: Final = 96 << 20
"""A day of 100 M readings in some forty files takes 40 MB of it, and as much when it is sorted."""
_CHUNK_BYTES: Final = 2_000
"""What a library holds of one column of one row group."""
FOOTER_CHUNKS_MAX: Final = 256
"""A footer of so many is kept as the library has it, for whoever reads whole columns."""
ASKED: Final = 256
"""So many questions for a file later it is looked whether all that is known is too much."""
_NOTE_BYTES: Final = 150
"""What an entry of a dictionary takes, with its key."""
_Key = TypeVar("_Key")
_Note = TypeVar("_Note")


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
    """What a footer says, and what was found behind it so far.

    ``rows_all``: rows of the whole file; ``footer``: None where it is large; ``size`` is about the
    memory that all takes.
    """

    path: str
    rows_all: int
    chunks: Chunks
    footer: pq.FileMetaData | None
    size: int
    _runs: dict[int, Runs] = field(default_factory=dict)
    _pages: dict[tuple[int, str], Pages] = field(default_factory=dict)
    _words: dict[tuple[int, str], Any] = field(default_factory=dict)
    _latest: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, path: str) -> "IndexedFile":
        """The file's footer, read. OSError, ArrowException."""
        footer = pq.read_metadata(path)
        chunks, count = Chunks.of(footer), footer.num_columns * footer.num_row_groups
        is_small = count <= FOOTER_CHUNKS_MAX
        size = chunks.bytes + _CHUNK_BYTES * count * is_small + 1_000
        return cls(path, footer.num_rows, chunks, footer if is_small else None, size)

    @property
    def columns(self) -> dict[str, Column]:
        """The file's columns by name."""
        return self.chunks.columns

    def groups(self, key: SeriesKey) -> range:
        """Row groups that may hold rows of a key: neighbours, for rows are sorted by it."""
        count = len(self.chunks.rows)
        first = _first(count, lambda group: self._high(group) >= key)
        return range(first, _first(count, lambda group: self._low(group) > key))

    def place(self, group: int, name: str) -> tuple[int, int]:
        """Where the chunk of a column begins in the file, and how many bytes it has.

        NotPages for a column that is none of ours.
        """
        held, chunks = self.columns[name], self.chunks
        if held.leaf is STRANGE:
            raise NotPages(f"{name} is no flat column of numbers, texts or bytes under zstd")
        return int(chunks.begins[group, held.place]), int(chunks.sizes[group, held.place])

    def rows(self, group: int) -> int:
        """Rows of a row group."""
        return int(self.chunks.rows[group])

    def is_null(self, group: int, name: str) -> bool:
        """Whether it is known that a column has no value in a group, or the file no such column."""
        held = self.columns.get(name)
        return held is None or bool(self.chunks.is_null[group, held.place])

    def meets(self, group: int, from_us: int, to_us: int) -> bool:
        """Whether a group may have rows with ``ts`` in [from, to)."""
        low, high = self.chunks.spans[group]
        return bool(low < to_us and high >= from_us)

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

    def _low(self, group: int) -> SeriesKey:
        """No row of the group has a lower key; nor than any row of the group before it."""
        bounds = self.chunks.bounds
        return max(bounds[group][0], bounds[group - 1][0]) if group else bounds[0][0]

    def _high(self, group: int) -> SeriesKey:
        bounds = self.chunks.bounds
        return min(one[1] for one in bounds[group : group + 2])


class FileIndex:
    """Files by their path; any thread may ask, several at once."""

    def __init__(self, bytes_max: int = INDEX_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._files: OrderedDict[str, IndexedFile] = OrderedDict()
        self._asked = 0

    def file(self, path: str) -> IndexedFile:
        """A file by its path. OSError, ArrowException when it cannot be read."""
        with self._lock:
            found = self._files.get(path)
            if found is not None:
                self._files.move_to_end(path)
                self._asked += 1
                if self._asked % ASKED == 0:  # more came to be known of those that are there
                    self._forget()
                return found
        made = IndexedFile.of(path)
        with self._lock:
            found = self._files.setdefault(path, made)
            self._forget()
        return found

    def look_ahead(self, path: str) -> bool:
        """Come to know a file before it is asked for; False when half of all room is taken.

        OSError, ArrowException when it cannot be read.
        """
        with self._lock:
            is_room = 2 * self.bytes < self._bytes_max
        if is_room:
            self.file(path)
        return is_room

    def _forget(self) -> None:
        """Those that were not asked for longest, while all is too much."""
        size = self.bytes
        while size > self._bytes_max and len(self._files) > 1:
            _, oldest = self._files.popitem(last=False)
            size -= oldest.size

    @property
    def bytes(self) -> int:
        """Memory that all of it takes, about; what came to a file since counts before long."""
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


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The first of so many for which it holds; it does for all behind it."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
