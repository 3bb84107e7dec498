"""Pure: the gateway's figures for a monitoring system: one table over the document of `status`.

What `status` shows, `/metrics` shows: a test holds that every number of `edge.health.Health` is
here. Times are seconds, sizes bytes; names follow the conventions of Prometheus.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from edge.health import Health
from edge.metrics_broker import BROKERS
from edge.metrics_budget import BUDGETS
from edge.metrics_detect import DETECTED
from edge.metrics_watch import WATCHES
from protos.exposition import Metric, MetricKind, Sample, render

_LINES: Final = ("connecting", "live", "waiting", "stopped")

Row: TypeAlias = Metric[Health]
Read: TypeAlias = Callable[[Health], "float | None"]


def text(health: Health) -> str:
    """The document as `/metrics` tells it."""
    return render(TABLE, health)


def _one(read: Read) -> Callable[[Health], Iterable[Sample]]:
    def samples(health: Health) -> Iterable[Sample]:
        value = read(health)
        return () if value is None else (((), float(value)),)

    return samples


def _gauge(name: str, meaning: str, read: Read) -> Row:
    return Metric(f"tidegate_edge_{name}", MetricKind.GAUGE, meaning, _one(read))


def _total(name: str, meaning: str, read: Read) -> Row:
    return Metric(f"tidegate_edge_{name}_total", MetricKind.COUNTER, meaning, _one(read))


def _info(health: Health) -> Iterable[Sample]:
    buffer = health.buffer
    names = (health.gateway, health.version, buffer.key_tier, buffer.cipher)
    return ((names, 1.0),)


def _heard(prefix: str, *names: str) -> Callable[[Health], Iterable[Sample]]:
    def samples(health: Health) -> Iterable[Sample]:
        return [((name,), float(getattr(health.ingest, prefix + name))) for name in names]

    return samples


def _line(health: Health) -> Iterable[Sample]:
    return [((line,), float(health.cloud.line == line)) for line in _LINES]


def _latency(health: Health) -> Iterable[Sample]:
    found = health.buffer.commit_latency
    return () if found is None else (((), found),)


def _counters(health: Health) -> Iterable[Sample]:
    return [((name,), float(count)) for name, count in sorted(health.buffer.counters.items())]


def _left_s(health: Health) -> float | None:
    days = health.buffer.days_left
    return None if days is None else days * 86_400


def _not_after_s(health: Health) -> float | None:
    at_us = health.cloud.certificate_not_after_us
    return at_us / 1e6 if at_us else None


_ABOUT: Final[tuple[Row, ...]] = (
    Metric(
        "tidegate_edge_info",
        MetricKind.GAUGE,
        "Always 1; who this is, and how its buffer is sealed.",
        _info,
        ("gateway", "version", "key_tier", "cipher"),
    ),
    _gauge("up", "1 while the agent runs.", lambda h: h.running),
    _gauge("process_id", "Number of the agent's process.", lambda h: h.pid),
    _gauge(
        "start_time_seconds",
        "When the agent started, by its clock then, since 1970.",
        lambda h: h.started_us / 1e6,
    ),
    _gauge(
        "clock_time_seconds", "The gateway's clock, since 1970.", lambda h: h.clock.now_us / 1e6
    ),
    _gauge("clock_synced", "1 while the clock is believed.", lambda h: h.clock.synced),
    _gauge(
        "clock_offset_seconds",
        "How far the clock was moved since the agent's start, by a clock that never steps.",
        lambda h: h.clock.stepped_us / 1e6,
    ),
    *BROKERS,
)

_HEARD: Final[tuple[Row, ...]] = (
    _gauge("waiting_messages", "Messages taken in and not committed.", lambda h: h.ingest.waiting),
    _gauge("inbox_messages", "Of those, in the inbox.", lambda h: h.ingest.inbox),
    _gauge(
        "under_way_messages", "Of those, read and being committed.", lambda h: h.ingest.under_way
    ),
    _gauge(
        "messages_per_second",
        "Messages committed, over the last seconds.",
        lambda h: h.ingest.messages_per_s,
    ),
    Metric(
        "tidegate_edge_messages_total",
        MetricKind.COUNTER,
        "Messages by what became of them; every acknowledged one is in exactly one class.",
        _heard("", "accepted", "rejected", "ignored", "collapsed"),
        ("class",),
    ),
    _total(
        "own_alert_messages", "Ignored because they were our own alerts.", lambda h: h.ingest.alerts
    ),
    _total(
        "retained_messages",
        "Ignored because they were retained values.",
        lambda h: h.ingest.retained,
    ),
    _total(
        "partial_messages", "Accepted with a part that became a reject.", lambda h: h.ingest.partial
    ),
    _total(
        "unkept_rejects",
        "Rejects that are only counted: there were many at once.",
        lambda h: h.ingest.unkept,
    ),
    _total(
        "shed_messages",
        "QoS 0 on topics of which nothing can be read, left out while much waited.",
        lambda h: h.ingest.shed,
    ),
    _total(
        "missing_values", "Values that a device said it does not have.", lambda h: h.ingest.missing
    ),
    Metric(
        "tidegate_edge_device_clock_readings_total",
        MetricKind.COUNTER,
        "Readings whose device's own time cannot be used, by why; they have that of arrival.",
        _heard("clocks_", "ahead", "unset", "local"),
        ("why",),
    ),
    _total("readings", "Readings committed.", lambda h: h.ingest.readings),
    _total("anomalies", "Anomalies committed.", lambda h: h.ingest.anomalies),
    _gauge("alerts_waiting", "Alerts not yet published.", lambda h: h.alerts.waiting),
    _total("alerts_sent", "Alerts published since the start.", lambda h: h.alerts.sent),
    _total("alerts_dropped", "Alerts that found the queue full.", lambda h: h.alerts.dropped),
    *DETECTED,
)

_KEPT: Final[tuple[Row, ...]] = (
    _gauge("buffer_rows", "Readings kept, not yet archived in the cloud.", lambda h: h.buffer.rows),
    _gauge(
        "buffer_unsealed_rows", "Of those, waiting for a block.", lambda h: h.buffer.unsealed_rows
    ),
    _gauge("buffer_sealed_rows", "Of those, in blocks.", lambda h: h.buffer.sealed_rows),
    _gauge("buffer_blocks", "Blocks kept until they are archived.", lambda h: h.buffer.blocks),
    _gauge("buffer_backlog_bytes", "What the rows kept take.", lambda h: h.buffer.bytes),
    _gauge("buffer_used_bytes", "Bytes in use inside the file.", lambda h: h.buffer.used_bytes),
    _gauge(
        "buffer_unsealed_bytes", "Bytes that wait for a block.", lambda h: h.buffer.unsealed_bytes
    ),
    _gauge(
        "buffer_file_bytes",
        "Bytes of the file and its log on the disk.",
        lambda h: h.buffer.file_bytes,
    ),
    _gauge(
        "buffer_free_bytes",
        "Bytes inside the file that are used again.",
        lambda h: h.buffer.free_bytes,
    ),
    _gauge(
        "buffer_limit_bytes",
        "Most that file and log may take.",
        lambda h: h.buffer.bytes_max,
    ),
    _gauge(
        "buffer_left_seconds",
        "Time until the buffer is full if the cloud went away now, at the present rate.",
        _left_s,
    ),
    _gauge("buffer_full", "1 while it is full and nothing is taken in.", lambda h: h.buffer.held),
    _total(
        "buffer_full_retries",
        "Commits tried again because it was full.",
        lambda h: h.buffer.retries,
    ),
    _total("buffer_refused", "Chunks refused because it was full.", lambda h: h.buffer.refused),
    _total("buffer_commits", "Commits since the start.", lambda h: h.buffer.commits),
    Metric(
        "tidegate_edge_commit_seconds",
        MetricKind.HISTOGRAM,
        "From handing a chunk to the buffer until it is on the disk.",
        _latency,
    ),
    _gauge("buffer_series", "Series in the table.", lambda h: h.buffer.series),
    _gauge(
        "buffer_rejects", "Unreadable messages kept for inspection.", lambda h: h.buffer.rejects
    ),
    _gauge("buffer_quarantined", "Damaged rows set aside.", lambda h: h.buffer.quarantined),
    _total("evicted_rows", "Rows evicted, full; a gap tells of them.", lambda h: h.buffer.evicted),
    _total(
        "damaged_rows",
        "Rows in chunks that a bad card damaged; a gap tells of them.",
        lambda h: h.buffer.damaged,
    ),
    Metric(
        "tidegate_edge_buffer_counted_total",
        MetricKind.COUNTER,
        "Every total that the buffer keeps, under the buffer's own name for it.",
        _counters,
        ("what",),
    ),
)

_DELIVERED: Final[tuple[Row, ...]] = (
    _gauge("enrolled", "1 once there is an identity.", lambda h: h.cloud.enrolled),
    Metric(
        "tidegate_edge_uplink_state",
        MetricKind.GAUGE,
        "1 for the state the uplink is in.",
        _line,
        ("state",),
    ),
    _total("uplink_attempts", "Sessions begun with the cloud.", lambda h: h.cloud.attempts),
    _gauge(
        "uplink_failures", "Sessions in a row that did not live long.", lambda h: h.cloud.failures
    ),
    _gauge("uplink_retry_seconds", "The pause before the next session.", lambda h: h.cloud.retry_s),
    _total(
        "uplink_sent_blocks", "Blocks sent, sent again included.", lambda h: h.cloud.blocks_sent
    ),
    _total("uplink_sent_bytes", "Bytes sent, sent again included.", lambda h: h.cloud.bytes_sent),
    _gauge(
        "uplink_left_seconds",
        "Time until the backlog is sent, at the rate it shrinks.",
        lambda h: h.cloud.eta_s,
    ),
    _gauge("uplink_session", "Number of the session.", lambda h: h.cloud.session),
    _gauge("sync_epoch", "The epoch that blocks are numbered in.", lambda h: h.cloud.epoch),
    _gauge("sync_sealed_block", "Last block sealed in the epoch.", lambda h: h.cloud.head),
    _gauge("sync_stored_block", "Last block on the cloud's disk.", lambda h: h.cloud.stored),
    _gauge("sync_archived_block", "Last block in the cloud's tables.", lambda h: h.cloud.archived),
    _gauge(
        "sync_stored_lag_blocks",
        "Blocks sealed and not stored.",
        lambda h: max(h.cloud.head - h.cloud.stored, 0),
    ),
    _gauge(
        "sync_archived_lag_blocks",
        "Blocks sealed and not archived.",
        lambda h: max(h.cloud.head - h.cloud.archived, 0),
    ),
    _gauge(
        "certificate_not_after_seconds", "When the certificate expires, since 1970.", _not_after_s
    ),
    _total("certificate_renewals", "Times that it was renewed here.", lambda h: h.cloud.renewals),
)

TABLE: Final = (*_ABOUT, *_HEARD, *WATCHES, *_KEPT, *_DELIVERED, *BUDGETS)
"""Every metric of the gateway, in the order it is told."""
