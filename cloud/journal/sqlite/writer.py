"""The one thread that writes the SQLite journal: a bounded queue, group commits, rotation.

A commit takes all that waits (up to a bound), so that a hundred streams share one fsync. Nothing
is answered before COMMIT has returned with synchronous=FULL. A failed write or fsync ends the
writer: what the kernel dropped cannot be known, so only opening the journal anew, which reads what
the disk holds, may go on. A full disk is no such failure: the transaction is undone and refused.
"""

import errno
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import apsw

from cloud.errors import StorageError
from cloud.journal.contract import Entry, JournalOverloadedError
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.held import SERIES_SHARE, Past, Transaction
from cloud.journal.sqlite.room import no_room
from cloud.journal.sqlite.segment import Opening, Segment, create_segment, last_offset, open_writer
from cloud.journal.sqlite.standing import Standing, cursor_rows, load_standing

T = TypeVar("T")
MIB = 1 << 20


class JournalFullError(JournalOverloadedError):
    """The journal has reached its bytes; it takes blocks again once older ones are archived."""


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """Bounds of a journal on disk and in memory; ValueError when they contradict each other.

    `segment_bytes_max` is of the write-ahead log of the segment in use, `replay_bytes_min` is kept
    behind `archived` for rebuilding views, `free_bytes_min` on the disk for the lake.
    """

    bytes_max: int = 16 * 1024 * MIB
    segment_bytes_max: int = 128 * MIB
    replay_bytes_min: int = 0
    queue_bytes_max: int = 64 * MIB
    queue_calls_max: int = 8192
    commit_bytes_max: int = 8 * MIB
    commit_calls_max: int = 1024
    free_bytes_min: int = 0

    def __post_init__(self) -> None:
        # The segment in use cannot be trimmed and one being settled lies on disk twice: with less
        # room a full journal could not be emptied by archiving it.
        if self.bytes_max < 4 * self.segment_bytes_max + self.replay_bytes_min:
            raise ValueError("journal bytes_max is below 4 segments and what is kept for replay")


@dataclass(slots=True)
class Job(Generic[T]):
    """One call waiting for its commit. `grows`: it is refused while the journal is full."""

    run: Callable[[Transaction], T]
    size: int = 0
    grows: bool = False
    future: "Future[T]" = field(default_factory=Future)
    result: T | None = None


