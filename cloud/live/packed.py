"""Pure: rows of the tail, encoded: each column in the least room that gives it back bit for bit.

Rows are arranged, so that those of one series stand together (a *run*). What is the same in each
run is kept once a run; whole numbers and times are kept as distances from the least of them, in as
few bytes as the widest needs, times in milliseconds where all are whole ones; what does not gain by
either stays as it is. A slice is decoded when it is asked for, and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

WIDTHS: Final = (np.uint8, np.uint16, np.uint32)
_STEPS: Final = (1, 1000)
_FAR: Final = 1 << 61
Ints = NDArray[np.int64]


class Column(Protocol):
    """One column, encoded."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""

    def slice(self, start: int, end: int, of: "int | NDArray[np.int32]") -> pa.Array:
        """The rows in [start, end), which are ``of`` one run, or each of some."""


@dataclass(frozen=True, slots=True)
class Plain:
    """``values`` as they came."""

    values: pa.Array

    @property
    def nbytes(self) -> int:
        """As `Column`."""
        return int(self.values.nbytes)

    def slice(self, start: int, end: int, of: "int | NDArray[np.int32]") -> pa.Array:
        """As `Column`."""
        return self.values.slice(start, end - start)


@dataclass(frozen=True, slots=True)
class Near:
    """Value = ``base`` + ``step`` × distance."""

    base: int
    step: int
    distances: NDArray[Any]
    kind: pa.DataType

    @property
    def nbytes(self) -> int:
        """As `Column`."""
        return self.distances.nbytes

    def slice(self, start: int, end: int, of: "int | NDArray[np.int32]") -> pa.Array:
        """As `Column`."""
        values = self.distances[start:end].astype(np.int64)
        if self.step != 1:
            values *= self.step
        values += self.base
        return _arrow(values, self.kind)


@dataclass(frozen=True, slots=True)
class OfRun:
    """``values`` has one of each run: whole numbers, or codes of the ``words``."""

    values: NDArray[Any]
    kind: pa.DataType
    words: pa.Array | None

    @property
    def nbytes(self) -> int:
        """As `Column`."""
        return self.values.nbytes + (0 if self.words is None else int(self.words.nbytes))

    def slice(self, start: int, end: int, of: "int | NDArray[np.int32]") -> pa.Array:
        """As `Column`."""
        one = isinstance(of, int)
        values = np.full(end - start, self.values[of]) if one else self.values[of]
        if self.words is None:
            return _arrow(values, self.kind)
        return pa.DictionaryArray.from_arrays(pa.array(values), self.words)


