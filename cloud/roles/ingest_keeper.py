"""The ingest role's parent: starts its process, asks it, and hears who came and what is stored.

Blocks are read from the journal's files as any other process may read them; the rest is asked. When
the child dies the cloud ends, as it does when its journal fails: a restart recovers the journal and
goes on from there, and what was acknowledged is on the disk.
"""

import asyncio
import itertools
import logging
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from cloud.config import CloudConfig
from cloud.errors import StorageError, TidegateError
from cloud.ingest.service import Presence
from cloud.journal.contract import Entry
from cloud.journal.counts import Tally
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.quarantine import Quarantine, Quarantined
from cloud.journal.sqlite.reader import ReaderPool
from cloud.journal.sqlite.sqlite_journal import JournalStats
from cloud.roles import ingest_wire as wire
from cloud.roles.child import launch
from cloud.roles.ingest_wire import IngestChannel
from cloud.roles.wire import EndedError, Told
from protos import sync_pb2 as pb
from protos.series import SeriesEntry

PROGRAM: Final = "cloud.roles.ingest"
CALL_S: Final = 60.0
"""How long an answer may take: a mark waits for one commit, the end for what is queued."""
CLOSE_S: Final = 30.0

_log = logging.getLogger(__name__)
T = TypeVar("T")


class IngestProcess:
    """The process, and what it said; any thread may ask.

    Args:
        config: of the cloud.
        environment: of the process, None is our own.
    """

    def __init__(self, config: CloudConfig, environment: Mapping[str, str] | None = None) -> None:
        self.presence: Mapping[str, Presence] = MappingProxyType({})
        self.failure: StorageError | None = None
        self._heard: Callable[[Sequence[Presence]], None] = _nobody
        self._stored: tuple[Callable[[Sequence[Entry]], None], ...] = ()
        self._ready: Future[int] = Future()
        self._waiting: dict[int, Future[msgspec.Raw]] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._is_closing = False
        self._ended: Told | None = None
        try:
            self._process, end = launch(PROGRAM, environment)
        except OSError as error:
            hint = "is there memory, and room for one process more?"
            raise StorageError("start taking blocks in", str(error), hint) from error
        self._channel = IngestChannel(end)
        self._thread = threading.Thread(target=self._listen, name="ingest", daemon=True)
        self._thread.start()
        self._send(wire.Start(str(config.home), config.settings))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def generation(self) -> int:
        """The journal's, once it is open.

        Raises:
            OperatorError, StorageError: it cannot be opened, or the process died.
        """
        return self._ready.result()

    def ask(self, call: wire.Call, kind: type[T]) -> T:
        """Call, and wait for the answer.

        Raises:
            StorageError, OperatorError: what came of it, or the process is gone.
        """
        answer: Future[msgspec.Raw] = Future()
        number = next(self._numbers)
        with self._lock:
            if self._ended is not None:
                raise self._ended.failure()
            self._waiting[number] = answer
        self._send(wire.Asked(number, call))
        try:
            return msgspec.msgpack.decode(answer.result(CALL_S), type=kind)
        except TimeoutError as error:
            why = f"no answer in {CALL_S:g} s"
            raise StorageError("ask the process that takes blocks in", why) from error
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def on_stored(self, callback: Callable[[Sequence[Entry]], None]) -> Callable[[], None]:
        """Call back after each durable commit, with no entries: they are to be read."""
        with self._lock:
            self._stored = (*self._stored, callback)

        def stop() -> None:
            with self._lock:
                self._stored = tuple(one for one in self._stored if one is not callback)

        return stop

    async def start(self, heard: Callable[[Presence], None]) -> None:
        """Take gateways in; ``heard`` is told who comes, goes and reports, on this loop.

        Raises:
            OperatorError: it cannot listen where the settings say.
        """
        loop = asyncio.get_running_loop()

        def told(news: Sequence[Presence]) -> None:
            for one in news:
                loop.call_soon_threadsafe(heard, one)

        self._heard = told
        await asyncio.to_thread(self.ask, wire.Listen(), type(None))

    async def close(self) -> None:
        """End all sessions in good order, and take no more."""
        self._heard = _nobody
        try:
            await asyncio.to_thread(self.ask, wire.Quiet(), type(None))
        except TidegateError as error:
            _log.warning("sessions did not end in good order: %s", error)

    def end(self) -> None:
        """Have the journal closed, and see the process end; again is harmless."""
        if self._is_closing:
            return
        self._is_closing = True
        try:
            self.ask(wire.Close(), type(None))
            self._process.wait(CLOSE_S)
        except (TidegateError, subprocess.TimeoutExpired) as error:
            _log.warning("the process that takes blocks in did not end: %s", error)
        finally:
            self._process.kill()
            self._process.wait()
            self._thread.join()
            self._channel.close()

    def _send(self, order: wire.Order) -> None:
        try:
            self._channel.send(order)
        except EndedError:
            _log.debug("the process that takes blocks in died before an order")

    def _listen(self) -> None:
        try:
            while True:
                self._take(self._channel.said())
        except EndedError:
            self._gone()

    def _take(self, news: wire.News) -> None:
        match news:
            case wire.Stored():
                for callback in self._stored:
                    callback(())
            case wire.Answer(number, value, error):
                with self._lock:
                    answer = self._waiting.pop(number, None)
                if answer is None:
                    return
                if error is None:
                    answer.set_result(value)
                else:
                    answer.set_exception(error.error())
            case wire.Heard(seen):
                told = [_presence(one) for one in seen]
                self.presence = {**self.presence, **{one.gateway: one for one in told}}
                self._heard(told)
            case wire.Ready(generation):
                self._ready.set_result(generation)
            case wire.Refused(told):
                self._ready.set_exception(told.error())
            case wire.Broken(told):
                self.failure = told.failure()

    def _gone(self) -> None:
        """The process is dead or dying: whoever waits hears of it, and so does the cloud."""
        code = self._process.wait()
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        hint = "start the cloud again: what was acknowledged is on the disk"
        gone = StorageError("take blocks in", f"its process ended: {how}", hint)
        with self._lock:
            self._ended = Told.of(gone)
            if not self._is_closing:
                self.failure = self.failure or gone
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for each in waiting:
            each.set_exception(self._ended.failure())
        if not self._ready.done():
            self._ready.set_exception(gone)