class Queue:
    """Calls in their order, bounded by number and bytes; closing it lets what waits be done."""

    def __init__(self, limits: JournalLimits) -> None:
        self._limits = limits
        self._jobs: deque[Job[object]] = deque()
        self._bytes = 0
        self._refusal: StorageError | None = None
        self._changed = threading.Condition()

    def put(self, job: Job[object]) -> None:
        """Take a call, or fail its future at once when there is no room or no writer."""
        with self._changed:
            refusal = self._refusal
            if refusal is None and job.size and self._is_full(job.size):
                hint = "nothing was taken; the gateways come back by themselves"
                refusal = JournalOverloadedError("queue for the journal", "the disk lags", hint)
            if refusal is None:
                self._jobs.append(job)
                self._bytes += job.size
                self._changed.notify()
        if refusal is not None:
            job.future.set_exception(refusal)

    def take(self) -> list[Job[object]] | None:
        """Wait for calls; as many as one commit may hold, None once it is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._refusal)
            if not self._jobs:
                return None
            taken: list[Job[object]] = []
            room = self._limits.commit_bytes_max
            while self._jobs and room > 0 and len(taken) < self._limits.commit_calls_max:
                job = self._jobs.popleft()
                room -= job.size
                self._bytes -= job.size
                if job.future.set_running_or_notify_cancel():
                    taken.append(job)
            return taken

    def close(self, refusal: StorageError) -> None:
        """Refuse later calls with this error; the first one given stays."""
        with self._changed:
            self._refusal = self._refusal or refusal
            self._changed.notify()

    def _is_full(self, size: int) -> bool:
        # Calls without a size (a hello, an archived mark) pass: refusing them would free nothing.
        too_many = len(self._jobs) >= self._limits.queue_calls_max
        return too_many or self._bytes + size > self._limits.queue_bytes_max


class Writer:
    """The writing end of an opened journal. Its public fields are of the last durable commit.

    Args:
        segments: all segments, oldest first, the last one to be appended to.
        now_us: the clock, µs UTC.
        committed: called in the writer's thread after each commit with its blocks and with the
            cursors whose `archived` rose; must not block.
        rotated: called in the writer's thread when a segment was sealed.
    """

    def __init__(
        self,
        folder: Path,
        opening: Opening,
        segments: Sequence[Segment],
        limits: JournalLimits,
        now_us: Callable[[], int],
        committed: Callable[[Sequence[Entry], Sequence[Cursor]], None],
        rotated: Callable[[], None],
    ) -> None:
        self._folder, self._limits, self._now_us = folder, limits, now_us
        self._committed, self._rotated = committed, rotated
        self._opening, self._past, self._is_sealing = opening, Past(), False
        self._lock = threading.Lock()  # of `segments` and `_sealed_bytes`
        self.segments: tuple[Segment, ...] = tuple(segments)
        self.failure: StorageError | None = None
        self._use(self.segments[-1])
        self.standing: dict[str, Standing] = load_standing(self._connection)
        self.head = last_offset(self._connection, self._segment.first)
        meta = self._connection.execute("SELECT value FROM meta WHERE name = 'archived'")
        self.archived = int(meta.get)
        self.queue = Queue(limits)
        self.settled()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def call(
        self, run: Callable[[Transaction], T], *, size: int = 0, grows: bool = False
    ) -> "Future[T]":
        """Have `run` applied to the next transaction; the future resolves when it is durable."""
        job: Job[T] = Job(run, size, grows)
        self.queue.put(job)  # type: ignore[arg-type]
        return job.future

    def seal(self) -> "Future[None]":
        """Go on in a new segment, whatever the one in use holds; done when the future is."""
        self._is_sealing = True
        return self.call(lambda _: None)

    def settled(self, gone: Sequence[Segment] = ()) -> None:
        """Count the sealed segments again, after some were settled or unlinked (`gone`)."""
        with self._lock:
            self.segments = tuple(one for one in self.segments if one not in gone)
            self._sealed_bytes = sum(one.bytes() for one in self.segments[:-1])

    def bytes(self) -> int:
        """What all segments take on disk."""
        return self._sealed_bytes + self._segment.bytes()

    def close(self) -> None:
        """Do what is queued, then end."""
        self.queue.close(_refusal("it is closed"))
        self._thread.join()

    def fail(self, error: Exception) -> None:
        """End the journal's writing: from now on every call gets this error."""
        failure = _refusal(str(error), "check the disk, then start again: recovery is automatic")
        self.failure = self.failure or failure
        self.queue.close(failure)

    def _run(self) -> None:
        while self.failure is None and (jobs := self.queue.take()) is not None:
            try:
                self._rotate_if_due()
                self._commit(jobs)
            except (apsw.Error, OSError, StorageError) as error:
                self.fail(error)
                _refuse(jobs, self.failure)
        while jobs := self.queue.take():
            _refuse(jobs, self.failure)
        self._past.close()
        self._connection.close()

    def _commit(self, jobs: list[Job[object]]) -> None:
        transaction = self._begin()
        try:
            done = self._apply(transaction, jobs)
            transaction.finish()
            self._connection.execute("COMMIT")
        except apsw.FullError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            _refuse(jobs, _full(str(error)))
            return
        self.standing.update(transaction.changed)
        self.head, self.archived = transaction.head, transaction.archived
        for job in done:
            job.future.set_result(job.result)
        risen = [self.standing[gateway].cursor for gateway in sorted(transaction.risen)]
        self._committed(transaction.entries, risen)

    def _begin(self) -> Transaction:
        self._past.become(self.segments[:-1])
        self._connection.execute("BEGIN IMMEDIATE")
        return Transaction(
            self._connection, self._segment.first, self._past, self.standing, self.head,
            self.archived, self._now_us(), self._limits.bytes_max // SERIES_SHARE,
        )  # fmt: skip

    def _apply(self, transaction: Transaction, jobs: list[Job[object]]) -> list[Job[object]]:
        done = []
        most, free = self._limits.bytes_max, self._limits.free_bytes_min
        why = no_room(self.bytes(), most, self._folder, free)
        for job in jobs:
            if job.grows and why:
                job.future.set_exception(_full(why))
                continue
            try:
                job.result = job.run(transaction)
            except (apsw.Error, OSError):
                raise
            except Exception as error:  # noqa: BLE001 — the supervisor of decisions: they are
                # taken before anything of theirs is written, so a fault in one undoes nothing
                # and must not take the other streams down with it.
                job.future.set_exception(error)
                continue
            done.append(job)
        return done

    def _rotate_if_due(self) -> None:
        log = self._segment.bytes() - self._opening_bytes
        # A segment should hold several times what its opening state takes.
        due = max(self._limits.segment_bytes_max, 4 * self._opening_bytes)
        due = 0 if self._is_sealing else min(due, self._limits.bytes_max // 4)
        self._is_sealing = False
        if log < due or self.head < self._segment.first:
            return
        try:
            first, now = self.head + 1, self._now_us()
            opening = replace(self._opening, first=first, archived=self.archived, opened_us=now)
            rows = cursor_rows(self.standing.values())
            segment = create_segment(self._folder, opening, cursors=rows, previous=self._segment)
        except StorageError as error:
            if is_no_space(error.__cause__):
                return  # nothing rests on the new file yet: go on in this one, try again later
            raise
        self._connection.close()
        with self._lock:
            self.segments = (*self.segments, segment)
        self._use(segment)
        self.settled()
        self._rotated()

    def _use(self, segment: Segment) -> None:
        self._segment, self._connection = segment, open_writer(segment)
        self._opening_bytes = segment.path.stat().st_size


def is_no_space(error: BaseException | None) -> bool:
    """Whether the disk refused for want of room: undone, and to be tried again."""
    no_room = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return no_room or isinstance(error, apsw.FullError)


def _full(cause: str) -> JournalFullError:
    hint = "blocks wait at the gateways until the lake has archived older ones; or allow more bytes"
    return JournalFullError("store in the journal", cause, hint)


def _refusal(cause: str, hint: str = "") -> StorageError:
    return StorageError("write to the journal", cause, hint)


def _refuse(jobs: Sequence[Job[object]], error: StorageError | None) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(error)
