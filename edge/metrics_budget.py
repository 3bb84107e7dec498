"""Pure: the rows of `edge.metrics` for what the agent spends."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from edge.health import Health
from protos.exposition import Metric, MetricKind, Sample

Row: TypeAlias = Metric[Health]
_STATES: Final = ("all", "anomalies", "nothing")


def _one(read: "Callable[[Health], float | None]") -> Callable[[Health], Iterable[Sample]]:
    def samples(health: Health) -> Iterable[Sample]:
        value = read(health)
        return () if value is None else (((), float(value)),)

    return samples


def _gauge(name: str, meaning: str, read: "Callable[[Health], float | None]") -> Row:
    return Metric(f"tidegate_edge_{name}", MetricKind.GAUGE, meaning, _one(read))


def _total(name: str, meaning: str, read: "Callable[[Health], float | None]") -> Row:
    return Metric(f"tidegate_edge_{name}_total", MetricKind.COUNTER, meaning, _one(read))


def _line(health: Health) -> Iterable[Sample]:
    return [((state,), float(health.budget.line_state == state)) for state in _STATES]


BUDGETS: Final[tuple[Row, ...]] = (
    _total(
        "written_bytes",
        "Bytes this process had written to disks, by the kernel's count.",
        lambda h: h.budget.written_bytes,
    ),
    _gauge("written_day_bytes", "Of those, in 24 hours.", lambda h: h.budget.written_day_bytes),
    _gauge(
        "written_limit_bytes",
        "What may be written in 24 hours; 0: no bound.",
        lambda h: h.budget.written_limit_bytes,
    ),
    _total(
        "device_written_bytes",
        "Bytes anybody wrote to the buffer's device since the start, the filesystem's own too.",
        lambda h: h.budget.device_written_bytes,
    ),
    _total("page_bytes", "Bytes of pages that SQLite wrote.", lambda h: h.budget.page_bytes),
    _gauge(
        "written_per_reading_bytes",
        "Bytes written for a reading since the start, all that is written for it included.",
        lambda h: h.budget.written_per_reading,
    ),
    _gauge(
        "commit_spacing_seconds",
        "What commits are spaced now so that the card is not worn.",
        lambda h: h.budget.commit_spacing_s,
    ),
    _total(
        "line_sent_bytes",
        "Bytes on the wire to the cloud since the start, TLS and headers included.",
        lambda h: h.budget.sent_bytes,
    ),
    _total("line_received_bytes", "The same from the cloud.", lambda h: h.budget.received_bytes),
    _gauge("line_sent_day_bytes", "Sent in 24 hours.", lambda h: h.budget.sent_day_bytes),
    _gauge(
        "line_received_day_bytes", "Received in 24 hours.", lambda h: h.budget.received_day_bytes
    ),
    _gauge(
        "line_limit_bytes",
        "What the line may carry in 24 hours, both ways; 0: no limit.",
        lambda h: h.budget.line_limit_bytes,
    ),
    Metric(
        "tidegate_edge_line_allowed",
        MetricKind.GAUGE,
        "1 for what may be sent now, by that limit.",
        _line,
        ("what",),
    ),
    _gauge("memory_bytes", "Resident memory.", lambda h: h.budget.memory_bytes),
    _gauge("memory_peak_bytes", "The most since the start.", lambda h: h.budget.memory_peak_bytes),
    _gauge(
        "memory_limit_bytes", "What it should be at most.", lambda h: h.budget.memory_limit_bytes
    ),
    _total("cpu_seconds", "Processor time, all cores.", lambda h: h.budget.cpu_s),
    _gauge(
        "cpu_percent", "Percent of one core over the last minute.", lambda h: h.budget.cpu_percent
    ),
    _gauge("cpu_limit_percent", "What it should be at most.", lambda h: h.budget.cpu_limit_percent),
)
