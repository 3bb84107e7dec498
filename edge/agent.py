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

from edge import agent_detect as detecting
from edge import agent_parts as parts
from edge import corrections, memory
from edge.agent_door import told_outside
from edge.agent_report import Reporter
from edge.agent_watch import watchdog
from edge.broker_watch import watch_brokers
from edge.catalog import Catalog
from edge.chunk import BufferStats, Chunk
from edge.clock import Clock
from edge.collect import Collect
from edge.config import EdgeConfig
from edge.control import Control
from edge.delivery import Delivery
from edge.detect import alert
from edge.detect.commander import Commander
from edge.detect.detection import Detection
from edge.detect.found import Occurrence
from edge.detect.rollout_desk import RolloutDesk
from edge.detect.rules import Rules
from edge.detect.staged import Staged
from edge.detect.watching import Watching
from edge.ending import cancelled
from edge.hearing import Hearing
from edge.ingest import Inbox, Ingest, Linger
from edge.keys import KeySource, find_key
from edge.memoir import Memoir
from edge.model_post import ModelPost
from edge.notify import Notifier
from edge.reading import Reader
from edge.retry import Retry
from edge.sparkplug_host import SparkplugHost
from edge.spending import Spending
from edge.store.store import Store
from edge.upkeep import look_again, stay_small

log = logging.getLogger(__name__)

# A stop delivers what it can in this time; the rest is safe in the buffer.
STOP_DRAIN_S: Final = 5.0
# How long a thread that computes keeps others waiting. A commit takes turns with the collect thread
# at each statement; at Python's own 5 ms it takes tens of them while a stream comes at full speed.
SWITCH_S: Final = 0.001


async def run(config: EdgeConfig, notifier: Notifier | None = None) -> None:
    """Run one gateway until SIGTERM or SIGINT; ``notifier`` tells systemd of it.

    Raises:
        OperatorError, StorageError: what keeps it from starting, or ends it.
    """
    agent = await asyncio.to_thread(Agent.assemble, config)
    memory.settle()
    sys.setswitchinterval(SWITCH_S)
    try:
        await agent.run(notifier or Notifier())
    finally:
        await asyncio.to_thread(agent.store.close)


