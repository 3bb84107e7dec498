"""Pure: rows under way, as lists; they become arrays once per batch, with no step in Python a row.

A message brings values of a *shape*: a run of series numbers. The shapes of plans stand in one
flat table for good (`Shapes`); what is read in full makes loose ones, which last for a batch. Of a
message only the number of its shape is kept, so that the series, the times and the qualities of all
rows come out of a few calls of numpy.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.message import Burst
from protos.records import Kind, Quality, Rows, strings

I8 = NDArray[np.int64]
SENSOR_TIME: Final = int(Quality.SENSOR)
SYNCED: Final = int(Quality.GATEWAY_SYNCED)
AHEAD_US_MAX: Final = 900_000_000
"""A quarter of an hour: a sensor further ahead of a gateway whose clock is set has a wrong clock,
and its readings keep their time of arrival. A gateway not sure of its own time judges nobody."""


class Shapes:
    """Runs of series numbers, each with its own number."""

    def __init__(self) -> None:
        self._series = np.zeros(64, np.uint32)
        self._used = 0
        self._starts: list[int] = []
        self._counts: list[int] = []

    def add(self, series: Sequence[int]) -> int:
        """A new shape's number."""
        count = len(series)
        while self._used + count > len(self._series):
            self._series = np.concatenate([self._series, np.zeros_like(self._series)])
        self._series[self._used : self._used + count] = series
        self._starts.append(self._used)
        self._counts.append(count)
        self._used += count
        return len(self._starts) - 1

    def __len__(self) -> int:
        """Series in all shapes together."""
        return self._used

    def spread(self, seen: I8, loose: "Loose") -> tuple[NDArray[np.uint32], I8]:
        """Series number of every row, and rows of every message, for the shapes ``seen``.

        A negative number is a loose shape, -1 the first.
        """
        flat = np.concatenate([self._series[: self._used], np.array(loose.series, np.uint32)])
        starts = np.array(self._starts + [self._used + at for at in loose.starts], np.int64)
        lengths = np.array(self._counts + loose.counts, np.int64)
        shape = np.where(seen < 0, len(self._starts) - 1 - seen, seen)
        counts = lengths[shape]
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        at = np.arange(total) + np.repeat(starts[shape] - (ends - counts), counts)
        return flat[at], counts


class Loose:
    """Shapes of one batch, of messages that were read in full."""

    __slots__ = ("counts", "series", "starts")

    def __init__(self) -> None:
        self.series: list[int] = []
        self.starts: list[int] = []
        self.counts: list[int] = []

    def add(self, first: int) -> int:
        """The number of the shape of all series since position ``first``."""
        self.starts.append(first)
        self.counts.append(len(self.series) - first)
        return -len(self.starts)


class RowLists:
    """Rows of one kind under way.

    Attributes:
        values: what was told, row by row.
        seen: the shape of each entry; an entry is a message, or a part of one.
        dated: (entry, its own time) for those that have one.
        loose: shapes of what was read in full.
        ahead: rows whose own time was left out as one from the future; once there are tables.
    """

    __slots__ = ("ahead", "dated", "loose", "seen", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.seen: list[int] = []
        self.dated: list[tuple[int, int]] = []
        self.loose = Loose()
        self.ahead = 0

    def add(self, series: Sequence[int], values: Sequence[Any], at_us: int | None) -> None:
        """One entry of rows that share their time."""
        if at_us is not None:
            self.dated.append((len(self.seen), at_us))
        first = len(self.loose.series)
        self.loose.series += series
        self.values += values
        self.seen.append(self.loose.add(first))

    def tables(
        self, kind: Kind, column: str, shapes: Shapes, bursts: Sequence[tuple[int, Burst]]
    ) -> dict[Kind, Rows]:
        """The table of ``kind`` whose own column is ``column``; nothing when there is no row.

        ``bursts`` say up to which entry each burst goes.
        """
        if not self.values:
            return {}
        series, counts = shapes.spread(np.array(self.seen, np.int64), self.loose)
        ends = np.array([end for end, _ in bursts], np.int64)
        entries = np.diff(ends, prepend=0)
        told = [(burst.arrival_us, burst.quality, burst.stretch) for _, burst in bursts]
        ts, quality, stretch = np.repeat(np.array(told, np.int64), entries, axis=0).T
        arrival = ts + stretch
        if self.dated:
            which, when = np.array(self.dated, np.int64).T
            wrong = (when > ts[which] + AHEAD_US_MAX) & (quality[which] == SYNCED)
            self.ahead = int(counts[which[wrong]].sum())
            which, when = which[~wrong], when[~wrong]
            arrival[which] = ts[which]  # a time of its own is in no stretch
            ts, quality = ts.copy(), quality.copy()
            ts[which], quality[which] = when, SENSOR_TIME
        values = strings(self.values) if kind is Kind.TEXTS else _floats(self.values)
        return {
            kind: {
                "series": series,
                "ts": np.repeat(ts, counts),
                column: values,
                "quality": np.repeat(quality.astype(np.uint8), counts),
                "arrival": np.repeat(arrival, counts),
            }
        }


def _floats(values: Sequence[float]) -> NDArray[np.float64]:
    """Numbers as an array; packed first, which costs a third of numpy's own way over a list."""
    return np.frombuffer(struct.pack(f"{len(values)}d", *values))
