"""What is known of a table's data files, and which of them a query must open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.table.schema import PERIOD

_MIN: Final = np.iinfo(np.int64).min
_MAX: Final = np.iinfo(np.int64).max

_RELEASE: Final = "release-"
_SORTED: Final = "sorted"
_PART: Final = "part"

_Devices = tuple[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a table; ``path`` is relative to the table's folder.

    ``start`` < offsets of its rows ≤ ``end``; ``ts_min``, ``ts_max`` in µs, both inside.
    """

    path: str
    period: str
    rows: int
    bytes: int
    start: int
    end: int
    ts_min: int
    ts_max: int
    devices: _Devices | None
    """Least and greatest (gateway, device); None when the log does not tell."""

    @property
    def is_release(self) -> bool:
        """Whether it holds a block that lies within the offsets of another file."""
        return self.path.rsplit("/", 1)[-1].startswith(_RELEASE)

    @property
    def ticket(self) -> int:
        """Of the release that it holds; 0 for a file of a pass or a merge."""
        return int(self.path.rsplit("/", 1)[-1].split("-")[1]) if self.is_release else 0

    @property
    def is_sorted(self) -> bool:
        """Whether sorting wrote it, which takes the least room (`cloud.lake.table.dense`)."""
        return self.path.rsplit("/", 1)[-1].startswith(_SORTED)

    @property
    def run(self) -> int:
        """Files of one period and run do not overlap in (series, ts); 0: it is of none."""
        name = self.path.rsplit("/", 1)[-1]
        if name.startswith(_PART):
            return -self.end
        return int(name[len(_SORTED) :].split(".")[0]) if name.startswith(_SORTED) else 0


@dataclass(frozen=True, slots=True, weakref_slot=True)
class FileList:
    """The files of one table at one version, immutable; ``folder`` is the table's own, absolute."""

    folder: str
    version: int
    files: tuple[DataFile, ...]
    _ts_min: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _ts_max: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lows = np.array([file.ts_min for file in self.files], np.int64)
        highs = np.array([file.ts_max for file in self.files], np.int64)
        object.__setattr__(self, "_ts_min", lows)
        object.__setattr__(self, "_ts_max", highs)

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Size of all files on disk."""
        return sum(file.bytes for file in self.files)

    def paths(self) -> list[str]:
        """Absolute paths of all files."""
        return [f"{self.folder}/{file.path}" for file in self.files]

    def pick(self, from_us: int, to_us: int, device: tuple[str, str] | None = None) -> list[str]:
        """Absolute paths of the files that may hold times in [from, to) of (gateway, device)."""
        return [self.path(file) for file in self.near(from_us, to_us, device)]

    def near(
        self, from_us: int, to_us: int, device: tuple[str, str] | None = None
    ) -> list[DataFile]:
        """The files that may hold times in [from, to) of (gateway, device)."""
        near = np.flatnonzero((self._ts_min < to_us) & (self._ts_max >= from_us))
        return [
            file
            for file in (self.files[i] for i in near)
            if device is None
            or file.devices is None
            or file.devices[0] <= device <= file.devices[1]
        ]

    def path(self, file: DataFile) -> str:
        """The absolute path of one of the files."""
        return f"{self.folder}/{file.path}"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows, arranged, of offsets in (start, end], and the period that they are to lie in."""

    rows: pa.Table
    period: str
    start: int
    end: int


def file_name(start: int, end: int, merged: int | None = None, part: int = 0) -> str:
    """The name of rows of offsets in (start, end], as a pass or a merge wrote them.

    A pass repeated gets its name again. ``merged`` is the table's version that a merge makes: two
    merges may span the same offsets, of other rows. ``part``: of a pass that has several.
    """
    by = f"pass{part or ''}" if merged is None else f"merged{merged}"
    return f"{by}-{start:016d}-{end:016d}.parquet"


def release_name(offset: int, ticket: int) -> str:
    """The name of the rows of one block, taken in later than its neighbours; never merged."""
    return f"{_RELEASE}{ticket}-{offset - 1:016d}-{offset:016d}.parquet"


def sorted_name(run: int, version: int, number: int, start: int, end: int) -> str:
    """The name of a file of a run, the ``number``-th of what is made at a version of the table."""
    return f"{_SORTED}{run}.{version}.{number}-{start:016d}-{end:016d}.parquet"


def part_name(start: int, end: int, part: int) -> str:
    """The name of a part of a pass, none of which overlaps another in (series, ts)."""
    return f"{_PART}{part}-{start:016d}-{end:016d}.parquet"


def from_add_actions(rows: Iterable[Mapping[str, Any]]) -> tuple[DataFile, ...]:
    """Files from the flattened add actions of a Delta log, in order of their path."""
    return tuple(sorted((_data_file(row) for row in rows), key=lambda file: file.path))


def _data_file(row: Mapping[str, Any]) -> DataFile:
    path = row["path"]
    start, end = path.rsplit("/", 1)[-1].removesuffix(".parquet").split("-")[-2:]
    low, high = row.get("min.ts"), row.get("max.ts")
    first = (row.get("min.gateway"), row.get("min.device"))
    last = (row.get("max.gateway"), row.get("max.device"))
    return DataFile(
        path,
        row[f"partition.{PERIOD}"],
        row["num_records"],
        row["size_bytes"],
        int(start),
        int(end),
        _MIN if low is None else int(low),
        _MAX if high is None else int(high),
        None if None in (*first, *last) else cast("_Devices", (first, last)),
    )
