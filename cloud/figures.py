"""What the cloud tells a monitoring system: the document behind `/metrics`, put together.

Times are µs UTC, sizes bytes. What the journal counts is since the journal began, the rest since
the start of this process.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from cloud import metrics
from cloud.errors import OperatorError
from cloud.figures_document import (
    DecoderFigures,
    Figures,
    GatewayFigures,
    JournalFigures,
    LakeFigures,
    ReaderFigures,
    ToldFigures,
)
from cloud.ingest.service import Presence
from cloud.journal import counts as journal_counts
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.loop import Consolidation
from cloud.lake.sorter import IDLE
from cloud.lake.table.schema import ANOMALIES, GAPS, READINGS
from cloud.live.live import Live
from cloud.memory import resident_bytes
from cloud.notify.notifier import Notifier
from cloud.registry.registry import GatewayRow, Registry
from cloud.roles.decoder_keeper import DecoderProcess
from cloud.roles.ingest_keeper import JournalApart
from cloud.roles.ingest_placement import Intake
from cloud.roles.readers import Readers, ReadersNow
from cloud.serve.asked import Asked
from protos import sync_pb2 as pb
from protos.scrape import Door

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """Asks every part of a running cloud for its figures."""

    journal: SqliteJournal | JournalApart
    live: Live
    lake: Consolidation
    readers: Readers | None
    decoder: DecoderProcess | None
    registry: Registry
    ingest: Intake
    enrolments: Counter[str]
    asked: Asked
    now_us: Callable[[], int]
    notifier: Notifier | None = None

    async def text(self) -> str:
        """The figures as `/metrics` tells them."""
        present = dict(self.ingest.presence)
        figures = await asyncio.to_thread(self.figures, present)
        return metrics.text(figures)

    def figures(self, present: Mapping[str, Presence]) -> Figures:
        """The document; reads the registry and one block of the journal, so it may block."""
        series, readings, anomalies = self.live.book.counts()
        view = self.live.view
        return Figures(
            version=version("tidegate"),
            now_us=self.now_us(),
            sessions=sum(one.session != 0 for one in present.values()),
            waiting_bytes=self.ingest.waiting_bytes,
            tail_bytes=sum(batch.bytes for batch in view.tail),
            view_offset=view.journal,
            series=series,
            readings=readings,
            anomalies=anomalies,
            enrolments=self.enrolments["enrolled"],
            enrolments_refused=self.enrolments["refused"],
            requests=dict(self.asked.requests),
            resident_bytes=self._resident(),
            request_seconds=self.asked.seconds.snapshot(),
            journal=self._journal(),
            lake=self._lake(),
            readers=self._readers(),
            decoder=self._decoder(),
            told=ToldFigures() if self.notifier is None else self.notifier.figures(),
            gateways=self._gateways(present),
        )

    def _resident(self) -> dict[str, int]:
        """By role, of those that have a process; the first one's is all that is not apart."""
        first = "ingest" if self.ingest.pid is None else "serving"
        pids = {first: os.getpid(), "consolidation": self.lake.pid}
        pids.setdefault("ingest", self.ingest.pid)
        pids["decoding"] = None if self.decoder is None else self.decoder.pid
        found = {role: resident_bytes(pid) for role, pid in pids.items() if pid is not None}
        found["readers"] = sum(map(resident_bytes, self._now().pids))
        return {role: held for role, held in found.items() if held}

    def _now(self) -> ReadersNow:
        return ReadersNow() if self.readers is None else self.readers.now

    def _readers(self) -> ReaderFigures:
        now = self._now()
        return ReaderFigures(
            wanted=now.wanted,
            alive=now.alive,
            restarts=now.restarts,
            answers=now.answers,
            together=now.together,
        )

    def _decoder(self) -> DecoderFigures:
        if self.decoder is None:
            return DecoderFigures()
        return DecoderFigures(self.decoder.restarts, self.decoder.together)

    def _journal(self) -> JournalFigures:
        stats, total = self.journal.stats(), journal_counts.total(self.journal.counts().values())
        return JournalFigures(
            generation=self.journal.generation,
            begun=stats.begun,
            head=stats.head,
            archived=stats.archived,
            oldest=stats.oldest,
            segments=stats.segments,
            bytes=stats.bytes,
            bytes_max=stats.bytes_max,
            quarantined=stats.quarantined,
            blocks=total.blocks,
            readings=total.readings,
            archived_readings=total.archived_readings,
            is_failed=self.journal.failure is not None,
        )

    def _lake(self) -> LakeFigures:
        view = self.live.view
        waiting = self.journal.read(self.journal.archived(), 1)
        progress = self.lake.progress
        sorting = IDLE if progress is None else progress.sorting
        return LakeFigures(
            offset=view.lake,
            readings=view.tables[READINGS.name].rows,
            anomalies=view.tables[ANOMALIES.name].rows,
            gaps=view.tables[GAPS.name].rows,
            lag_us=max(self.now_us() - waiting[0].stored_us, 0) if waiting else 0,
            is_faulty=self.lake.fault is not None,
            faults=self.lake.faults,
            restarts=self.lake.restarts,
            corrections_refused=0 if progress is None else progress.refused,
            unsorted=sorting.unsorted,
            sorting_rows=sorting.rows - sorting.done,
            sorting_lacks_bytes=sorting.waits_for_bytes,
            retired=view.retired.total,
        )

    def _gateways(self, present: Mapping[str, Presence]) -> list[GatewayFigures]:
        rows = {row.name: row for row in self.registry.gateways()}
        cursors = {cursor.gateway: cursor for cursor in self.journal.cursors()}
        return [
            _gateway(name, rows.get(name), cursors.get(name, Cursor(name)), present.get(name))
            for name in sorted(rows.keys() | cursors.keys())
        ]


