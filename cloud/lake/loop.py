"""The consolidator's thread: passes at an interval or when asked, and what it does about faults."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from deltalake.exceptions import DeltaError

from cloud.errors import StorageError, TidegateError
from cloud.lake.consolidator import Consolidator, Progress
from cloud.lake.table.parquet import SyncFailedError
from cloud.memory import give_back

INTERVAL_S: Final = 10.0
RETRY_S: Final = (1.0, 5.0, 15.0, 60.0)
"""Pauses after faults in a row; the last one stays."""

_log = logging.getLogger(__name__)


class Consolidation(Protocol):
    """Consolidation as whoever runs a cloud sees it, in this process or in one of its own."""

    @property
    def fault(self) -> Exception | None:
        """What the last pass failed of, None when it succeeded."""

    @property
    def faults(self) -> int:
        """Passes that failed since the start."""

    @property
    def pid(self) -> int | None:
        """Of its process, None while it has none of its own."""

    @property
    def restarts(self) -> int:
        """Times that a process of its own ended by itself."""

    @property
    def signs(self) -> int:
        """How often it was heard of: grows while it lives, `cloud.lake.standstill` looks."""

    @property
    def failure(self) -> StorageError | None:
        """Why passes ended for good: the cloud must end. None while they go on."""

    @property
    def progress(self) -> Progress | None:
        """What the last pass did."""

    def start(self) -> None:
        """Begin, with the first view published."""

    def stop(self) -> None:
        """Finish the pass under way, then end; the lake is let go."""


def no_word() -> None:
    """Nobody is to be told of a pass."""


class ConsolidationLoop:
    """Runs passes until stopped. `Consolidator.recover` must have been called.

    A fault (a full disk, a torn file) is told once in the log, the lake is opened anew and the
    pass tried again; `fault` says what stands in the way until a pass succeeds. A lake that lost
    what it promised stays a fault until a person has mended it: nothing is archived meanwhile.
    An fsync that failed is no such fault: passes end for good, `failure` says why, and whoever
    runs the loop must end the process. ``passed`` is called after each, also one that failed.
    """

    def __init__(
        self,
        consolidator: Consolidator,
        interval_s: float = INTERVAL_S,
        passed: Callable[[], None] = no_word,
    ) -> None:
        self._consolidator = consolidator
        self._interval_s = interval_s
        self._tell = passed
        self._wake = threading.Event()
        self._passed = threading.Condition()
        self._stopping = False
        self._faults = 0
        self._faults_ever = 0
        self.signs = 0
        """Passes that ended, whatever became of them."""
        self._fault: Exception | None = None
        self._failure: StorageError | None = None
        self._progress: Progress | None = None
        self._thread = threading.Thread(target=self._run, name="consolidate", daemon=True)

    @property
    def fault(self) -> Exception | None:
        """What the last pass failed of, None when it succeeded."""
        return self._fault

    @property
    def faults(self) -> int:
        """Passes that failed since the start."""
        return self._faults_ever

    @property
    def pid(self) -> int | None:
        """None: the process is the cloud's own."""
        return None

    @property
    def restarts(self) -> int:
        """0, for the same reason."""
        return 0

    @property
    def failure(self) -> StorageError | None:
        """Why passes ended for good, None while they go on."""
        return self._failure

    @property
    def progress(self) -> Progress | None:
        """What the last pass did."""
        return self._progress

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Begin the next pass now."""
        self._wake.set()

    def drain(self, offset: int, timeout_s: float) -> bool:
        """Pass without pause until ``offset`` is archived; False when that took too long."""
        until = time.monotonic() + timeout_s
        with self._passed:
            while self._progress is None or self._progress.offset < offset:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._wake.set()
                self._passed.wait(min(left, 1.0))
        return True

    def stop(self) -> None:
        """Finish the pass under way, then end; the lake's lock is let go."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._consolidator.close()

    def _run(self) -> None:
        """The supervisor: the thread lives on whatever a pass dies of."""
        while not self._stopping and self._failure is None:
            more, begun_s = False, time.monotonic()
            try:
                if self._fault is not None:
                    self._consolidator.recover()
                more = self._pass()
            except SyncFailedError as error:
                self._failure = error
                self._failed(error)
            except (TidegateError, DeltaError, OSError) as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 - attempts at one block are counted: see Attempts
                self._failed(StorageError("consolidate", f"a fault of this program: {error!r}"))
                _log.exception("consolidation failed by a fault of this program")
            self.signs += 1
            self._tell()
            with self._passed:
                self._passed.notify_all()
            if not more and self._failure is None:
                self._wake.wait(self._pause_s(time.monotonic() - begun_s))
                self._wake.clear()

    def _pass(self) -> bool:
        try:
            progress = self._consolidator.run_once()
        finally:
            give_back()
        self._progress = progress
        if self._fault is not None:
            _log.info("consolidation goes on at offset %d", progress.offset)
        self._fault, self._faults = None, 0
        return progress.more or progress.merged > 0 or progress.is_upkeep_behind

    def _failed(self, error: Exception) -> None:
        if str(error) != str(self._fault):
            _log.error("consolidation stands still: %s", error)
        self._fault = error
        self._faults += 1
        self._faults_ever += 1

    def _pause_s(self, took_s: float) -> float:
        """What is left of the interval: a pass that took long has let as much come meanwhile."""
        if self._fault is None:
            return max(0.0, self._interval_s - took_s)
        return RETRY_S[min(self._faults, len(RETRY_S)) - 1]
