"""The decoder's parent: asks its process for steps of the live view, replaces one that dies.

Whatever a process did that died was seen by nobody: the same step is asked again. What it died of
is in the marker that it left (`cloud.lake.attempts`), as if a whole cloud had died of it, so a
block that kills is set apart after the same number of deaths. Where no process can be started,
steps are made in this one.
"""

import logging
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Final

from cloud.errors import StorageError
from cloud.lake.correction import Known
from cloud.live.step import Step, Stepper
from cloud.roles.decoder_wire import Answer, Ask, Failure, Start
from cloud.roles.reader_child import Spawn, spawn
from cloud.roles.reader_wire import GoneError, Link

PROGRAM: Final = "cloud.roles.decoder"
ANSWER_S: Final = 60.0
"""How long a step may take, which takes a quarter of a second; then its process is killed."""
TRIES: Final = 2
"""Processes that may die of one step before it is a fault; the view asks again after a pause."""
START_PAUSE_S: Final = 30.0
"""From a start that failed to the next one."""
STOP_S: Final = 10.0
"""How long the step under way may take when the cloud ends; cut short, it counts as a death."""
_TRIED: Final = "decode blocks in a process of their own"
_log = logging.getLogger(__name__)


def _spawn() -> "tuple[subprocess.Popen[bytes], socket.socket]":
    return spawn(PROGRAM)


class _NoneStarts(Exception):  # noqa: N818 - a state, not a fault
    """No process can be started."""


@dataclass(slots=True, eq=False)
class _Child:
    """One process, how many corrections it was told, and what it was asked and has not answered."""

    process: "subprocess.Popen[bytes]"
    link: Link
    is_ready: bool = False
    told: int = 0
    asked: tuple[int, Known] | None = None

    def begin(self, until: float) -> None:
        """Wait until it can be asked."""
        if not self.is_ready:
            self.link.receive(until)
            self.is_ready = True

    def ask(self, start: int, known: Known, until: float) -> None:
        """Ask for the step after an offset, which `answer` then gives."""
        more = () if len(known) == self.told else tuple(known.found.values())[self.told :]
        self.link.send(Ask(start, more), until)
        self.told, self.asked = len(known), (start, known)

    def answer(self, until: float) -> Answer:
        """What it says to what it was asked."""
        answer: Answer = self.link.receive(until)
        self.asked = None
        return answer

    def is_asked(self, start: int, known: Known) -> bool:
        """Whether just this was asked."""
        return self.asked is not None and self.asked[0] == start and self.asked[1] is known

    def end(self) -> str:
        """See it end; how it did."""
        self.link.close()
        self.process.kill()
        code = self.process.wait()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class DecoderProcess:
    """`cloud.live.step.Stepper` in a process of its own.

    Args:
        begin: what the process is told first.
        here: makes steps where no process can.
        started: makes a process.
        answer_s: how long a step may take.
    """

    def __init__(
        self,
        begin: Start,
        here: Stepper,
        started: Spawn = _spawn,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._first, self._here, self._spawn, self._answer_s = begin, here, started, answer_s
        self._child: _Child | None = None
        self._not_before = 0.0
        self._working = threading.Lock()
        self._is_ending = False
        self.fault: StorageError | None = None
        """Why no process makes steps, None when one has since."""
        self.restarts = self.together = 0
        """Processes that died, and steps that were made in this one, since the start."""

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        child = self._child
        return None if child is None else child.process.pid

    def begin(self) -> None:
        """Have a process started, so that it is there when it is asked."""
        with self._working:
            self._start()

    def take(self, start: int, known: Known) -> Step | None:
        """As `Stepper.take`."""
        with self._working:
            how = ""
            for _ in range(TRIES):
                if self._is_ending:
                    return None
                try:
                    answer = self._answer(start, known)
                except _NoneStarts:
                    self.together += 1
                    return self._here.take(start, known)
                except TimeoutError:
                    how = f"no answer within {self._answer_s:g} s"
                    self._lose(how)
                except GoneError:
                    how = self._lose("")
                except BaseException:
                    self._lose("what it said could not be read")
                    raise
                else:
                    return self._told(answer, start, known)
            return self._given_up(how)

    def stop(self) -> None:
        """Let it finish the step under way, and see it end."""
        self._is_ending = True
        is_idle = self._working.acquire(timeout=STOP_S)
        try:
            child = self._child
            if child is not None and is_idle:
                self._finish(child)
            if child is not None:
                child.process.kill()  # who waits for it ends it
            if is_idle and child is not None:
                child.end()
                self._child = None
        finally:
            if is_idle:
                self._working.release()

    def _finish(self, child: _Child) -> None:
        """What it was asked ahead of time it does to the end: killed in it, it would be a death."""
        if child.asked is not None:
            try:
                child.answer(time.monotonic() + STOP_S)
            except (GoneError, TimeoutError):
                _log.warning("the process that decodes blocks did not end its step: it is killed")

    def _answer(self, start: int, known: Known) -> Answer:
        child = self._child or self._start()
        if child is None:
            raise _NoneStarts
        until = time.monotonic() + self._answer_s
        try:
            child.begin(until)
        except (GoneError, TimeoutError):
            self._unstarted(f"it ended at once: {child.end()}")
            raise _NoneStarts from None
        if child.asked is not None and not child.is_asked(start, known):
            child.answer(until)  # the view begins elsewhere meanwhile: nobody wants this
        if child.asked is None:
            child.ask(start, known, until)
        return child.answer(until)

    def _told(self, answer: Answer, start: int, known: Known) -> Step | None:
        """What an answer says; where more waits the next step is begun while this one is shown."""
        self.fault = None
        if answer.failure is Failure.LENGTH:
            self.together += 1
            return self._here.take(start, known)
        if answer.failure is not None:
            raise answer.error()
        step, child = answer.step, self._child
        if step is not None and step.is_full and not step.came and child is not None:
            try:
                child.ask(step.batch.end, known, time.monotonic() + self._answer_s)
            except (GoneError, TimeoutError):
                _log.debug("the process that decodes blocks died between two steps")
        return step

    def _given_up(self, how: str) -> Step | None:
        if self._is_ending:
            return None
        self.fault = StorageError(_TRIED, f"its process ended: {how}")
        raise self.fault

    def _lose(self, why: str) -> str:
        """Have done with one that died, or must; how it did."""
        child, self._child = self._child, None
        how = "" if child is None else child.end()
        self.restarts += 1
        if not self._is_ending:
            _log.warning("%s: its process ended: %s", _TRIED, why or how)
        return why or how

    def _start(self) -> _Child | None:
        """A new process; None where none can be started, or could not be a moment ago."""
        if time.monotonic() < self._not_before:
            return None
        try:
            process, end = self._spawn()
        except OSError as error:
            self._unstarted(str(error))
            return None
        child = self._child = _Child(process, Link(end, keeps=True))
        try:
            child.link.send(self._first)
        except GoneError:
            _log.debug("a decoder died before its first word")
        return child

    def _unstarted(self, why: str) -> None:
        self._child, self._not_before = None, time.monotonic() + START_PAUSE_S
        self.fault = StorageError(
            _TRIED, f"none can be started: {why}", "it is done in the first process meanwhile"
        )
        _log.warning("%s", self.fault)
