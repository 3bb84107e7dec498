"""The agent: wires the stages of one gateway, starts them, and ends them in order.

The only place that does. Collecting needs nothing but the buffer and the broker: the cloud may be
away, the gateway not enrolled, its certificate expired or its clock wrong, and it still collects.
Those troubles are told once, with the way out, and tried again.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge import agent_parts as parts
from edge import corrections, memory
from edge.agent_report import Reporter, told_outside
from edge.catalog import Catalog
from edge.chunk import BufferStats
from edge.clock import Clock
from edge.collect import Anomaly, Collect
from edge.config import EdgeConfig
from edge.control import Control
from edge.delivery import Delivery
from edge.detect import alert
from edge.detect.commander import Commander
from edge.detect.rules import Rules
from edge.detect.score import Scorer
from edge.detect.watching import Watching
from edge.hearing import Hearing
from edge.ingest import Inbox, Ingest, Linger
from edge.keys import KeySource, find_key
from edge.memoir import Memoir
from edge.reading import Reader
from edge.retry import Retry
from edge.sparkplug_host import SparkplugHost
from edge.store.store import Store

log = logging.getLogger(__name__)

BROKER_PATIENCE_S: Final = 5.0
WATCH_S: Final = 1.0
CAUSES_MAX: Final = 16
"""Causes told of one broker until it is back: its own words may be others each time."""
# A stop delivers what it can in this time; the rest is safe in the buffer.
STOP_DRAIN_S: Final = 5.0
# How long a thread that computes keeps others waiting. A commit takes turns with the collect thread
# at each statement; at Python's own 5 ms it takes tens of them while a stream comes at full speed.
SWITCH_S: Final = 0.001
# By then the first connections are made, and what only making them needed can go.
SETTLED_S: Final = 5.0
# How often pages of code that may not be used again are let go: while the stages start each of them
# touches some megabytes once, later an attempt to reach the cloud does. To let go and fetch again
# what is used costs up to 40 ms of a busy agent.
CODE_KEPT_AT_START_S: Final = 2.5
CODE_KEPT_S: Final = 30.0


async def run(config: EdgeConfig) -> None:
    """Run one gateway until SIGTERM or SIGINT.

    Raises:
        OperatorError, StorageError: what keeps it from starting, or ends it.
    """
    agent = await asyncio.to_thread(Agent.assemble, config)
    memory.settle()
    sys.setswitchinterval(SWITCH_S)
    try:
        await agent.run()
    finally:
        await asyncio.to_thread(agent.store.close)


Courtesy = alert.Alerts | SparkplugHost | Memoir | Commander | Watching
"""What runs beside the way of the readings."""


@dataclass(slots=True)
class Agent:
    """One gateway's stages, assembled and not yet started."""

    config: EdgeConfig
    clock: Clock
    keys: KeySource
    store: Store
    catalog: Catalog
    reader: Reader
    inbox: Inbox
    ingest: Ingest
    scorer: Scorer
    rules: Rules
    delivery: Delivery | None = None

    @classmethod
    def assemble(cls, config: EdgeConfig) -> "Agent":
        """Open the buffer and make every stage that does not need the loop.

        Raises:
            OperatorError: settings, key or models that cannot be used.
            StorageError: a buffer that cannot be used.
        """
        clock = parts.clock(config)
        keys = find_key(config.buffer_key_path, os.environ)
        ingest = parts.ingest(config, clock)
        models = parts.models(config)
        store = parts.store(config, keys, clock)
        catalog, reader = parts.reader(config, store.load(), store.lessons())
        settings = config.settings
        return cls(
            config,
            clock,
            keys,
            store,
            catalog,
            reader,
            Inbox(messages_max=settings.ingest.inbox_messages_max),
            ingest,
            Scorer(models, settings.models.false_alarms_per_series_per_week),
            Rules(settings.watch),
        )

    async def run(self) -> None:
        """Start the stages, wait for a signal, and end them in order."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        fatal: asyncio.Future[object] = loop.create_future()
        clients = {one.name: parts.clients(self.config, one) for one in self.config.brokers}
        told_at = clients[self.config.alerts_broker.name]
        alerts = alert.Alerts(lambda: told_at("alerts"), self.config.settings.alerts.topic)
        memoir = Memoir(self.store)
        hearing = Hearing(self.config, self.reader, self.inbox, clients, loop, memoir)

        def fail(error: Exception) -> None:
            if not fatal.done():
                fatal.set_exception(error)

        def on_fatal(error: Exception) -> None:
            loop.call_soon_threadsafe(fail, error)

        def on_anomalies(found: tuple[Anomaly, ...]) -> None:
            told = [self._alert(one) for one in found]
            loop.call_soon_threadsafe(alerts.add, told)

        commander = parts.commander(self.config, self.rules, self.catalog, clients)
        watching = self._watching(commander, loop)
        collect = Collect(
            inbox=self.inbox, ingest=self.ingest, store=self.store, reader=self.reader,
            catalog=self.catalog, scorer=watching, linger=self._linger(),
            on_anomalies=on_anomalies if self._is_telling else None,
            on_heard=hearing.take, on_committed=self._wake_uplink, on_fatal=on_fatal,
        )  # fmt: skip
        reporter = Reporter(
            self.config, self.clock, self.keys, self.store, self.catalog, self.inbox,
            self.ingest, watching, collect, alerts, commander,
        )  # fmt: skip
        answers = {
            "status": reporter.health,
            "rejects": reporter.rejects,
            "top": hearing.traffic.told,
            "retry": Retry(self, collect, lambda: parts.recognition(self.config)).told,
            "buffer": self._buffer_stats,
            "settings": reporter.settings,
        }
        async with (
            Control(self.config.control_path, answers),
            told_outside(self.config.settings.metrics.listen, reporter),
        ):
            self.ingest.start(self.inbox)
            collect.start()
            log.info("gateway %s collects from %s", self.config.name, self._urls)
            try:
                tellers = [alerts] if self._is_telling else []
                courtesies: list[Courtesy] = [*tellers, *hearing.hosts.values(), memoir]
                courtesies += [commander, watching] if len(self.rules) else []
                await self._hold(stop, fatal, courtesies, reporter, collect)
            finally:
                await asyncio.to_thread(self._end, collect)
            if collect.fatal is not None:
                raise collect.fatal

    @property
    def _urls(self) -> str:
        return ", ".join(one.settings.url for one in self.config.brokers)

    @property
    def _is_telling(self) -> bool:
        """Whether a model or a rule may find something, and alerts are wanted."""
        looks = bool(self.scorer.models) or len(self.rules) > 0
        return self.config.settings.alerts.enabled and looks

    def _watching(self, commander: Commander, loop: asyncio.AbstractEventLoop) -> Watching:
        """Models and rules, which turn on the collect thread and command on the loop."""
        return Watching(
            self.scorer, self.rules, parts.hears(self.ingest),
            lambda turns: loop.call_soon_threadsafe(commander.take, turns), self.inbox.wake,
        )  # fmt: skip

    async def _hold(
        self,
        stop: asyncio.Event,
        fatal: "asyncio.Future[object]",
        courtesies: Sequence[Courtesy],
        reporter: Reporter,
        collect: Collect,
    ) -> None:
        delivery = Delivery(self.config, self.clock, self.store, reporter.status)
        self.delivery = reporter.delivery = delivery
        async with asyncio.TaskGroup() as tasks:
            running = [
                *(tasks.create_task(one.run(), name=type(one).__name__) for one in courtesies),
                tasks.create_task(self._watch_brokers(), name="watch the brokers"),
                tasks.create_task(delivery.run(), name="deliver"),
                tasks.create_task(reporter.keep_fresh(), name="report"),
                tasks.create_task(self._correct(), name="correct times"),
                tasks.create_task(_stay_small(), name="give back memory"),
            ]
            stopped: asyncio.Task[object] = tasks.create_task(stop.wait(), name="a signal")
            ends: list[asyncio.Future[object]] = [stopped, fatal]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not fatal.done():
                await self._finish(collect)
            for task in (*running, stopped):
                task.cancel()
        if fatal.done():
            fatal.result()

    async def _finish(self, collect: Collect) -> None:
        """Read no more, keep what was read, and deliver what can be delivered in a moment."""
        log.info("stopping; what is not delivered stays in the buffer")
        await asyncio.to_thread(collect.finish)
        if self.delivery is not None:
            await self.delivery.drain(STOP_DRAIN_S)

    async def _buffer_stats(self) -> BufferStats:
        return await asyncio.wrap_future(self.store.stats())

    async def _correct(self) -> None:
        await corrections.run(self.clock, self.store, self._wake_uplink)

    def _wake_uplink(self) -> None:
        if self.delivery is not None:
            self.delivery.wake()

    def _end(self, collect: Collect) -> None:
        collect.stop()
        self.ingest.stop(timeout_s=5.0)

    async def _watch_brokers(self) -> None:
        """Tell once of each cause for which a broker is away, and once when it is back."""
        await asyncio.to_thread(self.ingest.wait_connected, BROKER_PATIENCE_S)
        told: dict[str, set[str]] = {one.name: set() for one in self.config.brokers}
        while True:
            states = self.ingest.states
            for one in self.config.brokers:
                state, known = states[one.name], told[one.name]
                if state.connected and known:
                    log.info("the broker %sis back", f"{one.name} " if one.name else "")
                    known.clear()
                elif not state.connected and state.error and _is_news(state.error, known):
                    known.add(state.error)
                    log.error("%s", parts.unreachable(self.config, one, state.error))
            await asyncio.sleep(WATCH_S)

    def _linger(self) -> Linger:
        ingest = self.config.settings.ingest
        return Linger(min_s=ingest.linger_ms_min / 1000, max_s=ingest.linger_ms_max / 1000)

    def _alert(self, found: Anomaly) -> alert.Anomaly:
        return alert.Anomaly(
            gateway=self.config.name, device=found.series.device, metric=found.series.metric,
            ts=found.ts_us, value=found.value, score=found.score, threshold=found.threshold,
            model=found.model,
        )  # fmt: skip


def _is_news(error: str, known: set[str]) -> bool:
    return error not in known and len(known) < CAUSES_MAX


async def _stay_small() -> None:
    """Give back memory from time to time; on a thread, for a look at all mappings takes a while."""
    mappings = await asyncio.to_thread(memory.unwritten)
    await asyncio.to_thread(memory.cut, mappings)
    for _ in range(round(SETTLED_S / CODE_KEPT_AT_START_S)):
        await asyncio.sleep(CODE_KEPT_AT_START_S)
        await asyncio.to_thread(memory.let_go, mappings)
    mappings = await asyncio.to_thread(memory.settle)
    while True:
        await asyncio.sleep(CODE_KEPT_S)
        await asyncio.to_thread(memory.let_go, mappings)
