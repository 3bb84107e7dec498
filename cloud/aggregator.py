"""The aggregator: wires the stages of one cloud, starts them, and ends them in order.

The only place that does. Enrolment and the API run on the loop, the live view and queries on
threads of their own; ingest with the journal's writer, decoding for the view, consolidation, and
what questions read of the tables too, or in processes of their own (`cloud.roles`). When the
journal fails for good the process ends with the cause: what was acknowledged is on the disk, and a
restart goes on from there.
"""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from cloud.access.access import Access, Lives
from cloud.config import CloudConfig
from cloud.errors import StorageError
from cloud.figures import Report, told_outside
from cloud.garbage import look_seldom
from cloud.ingest.courtesy import Courtesy
from cloud.ingest.enrolment import enrolment_server
from cloud.ingest.gate import STOP_S, told_only
from cloud.ingest.identity import Authority
from cloud.ingest.presence import news_into, note_all
from cloud.ingest.service import Presence
from cloud.lake.loop import Consolidation
from cloud.lake.names import Names
from cloud.lake.standstill import Standstill
from cloud.live.live import Live
from cloud.models.shelf import Shelf
from cloud.notify.notifier import Notifier
from cloud.notify.watch import World
from cloud.query.history import Query
from cloud.registry.registry import Registry
from cloud.roles.decoder_keeper import DecoderProcess
from cloud.roles.decoder_placement import begin_decoding
from cloud.roles.ingest_placement import Intake, OpenJournal, begin_ingest, make_intake
from cloud.roles.placement import begin_consolidation
from cloud.roles.reader_placement import begin_query
from cloud.roles.readers import Readers
from cloud.rollout.rollouts import Rollouts
from cloud.series.marks import Marks
from cloud.series.operations import Operations
from cloud.series.verdicts import Verdicts
from cloud.serve.app import build_app
from cloud.serve.asked import Asked
from cloud.serve.backlog import Backlogs
from cloud.serve.certificate import PageCertificate
from cloud.serve.ledger import Gaps
from cloud.serve.page_door import PageServer, listen, served
from cloud.serve.reach import Reach, reach_of
from cloud.serve.shown import Shown

log = logging.getLogger(__name__)

PAGE: Final = Path(__file__).parent / "web" / "dist"
WATCH_S: Final = 0.5
HOUR_US: Final = 3_600_000_000
PRESENCE_WAITING_MAX: Final = 4096
# The loop gets the interpreter back from threads that decode ten times as soon as by default.
SWITCH_S: Final = 0.0005


def now_us() -> int:
    """This machine's clock, µs UTC."""
    return time.time_ns() // 1000