@dataclass(frozen=True, slots=True)
class Nulls:
    """No row has a value."""

    kind: pa.DataType
    nbytes: int = 0

    def slice(self, start: int, end: int, of: "int | NDArray[np.int32]") -> pa.Array:
        """As `Column`."""
        return pa.nulls(end - start, self.kind)


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Arranged rows, encoded; ``runs``: where each run begins, int32."""

    schema: pa.Schema
    rows: int
    runs: NDArray[np.int32]
    columns: Mapping[str, Column]

    @classmethod
    def of(cls, rows: pa.Table, runs: Ints) -> Self:
        """Encode rows whose columns are one chunk each and whose runs begin there; at least one."""
        columns = {name: encoded(_one(rows[name]), runs) for name in rows.column_names}
        return cls(rows.schema, rows.num_rows, runs.astype(np.int32), columns)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.runs.nbytes + sum(column.nbytes for column in self.columns.values())

    def slice(self, start: int, end: int, names: Sequence[str] = ()) -> pa.Table:
        """The rows in [start, end), which are some, as they were; of ``names`` where given."""
        told, of = names or self.schema.names, self._runs_of(start, end)
        arrays = [self.columns[name].slice(start, end, of) for name in told]
        schema = pa.schema([self.schema.field(name) for name in names]) if names else self.schema
        return pa.Table.from_arrays(arrays, schema=schema)

    def column(self, name: str, start: int, end: int) -> pa.Array:
        """One column of them."""
        return self.columns[name].slice(start, end, self._runs_of(start, end))

    def of_rows(self) -> "int | NDArray[np.int32]":
        """Of which run each row is, as `Column.slice` takes it for all of them."""
        return self._runs_of(0, self.rows)

    def heads(self, names: Sequence[str]) -> pa.Table:
        """The first row of each run, of these columns."""
        every = np.arange(len(self.runs), dtype=np.int32)
        arrays = []
        for name in names:
            column = self.columns[name]
            if isinstance(column, OfRun):
                arrays.append(column.slice(0, len(every), every))
            else:
                rows = column.slice(0, self.rows, self.of_rows())
                arrays.append(rows.take(pa.array(self.runs)))
        return pa.table(arrays, names=list(names))

    def _runs_of(self, start: int, end: int) -> "int | NDArray[np.int32]":
        ends = np.array([start, end - 1], np.int32)
        first, last = np.searchsorted(self.runs, ends, "right").tolist()
        if first == last:
            return int(first - 1)
        edges = np.append(np.maximum(self.runs[first - 1 : last], start), end)
        return np.repeat(np.arange(first - 1, last, dtype=np.int32), np.diff(edges))


@dataclass(frozen=True, slots=True, eq=False)
class Runs(Mapping[int, tuple[int, int]]):
    """By series, from which row to which it stands; ``series`` are sorted, ``at`` is their run."""

    series: Ints
    at: NDArray[np.int32]
    starts: NDArray[np.int32]
    rows: int

    @classmethod
    def of(cls, series: Ints, starts: NDArray[np.int32], rows: int) -> Self:
        """From the series of each run."""
        order = np.argsort(series, kind="stable")
        return cls(series[order], order.astype(np.int32), starts, rows)

    @property
    def nbytes(self) -> int:
        """Memory that it takes beside ``starts``, which the rows have."""
        return self.series.nbytes + self.at.nbytes

    def __getitem__(self, series: int) -> tuple[int, int]:
        """KeyError when there are no rows of it."""
        found = int(np.searchsorted(self.series, series))
        if found == len(self.series) or self.series[found] != series:
            raise KeyError(series)
        run = int(self.at[found])
        end = self.rows if run + 1 == len(self.starts) else int(self.starts[run + 1])
        return int(self.starts[run]), end

    def __iter__(self) -> Iterator[int]:
        return iter(self.series.tolist())

    def __len__(self) -> int:
        return len(self.series)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _arrow(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Whole numbers, of the kind's own width or int64, as Arrow has them."""
    whole = pa.array(values)
    if whole.type == kind:
        return whole
    return whole.view(kind) if pa.types.is_timestamp(kind) else whole.cast(kind)


def encoded(values: pa.Array, runs: Ints) -> Column:
    """A column in the least room, of rows whose runs begin there."""
    kind = values.type
    if values.null_count:
        return Nulls(kind) if values.null_count == len(values) else Plain(values)
    if pa.types.is_dictionary(kind):
        codes = values.indices.to_numpy()
        return OfRun(codes[runs], kind, values.dictionary) if _same(codes, runs) else Plain(values)
    if not _is_whole(values):
        return Plain(values)
    whole = _ints(values)
    if 2 * len(runs) <= len(values) and _same(whole, runs):
        return OfRun(whole[runs], kind, None)
    return _near(values) or Plain(values)


def _is_whole(values: pa.Array) -> bool:
    return bool(pa.types.is_integer(values.type) or pa.types.is_timestamp(values.type))


def _ints(values: pa.Array) -> NDArray[Any]:
    is_time = pa.types.is_timestamp(values.type)
    found: NDArray[Any] = (values.view(pa.int64()) if is_time else values).to_numpy()
    return found


def _same(values: NDArray[Any], runs: Ints) -> bool:
    """Whether the values change where runs begin alone."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    return len(changes) < len(runs) and bool(np.isin(changes, runs, assume_unique=True).all())


def _near(values: pa.Array) -> Near | None:
    """None where nothing is gained."""
    whole = _ints(values)
    low, high = int(whole.min()), int(whole.max())
    if not -_FAR < low <= high < _FAR:
        return None
    distances = whole.astype(np.int64)
    distances -= low
    found: Near | None = None
    size = whole.dtype.itemsize
    for step in _STEPS:
        width = next((w for w in WIDTHS if (high - low) // step <= np.iinfo(w).max), None)
        if width is None or np.dtype(width).itemsize >= size:
            continue
        steps = distances if step == 1 else distances // step
        if step == 1 or np.array_equal(steps * step, distances):
            found, size = Near(low, step, steps.astype(width), values.type), width().itemsize
    return found
