"""What the agent tells of itself: the document behind `status`, and the cloud's Status."""

import asyncio
import logging
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from edge.catalog import Catalog
from edge.chunk import BufferStats
from edge.clock import Clock
from edge.collect import Collect
from edge.config import EdgeConfig
from edge.health import (
    BrokerHealth,
    BufferHealth,
    ClockHealth,
    CloudHealth,
    Health,
    IngestHealth,
    ModelHealth,
)
from edge.identity import Identity, is_enrolled
from edge.ingest import Inbox, Ingest
from edge.keys import KeySource
from edge.rejected import SHOWN_MAX, Rejected, shown
from edge.score import Scorer
from edge.store.limits import StoreBusy
from edge.store.store import Store
from edge.uplink import Uplink
from protos import sync_pb2 as pb
from protos.records import Quality

log = logging.getLogger(__name__)

FRESH_S: Final = 2.0
RATE_WINDOW: Final = 5


@dataclass(slots=True)
class Reporter:
    """Puts the agent's state together; `uplink` and `identity` come once it is enrolled."""

    config: EdgeConfig
    clock: Clock
    keys: KeySource
    store: Store
    catalog: Catalog
    inbox: Inbox
    ingest: Ingest
    scorer: Scorer
    collect: Collect
    uplink: Uplink | None = None
    identity: Identity | None = None
    _started_us: int = field(init=False)
    _stats: BufferStats | None = None
    _rates: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=RATE_WINDOW))

    def __post_init__(self) -> None:
        self._started_us = self.clock.now().wall_us

    @property
    def broker_url(self) -> str:
        """The broker as the settings name it."""
        return self.config.settings.broker.url

    async def keep_fresh(self) -> None:
        """Keep the numbers for the cloud's Status fresh, for ever."""
        while True:
            with suppress(StoreBusy):  # an answer, not a fault: the next look will do
                self._stats = await asyncio.wrap_future(self.store.stats())
            self._rates.append((self.clock.now().mono_us, self._messages()))
            await asyncio.sleep(FRESH_S)

    async def health(self) -> Health:
        """Everything `status` shows, as it is now."""
        stats = await asyncio.wrap_future(self.store.stats())
        now = self.clock.now()
        return Health(
            gateway=self.config.name,
            version=version("tidegate"),
            running=True,
            pid=os.getpid(),
            started_us=self._started_us,
            clock=ClockHealth(now_us=now.wall_us, synced=now.quality is Quality.GATEWAY_SYNCED),
            broker=self._broker(),
            ingest=self._ingest(stats),
            buffer=self._buffer(stats),
            cloud=self._cloud(),
            models=[
                ModelHealth(
                    name=one.name,
                    version=one.version,
                    scored=one.scored,
                    anomalies=one.anomalies,
                    failure=one.failure,
                )
                for one in self.scorer.standings()
            ],
        )

    async def rejects(self) -> list[Rejected]:
        """The newest messages that could not be read, newest first."""
        rejects = await asyncio.wrap_future(self.store.rejects(SHOWN_MAX))
        return shown(rejects)

    def status(self) -> pb.Status:
        """What the cloud is told in Hello and every so often; never blocks."""
        synced = self.clock.now().quality is Quality.GATEWAY_SYNCED
        said = pb.Status(
            clock_quality=pb.CLOCK_SYNCED if synced else pb.CLOCK_UNSYNCED,
            key_tier=self.keys.tier.value,
            certificate_not_after_us=self.identity.not_after_us if self.identity else 0,
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

    def _messages(self) -> int:
        return self.collect.collected.totals.get("messages", 0)

    def _broker(self) -> BrokerHealth:
        state = self.ingest.state
        return BrokerHealth(
            url=self.broker_url,
            connected=state.connected,
            sessions=state.session_no,
            window=state.window,
            error=state.error,
        )

    def _ingest(self, stats: BufferStats) -> IngestHealth:
        totals, rate = stats.counters, 0.0
        if len(self._rates) > 1:
            (then, before), (now, count) = self._rates[0], self._rates[-1]
            rate = (count - before) * 1e6 / max(now - then, 1)
        return IngestHealth(
            waiting=len(self.inbox) + self.collect.under_way,
            accepted=totals.get("accepted", 0),
            rejected=totals.get("rejected", 0),
            ignored=totals.get("ignored", 0),
            alerts=totals.get("alerts", 0),
            collapsed=totals.get("collapsed", 0),
            readings=totals.get("numbers", 0) + totals.get("texts", 0),
            anomalies=totals.get("anomalies", 0),
            messages_per_s=rate,
        )

    def _buffer(self, stats: BufferStats) -> BufferHealth:
        return BufferHealth(
            rows=stats.unsealed_rows + stats.sealed_rows,
            bytes=stats.unsealed_bytes + stats.sealed_bytes,
            file_bytes=stats.file_bytes + stats.wal_bytes,
            bytes_max=stats.bytes_max,
            series=stats.series,
            rejects=stats.rejects,
            quarantined=stats.quarantined,
            evicted=stats.counters.get("evicted", 0),
            refused=stats.refused,
            key_tier=self.keys.tier.value,
            unprotected=self.keys.tier.unprotected,
            cipher=stats.cipher,
        )

    def _cloud(self) -> CloudHealth:
        said = CloudHealth(enrolled=is_enrolled(self.config.identity_folder))
        if self.identity is not None:
            said.certificate_not_after_us = self.identity.not_after_us
            said.address = self.config.settings.cloud.address or self.identity.sync_address
        if self.uplink is not None:
            state = self.uplink.state
            said.line, said.session, said.epoch = state.line.value, state.session, state.epoch
            said.head, said.stored, said.archived = state.head, state.stored, state.archived
            said.bytes_sent, said.error, said.hint = state.bytes_sent, state.error, state.hint
        return said
