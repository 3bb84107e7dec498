"""All series by their labels as Prometheus has them: found by matchers, a column a label."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.live.joined import JoinedBook
from cloud.live.series import Known
from cloud.promql.labels import ID, NAME, OWN, metric_name, own_labels
from cloud.promql.matchers import Matcher

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One label of all series: ``values[codes[i]]``, of which the first is empty: none."""

    codes: NDArray[np.int32]
    values: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Series by their labels; rows as in ``known``, and ``known`` as of one moment."""

    known: Known
    columns: Mapping[str, Column]

    def fulfil(self, matchers: Iterable[Matcher]) -> Bools:
        """Which series fulfil all of these."""
        found = np.ones(len(self.known.names), bool)
        for each in matchers:
            column = self.columns.get(each.label)
            if column is None:
                found &= each.takes_empty
            else:
                found &= each.accepts(column.values)[column.codes]
        return found

    def heard(self, start_us: int, end_us: int) -> Bools:
        """Which have readings that may lie in [start, end]."""
        known = self.known
        found: Bools = known.readings > 0
        return found & (known.last_ts >= start_us) & (known.first_ts <= end_us)

    def labels(self, at: Sequence[int]) -> list[dict[str, str]]:
        """The labels of these rows."""
        found: list[dict[str, str]] = [{} for _ in at]
        rows = np.asarray(at, np.int64)
        for label, column in self.columns.items():
            for labels, code in zip(found, column.codes[rows].tolist(), strict=True):
                if code:
                    labels[label] = column.values[code]
        return found

    def values(self, label: str, of: Bools) -> list[str]:
        """The values of a label that some of these series have, in order."""
        column = self.columns.get(label)
        if column is None:
            return []
        return sorted(column.values[code] for code in np.unique(column.codes[of]) if code)


class Labelled:
    """The newest table; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[JoinedBook, int, Mapping[str, Column]] | None = None

    def table(self, book: JoinedBook) -> Table:
        """All series of a book, as they are known now."""
        known = book.known()
        with self._lock:
            held = self._held
            if held is None or held[0] is not book or held[1] != len(known.names):
                held = self._held = book, len(known.names), _columns(known.names)
        return Table(known, held[2])


def _columns(names: Sequence[Name]) -> dict[str, Column]:
    texts = {
        NAME: [metric_name(name.metric) for name in names],
        **{label: [getattr(name, label) for name in names] for label in OWN},
    }
    columns = {label: _column(values) for label, values in texts.items()} | _own(names)
    twins = _twins(columns, len(names))
    if twins.any():
        ids = [f"{name.id:016x}" if twins[i] else "" for i, name in enumerate(names)]
        columns[ID] = _column(ids)
    return columns


def _column(values: Sequence[str]) -> Column:
    places = {"": 0}
    codes = [places.setdefault(value, len(places)) for value in values]
    return Column(np.array(codes, np.int32), list(places))


def _own(names: Sequence[Name]) -> dict[str, Column]:
    """The columns of the series' own labels, of which few are different ones."""
    texts: dict[str, int] = {}
    which = np.array([texts.setdefault(name.labels, len(texts)) for name in names], np.int64)
    told = [own_labels(text) for text in texts]
    found = {}
    for label in sorted({label for each in told for label in each}):
        column = _column([each.get(label, "") for each in told])
        found[label] = Column(column.codes[which], column.values)
    return found


def _twins(columns: Mapping[str, Column], rows: int) -> Bools:
    """Which series have all labels in common with another: of another kind, or of odd names."""
    codes = np.stack([column.codes for column in columns.values()], 1)
    if not rows:
        return np.empty(0, bool)
    _, which, count = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    found: Bools = count[which.reshape(-1)] > 1
    return found