Courtesy = alert.Alerts | SparkplugHost | Memoir | Commander
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
    scorer: Staged
    rollouts: RolloutDesk | None
    rules: Rules
    watching: Watching
    detection: Detection
    spending: Spending
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
        models = detecting.models(config)
        store = parts.store(config, keys, clock)
        catalog, reader = parts.reader(config, store.load(), store.lessons())
        settings = config.settings
        scorer = Staged(models, settings.models.false_alarms_per_series_per_week)
        rules = Rules(settings.watch)
        watching = Watching(rules, catalog, detecting.hears(ingest))
        return cls(
            config,
            clock,
            keys,
            store,
            catalog,
            reader,
            Inbox(messages_max=settings.ingest.inbox_messages_max),
            ingest,
            scorer,
            detecting.rollouts(config, scorer, clock),
            rules,
            watching,
            detecting.detection(config, scorer, watching, store.remembered(), clock),
            Spending(config),
        )

    async def run(self, notifier: Notifier) -> None:
        """Start the stages, wait for a signal, and end them in order."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        fatal: asyncio.Future[object] = loop.create_future()
        clients = {one.name: parts.clients(self.config, one) for one in self.config.brokers}
        alerts = self._alerts(clients[self.config.alerts_broker.name])
        memoir = Memoir(self.store)
        hearing = Hearing(self.config, self.reader, self.inbox, clients, loop, memoir)

        def on_fatal(error: Exception) -> None:
            loop.call_soon_threadsafe(_fail, fatal, error)

        def on_episodes(found: tuple[Occurrence, ...]) -> None:
            loop.call_soon_threadsafe(alerts.add, found)

        commander = detecting.commander(self.config, self.rules, self.catalog, clients)
        self.watching.tell(lambda turns: loop.call_soon_threadsafe(commander.take, turns))
        collect = Collect(
            inbox=self.inbox,
            ingest=self.ingest,
            store=self.store,
            reader=self.reader,
            catalog=self.catalog,
            detector=self.detection,
            linger=self._linger(),
            card=self.spending.card,
            on_episodes=on_episodes if self._is_telling else None,
            on_heard=hearing.take,
            on_committed=self._committed,
            on_fatal=on_fatal,
        )
        reporter = Reporter(self.config, self.clock, self.keys, self.store, self.catalog,
                            self.inbox, self.ingest, self.scorer, collect, alerts,
                            self.detection, self.watching, commander, self.spending)  # fmt: skip
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
            notifier.ready()
            log.info("gateway %s collects from %s", self.config.name, self._urls)
            try:
                tellers = [alerts] if self._is_telling else []
                courtesies: list[Courtesy] = [*tellers, *hearing.hosts.values(), memoir]
                courtesies += [commander] if len(self.rules) else []
                await self._hold(stop, fatal, courtesies, reporter, collect, notifier)
            finally:
                await asyncio.to_thread(self._end, collect)
            if collect.fatal is not None:
                raise collect.fatal

    def _alerts(self, told_at: parts.Clients) -> alert.Alerts:
        alerts = detecting.alerts(self.config, lambda: told_at("alerts"))
        if self._is_telling:
            alerts.resume(self.detection.standing(self.catalog))
        return alerts

    @property
    def _urls(self) -> str:
        return ", ".join(one.settings.url for one in self.config.brokers)

    @property
    def _is_telling(self) -> bool:
        """Whether something may be found, now or by what is rolled out, and alerts are wanted."""
        settings = self.config.settings
        return settings.alerts.enabled and (settings.models.enabled or bool(self.detection.labels))

    async def _hold(
        self,
        stop: asyncio.Event,
        fatal: "asyncio.Future[object]",
        courtesies: Sequence[Courtesy],
        reporter: Reporter,
        collect: Collect,
        notifier: Notifier,
    ) -> None:
        post = None if self.rollouts is None else ModelPost(self.rollouts, self.clock)
        delivery = Delivery(
            self.config, self.clock, self.store, reporter.status, post, self.spending
        )
        self.delivery = reporter.delivery = delivery
        watched = watchdog(notifier, self.ingest, collect, self.store, delivery, reporter.fault)
        async with asyncio.TaskGroup() as tasks:
            running = [
                *(tasks.create_task(one.run(), name=type(one).__name__) for one in courtesies),
                tasks.create_task(watch_brokers(self.config, self.ingest), name="brokers"),
                tasks.create_task(delivery.run(), name="deliver"),
                tasks.create_task(reporter.keep_fresh(), name="report"),
                tasks.create_task(self.spending.run(), name="count what is spent"),
                tasks.create_task(self._correct(), name="correct times"),
                tasks.create_task(look_again(collect), name="end silent episodes"),
                tasks.create_task(self.watching.run(collect.look_again), name="look round"),
                tasks.create_task(stay_small(), name="give back memory"),
                tasks.create_task(watched.run(), name="watchdog"),
                *([] if post is None else [tasks.create_task(post.run(), name="models")]),
            ]
            stopped: asyncio.Task[object] = tasks.create_task(stop.wait(), name="a signal")
            ends: list[asyncio.Future[object]] = [stopped, fatal]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            notifier.stopping()
            if not fatal.done():
                await self._finish(collect)
            await cancelled((*running, stopped))
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

    def _committed(self, chunk: Chunk) -> None:
        self._wake_uplink(urgent=chunk.is_urgent)

    def _wake_uplink(self, *, urgent: bool = False) -> None:
        if self.delivery is not None:
            self.delivery.wake(urgent=urgent)

    def _end(self, collect: Collect) -> None:
        collect.stop()
        self.ingest.stop(timeout_s=5.0)

    def _linger(self) -> Linger:
        ingest = self.config.settings.ingest
        return Linger(min_s=ingest.linger_ms_min / 1000, max_s=ingest.linger_ms_max / 1000)


def _fail(fatal: "asyncio.Future[object]", error: Exception) -> None:
    if not fatal.done():
        fatal.set_exception(error)
