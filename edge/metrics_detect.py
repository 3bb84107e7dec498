"""Pure: the metrics of detection: what models did, and what became of episodes."""

from collections.abc import Callable, Iterable
from typing import Final

from edge.health import EpisodesHealth, Health, ModelHealth
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


def _episodes(
    read: Callable[[EpisodesHealth], float],
) -> Callable[[Health], Iterable[Sample]]:
    def samples(health: Health) -> Iterable[Sample]:
        return [((one.detector,), float(read(one))) for one in health.episodes]

    return samples


DETECTED: Final[tuple[Metric[Health], ...]] = (
    Metric(
        "tidegate_edge_model_scored_total",
        MetricKind.COUNTER,
        "Windows scored since the start.",
        _models(lambda one: one.scored),
        ("model", "version"),
    ),
    Metric(
        "tidegate_edge_model_unscored_total",
        MetricKind.COUNTER,
        "Windows without a score since the start: it was no number, or the model was set aside.",
        _models(lambda one: one.unscored),
        ("model", "version"),
    ),
    Metric(
        "tidegate_edge_model_passed_over_total",
        MetricKind.COUNTER,
        "Readings not judged since the start, of series that the model has no room for.",
        _models(lambda one: one.passed_over),
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
    Metric(
        "tidegate_edge_model_watched_seconds_total",
        MetricKind.COUNTER,
        "Seconds that series were watched since the start, a threshold in force, summed over them.",
        _models(lambda one: one.watched_s),
        ("model", "version"),
    ),
    Metric(
        "tidegate_edge_model_anomalies_per_week",
        MetricKind.GAUGE,
        "Anomalies for each series and week since the start, beside the stated false alarms.",
        _models(lambda one: one.anomalies_per_week),
        ("model", "version"),
    ),
    Metric(
        "tidegate_edge_episodes_open",
        MetricKind.GAUGE,
        "Episodes that go on.",
        _episodes(lambda one: one.open),
        ("detector",),
    ),
    Metric(
        "tidegate_edge_episodes_opened_total",
        MetricKind.COUNTER,
        "Episodes that opened since the start.",
        _episodes(lambda one: one.opened),
        ("detector",),
    ),
    Metric(
        "tidegate_edge_episodes_closed_total",
        MetricKind.COUNTER,
        "Episodes that ended since the start.",
        _episodes(lambda one: one.closed),
        ("detector",),
    ),
    Metric(
        "tidegate_edge_episodes_passed_over_total",
        MetricKind.COUNTER,
        "Episodes not begun since the start, for too many were open.",
        _episodes(lambda one: one.passed_over),
        ("detector",),
    ),
)
"""Models as they are in service, then episodes by detector."""
