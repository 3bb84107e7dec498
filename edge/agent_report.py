"""What the agent tells of itself: the document behind `status`, and the cloud's Status."""

import asyncio
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from edge import agent_report_detect as detected
from edge.catalog import Catalog
from edge.chunk import BufferStats
from edge.clock import Clock
from edge.collect import Collect
from edge.config import EdgeConfig
from edge.delivery import Delivery
from edge.detect.alert import Alerts
from edge.detect.commander import Commander
from edge.detect.detection import Detection
from edge.detect.staged import Staged
from edge.detect.watching import Watching
from edge.health import (
    BrokerHealth,
    BufferHealth,
    ClockHealth,
    CloudHealth,
    Health,
    IngestHealth,
)
from edge.health_budget import BudgetHealth
from edge.identity import is_enrolled
from edge.ingest import Inbox, Ingest
from edge.keys import KeySource
from edge.rejected import SHOWN_MAX, Rejected, shown
from edge.settings import EdgeSettings
from edge.spending import Spending
from edge.store.limits import StoreBusy
from edge.store.store import Store
from protos import sync_pb2 as pb
from protos.records import Quality

FRESH_S: Final = 2.0
RATE_WINDOW: Final = 5
ROWS_TO_TELL_DAYS: Final = 10_000
"""Fewer rows say too little of what a row costs on the disk."""


