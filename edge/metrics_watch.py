"""Pure: the figures of rules and their commands, a part of `edge.metrics.TABLE`."""

from collections.abc import Callable, Iterable
from typing import Final

from edge.health import CommandHealth, Health, WatchHealth
from protos.exposition import Metric, MetricKind, Sample


def _watches(read: Callable[[WatchHealth], float]) -> Callable[[Health], Iterable[Sample]]:
    return lambda health: [((one.name,), float(read(one))) for one in health.watches]


def _commands(read: Callable[[CommandHealth], float]) -> Callable[[Health], Iterable[Sample]]:
    return lambda health: [((one.name,), float(read(one))) for one in health.commands]


def _watch(
    name: str, kind: MetricKind, meaning: str, read: Callable[[WatchHealth], float]
) -> Metric[Health]:
    return Metric(f"tidegate_edge_watch_{name}", kind, meaning, _watches(read), ("watch",))


def _command(
    name: str, kind: MetricKind, meaning: str, read: Callable[[CommandHealth], float]
) -> Metric[Health]:
    return Metric(f"tidegate_edge_command_{name}", kind, meaning, _commands(read), ("command",))


_GAUGE, _TOTAL = MetricKind.GAUGE, MetricKind.COUNTER

WATCHES: Final[tuple[Metric[Health], ...]] = (
    _watch("series", _GAUGE, "Series, or devices, that a rule is for.", lambda one: one.series),
    _watch("judged_total", _TOTAL, "Readings judged since the start.", lambda one: one.judged),
    _watch("found_total", _TOTAL, "Anomalies found since the start.", lambda one: one.found),
    _watch("open", _GAUGE, "Anomalies that stand.", lambda one: one.open),
    _command("sent_total", _TOTAL, "Commands given since the start.", lambda one: one.sent),
    _command(
        "failed_total",
        _TOTAL,
        "Commands that went wrong on the way, and may have arrived, since the start.",
        lambda one: one.failed,
    ),
    _command(
        "left_total",
        _TOTAL,
        "Commands that were overtaken, or too late to be given, since the start.",
        lambda one: one.left,
    ),
    _command(
        "refused_total",
        _TOTAL,
        "Commands whose topic is none, or is read by the gateway, since the start.",
        lambda one: one.refused,
    ),
    _command("waiting", _GAUGE, "Commands that wait to be given.", lambda one: one.waiting),
)
