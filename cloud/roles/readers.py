"""The parent's side of the readers: a few processes, which of them is free, and who replaces one.

A question goes to the reader that had the same series before, if it is free, for it knows their
files; else to any. Each question is told what changed of the tables since the one before. Whoever
asks holds the view until the answer is there or the reader is dead, so no file that a reader reads
is deleted (`Live.in_use`).
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloud.errors import StorageError
from cloud.lake.table.files import FileList
from cloud.query.history import TooHeavy
from cloud.query.one import TooManyReadings
from cloud.query.pool import WAIT_S, Busy
from cloud.roles.reader_child import Reader, Spawn, spawn
from cloud.roles.reader_wire import (
    Answer,
    EventsQuestion,
    Failure,
    GoneError,
    Link,
    Question,
    Start,
)

ANSWER_S: Final = 60.0
"""How long a question may take, as long as the command line waits; then its reader is killed."""
TRIES: Final = 2
"""Readers that may die of one question."""
KEPT_BYTES: Final = 256 << 20
"""What a reader may hold between two questions; one that holds more is replaced."""
RETRY_S: Final = (0.1, 1.0, 5.0, 15.0, 60.0)
"""Pauses before the next reader, by how many died since one answered."""
DEATHS_TOLD: Final = 3
"""Deaths since one answered after which it is a fault."""
LOOK_S: Final = 1.0
_log = logging.getLogger(__name__)


class Away(Exception):  # noqa: N818 - a state, not a fault
    """No reader is there, or none can take the question: who asked answers by itself."""


@dataclass(frozen=True, slots=True)
class ReadersNow:
    """How readers stand: ``wanted`` and ``alive`` now, the rest since the start."""

    wanted: int = 0
    alive: int = 0
    restarts: int = 0
    answers: int = 0
    together: int = 0
    pids: tuple[int, ...] = ()


class Readers:
    """A few readers; any thread may ask.

    Args:
        count: how many.
        start: what each is told first.
        started: makes a process.
        answer_s: how long a question may take.
        retry_s: pauses before the next one.
    """

    def __init__(
        self,
        count: int,
        start: Start,
        started: Spawn = spawn,
        answer_s: float = ANSWER_S,
        retry_s: tuple[float, ...] = RETRY_S,
    ) -> None:
        self._count, self._start, self._spawn = count, start, started
        self._answer_s, self._retry_s = answer_s, retry_s
        self._free = threading.Condition()
        self._readers: dict[int, Reader] = {}
        self._lacking = threading.Event()
        self._stopping = threading.Event()
        self._deaths = self._restarts = self._answers = self._together = 0
        self._fault: StorageError | None = None
        self._thread = threading.Thread(target=self._keep, name="readers", daemon=True)

    @property
    def fault(self) -> StorageError | None:
        """Why none can be kept, None while one answers: history is read in this process then."""
        return self._fault

    @property
    def now(self) -> ReadersNow:
        """How they stand."""
        with self._free:
            held = [reader.process.pid for reader in self._readers.values()]
            told = self._restarts, self._answers, self._together
        return ReadersNow(self._count, len(held), *told, tuple(held))

    def begin(self) -> None:
        """Start them, and from now on one in place of each that dies."""
        self._fill()
        self._thread.start()

    def stop(self) -> None:
        """End them; questions under way fail."""
        self._stopping.set()
        self._lacking.set()
        if self._thread.ident is not None:
            self._thread.join()
        with self._free:
            held, self._readers = list(self._readers.values()), {}
            self._free.notify_all()
        for reader in held:
            reader.process.kill()  # who asked one of them ends it
            if not reader.is_busy:
                reader.end()

    def ask(
        self, home: int, question: Question | EventsQuestion, tables: Mapping[str, FileList]
    ) -> Any:
        """What a reader answers, that of ``home`` if it is free: a `History`, or rows of events.

        Raises:
            Away: none can take it.
            Busy: none was free for WAIT_S.
            TooHeavy: it took too long, too much memory, or the lives of TRIES readers.
            TooManyReadings, StorageError: as `Query.history`.
        """
        for _ in range(TRIES):
            reader = self._take(home)
            try:
                answer = reader.ask(question, tables, time.monotonic() + self._answer_s)
            except TimeoutError:
                self._lose(reader, f"it did not answer within {self._answer_s:g} s")
                raise TooHeavy(f"it takes more than {self._answer_s:g} s") from None
            except GoneError:
                self._lose(reader, "")
                continue
            except ValueError as error:  # a question over the bound of a frame: nothing was sent
                self._give_back(reader)
                raise Away from error
            except BaseException:
                self._lose(reader, "what it said could not be read")
                raise
            return self._told(reader, answer)
        raise TooHeavy(f"{TRIES} readers died of it")

    def read_together(self) -> None:
        """Count a question that was answered without a reader."""
        with self._free:
            self._together += 1

    def _told(self, reader: Reader, answer: Answer) -> Any:
        """What an answer says; its reader is free again, or replaced."""
        if answer.failure in (Failure.MEMORY, Failure.FAULT):
            self._retire(reader, "a question was too much for it")
        elif answer.held_bytes > KEPT_BYTES:
            self._retire(reader, f"it holds {answer.held_bytes >> 20} MiB")
        else:
            self._give_back(reader)
        with self._free:
            self._answers += 1
            self._deaths, self._fault = 0, None
        match answer.failure:
            case None if answer.found is not None:
                return answer.found
            case Failure.READINGS:
                raise TooManyReadings(answer.readings)
            case Failure.MEMORY:
                raise TooHeavy(f"it takes more than {self._start.memory_bytes >> 20} MiB")
            case Failure.LENGTH | Failure.ROWS:
                raise Away
            case _:
                raise answer.error()

    def _take(self, home: int) -> Reader:
        until = time.monotonic() + WAIT_S
        with self._free:
            while True:
                if not self._readers:
                    raise Away
                free = {one.number: one for one in self._readers.values() if not one.is_busy}
                if free:
                    reader = free.get(home % self._count) or next(iter(free.values()))
                    reader.is_busy = True
                    return reader
                if not self._free.wait(until - time.monotonic()):
                    raise Busy

    def _give_back(self, reader: Reader) -> None:
        with self._free:
            reader.is_busy = False
            self._free.notify()

    def _retire(self, reader: Reader, why: str) -> None:
        """Have another in place of one that did nothing wrong."""
        _log.info("reader %d is replaced: %s", reader.process.pid, why)
        self._remove(reader)

    def _lose(self, reader: Reader, why: str) -> None:
        """Have another in place of one that died, or must."""
        with self._free:
            self._deaths += 1
        how = self._remove(reader)
        if not self._stopping.is_set():
            self._failed(f"its process {reader.process.pid} ended: {why or how}")

    def _remove(self, reader: Reader) -> str:
        with self._free:
            self._readers.pop(reader.number, None)
            self._restarts += 1
            self._free.notify_all()
        how = reader.end()
        self._lacking.set()
        return how

    def _failed(self, why: str) -> None:
        error = StorageError("read history in a process of its own", why)
        _log.warning("%s", error)
        if self._deaths >= DEATHS_TOLD:
            self._fault = error

    def _keep(self) -> None:
        """The supervisor of readers: notices who died idle, and fills what is lacking."""
        while not self._stopping.is_set():
            if self._lacking.wait(LOOK_S):
                self._lacking.clear()
            for reader in self._ended():
                self._lose(reader, "")
            with self._free:
                lacking, deaths = len(self._readers) < self._count, self._deaths
            if lacking:
                pause_s = self._retry_s[min(deaths, len(self._retry_s)) - 1] if deaths else 0.0
                if not self._stopping.wait(pause_s):
                    self._fill()

    def _ended(self) -> list[Reader]:
        """Those that died while nobody asked them; nobody can from now on."""
        with self._free:
            held = [one for one in self._readers.values() if not one.is_busy]
            ended = [one for one in held if one.process.poll() is not None]
            for one in ended:
                one.is_busy = True
        return ended

    def _fill(self) -> None:
        for number in range(self._count):
            if number in self._readers:
                continue
            try:
                process, end = self._spawn()
            except OSError as error:
                with self._free:
                    self._deaths += 1
                self._failed(f"none can be started: {error}")
                return
            reader = Reader(number, process, Link(end))
            try:
                reader.link.send(self._start)
            except GoneError:
                _log.debug("a reader died before its first word")
            with self._free:
                self._readers[number] = reader
                self._free.notify_all()
