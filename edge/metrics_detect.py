"""Pure: the metrics of detection: what models did."""

from collections.abc import Callable, Iterable
from typing import Final

from edge.health import Health, ModelHealth
from protos.exposition import Metric, MetricKind, Sample


def _models(read: Callable[[ModelHealth], float]) -> Callable[[Health], Iterable[Sample]]:
    def samples(health: Health) -> Iterable[Sample]:
        return [((one.name, one.version), float(read(one))) for one in health.models]

    return samples


def _aside(health: Health) -> Iterable[Sample]:
    return [
        ((one.name, one.version, why), float(count))
        for one in health.models
        for why, count in sorted(one.aside.items())
    ]


DETECTED: Final[tuple[Metric[Health], ...]] = (
    Metric(
        "tidegate_edge_model_scored_total",
        MetricKind.COUNTER,
        "Windows scored since the start.",
        _models(lambda one: one.scored),
        ("model", "version"),
    ),
    Metric(
        "tidegate_edge_model_anomalies_total",
        MetricKind.COUNTER,
        "Anomalies found since the start.",
        _models(lambda one: one.anomalies),
        ("model", "version"),
    ),
    Metric(
        "tidegate_edge_model_failed",
        MetricKind.GAUGE,
        "1 when the model failed and is set aside.",
        _models(lambda one: bool(one.failure)),
        ("model", "version"),
    ),
    Metric(
        "tidegate_edge_model_set_aside_total",
        MetricKind.COUNTER,
        "Times since the start that a model in a process of its own was set aside, by why.",
        _aside,
        ("model", "version", "why"),
    ),
)
"""Models as they are in service."""