class JournalApart:
    """The journal as the first process needs it: blocks from its files, the rest is asked."""

    def __init__(self, config: CloudConfig, process: IngestProcess) -> None:
        self.process = process
        self.generation = process.generation()
        self.quarantined_blocks = Quarantine(config.journal_folder / "quarantine.db")
        self._readers = ReaderPool(config.journal_folder)

    @property
    def failure(self) -> StorageError | None:
        """Why nothing is stored any more: the cloud must end."""
        return self.process.failure

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any."""
        return self._readers.read(after_offset, bytes_max)

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        """The declared table of an epoch, entries after + 1 and on."""
        with self._readers.reader() as reader:
            return reader.series(gateway, epoch, after)

    def head(self) -> int:
        """The highest durable offset."""
        return self.process.ask(wire.AskHead(), int)

    def archived(self) -> int:
        """The highest offset that was marked archived."""
        return self.process.ask(wire.AskArchived(), int)

    def mark_archived(self, offset: int) -> Future[None]:
        """The tables hold everything up to ``offset`` durably; done when it returns."""
        self.process.ask(wire.MarkArchived(offset), type(None))
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def quarantine(self, offset: int, reason: str) -> None:
        """Set a block apart, durably, that can never be decoded."""
        self.process.ask(wire.SetApart(offset, reason), type(None))

    def quarantined(self) -> list[Quarantined]:
        """All blocks set apart."""
        return self.quarantined_blocks.list()

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""
        return self.process.ask(wire.AskCursors(), list[Cursor])

    def counts(self) -> Mapping[str, Tally]:
        """How much was ever stored and archived of each gateway."""
        return self.process.ask(wire.AskCounts(), dict[str, Tally])

    def stats(self) -> JournalStats:
        """Figures as of now."""
        return self.process.ask(wire.AskStats(), JournalStats)

    def subscribe(self, callback: Callable[[Sequence[Entry]], None]) -> Callable[[], None]:
        """Call back after each durable commit, with no entries; returns how to stop."""
        return self.process.on_stored(callback)

    def rest(self) -> None:
        """Let go of the segments that are open: what is trimmed gives its space back."""
        self._readers.close()

    def close(self) -> None:
        """Have the journal closed and its process end; again is harmless."""
        self.process.end()
        self._readers.close()
        self.quarantined_blocks.close()


def _presence(seen: wire.Seen) -> Presence:
    status = pb.Status.FromString(seen.status)
    return Presence(seen.gateway, seen.session, seen.since_us, seen.agent_version, status)


def _nobody(_: Sequence[Presence]) -> None:
    """Nobody wants to know who came."""
