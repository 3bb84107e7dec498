"""One run of sorted files, read a row group at a time as far as a merge needs it."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.errors import StorageError
from cloud.lake.sort_plan import Bounds, Key
from cloud.lake.table.parquet import run_starts, times
from cloud.lake.table.row_groups import ROW_BYTES, groups_of, open_file, read_group
from cloud.lake.table.schema import SERIES_COLUMNS, TableSpec

KEYS_MAX: Final = 65_536
"""Series whose names are remembered, some 400 B each; rows of one come close together."""

Place = tuple[Key, int]
"""Series and time: where a row stands in the order."""


class SeriesKeys:
    """Names of series by id, shared by streams: each has the same series, and reads names once."""

    def __init__(self) -> None:
        self._known: dict[int, Key] = {}

    def of(self, rows: pa.Table, starts: NDArray[np.int64]) -> list[Key]:
        """The series of these rows."""
        ids = rows["series"].to_numpy()[starts].tolist()
        fresh = [at for at, each in enumerate(ids) if each not in self._known]
        if fresh:
            if len(self._known) > KEYS_MAX:
                self._known.clear()
                fresh = list(range(len(ids)))
            heads = rows.select(SERIES_COLUMNS).take(pa.array(starts[fresh])).to_pydict()
            names = zip(*heads.values(), strict=True)
            self._known.update(zip((ids[at] for at in fresh), names, strict=True))
        return [self._known[each] for each in ids]


@dataclass(slots=True, eq=False)
class _Held:
    """Rows of a row group, and where each series in it begins."""

    rows: pa.Table
    starts: NDArray[np.int64]
    keys: list[Key]
    ts: NDArray[np.int64]

    @classmethod
    def of(cls, rows: pa.Table, names: SeriesKeys) -> "_Held":
        starts = run_starts(rows["series"].to_numpy())
        return cls(rows, starts, names.of(rows, starts), times(rows["ts"]))

    @property
    def first(self) -> Place:
        return self.keys[0], int(self.ts[0])

    @property
    def last(self) -> Place:
        return self.keys[-1], int(self.ts[-1])

    def below(self, bound: Place) -> int:
        """How many rows, from the first, come before a place."""
        run = bisect_left(self.keys, bound[0])
        if run == len(self.keys):
            return len(self.ts)
        low = int(self.starts[run])
        if self.keys[run] != bound[0]:
            return low
        high = int(self.starts[run + 1]) if run + 1 < len(self.starts) else len(self.ts)
        return low + int(np.searchsorted(self.ts[low:high], bound[1]))


class Stream:
    """Rows of ``paths``, which do not overlap and are in order, given out up to a place at a time.

    Nothing stays in memory or open between `park` and the next `fill`.
    """

    def __init__(self, paths: Sequence[Path], spec: TableSpec, names: SeriesKeys) -> None:
        self._spec = spec
        self._names = names
        self._groups = [one for path in paths for one in groups_of(path, spec)]
        self._given = 0
        """Groups that were given out whole."""
        self._skip = 0
        """Rows of the next one that were given out."""
        self._ahead = 0
        """Groups that were read."""
        self._held: list[_Held] = []
        self._open: tuple[Path, pq.ParquetFile] | None = None

    @property
    def rows(self) -> int:
        """Rows in memory."""
        return sum(len(held.ts) for held in self._held)

    @property
    def is_read(self) -> bool:
        """Whether all its rows were read, in memory or given out."""
        return self._ahead >= len(self._groups)

    @property
    def last(self) -> Place | None:
        """Where the last row in memory stands."""
        return self._held[-1].last if self._held else None

    def fill(self, bytes_min: int, bytes_max: int) -> None:
        """Read on until so much is in memory, and rows of two places at least.

        StorageError when the file cannot be read, or more than ``bytes_max`` are of one place.
        """
        size = sum(_bytes_of(held.rows) for held in self._held)
        while not self.is_read and (size < bytes_min or not self._moves):
            if size > bytes_max:
                place = f"{self._held[0].keys[0]} at {self._held[0].ts[0]} µs"
                raise StorageError(f"sort {self._spec.name}", f"too many rows of {place}")
            self._held.append(_Held.of(self._next(), self._names))
            size += _bytes_of(self._held[-1].rows)

    def take(self, bound: Place | None) -> list[pa.Table]:
        """All rows in memory that stand before a place; all there are for None."""
        found: list[pa.Table] = []
        while self._held:
            held = self._held[0]
            count = len(held.ts) if bound is None else held.below(bound)
            if count:
                found.append(held.rows.slice(0, count))
                self._pass_over(count)
            if count < len(held.ts):
                if count:
                    self._held[0] = _Held.of(held.rows.slice(count), self._names)
                break
            self._held.pop(0)
        return found

    def park(self) -> None:
        """Let go of what is in memory; it is read again."""
        self._held = []
        self._ahead = self._given
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    @property
    def _moves(self) -> bool:
        return bool(self._held) and self._held[0].first != self._held[-1].last

    def _pass_over(self, count: int) -> None:
        self._skip += count
        while self._given < len(self._groups) and self._skip >= self._groups[self._given].rows:
            self._skip -= self._groups[self._given].rows
            self._given += 1

    def _next(self) -> pa.Table:
        """The next row group, without the rows of it that were given out."""
        group = self._groups[self._ahead]
        if self._open is None or self._open[0] != group.path:
            self.close()
            self._open = (group.path, open_file(group.path, self._spec))
        rows = read_group(self._open[1], group, self._spec)
        rows = rows.slice(self._skip) if self._ahead == self._given else rows
        self._ahead += 1
        return rows


def bounds_of(path: Path, spec: TableSpec) -> tuple[Bounds, int]:
    """Between which series a file lies, and its first time."""
    groups, names = groups_of(path, spec), SeriesKeys()
    with open_file(path, spec) as file:
        first, last = (
            _Held.of(read_group(file, group, spec), names) for group in (groups[0], groups[-1])
        )
    return Bounds(first.keys[0], last.keys[-1]), int(first.ts[0])


def group_bytes(path: Path, spec: TableSpec) -> int:
    """What the largest row group of a file takes in memory, as far as the footer tells."""
    return max(group.bytes for group in groups_of(path, spec))


def _bytes_of(rows: pa.Table) -> int:
    words = sum(chunk.dictionary.nbytes for chunk in rows["text"].chunks)
    return int(rows.num_rows * ROW_BYTES + words)
