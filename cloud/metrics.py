"""Pure: the cloud's figures for a monitoring system: one table over `cloud.figures_document`.

A test holds that every number of that document is here. Times are seconds, sizes bytes; names
follow the conventions of Prometheus.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from cloud.figures_document import Figures, GatewayFigures
from protos.exposition import Metric, MetricKind, Sample, render

Row: TypeAlias = Metric[Figures]
Read: TypeAlias = Callable[[Figures], float]
ReadOne: TypeAlias = Callable[[GatewayFigures], "float | None"]


def text(figures: Figures) -> str:
    """The document as `/metrics` tells it."""
    return render(TABLE, figures)


def _gauge(name: str, meaning: str, read: Read) -> Row:
    full = f"tidegate_cloud_{name}"
    return Metric(full, MetricKind.GAUGE, meaning, lambda f: [((), float(read(f)))])


def _total(name: str, meaning: str, read: Read) -> Row:
    full = f"tidegate_cloud_{name}_total"
    return Metric(full, MetricKind.COUNTER, meaning, lambda f: [((), float(read(f)))])


def _each(name: str, meaning: str, read: ReadOne, kind: MetricKind = MetricKind.GAUGE) -> Row:
    """One sample a gateway, where it is known."""

    def samples(figures: Figures) -> Iterable[Sample]:
        for one in figures.gateways:
            value = read(one)
            if value is not None:
                yield (one.name,), float(value)

    return Metric(f"tidegate_cloud_gateway_{name}", kind, meaning, samples, ("gateway",))


def _requests(figures: Figures) -> Iterable[Sample]:
    return [(key, float(count)) for key, count in sorted(figures.requests.items())]


def _resident(figures: Figures) -> Iterable[Sample]:
    return [((role,), float(held)) for role, held in sorted(figures.resident_bytes.items())]


def _request_seconds(figures: Figures) -> Iterable[Sample]:
    return () if figures.request_seconds is None else (((), figures.request_seconds),)


_WAY_IN: Final[tuple[Row, ...]] = (
    Metric(
        "tidegate_cloud_info",
        MetricKind.GAUGE,
        "Always 1; the version that runs.",
        lambda f: [((f.version,), 1.0)],
        ("version",),
    ),
    _gauge("clock_time_seconds", "The cloud's clock, since 1970.", lambda f: f.now_us / 1e6),
    Metric(
        "tidegate_cloud_resident_bytes",
        MetricKind.GAUGE,
        "Memory that each role's process holds; the first has all that is not apart, "
        "and is `serving` where ingest is.",
        _resident,
        ("role",),
    ),
    _gauge("sessions", "Gateways that are connected.", lambda f: f.sessions),
    _gauge("waiting_bytes", "Bytes read and not yet on the disk.", lambda f: f.waiting_bytes),
    _total("enrolments", "Enrolments granted since the start.", lambda f: f.enrolments),
    _total(
        "enrolments_refused", "Enrolments refused since the start.", lambda f: f.enrolments_refused
    ),
    Metric(
        "tidegate_cloud_http_requests_total",
        MetricKind.COUNTER,
        "Requests to page and API since the start.",
        _requests,
        ("path", "status"),
    ),
    Metric(
        "tidegate_cloud_http_request_seconds",
        MetricKind.HISTOGRAM,
        "Until the answer was sent whole; the stream of live readings aside.",
        _request_seconds,
    ),
)

_JOURNAL: Final[tuple[Row, ...]] = (
    _gauge(
        "journal_generation",
        "Rises when a journal was lost or restored from an older copy.",
        lambda f: f.journal.generation,
    ),
    _gauge(
        "journal_begun_offset",
        "First block of this generation; above 1 an earlier journal was lost or damaged.",
        lambda f: f.journal.begun,
    ),
    _gauge("journal_head_offset", "Last block on the disk.", lambda f: f.journal.head),
    _gauge("journal_archived_offset", "Last block in the tables.", lambda f: f.journal.archived),
    _gauge("journal_oldest_offset", "First block still kept.", lambda f: f.journal.oldest),
    _gauge(
        "journal_lag_blocks",
        "Blocks that are not in the tables yet.",
        lambda f: max(f.journal.head - f.journal.archived, 0),
    ),
    _gauge("journal_segments", "Files of the journal.", lambda f: f.journal.segments),
    _gauge("journal_bytes", "Bytes of those files.", lambda f: f.journal.bytes),
    _gauge("journal_limit_bytes", "Most that they may take.", lambda f: f.journal.bytes_max),
    _gauge("journal_quarantined_blocks", "Blocks set apart.", lambda f: f.journal.quarantined),
    _total("journal_blocks", "Blocks ever stored.", lambda f: f.journal.blocks),
    _total("journal_readings", "Readings ever stored.", lambda f: f.journal.readings),
    _total(
        "journal_archived_readings",
        "Of those, passed by the tables.",
        lambda f: f.journal.archived_readings,
    ),
    _gauge("journal_failed", "1 when it stopped writing for good.", lambda f: f.journal.is_failed),
)

_LAKE: Final[tuple[Row, ...]] = (
    _gauge("lake_offset", "Last block in the tables that are shown.", lambda f: f.lake.offset),
    _gauge("lake_readings", "Rows of the readings table.", lambda f: f.lake.readings),
    _gauge("lake_anomalies", "Rows of the anomalies table.", lambda f: f.lake.anomalies),
    _gauge(
        "lake_gaps", "Rows of the gaps table: losses that gateways told of.", lambda f: f.lake.gaps
    ),
    _gauge(
        "lake_lag_seconds",
        "How long the oldest block that is not in the tables has waited.",
        lambda f: f.lake.lag_us / 1e6,
    ),
    _gauge("lake_faulty", "1 while consolidation stands still.", lambda f: f.lake.is_faulty),
    _total("lake_faults", "Consolidations that failed since the start.", lambda f: f.lake.faults),
    _total(
        "lake_restarts",
        "Times that consolidation's own process ended by itself since the start.",
        lambda f: f.lake.restarts,
    ),
    _gauge(
        "lake_corrections_refused",
        "Corrections of times over the bound of one gateway since the lake was opened.",
        lambda f: f.lake.corrections_refused,
    ),
    _gauge(
        "lake_unsorted_periods",
        "Days whose readings lie in files that overlap, or that take more room than they must.",
        lambda f: f.lake.unsorted,
    ),
    _gauge(
        "lake_sorting_rows",
        "Readings left of the day that is being sorted.",
        lambda f: f.lake.sorting_rows,
    ),
    _gauge(
        "lake_sorting_lacking_bytes",
        "Room on the disk that sorting waits for.",
        lambda f: f.lake.sorting_lacks_bytes,
    ),
    _total(
        "lake_retired_readings", "Readings ever removed by retention.", lambda f: f.lake.retired
    ),
    _gauge("view_offset", "Last block that queries see.", lambda f: f.view_offset),
    _gauge("view_tail_bytes", "Memory of blocks not yet in the tables.", lambda f: f.tail_bytes),
    _gauge("history_series", "Series known.", lambda f: f.series),
    _gauge("history_readings", "Readings that queries see.", lambda f: f.readings),
    _gauge("history_anomalies", "Anomalies that queries see.", lambda f: f.anomalies),
)

_READERS: Final[tuple[Row, ...]] = (
    _gauge("readers_wanted", "Processes that shall read history.", lambda f: f.readers.wanted),
    _gauge("readers", "Those of them that run.", lambda f: f.readers.alive),
    _total(
        "reader_restarts",
        "Times that one was replaced since the start: it died, hung or held too much.",
        lambda f: f.readers.restarts,
    ),
    _total("reader_answers", "What they answered since the start.", lambda f: f.readers.answers),
    _total(
        "reader_together",
        "Questions about history answered without them, for none could take them.",
        lambda f: f.readers.together,
    ),
    _total(
        "decoder_restarts",
        "Times that the process that decodes for the view ended by itself since the start.",
        lambda f: f.decoder.restarts,
    ),
    _total(
        "decoder_together",
        "Steps of the view decoded without it, for it could not be started.",
        lambda f: f.decoder.together,
    ),
)

_GATEWAYS: Final[tuple[Row, ...]] = (
    _each("connected", "1 while connected.", lambda g: g.is_connected),
    _each(
        "last_seen_seconds", "When it was last heard, since 1970.", lambda g: _when(g.last_seen_us)
    ),
    _each("epoch", "The epoch it is in.", lambda g: g.epoch),
    _each("sessions_total", "Sessions it ever had.", lambda g: g.session, MetricKind.COUNTER),
    _each("stored_block", "Last block of its epoch on the disk.", lambda g: g.stored),
    _each("archived_block", "Last block of its epoch in the tables.", lambda g: g.archived),
    _each(
        "lag_blocks",
        "Its blocks that are not in the tables.",
        lambda g: max(g.stored - g.archived, 0),
    ),
    _each("forks_total", "Forks found in its stream.", lambda g: g.forks, MetricKind.COUNTER),
    _each("backlog_rows", "Readings it still keeps, by its own word.", lambda g: g.backlog_rows),
    _each("backlog_bytes", "Bytes it has yet to send.", lambda g: g.backlog_bytes),
    _each("buffer_bytes", "Bytes of its buffer.", lambda g: g.buffer_bytes),
    _each("buffer_limit_bytes", "Most that its buffer may take.", lambda g: g.buffer_bytes_max),
    _each(
        "rejected_total", "Messages it could not read.", lambda g: g.rejected, MetricKind.COUNTER
    ),
    _each("evicted_total", "Rows it gave up, full.", lambda g: g.evicted, MetricKind.COUNTER),
    _each("clock_synced", "1 while its clock is believed.", lambda g: g.is_clock_synced),
    _each(
        "certificate_not_after_seconds",
        "When its certificate expires, since 1970.",
        lambda g: _when(g.certificate_not_after_us),
    ),
)


_TOLD: Final[tuple[Row, ...]] = (
    Metric(
        "tidegate_cloud_standing",
        MetricKind.GAUGE,
        "What stands that people are told of.",
        lambda f: [((what,), float(count)) for what, count in sorted(f.told.standing.items())],
        ("what",),
    ),
    Metric(
        "tidegate_cloud_notices_waiting",
        MetricKind.GAUGE,
        "Messages that wait for their channel.",
        lambda f: [((name,), float(count)) for name, count in sorted(f.told.waiting.items())],
        ("channel",),
    ),
    Metric(
        "tidegate_cloud_notices_dropped_total",
        MetricKind.COUNTER,
        "What was ever dropped unsaid; without a channel it was for all of them.",
        lambda f: [(key, float(count)) for key, count in sorted(f.told.dropped.items())],
        ("channel", "reason"),
    ),
    _gauge("notify_faulty", "1 while what stands cannot be looked at.", lambda f: f.told.is_faulty),
)


def _when(at_us: int) -> float | None:
    return at_us / 1e6 if at_us else None


TABLE: Final = (*_WAY_IN, *_JOURNAL, *_LAKE, *_READERS, *_TOLD, *_GATEWAYS)
"""Every metric of the cloud, in the order it is told."""
