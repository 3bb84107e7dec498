"""The names behind the numbers in blocks: which series each entry of a gateway's table is.

Every series gets a number of this process, the same for all epochs of its gateway; a gateway
itself (entry 0, in gaps and corrections) counts as a series without device and metric.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from protos.series import SeriesEntry, SeriesKey, series_id

GATEWAY_ITSELF: Final = 0
"""The series id of rows that speak of the gateway, not of one of its series."""
ERASED: Final = -1
"""Stands for the number of an erased series: its rows are left out everywhere."""

SeriesOf = Callable[[str, int, int], Sequence[SeriesEntry]]
"""(gateway, epoch, after) to its entries after + 1, after + 2 …: `Journal.series`."""


@dataclass(frozen=True, slots=True)
class Name:
    """A series as rows of the lake name it.

    ``labels`` is canonical JSON, ``id`` is `protos.series.series_id`.
    """

    gateway: str
    device: str
    metric: str
    unit: str
    labels: str
    kind: int
    id: int


_IN_ORDER: Final = attrgetter("gateway", "device", "metric", "unit", "labels", "kind", "id")


class _Table:
    """Our numbers of an epoch's entries; what was given out is never written to again."""

    def __init__(self) -> None:
        self.numbers: NDArray[np.int32] = np.empty(0, np.int32)
        self._room: NDArray[np.int32] = np.empty(0, np.int32)

    def extend(self, more: Sequence[int]) -> None:
        """Add entries; room is taken twice over, so that a copy is rare."""
        have = len(self.numbers)
        end = have + len(more)
        if end > len(self._room):
            self._room = np.empty(2 * end, np.int32)
            self._room[:have] = self.numbers
        self._room[have:end] = more
        self.numbers = self._room[:end]


class Names:
    """All series seen, by number; grows only. May be used by several threads."""

    def __init__(self, series_of: SeriesOf) -> None:
        self._series_of = series_of
        self._lock = threading.Lock()
        self._numbers: dict[int, int] = {}
        self._names: list[Name] = []
        self._gateways: dict[str, int] = {}
        self._tables: dict[tuple[str, int], _Table] = {}
        self._ordered: list[int] = []
        self._ranks: NDArray[np.int64] = np.empty(0, np.int64)

    def of_epoch(self, gateway: str, epoch: int, high: int) -> NDArray[np.int32]:
        """Our number of each entry 0 … at least ``high``; shorter if the journal has fewer.

        What is known of an epoch is not asked for again.
        """
        table = self._tables.get((gateway, epoch))
        if table is not None and len(table.numbers) > high:
            return table.numbers
        entries = self._series_of(gateway, epoch, len(table.numbers) - 1 if table else 0)
        with self._lock:
            table = self._tables.setdefault((gateway, epoch), _Table())
            if not len(table.numbers):
                table.extend([self._number_of_gateway(gateway)])
            known = len(table.numbers) - 1  # another thread may have been here meanwhile
            fresh = [entry.key for entry in entries if entry.entry > known]
            table.extend([self._number(gateway, key) for key in fresh])
            return table.numbers

    def name(self, number: int) -> Name:
        """The name of one of our numbers."""
        return self._names[number]

    def ranks(self) -> NDArray[np.int64]:
        """Where each number stands in the order of the tables (`schema.SERIES_COLUMNS`).

        Sorted anew only after a name came; ranks of an earlier call may differ, their order not.
        """
        with self._lock:
            if len(self._ranks) < len(self._names):
                self._ordered += range(len(self._ranks), len(self._names))
                self._ordered.sort(key=lambda number: _IN_ORDER(self._names[number]))
                self._ranks = np.empty(len(self._names), np.int64)
                self._ranks[self._ordered] = np.arange(len(self._names))
            return self._ranks

    def _number(self, gateway: str, key: SeriesKey | None) -> int:
        if key is None:
            return ERASED
        number = series_id(gateway, key)
        found = self._numbers.get(number)
        if found is None:
            labels = orjson.dumps(dict(key.labels), option=orjson.OPT_SORT_KEYS).decode()
            name = Name(gateway, key.device, key.metric, key.unit, labels, int(key.kind), number)
            found = self._numbers[number] = self._add(name)
        return found

    def _number_of_gateway(self, gateway: str) -> int:
        found = self._gateways.get(gateway)
        if found is None:
            name = Name(gateway, "", "", "", "{}", 0, GATEWAY_ITSELF)
            found = self._gateways[gateway] = self._add(name)
        return found

    def _add(self, name: Name) -> int:
        self._names.append(name)
        return len(self._names) - 1
