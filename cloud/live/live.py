"""The live view: what the journal holds beyond the tables, joined with them at one offset.

A `View` is the lake's files as of one offset and the decoded rows of the journal after it: every
row of the journal up to `View.journal` is in exactly one of both, whatever a consolidation does
meanwhile. A reader takes `Live.view` once and keeps it for its whole query; files of a view that
someone still holds are never deleted (`Live.in_use`).
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from deltalake.exceptions import DeltaError

from cloud.errors import TidegateError
from cloud.journal.contract import Entry, TrimmedError
from cloud.lake.attempts import KILLS, Attempts
from cloud.lake.consolidator import Batch
from cloud.lake.correction import Known, corrections_of
from cloud.lake.embedded import Decoded, Pause, no_pause
from cloud.lake.names import Names
from cloud.lake.rollup import partials_of
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.files import FileList
from cloud.lake.table.schema import ANOMALIES, CORRECTIONS, READINGS, ROLLUP_1D, TABLES, added
from cloud.live import tail as live_tail
from cloud.live.feed import Feed
from cloud.live.series import SeriesBook, Totals
from cloud.live.step import Stepper, Steps, totals_of
from cloud.live.tail import TailBatch
from cloud.live.view import View

TAIL_BYTES_MAX: Final = 192 << 20
"""Memory of the tail; beyond it the view stands still until a consolidation has moved on."""
RETRY_S: Final = 5.0
GATHER_S: Final = 0.25
"""From one step to the next: a step of a few blocks takes nearly as long as one of many, and what
comes is visible soon enough. The first block after a pause is shown at once."""

_log = logging.getLogger(__name__)


class Source(Protocol):
    """What the live view needs of a journal."""

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any."""

    def subscribe(self, callback: Callable[[Sequence[Entry]], None]) -> Callable[[], None]:
        """Call back after each durable commit; returns how to stop."""

    def quarantine(self, offset: int, reason: str) -> None:
        """Set a block apart, durably, that can never be decoded."""


_NOTHING: Final[Mapping[str, FileList]] = MappingProxyType(
    {name: FileList("", -1, ()) for name in TABLES}
)


