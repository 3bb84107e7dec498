"""The ingest role's process: `python -m cloud.roles.ingest FD`, started by its parent.

It alone writes the journal and talks with gateways: no acknowledgement waits for an interpreter
that decodes, or answers a question. It ends when told to, and at once when its parent is gone,
as a cloud that is killed does: what was acknowledged is on the disk.
"""

import asyncio
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError, TidegateError
from cloud.garbage import look_seldom
from cloud.ingest.gate import Gate, open_journal
from cloud.ingest.identity import Authority
from cloud.ingest.service import Presence
from cloud.journal.contract import Entry
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.memory import share_arenas
from cloud.registry.registry import Registry
from cloud.roles import ingest_wire as wire
from cloud.roles.consolidator import leave
from cloud.roles.ingest_wire import IngestChannel
from cloud.roles.wire import EndedError, Told
from protos.log import log_to_stderr

LOCK_S: Final = 10.0
"""How long to wait for the journal of a predecessor that has just lost its parent."""
LOOK_S: Final = 0.1
WATCH_S: Final = 0.5
SWITCH_S: Final = 0.0005
"""As in the first process: the loop gets the interpreter back soon from the journal's writer."""


def now_us() -> int:
    """This machine's clock, µs UTC."""
    return time.time_ns() // 1000


class Role:
    """Answers the parent from a thread; gateways are on the loop that made it."""

    def __init__(
        self,
        channel: IngestChannel,
        config: CloudConfig,
        authority: Authority,
        registry: Registry,
        journal: SqliteJournal,
    ) -> None:
        self._channel, self._config, self._authority = channel, config, authority
        self._registry, self._journal = registry, journal
        self._loop = asyncio.get_running_loop()
        self._gate: Gate | None = None
        self._news: set[str] = set()
        self._stirred = asyncio.Event()
        self.closed = asyncio.Event()
        journal.subscribe(self._stored)
        threading.Thread(target=self._answer, name="parent", daemon=True).start()

    async def run(self) -> None:
        """Until the parent has the journal closed."""
        loops = (self._tell(), self._watch(), look_seldom(asyncio.sleep))
        beside = [asyncio.create_task(each) for each in loops]
        ended = asyncio.create_task(self.closed.wait())
        done, _ = await asyncio.wait([ended, *beside], return_when=asyncio.FIRST_COMPLETED)
        for task in (*beside, ended):
            task.cancel()
        for task in done:
            task.result()

    def _stored(self, entries: Sequence[Entry]) -> None:
        self._say(wire.Stored(entries[-1].offset))

    def _say(self, news: wire.News) -> None:
        try:
            self._channel.send(news)
        except EndedError:
            leave()

    def _answer(self) -> None:
        """The thread that hears the parent; what waits for the disk is answered when it is done."""
        while True:
            try:
                order = self._channel.heard()
            except EndedError:
                leave()
            if not isinstance(order, wire.Asked):
                leave()
            number = order.number
            if isinstance(order.call, wire.Close):
                self._close(number)
                return
            try:
                found = self._done(order.call)
            except (TidegateError, OSError, ValueError) as error:
                self._say(wire.Answer(number, error=Told.of(error)))
                continue
            if isinstance(found, Future):
                found.add_done_callback(partial(self._said, number))
            else:
                self._value(number, found)

    def _said(self, number: int, done: "Future[Any]") -> None:
        error = done.exception()
        if error is None:
            self._value(number, done.result())
        else:
            told = Told.of(error if isinstance(error, Exception) else StorageError("end", ""))
            self._say(wire.Answer(number, error=told))

    def _value(self, number: int, value: object) -> None:
        self._say(wire.Answer(number, msgspec.Raw(msgspec.msgpack.encode(value))))

    def _done(self, call: wire.Call) -> object:
        """What a call asks for, or a future of it."""
        journal = self._journal
        match call:
            case wire.Listen():
                return asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
            case wire.Quiet():
                return asyncio.run_coroutine_threadsafe(self._quiet(), self._loop)
            case wire.MarkArchived(offset):
                return journal.mark_archived(offset)
            case wire.SetApart(offset, reason):
                journal.quarantine(offset, reason)
                return None
            case wire.AskWaiting():
                return 0 if self._gate is None else self._gate.ingest.waiting_bytes
            case _:
                return _QUESTIONS[type(call)](journal)

    async def _listen(self) -> None:
        self._gate = gate = Gate.make(
            self._config, self._authority, self._registry, self._journal, self._heard, now_us
        )
        await gate.start()
        self._tending = asyncio.create_task(gate.tend(), name="tend")

    async def _quiet(self) -> None:
        if self._gate is not None:
            self._tending.cancel()
            await self._gate.close()

    def _close(self, number: int) -> None:
        self._journal.close()
        self._registry.close()
        self._value(number, None)
        self._loop.call_soon_threadsafe(self.closed.set)

    def _heard(self, one: Presence) -> None:
        self._news.add(one.gateway)
        self._stirred.set()

    async def _tell(self) -> None:
        """Tell the parent who came, went and reported; the newest of each gateway at a time."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            names, self._news = self._news, set()
            assert self._gate is not None
            present = self._gate.ingest.presence
            seen = [_seen(present[name]) for name in sorted(names)]
            await asyncio.to_thread(self._say, wire.Heard(seen))

    async def _watch(self) -> None:
        """Tell when the journal failed for good."""
        while self._journal.failure is None:
            await asyncio.sleep(WATCH_S)
        await asyncio.to_thread(self._say, wire.Broken(Told.of(self._journal.failure)))
        await self.closed.wait()


def _seen(one: Presence) -> wire.Seen:
    status = one.status.SerializeToString()
    return wire.Seen(one.gateway, one.session, one.since_us, one.agent_version, status)


_QUESTIONS: Final[dict[type, Callable[[SqliteJournal], object]]] = {
    wire.AskHead: SqliteJournal.head,
    wire.AskArchived: SqliteJournal.archived,
    wire.AskCursors: SqliteJournal.cursors,
    wire.AskCounts: lambda journal: dict(journal.counts()),
    wire.AskStats: SqliteJournal.stats,
}


def take(config: CloudConfig) -> SqliteJournal:
    """Open the journal; one whose writer is about to end is waited for."""
    until = time.monotonic() + LOCK_S
    while True:
        try:
            return open_journal(config, now_us)
        except OperatorError:
            if time.monotonic() > until:
                raise
        time.sleep(LOOK_S)


async def serve(channel: IngestChannel, config: CloudConfig) -> None:
    """Open what the role needs, say so, and do as the parent says."""
    try:
        authority = Authority.load(config.authority_folder)
        registry = Registry.open(config.registry_path, config.certificate_life_us)
        journal = take(config)
    except TidegateError as error:
        channel.send(wire.Refused(Told.of(error)))
        return
    channel.send(wire.Ready(journal.generation))
    await Role(channel, config, authority, registry, journal).run()


def main() -> None:
    """The program."""
    # The parent says when to end; a terminal's Ctrl-C and a service's SIGTERM come to both.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    share_arenas()
    sys.setswitchinterval(SWITCH_S)
    channel = IngestChannel(socket.socket(fileno=int(sys.argv[1])))
    try:
        start = channel.heard()
        if not isinstance(start, wire.Start):
            raise StorageError("begin to take blocks in", f"the first order is {start!r}")
        log_to_stderr(start.settings.log.format, start.settings.log.level)
        asyncio.run(serve(channel, CloudConfig(Path(start.home), start.settings)))
    except EndedError:
        return


if __name__ == "__main__":
    main()
