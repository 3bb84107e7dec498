"""The aggregator: wires the stages of one cloud, starts them, and ends them in order.

The only place that does. Ingest and enrolment run on the loop, the journal's writer, the live view
and queries on threads of their own; consolidation and what questions read of the tables too, or in
processes of their own (`cloud.roles`). When the journal fails for good the process ends with the
cause: what was acknowledged is on the disk, and a restart goes on from there.
"""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from starlette.applications import Starlette

from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError
from cloud.figures import Report, told_outside
from cloud.ingest import service as sync_ingest
from cloud.ingest.courtesy import Courtesy
from cloud.ingest.enrolment import enrolment_server
from cloud.ingest.identity import Authority
from cloud.ingest.presence import news_into, note_all
from cloud.ingest.renewal import RenewalDesk
from cloud.ingest.service import Ingest, IngestLimits, Presence
from cloud.journal.sqlite.orders import carry_out
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.attempts import Attempts
from cloud.lake.floors import LakeGround
from cloud.lake.loop import Consolidation
from cloud.lake.names import Names
from cloud.live.live import Live
from cloud.query.history import Query
from cloud.registry.registry import Registry
from cloud.roles.placement import begin_consolidation
from cloud.roles.reader_placement import begin_query
from cloud.roles.readers import Readers
from cloud.series.marks import Marks
from cloud.series.operations import Operations
from cloud.serve.app import build_app
from cloud.serve.asked import Asked
from cloud.serve.page_door import PageServer, listen, served
from cloud.serve.shell import LOOPBACK_HOSTS
from protos.address import is_loopback, split_address

log = logging.getLogger(__name__)

PAGE: Final = Path(__file__).parent / "web" / "dist"
WATCH_S: Final = 0.5
# When the journal's space comes back, and a certificate that is admitted no more ends its sessions.
TIDY_S: Final = 5.0
# Streams end in good order within this; a gateway that was cut off simply sends again.
STOP_S: Final = 5.0
PRESENCE_WAITING_MAX: Final = 4096
# The loop gets the interpreter back from threads that decode ten times as soon as by default.
SWITCH_S: Final = 0.0005


def now_us() -> int:
    """This machine's clock, µs UTC."""
    return time.time_ns() // 1000


async def serve(config: CloudConfig) -> None:
    """Run one cloud until SIGTERM or SIGINT.

    Raises:
        OperatorError, StorageError: what keeps it from starting, or ends it.
    """
    sys.setswitchinterval(SWITCH_S)
    aggregator = await asyncio.to_thread(Aggregator.assemble, config)
    try:
        await aggregator.run()
    finally:
        await asyncio.to_thread(aggregator.close)