class Live:
    """Publishes views; one thread follows the journal, any thread reads.

    `publish` is called by the consolidator, first with the lake as found at start. ``steps`` makes
    what is shown of blocks, by default in this process, by ``attempts`` and with ``pause``.
    """

    def __init__(
        self,
        journal: Source,
        names: Names,
        *,
        tail_bytes_max: int = TAIL_BYTES_MAX,
        attempts: Attempts | None = None,
        pause: Pause = no_pause,
        steps: Stepper | None = None,
    ) -> None:
        self.book = SeriesBook()
        self.feed = Feed()
        self._journal = journal
        self._steps = steps or Steps(journal, names, attempts, pause)
        self._tail_bytes_max = tail_bytes_max
        self._lock = threading.Lock()
        self._view = View(0, 0, _NOTHING, ())
        self._held: weakref.WeakSet[View] = weakref.WeakSet([self._view])
        self._seen: int | None = None
        self._known = Known()
        self._read: frozenset[str] = frozenset()
        self._corrected = (0, 0)
        self._booked = 0
        self._is_behind = False
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def view(self) -> View:
        """The newest view."""
        return self._view

    @property
    def told(self) -> int:
        """The offset up to which the book and the listeners know everything; views may be ahead."""
        return self._seen or 0

    def in_use(self) -> frozenset[str]:
        """Absolute paths of files in any view that someone still holds."""
        with self._lock:
            views = list(self._held)
        return frozenset(
            path for view in views for files in view.tables.values() for path in files.paths()
        )

    def publish(self, batch: Batch) -> None:
        """The tables hold ``batch`` now: what of the tail they took over leaves it, at once."""
        is_first = self._seen is None
        with self._lock:
            if is_first:
                self._seed(batch)
            self._learn(batch)
            tail = live_tail.after(self._view.tail, batch.offset)
            is_anew = batch.is_anew and not is_first
            if is_anew or batch.corrected != self._corrected:  # it was counted at other times
                self._take_stock(batch)
                for each in tail:
                    self._count(each)
            journal = max(self._view.journal, batch.offset)
            self._show(View(batch.offset, journal, batch.tables, tail, batch.retired))
        self._wake.set()  # the tail may have room again

    def released(self, decoded: Decoded) -> None:
        """Count rows that come into the tables late: no journal will bring them again."""
        self._count(live_tail.batch_of(decoded, decoded.end - 1))

    def start(self) -> None:
        """Follow the journal from the offset of the first published view."""
        self._unsubscribe = self._journal.subscribe(lambda _: self._wake.set())
        self._thread = threading.Thread(target=self._follow, name="live", daemon=True)
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """Follow no more, and end the listeners; the last view stays."""
        self._ending.set()
        self.feed.close()
        self._wake.set()
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._steps.stop()
        if self._thread is not None:
            self._thread.join()

    def advance(self) -> bool:
        """Show the next blocks of the journal; False when there are none or the tail is full."""
        if self._seen is None or sum(b.bytes for b in self._view.tail) > self._tail_bytes_max:
            return False
        start, known = self._seen, self._known
        try:
            step = self._steps.take(start, known)
        except TrimmedError:
            if not self._catch_up():
                raise
            return True
        if step is None:
            return False
        for killer in step.killers:
            self._journal.quarantine(killer, KILLS)
        batch = step.batch
        with self._lock:  # a book made anew has the view's tail, neither more nor less
            if self._known is not known:
                return True  # the tables told of corrections meanwhile: once more, with them
            self._known = known.plus(step.came)
            view = self._view
            for each in live_tail.after((batch,), self._booked):
                self._count(each, step.totals if each is batch else None)
            fresh = live_tail.after((batch,), view.lake)
            tail = live_tail.extend(view.tail, fresh[0]) if fresh else view.tail
            self._show(replace(view, journal=max(view.journal, batch.end), tail=tail))
        self._seen, self._is_behind = batch.end, step.is_full
        self.feed.push(batch)
        return True

    def _follow(self) -> None:
        """The thread's supervisor: what fails is told and tried again; the view stands so long."""
        while not self._ending.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                while not self._ending.is_set() and self._step():
                    pass
            except (TidegateError, DeltaError, OSError) as error:
                _log.error("live view stands at offset %d: %s", self._view.journal, error)
                self._retry()
            except Exception:  # noqa: BLE001 - a block that breaks decoding must not end the view
                _log.exception("live view stands at offset %d", self._view.journal)
                self._retry()

    def _step(self) -> bool:
        """`advance`, and let what comes gather; who is behind does not wait."""
        due = time.monotonic() + GATHER_S
        has_advanced = self.advance()
        if has_advanced and not self._is_behind:
            self._ending.wait(max(0.0, due - time.monotonic()))
        return has_advanced

    def _retry(self) -> None:
        """Go on later; from the tables, where consolidation has got past what stopped us."""
        self._catch_up()
        timer = threading.Timer(RETRY_S, self._wake.set)
        timer.daemon = True
        timer.start()

    def _show(self, view: View) -> None:
        self._held.add(view)
        self._view = view

    def _count(self, batch: TailBatch, totals: Totals | None = None) -> None:
        """Count a batch; ``totals`` of its readings, where they are known."""
        readings = batch.tables.get(READINGS.name)
        if readings is not None:
            self.book.add(totals or totals_of(readings, batch.start), readings.names)
        anomalies = batch.tables.get(ANOMALIES.name)
        if anomalies is not None:
            self.book.add_anomalies(anomalies.rows)

    def _catch_up(self) -> bool:
        """Begin again from the tables, where they have what we have not read; else False."""
        with self._lock:
            view = self._view
            if self._seen is None or view.lake <= self._seen:
                return False
            self._seed(Batch(view.lake, view.tables, self._corrected))
        return True

    def _seed(self, batch: Batch) -> None:
        """Begin from the lake: what it holds is known, what follows will be decoded."""
        self._learn(batch)
        self._take_stock(batch)
        self._seen = batch.offset

    def _take_stock(self, batch: Batch) -> None:
        """Make the book of the tables: it knows what they hold, which is counted no second time."""
        self.book = _book_of(batch)
        self._corrected, self._booked = batch.corrected, batch.offset

    def _learn(self, batch: Batch) -> None:
        """Know the corrections that the tables hold."""
        paths = batch.tables[CORRECTIONS.name].paths()
        for path in (path for path in paths if path not in self._read):
            rows = lake_parquet.read([Path(path)], CORRECTIONS)
            self._known = self._known.plus(corrections_of(rows))
        self._read = frozenset(paths)


def _book_of(batch: Batch) -> SeriesBook:
    """What the lake knows of every series, file by file; ties are settled by `part`."""
    book = SeriesBook()
    columns = [name for name in ROLLUP_1D.schema.names if name not in added(ROLLUP_1D)]
    for path in batch.tables[ROLLUP_1D.name].paths():
        rows = lake_parquet.read([Path(path)], ROLLUP_1D, columns)
        book.add_readings(rows, partials_of(rows))
    for path in batch.tables[ANOMALIES.name].paths():
        book.add_anomalies(lake_parquet.read([Path(path)], ANOMALIES))
    return book
