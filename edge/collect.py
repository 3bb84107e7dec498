"""The collect thread: messages → readings → scores → one commit → PUBACK.

A batch is read and scored while the one before it is committed, and committed only after that one
is safe: chunks reach the buffer in order, so a collapsed copy is never acknowledged before its
original is on the disk. Acknowledgements go out as soon as the commit resolves.

A full buffer holds the batch, unacknowledged, and tries again; meanwhile the inbox fills, the
ingest stops reading and the broker keeps what comes. Any other failure of the buffer is fatal: the
thread ends, nothing more is acknowledged, and a restart recovers from what is committed.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from edge.catalog import Catalog
from edge.chunk import Chunk
from edge.heard import Heard
from edge.ingest import Inbox, Ingest, Linger
from edge.message import Messages
from edge.reading import Reader
from edge.store.limits import BufferFull, StoreBusy
from protos.exposition import Histogram
from protos.records import Batch, Kind
from protos.series import SeriesKey

RETRY_MIN_S: Final = 0.05
RETRY_MAX_S: Final = 2.0
COMMITS_LEARNED: Final = 8
"""Commits over which the card's time for one is smoothed: a single slow one tells little."""
COMMIT_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Buckets from a server's disk to a worn SD card."""


class Committer(Protocol):
    """What collecting needs of the buffer."""

    def commit(self, chunk: Chunk) -> Future[Any]:
        """Resolves once the chunk is safe on the disk; BufferFull comes through the future."""