async def serve(config: CloudConfig) -> None:
    """Run one cloud until SIGTERM or SIGINT, or until nothing can be stored any more.

    Raises:
        OperatorError, StorageError: what keeps it from starting, or ends it.
    """
    sys.setswitchinterval(SWITCH_S)
    journal = await asyncio.to_thread(begin_ingest, config, now_us)
    aggregator = await asyncio.to_thread(Aggregator.assemble, config, journal)
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
    journal: OpenJournal
    live: Live
    lake: Consolidation
    operations: Operations
    query: Query
    readers: Readers | None
    decoder: DecoderProcess | None
    courtesy: Courtesy
    standstill: Standstill
    notifier: Notifier
    backlogs: Backlogs = field(default_factory=Backlogs)

    @classmethod
    def assemble(cls, config: CloudConfig, journal: OpenJournal) -> "Aggregator":
        """Open registry and lake, and bring the view up to the journal's head.

        The open journal is ours from now on, and is closed whatever comes.

        Raises:
            OperatorError: settings or identity that cannot be used.
            StorageError: a journal, lake or registry that cannot be used.
        """
        settings = config.settings
        with ExitStack() as undo:
            undo.callback(journal.close)
            authority = Authority.load(config.authority_folder)
            registry = Registry.open(config.registry_path, config.certificate_life_us)
            undo.callback(registry.close)
            operations = Operations(registry)
            names = Names(journal.series)
            courtesy = Courtesy()
            steps = begin_decoding(config, journal, names, courtesy)
            undo.callback(steps.stop)
            live = Live(journal, names, steps=steps)
            lake = begin_consolidation(config, journal, names, live, courtesy, now_us)
            undo.callback(lake.stop)
            live.start()
            undo.callback(live.stop)
            query, readers = begin_query(settings, live)
            undo.callback(query.close)
            notifier = Notifier.of(
                settings.notify, config.notify_path, config.home, now_us, version("tidegate")
            )
            undo.pop_all()
        decoder = steps if isinstance(steps, DecoderProcess) else None
        return cls(
            config, authority, registry, journal, live, lake, operations, query, readers, decoder,
            courtesy, Standstill(settings.lake.interval_s), notifier,
        )  # fmt: skip

    async def run(self) -> None:
        """Start the servers, wait for a signal or a failure, and end in order."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        heard: asyncio.Queue[Presence] = asyncio.Queue(PRESENCE_WAITING_MAX)
        gate = make_intake(
            self.config, self.authority, self.registry, self.journal, news_into(heard), now_us
        )
        outcomes: Counter[str] = Counter()
        enrol, _ = enrolment_server(self.config, self.authority, self.registry, now_us, outcomes)
        reach = reach_of(self.config, has_users=bool(self.registry.users()))
        shown = PageCertificate.of(self.config, self.authority)
        site = Asked(self._site(gate, reach))
        page = PageServer(served(site, STOP_S, None if shown is None else shown.context))
        door = listen(self.config.settings.listen.http)
        report = Report(self.journal, self.live, self.lake, self.readers, self.decoder,
                        self.registry, gate, outcomes, site, now_us, self.notifier)  # fmt: skip
        await gate.start()
        await enrol.start()
        self.lake.start()
        self.notifier.start(self._world(gate))
        try:
            async with told_outside(self.config.settings.metrics.listen, report.text, self._fault):
                self._tell(reach)
                await self._hold(stop, page, door, heard, gate, shown)
        finally:
            # Also when a task failed: no stream may outlive the journal.
            await asyncio.gather(gate.close(), enrol.stop(STOP_S))

    async def _hold(
        self,
        stop: asyncio.Event,
        page: PageServer,
        door: socket.socket,
        heard: "asyncio.Queue[Presence]",
        gate: Intake,
        shown: PageCertificate | None,
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(page.serve([door]), name="page")
            watch = tasks.create_task(self._watch(), name="watch")
            others = [
                tasks.create_task(self._remember(heard), name="presence"),
                watch,
                tasks.create_task(self.courtesy.watch(), name="courtesy"),
                tasks.create_task(gate.tend(), name="tidy"),
                tasks.create_task(look_seldom(asyncio.sleep), name="garbage"),
                *([] if shown is None else [tasks.create_task(shown.watch(), name="certificate")]),
                tasks.create_task(stop.wait(), name="a signal"),
            ]
            ends = [serving, watch, *others[-1:]]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping; what is stored stays in the journal")
            self.live.feed.close()
            page.should_exit = True
            for task in others:
                task.cancel()
        if (failure := self._failure) is not None:
            raise failure

    def close(self) -> None:
        """End what `assemble` made, readers first."""
        self.notifier.stop()
        self.lake.stop()
        self.query.close()
        self.live.stop()
        self.journal.close()
        self.registry.close()

    def _world(self, gate: Intake) -> World:
        """What is looked at for what people are told."""
        shown = Shown(self.operations, self.live, self.query)
        return World(
            self.registry, lambda: gate.presence, self.live, shown.book, self.query.events,
            Gaps(), self.journal.head, self.config.certificate_life_us,
        )  # fmt: skip

    def _site(self, gate: Intake, reach: Reach) -> Starlette:
        http = self.config.settings.http
        return build_app(
            self.query, self.live, self.registry, self.journal,
            PAGE if (PAGE / "index.html").is_file() else None,
            marks=Marks(self.registry),
            operations=self.operations,
            verdicts=Verdicts(self.registry),
            zone=self.config.settings.page.zone,
            presence=lambda: gate.presence,
            fault=self._fault,
            apart=self.journal.quarantined,
            apart_data=self.journal.quarantined_blocks.data,
            pace=self.backlogs.pace,
            silent_s=self.config.settings.notify.silent_s,
            readers=0 if self.readers is None else self.readers.now.wanted,
            access=Access(
                self.registry, now_us, may_be_open=reach.may_be_open,
                lives=Lives(http.idle_hours * HOUR_US, http.session_days * 24 * HOUR_US),
            ),
            behind=http.behind,
            failures_per_minute_max=http.failures_per_minute_max,
            hosts=reach.hosts,
            told=self.notifier.file,
            rollouts=Rollouts(self.registry, Shelf(self.config.models_folder), now_us),
        )  # fmt: skip

    async def _remember(self, heard: "asyncio.Queue[Presence]") -> None:
        """Keep in the registry what gateways say of themselves; the newest of each at a time."""
        while True:
            told = {one.gateway: one for one in [await heard.get()]}
            while not heard.empty():
                one = heard.get_nowait()
                told[one.gateway] = one
            for one in told.values():
                self.backlogs.note(one)
            with told_only("note which gateways were heard"):
                await asyncio.to_thread(note_all, self.registry, list(told.values()))

    async def _watch(self) -> None:
        """Return when the journal, or what writes the tables, has failed for good."""
        while self._failure is None:
            view = self.live.view
            self.standstill.look(time.monotonic(), view.journal, view.lake, self.lake.signs)
            await asyncio.sleep(WATCH_S)

    @property
    def _failure(self) -> StorageError | None:
        return self.journal.failure or self.lake.failure

    def _fault(self) -> str:
        """What stands in the way now, for /healthz; empty while all is well."""
        readers = None if self.readers is None else self.readers.fault
        decoder = None if self.decoder is None else self.decoder.fault
        tables = self.lake.fault or self.standstill.fault
        fault = self.journal.failure or tables or decoder or readers
        return "" if fault is None else str(fault)

    def _tell(self, reach: Reach) -> None:
        listen, has_users = self.config.settings.listen, bool(self.registry.users())
        log.info("gateways enrol at %s and connect to %s", listen.enrol, listen.sync)
        log.info("page and API on %s://%s/", reach.scheme, listen.http)
        if not has_users:
            log.info("page and API are open to everybody on this machine: no user is set up")