@dataclass(slots=True)
class Reporter:
    """Puts the agent's state together; `delivery` comes with the loop."""

    config: EdgeConfig
    clock: Clock
    keys: KeySource
    store: Store
    catalog: Catalog
    inbox: Inbox
    ingest: Ingest
    scorer: Staged
    collect: Collect
    alerts: Alerts
    detection: Detection
    watching: Watching
    commander: Commander
    spending: Spending
    delivery: Delivery | None = None
    _started_us: int = field(init=False)
    _wall_ahead_us: int = field(init=False)
    _stats: BufferStats | None = None
    _rates: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=RATE_WINDOW))

    def __post_init__(self) -> None:
        started = self.clock.now()
        self._started_us = started.wall_us
        self._wall_ahead_us = started.wall_us - started.mono_us

    async def keep_fresh(self) -> None:
        """Keep the numbers for the cloud's Status fresh, for ever."""
        while True:
            with suppress(StoreBusy):  # an answer, not a fault: the next look will do
                self._stats = await asyncio.wrap_future(self.store.stats())
            self._rates.append((self.clock.now().mono_us, self._total("messages"), self._rows()))
            await asyncio.sleep(FRESH_S)

    async def settings(self) -> EdgeSettings:
        """The settings that this agent runs with, whatever the file says by now."""
        return self.config.settings

    async def health(self) -> Health:
        """Everything `status` shows, as it is now."""
        stats = await asyncio.wrap_future(self.store.stats())
        now, brokers = self.clock.now(), self._brokers()
        return Health(
            gateway=self.config.name,
            version=version("tidegate"),
            running=True,
            pid=os.getpid(),
            started_us=self._started_us,
            clock=ClockHealth(
                now_us=now.wall_us,
                synced=now.quality is Quality.GATEWAY_SYNCED,
                stepped_us=now.wall_us - now.mono_us - self._wall_ahead_us,
            ),
            broker=brokers[0],
            brokers=brokers[1:],
            ingest=self._ingest(stats),
            buffer=self._buffer(stats),
            cloud=self._cloud(),
            alerts=detected.alerts(self.alerts),
            models=detected.models(self.scorer),
            episodes=detected.episodes(self.detection),
            watches=detected.watches(self.watching),
            commands=detected.commands(self.commander),
            budget=self._budget(stats),
        )

    async def rejects(self) -> list[Rejected]:
        """The newest messages that could not be read, newest first."""
        rejects = await asyncio.wrap_future(self.store.rejects_kept(SHOWN_MAX))
        return shown(rejects)

    def status(self) -> pb.Status:
        """What the cloud is told in Hello and every so often; never blocks."""
        synced = self.clock.now().quality is Quality.GATEWAY_SYNCED
        said = pb.Status(
            clock_quality=pb.CLOCK_SYNCED if synced else pb.CLOCK_UNSYNCED,
            key_tier=self.keys.tier.value,
            certificate_not_after_us=self.delivery.not_after_us if self.delivery else 0,
        )
        stats = self._stats
        if stats is not None:
            said.backlog_rows = stats.unsealed_rows + stats.sealed_rows
            said.backlog_bytes = stats.unsealed_bytes + stats.sealed_bytes
            said.buffer_bytes = stats.file_bytes + stats.wal_bytes
            said.buffer_bytes_max = stats.bytes_max
            said.rejected = stats.counters.get("rejected", 0)
            said.evicted = stats.counters.get("evicted", 0)
        return said

    def fault(self) -> str:
        """What keeps readings from being collected now; empty while nothing does."""
        state = self.ingest.state
        if self.collect.collected.held:
            return "the buffer is full: nothing is taken in until space returns"
        if not state.connected:
            return f"the broker is not connected: {state.error or 'no answer yet'}"
        return ""

    def _total(self, name: str) -> int:
        return self.collect.collected.totals.get(name, 0)

    def _rows(self) -> int:
        return self._total("numbers") + self._total("texts")

    def _rates_per_s(self) -> tuple[float, float]:
        """Messages and rows per second over the last seconds, 0 while not known."""
        if len(self._rates) < 2:
            return 0.0, 0.0
        (then, *before), (now, *count) = self._rates[0], self._rates[-1]
        passed_s = max(now - then, 1) / 1e6
        return (count[0] - before[0]) / passed_s, (count[1] - before[1]) / passed_s

    def _days_left(self, stats: BufferStats) -> float | None:
        """Days until the buffer is full if the cloud went away now, at what a row costs here."""
        rows, rows_per_s = stats.unsealed_rows + stats.sealed_rows, self._rates_per_s()[1]
        if rows < ROWS_TO_TELL_DAYS or rows_per_s <= 0:
            return None
        return (
            max(stats.bytes_max - stats.used_bytes, 0)
            * rows
            / stats.used_bytes
            / (rows_per_s * 86_400)
        )

    def _brokers(self) -> list[BrokerHealth]:
        states = self.ingest.states
        return [
            BrokerHealth(
                name=one.name,
                url=one.settings.url,
                protocol=states[one.name].protocol,
                connected=states[one.name].connected,
                sessions=states[one.name].session_no,
                window=states[one.name].window,
                stale_acks=states[one.name].stale_acks,
                error=states[one.name].error,
            )
            for one in self.config.brokers
        ]

    def _ingest(self, stats: BufferStats) -> IngestHealth:
        totals, inbox, under_way = stats.counters, len(self.inbox), self.collect.under_way
        return IngestHealth(
            waiting=inbox + under_way,
            inbox=inbox,
            under_way=under_way,
            accepted=totals.get("accepted", 0),
            rejected=totals.get("rejected", 0),
            unkept=totals.get("unkept", 0),
            shed=self.inbox.shed,
            ignored=totals.get("ignored", 0),
            alerts=totals.get("alerts", 0),
            collapsed=totals.get("collapsed", 0),
            retained=totals.get("retained", 0),
            partial=totals.get("partial", 0),
            missing=totals.get("missing", 0),
            clocks_ahead=totals.get("clocks_ahead", 0),
            clocks_unset=totals.get("clocks_unset", 0),
            clocks_local=totals.get("clocks_local", 0),
            readings=totals.get("numbers", 0) + totals.get("texts", 0),
            anomalies=totals.get("anomalies", 0),
            messages_per_s=self._rates_per_s()[0],
        )

    def _buffer(self, stats: BufferStats) -> BufferHealth:
        collected = self.collect.collected
        return BufferHealth(
            rows=stats.unsealed_rows + stats.sealed_rows,
            unsealed_rows=stats.unsealed_rows,
            sealed_rows=stats.sealed_rows,
            blocks=stats.blocks,
            bytes=stats.unsealed_bytes + stats.sealed_bytes,
            unsealed_bytes=stats.unsealed_bytes,
            used_bytes=stats.used_bytes,
            file_bytes=stats.file_bytes + stats.wal_bytes,
            free_bytes=stats.free_bytes,
            days_left=self._days_left(stats),
            held=collected.held,
            retries=collected.retries,
            commits=collected.commits,
            commit_latency=self.collect.commit_latency.snapshot(),
            counters=dict(stats.counters),
            bytes_max=stats.bytes_max,
            series=stats.series,
            rejects=stats.rejects,
            quarantined=stats.quarantined,
            evicted=stats.counters.get("evicted", 0),
            damaged=stats.counters.get("quarantined_rows", 0),
            refused=stats.refused,
            key_tier=self.keys.tier.value,
            unprotected=self.keys.tier.unprotected,
            cipher=stats.cipher,
        )

    def _budget(self, stats: BufferStats) -> BudgetHealth:
        uplink = None if self.delivery is None else self.delivery.uplink
        return self.spending.health(
            readings=self._rows(),
            page_bytes=stats.page_bytes,
            line_state="all" if uplink is None else uplink.state.allowed.value,
        )

    def _cloud(self) -> CloudHealth:
        said = CloudHealth(enrolled=is_enrolled(self.config.identity_folder))
        delivery = self.delivery
        if delivery is not None and delivery.who is not None:
            said.certificate_not_after_us = delivery.not_after_us
            said.renewals = delivery.renewal.renewals if delivery.renewal else 0
            said.address = self.config.settings.cloud.address or delivery.who.sync_address
        if delivery is not None and delivery.uplink is not None:
            state = delivery.uplink.state
            said.line, said.session, said.epoch = state.line.value, state.session, state.epoch
            said.head, said.stored, said.archived = state.head, state.stored, state.archived
            said.attempts, said.failures = state.attempts, state.failures
            said.retry_s = state.retry_s
            said.blocks_sent, said.bytes_sent = state.blocks_sent, state.bytes_sent
            said.eta_s = state.eta_s
            said.error, said.hint = state.error, state.hint
        return said