class Scorer(Protocol):
    """What collecting needs of the models."""

    def score(self, batch: Batch, catalog: Catalog) -> Batch:
        """SCORES rows alone: the anomalies among the NUMBERS of ``batch``."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A reading whose score passed its threshold, with its name; ``ts_us`` is its event time."""

    series: SeriesKey
    ts_us: int
    value: float
    score: float
    threshold: float
    model: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What collecting did since its start, for `status`.

    ``totals`` count what is committed, by the names of `edge.reading.Counts` and ``anomalies``.
    ``held`` is true while a full buffer holds a batch back; ``retries`` counts its refusals.
    """

    totals: Mapping[str, int] = field(default_factory=dict)
    commits: int = 0
    retries: int = 0
    held: bool = False


class Collect:
    """One thread between an ingest and the buffer.

    Args:
        inbox: where the ingest puts messages.
        ingest: gets committed messages back, in order, on the buffer's own thread.
        store: the buffer.
        reader: reads messages.
        catalog: the reader's; the scorer asks it for kinds, anomalies for names.
        scorer: finds anomalies; None: nobody looks for them.
        linger: how long a batch waits.
        on_anomalies: told at once, before the commit, on this thread: must be quick.
        on_heard: told of each batch as it was read, with its messages; must be quick as well.
        on_committed: told after each commit, on the buffer's thread; must be quick too.
        on_fatal: told once when collecting ends by itself.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        ingest: Ingest,
        store: Committer,
        reader: Reader,
        catalog: Catalog,
        scorer: Scorer | None = None,
        linger: Linger | None = None,
        on_anomalies: Callable[[tuple[Anomaly, ...]], None] | None = None,
        on_heard: Callable[[Messages, Heard], None] | None = None,
        on_committed: Callable[[], None] | None = None,
        on_fatal: Callable[[Exception], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._ingest = ingest
        self._store = store
        self._reader = reader
        self._catalog = catalog
        self._scorer = scorer
        self._linger = linger or Linger()
        self._on_anomalies = on_anomalies
        self._on_heard = on_heard
        self._on_committed = on_committed
        self._on_fatal = on_fatal
        self._taken = 0
        self._collected = Collected()
        self._stopping = threading.Event()
        self._finishing = False
        self._left = Messages()
        self._pending: tuple[Chunk, Future[None], Messages] | None = None
        self._thread = threading.Thread(target=self._supervise, name="collect", daemon=True)
        self.fatal: Exception | None = None
        self._commit_s = 0.0
        self.commit_latency = Histogram(COMMIT_BOUNDS_S)

    @property
    def collected(self) -> Collected:
        """What was done so far; a snapshot."""
        return self._collected

    @property
    def under_way(self) -> int:
        """Messages taken from the inbox and not yet committed."""
        return self._taken - self._collected.totals.get("messages", 0)

    def start(self) -> None:
        """Begin to collect."""
        self._thread.start()

    def finish(self, timeout_s: float = 10.0) -> bool:
        """Read no more, commit what waits in the inbox, and end; False when that takes longer."""
        self._finishing = True
        self._inbox.shut()
        return self._ended(timeout_s)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End after the commit under way; False when that takes longer than ``timeout_s``.

        Messages still in the inbox stay unacknowledged: the broker sends them again.
        """
        self._stopping.set()
        self._inbox.close()
        return self._ended(timeout_s)

    def _ended(self, timeout_s: float) -> bool:
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _supervise(self) -> None:
        """Run until stopped; a failure, the buffer's or our own, ends collecting and is told."""
        try:
            while not self._stopping.is_set() and not self._is_done():
                self._step()
            self._settle()
        except Exception as error:  # noqa: BLE001 - the supervisor of the collect thread
            self.fatal = error
            if self._on_fatal is not None:
                self._on_fatal(error)

    def _is_done(self) -> bool:
        return self._finishing and not len(self._left) and not len(self._inbox)

    def _step(self) -> None:
        enough_max = max(1, self._ingest.state.window // 2)
        messages = self._left
        if not len(messages):
            linger = self._linger.on_card(self._commit_s)
            messages = self._inbox.take(replace(linger, enough_max=enough_max))
            self._taken += len(messages)
        if self._stopping.is_set():
            return
        if not len(messages):
            self._settle()
            return
        chunk, taken = self._chunk(messages)
        if self._settle():
            self._commit(chunk, taken)

    def _chunk(self, messages: Messages) -> tuple[Chunk, Messages]:
        """What goes into one commit, and its messages; what finds no room is left for the next."""
        heard = self._reader.read(messages)
        messages, self._left = messages.split(heard.counts.messages)
        scores: Batch | None = None
        if self._scorer is not None and heard.batch.count(Kind.NUMBERS):
            scores = self._scorer.score(heard.batch, self._catalog)
            if scores.rows and self._on_anomalies is not None:
                self._on_anomalies(named(scores, self._catalog))
        if self._on_heard is not None:
            self._on_heard(messages, heard)
        return heard.as_chunk(scores), messages

    def _commit(self, chunk: Chunk, messages: Messages) -> None:
        outcome: Future[None] = Future()
        asked_s = time.monotonic()
        self._pending = (chunk, outcome, messages)

        def committed(done: Future[Any]) -> None:
            """On the buffer's thread; what failed is for our own thread, which is woken."""
            try:
                done.result()
                self._acknowledge(chunk, messages)
            except BaseException as error:  # noqa: BLE001 - `_settle` raises it where it belongs
                outcome.set_exception(error)
                self._inbox.wake()
            else:
                took_s = time.monotonic() - asked_s
                self.commit_latency.observe(took_s)
                self._commit_s += (took_s - self._commit_s) / COMMITS_LEARNED
                outcome.set_result(None)

        self._store.commit(chunk).add_done_callback(committed)

    def _acknowledge(self, chunk: Chunk, messages: Messages) -> None:
        before = self._collected
        totals = dict(before.totals)
        for name, count in chunk.counters.items():
            totals[name] = totals.get(name, 0) + count
        self._collected = Collected(totals, before.commits + 1, before.retries)
        self._ingest.ack(messages)
        if self._on_committed is not None:
            self._on_committed()

    def _settle(self) -> bool:
        """Wait until the commit under way is safe, however long the buffer is full.

        False when we are stopped before that. Raises what the buffer raises, but
        that it has no room or is busy.
        """
        wait_s = RETRY_MIN_S
        while self._pending is not None:
            chunk, outcome, messages = self._pending
            try:
                outcome.result()
            except (BufferFull, StoreBusy):
                retries = self._collected.retries + 1
                self._collected = replace(self._collected, retries=retries, held=True)
                if self._stopping.wait(wait_s):
                    return False
                wait_s = min(RETRY_MAX_S, wait_s * 2)
                self._commit(chunk, messages)
            else:
                self._pending = None
        return True


def named(scores: Batch, catalog: Catalog) -> tuple[Anomaly, ...]:
    """The SCORES rows of a batch with the names of their series; erased series are left out."""
    rows = scores.kind(Kind.SCORES)
    columns = (rows[name].tolist() for name in ("series", "ts", "value", "score", "threshold"))
    return tuple(
        Anomaly(key, ts, value, score, threshold, model)
        for series, ts, value, score, threshold, model in zip(*columns, rows["model"], strict=True)
        if (key := catalog.key(series)) is not None
    )
