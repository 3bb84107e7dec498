"""The writer thread of the buffer and the bounded queue before it.

Commits wait their turn in order and are taken in groups. While the queue is full the caller of a
commit is blocked, up to a deadline; other calls are refused at once, for they come from an event
loop that may not block. After any failure of the storage nothing is tried again: every waiting and
every later job gets the same error, and the agent has to open the buffer anew.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import apsw

from edge.errors import StorageError
from edge.store.buffer import Buffer
from edge.store.commit import Waiting
from edge.store.limits import BlockUnreadable, BufferFull, StoreBusy, StoreLimits

_log = logging.getLogger(__name__)

_ANSWERS = (BufferFull, BlockUnreadable, ValueError)
"""What a job may raise while the buffer is sound; everything else ends the store."""


@dataclass(slots=True, eq=False)
class Call:
    """A job other than a commit, and whoever waits for it."""

    run: Callable[[], Any]
    future: "Future[Any]"


Job = Waiting | Call


class Queue:
    """Jobs in order, bounded: commits by number and bytes, calls by number."""

    def __init__(self, limits: StoreLimits) -> None:
        self._limits = limits
        self._jobs: deque[Job] = deque()
        self._commits = 0
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed: StorageError | None = None

    def put(self, job: Job) -> None:
        """Add a job; StoreBusy when there is no room in time, or what the store ended with."""
        with self._changed:
            wait_s = self._limits.queue_wait_s if isinstance(job, Waiting) else 0.0
            fits = self._changed.wait_for(lambda: self._closed or self._fits(job), wait_s)
            if self._closed is not None:
                raise self._closed
            if not fits:
                raise StoreBusy("hand a job to the buffer", "its queue is full", "the disk is slow")
            self._jobs.append(job)
            if isinstance(job, Waiting):
                self._commits += 1
                self._bytes += job.prepared.size
            self._changed.notify_all()

    def _fits(self, job: Job) -> bool:
        limits = self._limits
        if isinstance(job, Call):
            return len(self._jobs) - self._commits < limits.queue_calls_max
        room = self._bytes + job.prepared.size <= limits.queue_bytes_max
        return room and self._commits < limits.queue_commits_max

    def take(self, *, wait: bool) -> list[Job]:
        """The next call, or the next commits as one group; empty when none is there or closed."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._jobs or self._closed)
            group: list[Job] = []
            size = 0
            while self._jobs and (not group or self._joins(group[0], size)):
                job = self._jobs.popleft()
                group.append(job)
                if isinstance(job, Waiting):
                    self._commits -= 1
                    self._bytes -= job.prepared.size
                    size += job.prepared.size
            self._changed.notify_all()
            return group

    def _joins(self, first: Job, size: int) -> bool:
        job = self._jobs[0]
        if not (isinstance(first, Waiting) and isinstance(job, Waiting)):
            return False
        return size + job.prepared.size <= self._limits.group_bytes_max

    def close(self, why: StorageError) -> None:
        """Take no more jobs; those already there may still be taken."""
        with self._changed:
            self._closed = self._closed or why
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether no more jobs come."""
        return self._closed is not None


class Writer:
    """The one thread that touches the buffer after its opening."""

    def __init__(self, buffer: Buffer, limits: StoreLimits) -> None:
        self.queue = Queue(limits)
        self.turns = 0  # how often the thread came round
        self._buffer = buffer
        self._failed: StorageError | None = None
        # A daemon: an agent that dies without closing is to the file as one that was killed.
        self._thread = threading.Thread(target=self._supervise, name="buffer-writer", daemon=True)
        self._thread.start()

    def join(self, deadline_s: float) -> None:
        """Wait for the end after the queue was closed; StorageError when it did not end well."""
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            raise StorageError("close the buffer", "its writer did not end in time")
        if self._failed is not None:
            raise self._failed

    def _supervise(self) -> None:
        try:
            self._serve()
            self._buffer.close()
        except Exception as error:  # noqa: BLE001 - the supervisor: any failure ends the store
            self._fail(error)

    def _serve(self) -> None:
        tending = True
        while True:
            self.turns += 1
            group = self.queue.take(wait=not tending)
            if group:
                self._run(group)
                self._buffer.write_back()
                tending = True
            elif self.queue.closed:
                return
            else:
                tending = self._buffer.tend()
                self._buffer.write_back()

    def _run(self, group: list[Job]) -> None:
        try:
            commits = [job for job in group if isinstance(job, Waiting) and _begins(job)]
            if commits:
                self._buffer.keep(commits)
            for call in (job for job in group if isinstance(job, Call) and _begins(job)):
                self._answer(call)
        except Exception as error:
            failed = self._told(error)
            for job in group:
                if not job.future.done():
                    job.future.set_exception(failed)
            raise failed from error

    def _answer(self, call: Call) -> None:
        try:
            result = call.run()
        except _ANSWERS as answer:
            call.future.set_exception(answer)
        else:
            call.future.set_result(result)

    def _told(self, error: Exception) -> StorageError:
        if isinstance(error, StorageError):
            return error
        what = str(error) if isinstance(error, apsw.Error) else f"{type(error).__name__}: {error}"
        hint = "what was acknowledged is safe; the agent has to open the buffer anew"
        return StorageError("write to the buffer", what, hint)

    def _fail(self, error: Exception) -> None:
        failed = self._told(error)
        self._failed = failed
        _log.critical("the buffer failed and takes nothing more: %s", failed, exc_info=error)
        self.queue.close(failed)
        while group := self.queue.take(wait=False):
            for job in group:
                if _begins(job):
                    job.future.set_exception(failed)
        self._buffer.abandon()


def _begins(job: Job) -> bool:
    """Whether the job is still wanted; from here on it cannot be cancelled."""
    return job.future.set_running_or_notify_cancel()
