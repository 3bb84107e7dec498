"""What is known of every series without asking the tables: names, counts, and the latest reading.

Filled from the daily rollups at start and from each decoded block after that, by one path: totals
per series (`cloud.rollup.partials`). Everything read from here is exact up to `View.journal`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.lake.rollup import numbers, totals
from cloud.lake.table.schema import SERIES_COLUMNS
from cloud.rollup.partials import Partials

_INT64: Final = np.iinfo(np.int64)
NEVER: Final = int(_INT64.min)
"""Time of the last reading of a series that has none."""
_FIRST_CAPACITY: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A copy of what is known, one row per series: columns of one length.

    ``last_value`` is NaN and ``last_text`` a str where the latest reading was a text.
    """

    names: Sequence[Name]
    readings: NDArray[np.int64]
    anomalies: NDArray[np.int64]
    first_ts: NDArray[np.int64]
    last_ts: NDArray[np.int64]
    last_value: NDArray[np.float64]
    last_text: NDArray[Any]
    last_quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """What some readings come to, one row a series: columns of one length, as in `Partials`."""

    series: NDArray[np.int64]
    count: NDArray[np.int64]
    first_ts: NDArray[np.int64]
    last_ts: NDArray[np.int64]
    part: NDArray[np.int64]
    last: NDArray[np.float64]
    last_text: NDArray[Any]
    last_quality: NDArray[np.uint8]

    @classmethod
    def of(cls, partials: Partials) -> Self:
        """Of the readings behind partials."""
        sums = totals(partials)
        return cls(**{field.name: getattr(sums, field.name) for field in fields(cls)})


NamesOf = Callable[[NDArray[np.int64]], Sequence[Name]]
"""The names of series, by their ids."""


class SeriesBook:
    """All series by their id; may be used by several threads."""

    former: Final[Mapping[int, str]] = MappingProxyType({})
    """Stored series have no other names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[int, int] = {}
        self._names: list[Name] = []
        self._columns: dict[str, NDArray[Any]] = {
            "readings": np.zeros(_FIRST_CAPACITY, np.int64),
            "anomalies": np.zeros(_FIRST_CAPACITY, np.int64),
            "first_ts": np.full(_FIRST_CAPACITY, _INT64.max, np.int64),
            "last_ts": np.full(_FIRST_CAPACITY, _INT64.min, np.int64),
            "last_part": np.full(_FIRST_CAPACITY, -1, np.int64),
            "last_value": np.full(_FIRST_CAPACITY, np.nan),
            "last_text": np.full(_FIRST_CAPACITY, None, object),
            "last_quality": np.zeros(_FIRST_CAPACITY, np.uint8),
        }
        self._empty = {name: column[:1].copy() for name, column in self._columns.items()}

    def add_readings(self, rows: pa.Table, partials: Partials) -> None:
        """Count the readings behind ``partials``; ``rows`` has the names of all their series."""
        self.add(Totals.of(partials), lambda wanted: names_in(rows, wanted))

    def add(self, sums: Totals, names: NamesOf) -> None:
        """Count readings; ``names`` is asked for those of series that are new."""
        with self._lock:
            at = self._places(sums.series, names)
            columns = self._columns
            columns["readings"][at] += sums.count
            columns["first_ts"][at] = np.minimum(columns["first_ts"][at], sums.first_ts)
            held = columns["last_ts"][at]
            tied = (sums.last_ts == held) & (sums.part >= columns["last_part"][at])
            newer = np.flatnonzero((sums.last_ts > held) | tied)
            to = at[newer]
            columns["last_ts"][to] = sums.last_ts[newer]
            columns["last_part"][to] = sums.part[newer]
            columns["last_value"][to] = sums.last[newer]
            columns["last_text"][to] = sums.last_text[newer]
            columns["last_quality"][to] = sums.last_quality[newer]

    def add_anomalies(self, rows: pa.Table) -> None:
        """Count rows of `anomalies`."""
        series, count = np.unique(numbers(rows["series"]), return_counts=True)
        with self._lock:
            at = self._places(series, lambda wanted: names_in(rows, wanted))
            self._columns["anomalies"][at] += count

    def name(self, series: int) -> Name | None:
        """The name of a series, None when there is none of that id."""
        with self._lock:
            slot = self._slots.get(series)
            return None if slot is None else self._names[slot]

    def known(self, series: Sequence[int] | None = None) -> Known:
        """A copy of everything, or of the given series as far as they exist, in their order."""
        with self._lock:
            at: slice | NDArray[np.int64]
            if series is None:
                at, names = slice(len(self._names)), self._names.copy()
            else:
                slots = (self._slots.get(each) for each in series)
                at = np.array([slot for slot in slots if slot is not None], np.int64)
                names = [self._names[slot] for slot in at.tolist()]
            columns = {
                name: column[at].copy()
                for name, column in self._columns.items()
                if name != "last_part"
            }
        return Known(names, **columns)

    def counts(self) -> tuple[int, int, int]:
        """Series, readings and anomalies in all."""
        with self._lock:
            columns = self._columns
            sums = int(columns["readings"].sum()), int(columns["anomalies"].sum())
            return (len(self._names), *sums)

    def _places(self, series: NDArray[np.int64], names: NamesOf) -> NDArray[np.int64]:
        """Where the series stand; new ones get a place."""
        slots = [self._slots.get(each, -1) for each in series.tolist()]
        at = np.array(slots, np.int64)
        new = at < 0
        if new.any():
            at[new] = np.arange(len(self._names), len(self._names) + np.count_nonzero(new))
            self._add(names(series[new]))
        return at

    def _add(self, names: Sequence[Name]) -> None:
        for name in names:
            self._slots[name.id] = len(self._names)
            self._names.append(name)
        capacity = len(self._columns["readings"])
        if len(self._names) > capacity:
            more = max(len(self._names), 2 * capacity) - capacity
            self._columns = {
                name: np.concatenate([column, np.repeat(self._empty[name], more)])
                for name, column in self._columns.items()
            }


def names_in(rows: pa.Table, wanted: NDArray[np.int64]) -> list[Name]:
    """The names of series as the rows of a table tell them, which has some of each."""
    known, first = np.unique(numbers(rows["series"]), return_index=True)
    at = first[np.searchsorted(known, wanted)]
    found = rows.select(SERIES_COLUMNS).take(pa.array(at)).to_pylist()
    return [
        Name(
            row["gateway"],
            row["device"],
            row["metric"],
            row["unit"],
            row["labels"],
            row["kind"],
            row["series"],
        )
        for row in found
    ]
