"""Collecting between a broker and a buffer that a test holds in its hands."""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from edge.catalog import Catalog
from edge.chunk import Chunk
from edge.collect import Collect
from edge.collected import Collected
from edge.detect.detection import Detection, Judge
from edge.detect.episode import Course
from edge.detect.episodes import Episodes
from edge.detect.judged import Judged
from edge.detect.learned import BySeries
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.ingest import Inbox, Linger, LinkState
from edge.message import Message, Messages
from edge.reading import Reader
from edge.redelivery import Redelivery
from protos.records import Batch, Kind, concat

NOW_US = 1_700_000_000_000_000


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


class FakeIngest:
    """Remembers what was acknowledged."""

    def __init__(self) -> None:
        self.acked: list[int] = []
        self.state = LinkState(window=2000)

    def ack(self, messages: Messages) -> None:
        self.acked += [message.packet_id for message in messages if message.qos]

    def start(self, inbox: Inbox) -> None: ...

    def wait_connected(self, timeout_s: float) -> bool:
        return True

    def stop(self, timeout_s: float) -> None: ...


class FakeStore:
    """A buffer whose commits resolve when the test says so, as the test says."""

    def __init__(self) -> None:
        self.offered: list[tuple[Chunk, Future[Any]]] = []
        self.kept: list[Chunk] = []
        self.by_itself = True

    def commit(self, chunk: Chunk) -> Future[Any]:
        future: Future[Any] = Future()
        self.offered.append((chunk, future))
        if self.by_itself:
            self.resolve()
        return future

    def resolve(self, error: Exception | None = None, at: int = -1) -> None:
        chunk, future = self.offered[at]
        if error is None:
            self.kept.append(chunk)
            threading.Thread(target=future.set_result, args=(None,)).start()
        else:
            future.set_exception(error)


class Above:
    """Finds every number above 100 anomalous, and every such reading an anomaly."""

    labels: Sequence[str] = ("above",)

    def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Looked]:
        rows = concat(batches).kind(Kind.NUMBERS)
        hit = rows["value"] > 100
        count = len(hit)
        judged = Judged(
            "above", rows["series"], rows["ts"], rows["value"], np.where(hit, 9.5, 0.0),
            np.full(count, 3.0),
        )  # fmt: skip
        return [Looked(np.arange(count), judged, hit)]

    def learning(self) -> dict[str, dict[str, BySeries]]:
        return {}


def detecting(judge: Judge | None = None, course: Course | None = None) -> Detection:
    return Detection([judge or Above()], Episodes("gw", course or Course()))


class Rig:
    def __init__(
        self, inbox: Inbox | None = None, linger: Linger | None = None, **options: Any
    ) -> None:
        count = itertools.count()
        self.catalog = Catalog(salt=lambda: next(count).to_bytes(16, "big"))
        self.inbox = Inbox() if inbox is None else inbox
        self.ingest, self.store = FakeIngest(), FakeStore()
        self.fatal: list[Exception] = []
        self.collect = Collect(
            inbox=self.inbox,
            ingest=self.ingest,
            store=self.store,
            reader=Reader(self.catalog, Redelivery(bytes(32))),
            catalog=self.catalog,
            linger=linger or Linger(min_s=0.001, max_s=0.002),
            on_fatal=self.fatal.append,
            **options,
        )
        self.sent = 0

    def send(self, payload: bytes, topic: str = "a/t", **fields: Any) -> int:
        self.sent += 1
        plain = {"qos": 1, "dup": False, "session": 1, "packet_id": self.sent}
        plain |= fields
        self.inbox.put(Message(topic, payload, retain=False, arrival_us=NOW_US, quality=1, **plain))
        return self.sent

    @property
    def done(self) -> Collected:
        return self.collect.collected
