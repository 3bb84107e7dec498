"""The collect thread: messages → readings → scores → one commit → PUBACK.

A batch is read and scored, and its anomalies are told, at once; several become one commit
(`edge.gathering`), and are read while those before them are committed (`edge.committing`).
Acknowledgements go out in order, as soon as a chunk and all before it are safe, so a collapsed copy
is never acknowledged before its original is on the disk.

A full buffer holds the batch, unacknowledged, and tries again; meanwhile the inbox fills, the
ingest stops reading and the broker keeps what comes. Any other failure of the buffer is fatal: the
thread ends, nothing more is acknowledged, and a restart recovers from what is committed.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from edge.card import Spared
from edge.catalog import Catalog
from edge.chunk import Chunk
from edge.collected import Collected
from edge.committing import Committer, Committing
from edge.detect.found import Found, Occurrence, named
from edge.gathering import Gathering
from edge.heard import Heard
from edge.ingest import Inbox, Ingest, Linger
from edge.message import Messages
from edge.reading import Reader
from protos.exposition import Histogram
from protos.records import Batch

READ_TOGETHER: Final = 4
"""Chunks that are read and judged together when a batch has more than one holds."""


class Detector(Protocol):
    """What collecting needs of detection; see `edge.detect.detection.Detection`."""

    def detect(self, batches: Sequence[Batch], catalog: Catalog) -> list[Found]:
        """What is found among the NUMBERS of each batch."""

    def look_again(self) -> Found:
        """What is to be told though nothing came."""

    def last(self) -> list[Found]:
        """What is to be kept at the end of a run, a commit each."""


class Collect:
    """One thread between an ingest and the buffer.

    Args:
        inbox: where the ingest puts messages.
        ingest: gets committed messages back, in order, on the buffer's own thread.
        store: the buffer.
        reader: reads messages.
        catalog: the reader's; detection asks it for kinds, and episodes for names.
        detector: finds anomalies and episodes; None: nobody looks for them.
        linger: how long a batch waits.
        card: spaces commits; None: there is nothing to spare.
        on_episodes: told at once, before the commit, on this thread: must be quick.
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
        detector: Detector | None = None,
        linger: Linger | None = None,
        card: Spared | None = None,
        on_episodes: Callable[[tuple[Occurrence, ...]], None] | None = None,
        on_heard: Callable[[Messages, Heard], None] | None = None,
        on_committed: Callable[[Chunk], None] | None = None,
        on_fatal: Callable[[Exception], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._ingest = ingest
        self._reader = reader
        self._catalog = catalog
        self._detector = detector
        self._is_look_due = False
        self._linger, self._card = linger or Linger(), card
        self._on_episodes = on_episodes
        self._on_heard = on_heard
        self._on_committed = on_committed
        self._on_fatal = on_fatal
        self._taken = self._rounds = 0
        self._collected = Collected()
        self._stopping = threading.Event()
        self._finishing = False
        self._left = Messages()
        self._together = 0
        self._gathering = Gathering()
        self._committing = Committing(
            store,
            on_safe=self._acknowledge,
            on_trouble=inbox.wake,
            stopping=self._stopping,
        )
        self._thread = threading.Thread(target=self._supervise, name="collect", daemon=True)
        self.fatal: Exception | None = None

    @property
    def collected(self) -> Collected:
        """What was done so far; a snapshot."""
        committing = self._committing
        return replace(self._collected, retries=committing.retries, held=committing.is_held)

    @property
    def commit_latency(self) -> Histogram:
        """How long commits took."""
        return self._committing.commit_latency

    @property
    def under_way(self) -> int:
        """Messages taken from the inbox and not yet committed."""
        return self._taken - self._collected.totals.get("messages", 0)

    @property
    def turns(self) -> int:
        """How often the thread came round, while a full buffer holds it by trying again."""
        return self._rounds + self._committing.retries

    def start(self) -> None:
        """Begin to collect."""
        self._thread.start()

    def look_again(self) -> None:
        """Have detection tell what is to be told though nothing comes; from any thread."""
        self._is_look_due = True
        self._inbox.wake()

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
                self._rounds += 1
                self._step()
            if self._finishing and not self._stopping.is_set():
                self._keep_last()
            self._committing.settle()
        except Exception as error:  # noqa: BLE001 - the supervisor of the collect thread
            self.fatal = error
            if self._on_fatal is not None:
                self._on_fatal(error)

    def _is_done(self) -> bool:
        idle = not len(self._left) and not len(self._inbox) and not len(self._gathering)
        return self._finishing and idle

    def _step(self) -> None:
        linger = self._lingering()
        messages = self._next(linger)
        if self._stopping.is_set():
            return
        if len(messages):
            for heard, found, taken in self._heard(messages):
                if not self._gathering.takes(heard, found) and not self._commit():
                    return
                self._gathering.add(heard, found, taken, self._inbox.begun_s)
        if self._is_look_due and not self._look():
            return
        steady, now_s = self._inbox.is_steady(linger), time.monotonic()
        spared = self._sparing(linger)
        in_vain = not len(messages) and self._gathering.until_s(spared, steady=True) <= now_s
        if self._inbox.is_dry or (steady and in_vain):
            self._gathering.dried_up()
        due_s = self._gathering.due_s(spared, steady=steady)
        if self._finishing or due_s <= now_s:
            self._commit()
        elif not len(messages):
            self._committing.settle()

    def _look(self) -> bool:
        """Take what detection has to tell by itself; False: stopped before there was room."""
        self._is_look_due = False
        found = Found() if self._detector is None else self._detector.look_again()
        if found:
            if not self._gathering.takes(None, found) and not self._commit():
                return False
            self._tell(found)
            self._gathering.add_found(found, time.monotonic())
        return True

    def _keep_last(self) -> None:
        """Keep what detection knows, for the next run."""
        for found in [] if self._detector is None else self._detector.last():
            self._tell(found)
            self._gathering.add_found(found, time.monotonic())
            if not self._commit():
                return

    def _next(self, linger: Linger) -> Messages:
        """What is to be read: what was left, filled up while it is less than is read together.

        For a few messages cost the models nearly as much: each series brings its past along.
        """
        left, until_s = self._left, 0.0
        if len(left) and (len(left) >= self._together or not len(self._inbox)):
            return left
        if not len(left):
            steady = self._inbox.is_steady(linger)
            until_s = self._gathering.until_s(self._sparing(linger), steady=steady)
        messages = self._inbox.take(linger, until_s)
        self._taken += len(messages)
        if not len(left):
            return messages
        left.extend(messages)
        return left

    def _lingering(self) -> Linger:
        most = min(self._ingest.state.window // 2, self._gathering.most)
        return replace(self._linger, enough_max=int(max(1, most)))

    def _sparing(self, linger: Linger) -> Linger:
        """The same for commits, which are to leave a slow card alone; looks do not wait for it."""
        spare_s = 0.0 if self._card is None else self._card.spacing_s
        return linger.on_card(self._committing.commit_s, spare_s)

    def _commit(self) -> bool:
        """Hand over what is gathered; False when we are stopped before there is room."""
        if not len(self._gathering):
            return True
        chunk, messages = self._gathering.take(time.monotonic())
        if self._card is not None:
            self._card.committed()
        *before, last = chunk.pieces()
        whole = all(self._committing.offer(one, Messages()) for one in before)
        return whole and self._committing.offer(last, messages)

    def _heard(self, messages: Messages) -> list[tuple[Heard, Found | None, Messages]]:
        """What some of ``messages`` say, with what is found in it; what is left is for later."""
        told: list[tuple[Heard, Messages]] = []
        while len(messages) and len(told) < READ_TOGETHER:
            heard = self._reader.read(messages)
            mine, messages = messages.split(heard.counts.messages)
            told.append((heard, mine))
        self._left = messages
        if len(messages):
            self._together = sum(len(mine) for _, mine in told)
        found: Sequence[Found | None] = [None] * len(told)
        if self._detector is not None and any(h.batch.rows for h, _ in told):
            found = self._detector.detect([heard.batch for heard, _ in told], self._catalog)
            for one in found:
                self._tell(one)
        if self._on_heard is not None:
            for heard, mine in told:
                self._on_heard(mine, heard)
        return [(heard, one, mine) for (heard, mine), one in zip(told, found, strict=True)]

    def _tell(self, found: Found) -> None:
        """Tell of episodes that opened, went on or ended."""
        if found.changes and self._on_episodes is not None:
            self._on_episodes(named(found, self._catalog))

    def _acknowledge(self, chunk: Chunk, messages: Messages) -> None:
        """On the buffer's thread, in order of the chunks."""
        before = self._collected
        totals = dict(before.totals)
        for name, count in chunk.counters.items():
            totals[name] = totals.get(name, 0) + count
        self._collected = Collected(totals, before.commits + 1)
        self._ingest.ack(messages)
        if self._on_committed is not None:
            self._on_committed(chunk)