def _gateway(
    name: str, row: GatewayRow | None, cursor: Cursor, seen: Presence | None
) -> GatewayFigures:
    said = seen.status if seen is not None else None
    kept = row.status if row is not None else {}

    def number(field: str) -> int:
        """From the stream, else what the registry kept (protobuf's JSON writes them as text)."""
        return int(getattr(said, field)) if said is not None else int(str(kept.get(field, 0)))

    clock = said.clock_quality if said is not None else kept.get("clock_quality")
    return GatewayFigures(
        name=name,
        is_connected=seen is not None and seen.session != 0,
        is_clock_synced=clock in (pb.CLOCK_SYNCED, "CLOCK_SYNCED"),
        epoch=cursor.epoch,
        session=cursor.session,
        stored=cursor.stored,
        archived=cursor.archived,
        forks=cursor.forks,
        backlog_rows=number("backlog_rows"),
        backlog_bytes=number("backlog_bytes"),
        buffer_bytes=number("buffer_bytes"),
        buffer_bytes_max=number("buffer_bytes_max"),
        rejected=number("rejected"),
        evicted=number("evicted"),
        last_seen_us=seen.since_us if seen is not None else row.last_seen_us if row else 0,
        certificate_not_after_us=row.certificate_not_after_us if row else 0,
    )


@asynccontextmanager
async def told_outside(
    listen: str, text: Callable[[], Awaitable[str]], fault: Callable[[], str]
) -> AsyncIterator[None]:
    """Offer `/metrics` and `/healthz` at `listen` while inside; nothing listens when it is empty.

    Raises:
        OperatorError: it cannot listen where the settings say.
    """
    if not listen:
        yield
        return
    door = Door(listen, text, fault)
    try:
        await door.__aenter__()
    except OSError as error:
        raise OperatorError(
            f"offer metrics on {listen}",
            (error.strerror or str(error)).lower(),
            "does something else listen there? otherwise correct metrics.listen",
        ) from error
    try:
        log.info("metrics on http://%s/metrics", listen)
        yield
    finally:
        await door.__aexit__(None, None, None)
