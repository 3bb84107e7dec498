"""New readings, anomalies and episodes to who listens, each with a queue that forgets oldest."""

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

from cloud.lake.rollup import numbers, objects
from cloud.lake.table.parquet import times
from cloud.lake.table.schema import ANOMALIES, EPISODES, READINGS
from cloud.live.tail import TailBatch
from protos.records import EpisodeState

EVENTS_MAX: Final = 256
"""Events a slow listener may be behind; beyond it loses the oldest and is told so."""
POINTS_MAX: Final = 10_000
"""Readings of one series in one event; of a burst only the newest are sent live."""
LISTENERS_MAX: Final = 256
LISTENERS_OF_ONE_MAX: Final = 64
"""Of one client's address, so that one cannot keep all others away; a proxy's address is one."""


class EventKind(Enum):
    """What an event is; the value is its name on the wire."""

    READINGS = "readings"
    ANOMALY = "anomaly"
    EPISODE = "episode"
    LAGGED = "lagged"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: ``data`` is JSON-ready, arrays are numpy.

    ``offset`` is the journal's up to which its batch goes, 0 where there is none.
    """

    kind: EventKind
    data: Mapping[str, Any]
    offset: int = 0


class FeedFull(Exception):  # noqa: N818 - a state, not a fault
    """LISTENERS_MAX listen already, or LISTENERS_OF_ONE_MAX of this client."""


class Listener:
    """One listener's queue; made by `Feed.listen`, read by one asyncio task."""

    def __init__(self, feed: "Feed", series: frozenset[int] | None, client: str) -> None:
        self.series = series
        self.client = client
        self._feed = feed
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._events: deque[Event] = deque()
        self._lost = 0
        self._lock = threading.Lock()
        self.closed = False

    def close(self) -> None:
        """No more will come: whoever waits is woken. From any thread."""
        self.closed = True
        self._loop.call_soon_threadsafe(self._ready.set)

    def wake(self) -> None:
        """Let whoever waits look again, though nothing has come. From any thread."""
        self._loop.call_soon_threadsafe(self._ready.set)

    def put(self, events: list[Event]) -> None:
        """Queue events, from any thread; never blocks."""
        with self._lock:
            self._events.extend(events)
            while len(self._events) > EVENTS_MAX:
                self._events.popleft()
                self._lost += 1
        self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self, timeout_s: float) -> list[Event]:
        """What has come, waiting for the first at most ``timeout_s``; empty after that."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return []
        self._ready.clear()
        with self._lock:
            events, lost = list(self._events), self._lost
            self._events.clear()
            self._lost = 0
        return [Event(EventKind.LAGGED, {"lost": lost}), *events] if lost else events

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.leave(self)


class Feed:
    """All listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def listen(self, series: frozenset[int] | None, client: str = "") -> Listener:
        """Listen to some series, or None for all, in a running loop; FeedFull at the bound.

        ``client`` is the address of who listens, empty for one of our own.
        """
        listener = Listener(self, series, client)
        with self._lock:
            its = sum(one.client == client for one in self._listeners) if client else 0
            if len(self._listeners) >= LISTENERS_MAX or its >= LISTENERS_OF_ONE_MAX:
                raise FeedFull
            self._listeners.append(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        with self._lock:
            self._listeners.remove(listener)

    def close(self) -> None:
        """End all listeners, so that a server can stop."""
        with self._lock:
            for listener in self._listeners:
                listener.close()

    def nudge(self) -> None:
        """Let all listeners look again at what they listen to."""
        with self._lock:
            for listener in self._listeners:
                listener.wake()

    def push(self, batch: TailBatch) -> None:
        """Tell what a new batch holds to those who listen for it."""
        with self._lock:
            listeners = list(self._listeners)
        made: dict[int, list[Event]] = {}
        for listener in listeners:
            events = _wanted(batch, listener.series, made)
            if events:
                listener.put(events)


def events_of(batch: TailBatch, series: frozenset[int] | None) -> list[Event]:
    """What a batch tells a listener for some series, None for all."""
    return _wanted(batch, series, {})


def _wanted(
    batch: TailBatch, series: frozenset[int] | None, made: dict[int, list[Event]]
) -> list[Event]:
    present = _present(batch)
    wanted = present if series is None else present & series
    for each in wanted - made.keys():
        made[each] = _events(batch, each)
    return [event for each in sorted(wanted) for event in made[each]]


def _present(batch: TailBatch) -> set[int]:
    found: set[int] = set()
    for name in (READINGS.name, ANOMALIES.name, EPISODES.name):
        if name in batch.tables:
            found |= batch.tables[name].runs.keys()
    return found


def _events(batch: TailBatch, series: int) -> list[Event]:
    events = []
    readings = _run(batch, READINGS.name, series, ("ts", "value", "text"))
    if readings is not None:
        events.append(_readings(series, readings, batch.end))
    anomalies = _run(batch, ANOMALIES.name, series)
    if anomalies is not None:
        events += [Event(EventKind.ANOMALY, row, batch.end) for row in anomaly_rows(anomalies)]
    episodes = _run(batch, EPISODES.name, series)
    if episodes is not None:
        events += [Event(EventKind.EPISODE, row, batch.end) for row in episode_rows(episodes)]
    return events


def _run(batch: TailBatch, table: str, series: int, columns: Sequence[str] = ()) -> pa.Table | None:
    rows = batch.tables.get(table)
    return None if rows is None else rows.of_series(series, _MIN, _MAX, columns)


_MIN: Final = np.iinfo(np.int64).min
_MAX: Final = np.iinfo(np.int64).max


def _readings(series: int, rows: pa.Table, offset: int) -> Event:
    rows = rows.slice(max(0, rows.num_rows - POINTS_MAX))
    data: dict[str, Any] = {
        "id": f"{series:016x}",
        "t": times(rows["ts"]),
        "v": numbers(rows["value"]),
    }
    texts = objects(rows["text"])
    if any(text is not None for text in texts):
        data["text"] = texts.tolist()
    return Event(EventKind.READINGS, data, offset)


def anomaly_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows of `anomalies` as the API tells them."""
    names = ("series", "gateway", "device", "metric", "value", "score", "threshold", "model")
    found: list[dict[str, Any]] = rows.select(names).to_pylist()
    for row, ts in zip(found, times(rows["ts"]).tolist(), strict=True):
        row["series"] = f"{row['series']:016x}"
        row["ts"] = ts
    return found


def episode_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows of `episodes` as the API tells them, in the order in which a gateway told them."""
    names = ("series", "gateway", "device", "metric", "state", "peak", "threshold", "model")
    found: list[dict[str, Any]] = rows.select((*names, "id", "points")).to_pylist()
    at = {"from": "ts", "to": "end_ts", "peak_ts": "peak_ts"}
    moments = [times(rows[column]).tolist() for column in at.values()]
    for row, *when in zip(found, *moments, strict=True):
        row |= dict(zip(at, when, strict=True))
        row["series"] = f"{row['series']:016x}"
        row["id"] = row["id"].hex()
        row["open"] = row["state"] != EpisodeState.CLOSED
    return sorted(found, key=lambda row: (row["to"], row["state"], row["points"]))
