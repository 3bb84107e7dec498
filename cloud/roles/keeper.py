"""The consolidation role's parent: starts its process, answers it, and starts it anew when it dies.

The child's death is a fault like a full disk: told once, waited out, and gone when a pass succeeds.
Nothing that it was doing has to be undone here: it marks as archived what is on the disk already,
and a new child takes the lake as any crash leaves it. The views that readers hold live on here,
so do their files: each child asks which are in use before it deletes any.
"""

import logging
import threading
from typing import Final

from cloud.errors import StorageError, TidegateError
from cloud.lake.consolidator import Progress
from cloud.lake.loop import RETRY_S
from cloud.memory import give_back
from cloud.roles import wire
from cloud.roles.child import Child, Spawn, spawn
from cloud.roles.desk import Desk, Journal, Viewers
from cloud.roles.wire import EndedError

STARTS_MAX: Final = 8
"""Children that may die before the first view is shown; then the cloud does not start."""
START_PAUSE_S: Final = 1.0
STOP_S: Final = 90.0
"""How long the pass under way may take when the cloud ends; a killed one is done again later."""

_log = logging.getLogger(__name__)


class ConsolidationProcess:
    """`cloud.lake.loop.Consolidation` in a process of its own; `begin` before `start`.

    Args:
        begin: what the child is told first.
        journal: the open journal, of which this process is the only writer.
        viewers: who is shown the tables.
        started: makes a child.
        retry_s: pauses before the next child, by how many died in a row.
    """

    def __init__(
        self,
        begin: wire.Start,
        journal: Journal,
        viewers: Viewers,
        started: Spawn = spawn,
        retry_s: tuple[float, ...] = RETRY_S,
    ) -> None:
        self._first = begin
        self._desk = Desk(journal, viewers, self._note)
        self._spawn, self._retry_s = started, retry_s
        self._child: Child | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._deaths = self._faults_before = self._faults_of_child = self.restarts = 0
        self.signs = 0
        """Calls that were answered."""
        self._fault: Exception | None = None
        self._failure: StorageError | None = None
        self._progress: Progress | None = None
        self._thread = threading.Thread(target=self._run, name="consolidation", daemon=True)

    @property
    def fault(self) -> Exception | None:
        """What the last pass or the last child failed of, None when a pass succeeded since."""
        return self._fault

    @property
    def faults(self) -> int:
        """Passes that failed and children that died since the start."""
        return self._faults_before + self._faults_of_child

    @property
    def failure(self) -> StorageError | None:
        """Why passes ended for good, None while they go on."""
        return self._failure

    @property
    def progress(self) -> Progress | None:
        """What the last pass did."""
        return self._progress

    @property
    def pid(self) -> int | None:
        """Of the child, None while there is none."""
        child = self._child
        return None if child is None else child.process.pid

    def begin(self) -> None:
        """Have the lake taken and its first view shown.

        Raises:
            OperatorError, StorageError: it cannot be, or its process died STARTS_MAX times.
        """
        told = ""
        for _ in range(STARTS_MAX):
            child = self._started()
            try:
                self._attend(child)
                return
            except EndedError:
                told = self._bury(child)
            except TidegateError:
                self._bury(child)
                raise
            self._stopping.wait(START_PAUSE_S)
        raise StorageError("start consolidation", f"its process died each time ({told})")

    def start(self) -> None:
        """Begin passes; a child that dies has a successor from now on."""
        self._order(wire.Begin())
        self._thread.start()

    def stop(self) -> None:
        """Finish the pass under way, then end; a pass of more than STOP_S is cut short."""
        self._stopping.set()
        # A child that hangs does not read: the word would wait behind an answer to it, and we too.
        word = threading.Thread(target=self._order, args=(wire.Stop(),), name="stop", daemon=True)
        word.start()
        if self._thread.ident is None:  # it never began: nobody answers the child
            self._kill()
        else:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                _log.warning("consolidation did not end in %.0f s: its process is killed", STOP_S)
                self._kill()
                self._thread.join()

    def _run(self) -> None:
        """The supervisor of children: answers one until it is gone, then makes the next."""
        child = self._child
        while child is not None:
            try:
                self._serve(child)
            except EndedError:
                pass
            except Exception:  # noqa: BLE001 - a fault of ours costs this child, not the cloud
                _log.exception("a call of the consolidation process could not be answered")
                child.process.kill()
            told = self._bury(child)
            child = None if self._stopping.is_set() else self._next(told)

    def _next(self, told: str) -> Child | None:
        """A child that has the lake, after as many pauses as it takes; None at the end."""
        while True:
            self.restarts += 1
            pause_s = self._retry_s[min(self._deaths, len(self._retry_s)) - 1]
            self._failed(StorageError("consolidate", f"its process ended: {told}"))
            if self._stopping.wait(pause_s):
                return None
            try:
                child = self._replace()
            except OSError as error:
                told, self._deaths = f"none can be started: {error}", self._deaths + 1
                continue
            told = self._taken(child)
            if not told:
                return child

    def _taken(self, child: Child) -> str:
        """Whether a child has the lake and goes on, or what came between; then it is buried."""
        try:
            self._attend(child)
            child.channel.send(wire.Stop() if self._stopping.is_set() else wire.Begin())
        except EndedError:
            return self._bury(child)
        except TidegateError as error:
            self._bury(child)
            return str(error)
        except Exception as error:  # noqa: BLE001 - as in `_run`
            _log.exception("a call of the consolidation process could not be answered")
            child.process.kill()
            self._bury(child)
            return f"a fault of this program: {error!r}"
        return ""

    def _started(self) -> Child:
        try:
            return self._replace()
        except OSError as error:
            hint = "is there memory, and room for one process more?"
            raise StorageError("start consolidation", str(error), hint) from error

    def _replace(self) -> Child:
        child = self._spawn()
        with self._lock:
            self._child = child
        try:
            child.channel.send(self._first)
        except EndedError:
            _log.debug("a child died before its first order")
        return child

    def _bury(self, child: Child) -> str:
        """See a child end that is gone or has refused; how it did."""
        with self._lock:
            self._child = None
        told = child.reap()
        if not self._stopping.is_set():
            self._deaths += 1
        self._faults_before, self._faults_of_child = self.faults, 0
        return told

    def _failed(self, error: StorageError) -> None:
        if str(error) != str(self._fault):
            _log.error("consolidation stands still: %s", error)
        self._fault = error
        self._faults_before += 1

    def _order(self, order: wire.Order) -> None:
        with self._lock:
            child = self._child
        if child is not None:
            try:
                child.channel.send(order)
            except EndedError:
                _log.debug("a child died before an order")

    def _kill(self) -> None:
        with self._lock:
            child = self._child
        if child is not None:
            child.process.kill()
            if self._thread.ident is None:
                self._bury(child)

    def _attend(self, child: Child) -> None:
        """Answer a child until it has the lake; EndedError when it died, else what it refused."""
        self._desk.forget()
        while True:
            call = self._answered(child)
            if isinstance(call, wire.Ready):
                return
            if isinstance(call, wire.Refused):
                raise call.told.error()

    def _serve(self, child: Child) -> None:
        while True:
            self._answered(child)

    def _answered(self, child: Child) -> wire.Call:
        call = child.channel.call()
        self._desk.answer(child, call)
        self.signs += 1
        return call

    def _note(self, passed: wire.Passed) -> None:
        self._progress = passed.progress or self._progress
        self._faults_of_child = passed.faults
        if passed.failure is not None:
            self._failure = passed.failure.failure()
        if passed.fault is not None:
            self._fault = passed.fault.error()
        elif passed.failure is None:
            if self._deaths:
                _log.info("consolidation goes on in process %d", self.pid or 0)
            self._fault, self._deaths = None, 0
        give_back()
