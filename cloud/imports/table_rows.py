"""Rows of a table (CSV, Parquet) as readings, by the layout of its columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud.imports.cell_values import read_cells
from cloud.imports.clock_times import REASONS, Problems, TimeRule, read_times
from cloud.imports.columns import Layout
from cloud.imports.piece import (
    Keys,
    Numbers,
    Piece,
    Reason,
    Reject,
    Times,
    Words,
    labels_of,
    too_long,
)
from protos.series import SeriesKey, SeriesKind

_KINDS: Final = {"states": SeriesKind.STATE, "texts": SeriesKind.STATE}
Rows = NDArray[np.int64]


@dataclass(slots=True)
class TableReader:
    """Turns batches of rows into pieces. ``counters``: metrics of kind counter.

    ``first_row``: the number of the next batch's first row, from 1.
    """

    layout: Layout
    rule: TimeRule
    keys: Keys
    counters: frozenset[str] = frozenset()
    units: tuple[tuple[str, str], ...] = ()
    decimal: str = "."
    first_row: int = 1

    def piece(self, batch: pa.RecordBatch, done: int, more: tuple[Reject, ...] = ()) -> Piece:
        """The readings of a batch whose columns are those of the layout."""
        layout, count = self.layout, batch.num_rows
        ts, problems = read_times(_plain(batch[layout.time]), self.rule)
        rejects = [*more, *self._bad_times(batch[layout.time], problems)]
        found = _Found([], [], rejects, 0)
        good = problems == 0
        if layout.metric_column:
            names = (layout.metric_column, layout.device_column, layout.unit_column)
            self._column(found, batch, layout.value_column, good, ts, names)
        else:
            for metric in layout.metrics:
                self._column(found, batch, metric.column, good, ts, (metric.metric, metric.unit))
        self.first_row += count
        return Piece(found.numbers, found.words, found.rejects, count, found.missing, done)

    def _bad_times(self, column: pa.Array, problems: Problems) -> Iterator[Reject]:
        for row in np.flatnonzero(problems).tolist():
            text = _shown(column[row])
            yield Reject(self.first_row + row, self.layout.time, REASONS[problems[row] - 1], text)

    def _column(
        self,
        found: "_Found",
        batch: pa.RecordBatch,
        name: str,
        good: NDArray[np.bool_],
        ts: Times,
        names: tuple[str, ...],
    ) -> None:
        """Add the readings of a column of values."""
        column = _plain(batch[name])
        cells = read_cells(column, self.decimal)
        found.missing += cells.missing
        found.rejects += [
            Reject(self.first_row + row, name, why, _shown(column[row]))
            for row, why in cells.rejected
        ]
        groups = self._groups(found, batch, names)
        for part in ("numbers", "states", "texts"):
            rows, values = getattr(cells, part)
            keep = good[rows] & groups.named[rows]
            rows, values = rows[keep], values[keep]
            if not len(rows):
                continue
            series = groups.series(self, part, rows)
            if part == "texts":
                found.words.append(Words(series, ts[rows], values))
            else:
                found.numbers.append(Numbers(series, ts[rows], values))

    def _groups(self, found: "_Found", batch: pa.RecordBatch, names: tuple[str, ...]) -> "_Groups":
        """Which rows have the same name, as far as columns tell it."""
        layout = self.layout
        is_long = bool(layout.metric_column)
        of = [names[0], layout.device_column, names[2]] if is_long else ["", layout.device_column]
        columns = [batch[name] if name else None for name in (*of, *layout.labels)]
        count = batch.num_rows
        codes, told = _coded([_plain(column) for column in columns if column is not None], count)
        rows: list[tuple[str, str, str, tuple[tuple[str, str], ...]]] = []
        for values in told:
            given = iter(values)
            cells = [next(given) if column is not None else None for column in columns]
            metric = (cells[0] or "").strip() if is_long else names[0]
            unit = (cells[2] or "").strip() if is_long else names[1]
            unit = dict(self.units).get(metric, unit)
            device = (cells[1] or "").strip() if layout.device_column else layout.device
            pairs = zip(layout.labels, cells[len(of) :], strict=True)
            rows.append((device, metric, unit, labels_of({k: (v or "").strip() for k, v in pairs})))
        groups = _Groups(rows, codes)
        for row, why in groups.faults:
            found.rejects.append(Reject(self.first_row + row, names[0], why, ""))
        return groups


@dataclass(slots=True)
class _Found:
    numbers: list[Numbers]
    words: list[Words]
    rejects: list[Reject]
    missing: int


class _Groups:
    """Names of series (device, metric, unit, labels), and which of them each row has."""

    def __init__(
        self, names: list[tuple[str, str, str, tuple[tuple[str, str], ...]]], codes: Rows
    ) -> None:
        self._names, self._codes = names, codes
        faults = [_fault(SeriesKey(d, m, labels, u)) for d, m, u, labels in names]
        is_good = np.array([fault is None for fault in faults], np.bool_)
        self.named: NDArray[np.bool_] = is_good[codes]
        self.faults = [
            (row, fault)
            for row in np.flatnonzero(~self.named).tolist()
            if (fault := faults[codes[row]]) is not None
        ]

    def series(self, reader: TableReader, part: str, rows: Rows) -> NDArray[np.uint32]:
        """The series numbers of these rows' numbers, states or texts."""
        codes = self._codes[rows]
        numbers = np.zeros(len(self._names), np.uint32)
        for code in np.unique(codes).tolist() if len(self._names) > 1 else (0,):
            device, metric, unit, labels = self._names[code]
            is_counter = part == "numbers" and metric in reader.counters
            kind = SeriesKind.COUNTER if is_counter else _KINDS.get(part, SeriesKind.GAUGE)
            unit = unit if part == "numbers" else ""
            numbers[code] = reader.keys.number(SeriesKey(device, metric, labels, unit, kind))
        return numbers[codes]


def _fault(key: SeriesKey) -> Reason | None:
    if not key.device or not key.metric:
        return Reason.NO_NAME
    return Reason.LONG_NAME if too_long(key) else None


def _coded(columns: list[pa.Array], count: int) -> tuple[Rows, list[tuple[str | None, ...]]]:
    """The distinct rows of these columns of texts, and which of them each row is."""
    codes = np.zeros(count, np.int64)
    told: list[tuple[str | None, ...]] = [()]
    for column in columns:
        coded = column.cast(pa.string(), safe=False).dictionary_encode()
        values = [*coded.dictionary.to_pylist(), None]
        index = pc.fill_null(coded.indices, len(values) - 1).to_numpy(zero_copy_only=False)
        both = codes * len(values) + index
        distinct, codes = np.unique(both, return_inverse=True)
        told = [(*told[code // len(values)], values[code % len(values)]) for code in distinct]
    return codes, told


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _shown(cell: pa.Scalar) -> str:
    """A cell in words; a time that no calendar or zone of ours has, as its number."""
    try:
        return "" if not cell.is_valid else str(cell)[:200]
    except (ValueError, OverflowError, KeyError):
        return str(cell.value)
