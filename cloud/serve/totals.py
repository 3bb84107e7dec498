"""What the series of each gateway come to, from what is known in memory."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cloud.lake.names import Name
from cloud.live.series import NEVER, SeriesBook


@dataclass(frozen=True, slots=True)
class Totals:
    """Of one gateway: ``last_ts`` is the time of its newest reading, `NEVER` without one."""

    series: int
    readings: int
    anomalies: int
    last_ts: int


NOTHING: Final = Totals(0, 0, 0, NEVER)


class GatewayTotals:
    """Sums over the series of each gateway; any thread may ask.

    Whose a series is never changes, so that each name is looked at once: a fleet is asked for
    every few seconds, by everybody who has the page open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._whose: list[int] = []

    def of(self, book: SeriesBook) -> Mapping[str, Totals]:
        """All gateways that have series, by name; always of the same book."""
        known = book.known()
        with self._lock:
            self._look_at(known.names)
            names = list(self._numbers)
            whose = np.array(self._whose[: len(known.names)], np.int64)
        readings, anomalies = (np.zeros(len(names), np.int64) for _ in range(2))
        np.add.at(readings, whose, known.readings)
        np.add.at(anomalies, whose, known.anomalies)
        series = np.bincount(whose, minlength=len(names))
        last = np.full(len(names), NEVER, np.int64)
        np.maximum.at(last, whose, known.last_ts)
        columns = (column.tolist() for column in (series, readings, anomalies, last))
        return {name: Totals(*row) for name, *row in zip(names, *columns, strict=True)}

    def _look_at(self, names: Sequence[Name]) -> None:
        for name in names[len(self._whose) :]:
            self._whose.append(self._numbers.setdefault(name.gateway, len(self._numbers)))