@dataclass(slots=True)
class Aggregator:
    """One cloud's stages, assembled; `run` starts what listens."""

    config: CloudConfig
    authority: Authority
    registry: Registry
    journal: SqliteJournal
    live: Live
    lake: Consolidation
    operations: Operations
    query: Query
    readers: Readers | None
    courtesy: Courtesy

    @classmethod
    def assemble(cls, config: CloudConfig) -> "Aggregator":
        """Open registry, journal and lake, and bring the view up to the journal's head.

        Raises:
            OperatorError: settings or identity that cannot be used.
            StorageError: a journal, lake or registry that cannot be used.
        """
        settings = config.settings
        authority = Authority.load(config.authority_folder)
        with ExitStack() as undo:
            registry = Registry.open(config.registry_path, config.certificate_life_us)
            undo.callback(registry.close)
            operations = Operations(registry)
            most, segment = settings.journal.bytes_max, settings.journal.segment_bytes
            limits = JournalLimits(most, segment, free_bytes_min=settings.journal.free_bytes_min)
            beside = LakeGround(config.lake_folder)
            journal = SqliteJournal.open(
                config.journal_folder, now_us=now_us, limits=limits, ground=beside.ground
            )
            undo.callback(journal.close)
            beside.adopt_into(journal.quarantined_blocks)
            names = Names(journal.series)
            attempts, courtesy = Attempts(config.lake_folder / "attempt-live.json"), Courtesy()
            live = Live(journal, names, attempts=attempts, pause=courtesy.step_aside)
            lake = begin_consolidation(config, journal, names, live, courtesy, now_us)
            undo.callback(lake.stop)
            live.start()
            undo.callback(live.stop)
            query, readers = begin_query(settings, live)
            undo.pop_all()
        return cls(
            config, authority, registry, journal, live, lake, operations, query, readers, courtesy
        )

    async def run(self) -> None:
        """Start the servers, wait for a signal or a failure, and end in order."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        heard: asyncio.Queue[Presence] = asyncio.Queue(PRESENCE_WAITING_MAX)
        ingest = Ingest(
            self.journal,
            admit=lambda certificate: self.registry.admission(certificate, now_us()),
            heard=news_into(heard),
            now_us=now_us,
            limits=self._limits(), desk=RenewalDesk(self.authority, self.registry, now_us),
        )  # fmt: skip
        sync = self._sync_server(ingest)
        outcomes: Counter[str] = Counter()
        enrol, _ = enrolment_server(self.config, self.authority, self.registry, now_us, outcomes)
        site = Asked(self._site(ingest))
        page = PageServer(served(site, STOP_S))
        door = listen(self.config.settings.listen.http)
        report = Report(self.journal, self.live, self.lake, self.readers, self.registry, ingest,
                        outcomes, site, now_us)  # fmt: skip
        await sync.start()
        await enrol.start()
        self.lake.start()
        try:
            async with told_outside(self.config.settings.metrics.listen, report.text, self._fault):
                await self._hold(stop, page, door, heard, ingest)
        finally:
            # Also when a task failed: no stream may outlive the journal.
            await ingest.close()
            await asyncio.gather(sync.stop(STOP_S), enrol.stop(STOP_S))

    async def _hold(
        self,
        stop: asyncio.Event,
        page: PageServer,
        door: socket.socket,
        heard: "asyncio.Queue[Presence]",
        ingest: Ingest,
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(page.serve([door]), name="page")
            others = [
                tasks.create_task(self._remember(heard), name="presence"),
                tasks.create_task(self._watch(), name="watch"),
                tasks.create_task(self.courtesy.watch(), name="courtesy"),
                tasks.create_task(self._tidy(ingest), name="tidy"),
                tasks.create_task(stop.wait(), name="a signal"),
            ]
            self._tell()
            await asyncio.wait([serving, others[-1]], return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping; what is stored stays in the journal")
            self.live.feed.close()
            page.should_exit = True
            for task in others:
                task.cancel()

    def close(self) -> None:
        """End what `assemble` made, readers first."""
        self.lake.stop()
        self.query.close()
        self.live.stop()
        self.journal.close()
        self.registry.close()

    def _limits(self) -> IngestLimits:
        return IngestLimits(window_bytes=self.config.settings.journal.window_bytes)

    def _sync_server(self, ingest: Ingest) -> grpc.aio.Server:
        address = self.config.settings.listen.sync
        try:
            server, _ = sync_ingest.make_server(
                ingest,
                address,
                self.authority.server(self.config.certificate_hosts),
                self._limits(),
            )
        except RuntimeError as error:
            raise OperatorError(
                f"listen for gateways on {address}",
                "the address is taken or not ours",
                "is another cloud running? otherwise correct listen.sync",
            ) from error
        return server

    def _site(self, ingest: Ingest) -> Starlette:
        host, _ = split_address(self.config.settings.listen.http)
        return build_app(
            self.query, self.live, self.registry, self.journal,
            PAGE if (PAGE / "index.html").is_file() else None,
            marks=Marks(self.registry),
            operations=self.operations,
            presence=lambda: ingest.presence,
            fault=self._fault,
            apart=self.journal.quarantined,
            readers=0 if self.readers is None else self.readers.now.wanted,
            # Off loopback the operator put a proxy in front, which decides about names.
            hosts=LOOPBACK_HOSTS if is_loopback(host) else None,
        )  # fmt: skip

    async def _remember(self, heard: "asyncio.Queue[Presence]") -> None:
        """Keep in the registry what gateways say of themselves; the newest of each at a time."""
        while True:
            told = {one.gateway: one for one in [await heard.get()]}
            while not heard.empty():
                one = heard.get_nowait()
                told[one.gateway] = one
            with _told_only("note which gateways were heard"):
                await asyncio.to_thread(note_all, self.registry, list(told.values()))

    async def _watch(self) -> None:
        """End the process when the journal failed for good.

        Raises:
            StorageError: why.
        """
        while True:
            failure = self.journal.failure or self.lake.failure
            if failure is not None:
                raise failure
            await asyncio.sleep(WATCH_S)

    async def _tidy(self, ingest: Ingest) -> None:
        """Give back what the journal no longer needs; end sessions whose certificates ended."""
        while True:
            await asyncio.sleep(TIDY_S)
            with _told_only("trim the journal"):
                await asyncio.to_thread(self.journal.trim)
            with _told_only("settle forks"):
                for name in await asyncio.to_thread(carry_out, self.journal):
                    log.warning("the forks of %s were settled by an operator", name)
            with _told_only("look whose certificates may still hold a session"):
                told = await asyncio.to_thread(self.registry.standing, ingest.serials(), now_us())
                for name, admission in ingest.hold_to(told):
                    log.warning(
                        "a session of %s ends: its certificate is %s", name, admission.value
                    )
            with _told_only("look for renewals that are asked for"):
                ingest.remind(await asyncio.to_thread(self.registry.renewals_asked))

    def _fault(self) -> str:
        """What stands in the way now, for /healthz; empty while all is well."""
        readers = None if self.readers is None else self.readers.fault
        fault = self.journal.failure or self.lake.fault or readers
        return "" if fault is None else str(fault)

    def _tell(self) -> None:
        listen = self.config.settings.listen
        log.info("gateways enrol at %s and connect to %s", listen.enrol, listen.sync)
        log.info("page and API on http://%s/", listen.http)
        if not is_loopback(split_address(listen.http)[0]):
            log.warning("page and API are plain HTTP off loopback: only behind a reverse proxy")


@contextmanager
def _told_only(what: str) -> Iterator[None]:
    """Log a storage fault of something beside the data path, which must not end the cloud."""
    try:
        yield
    except StorageError as error:
        log.warning("could not %s, it is tried again: %s", what, error)
