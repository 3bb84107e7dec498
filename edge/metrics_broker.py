"""Pure: the figures of the brokers: each row has a sample a broker."""

from collections.abc import Callable, Iterable
from typing import Final

from edge.health import BrokerHealth, Health
from protos.exposition import Metric, MetricKind, Sample


def _brokers(read: Callable[[BrokerHealth], float]) -> Callable[[Health], Iterable[Sample]]:
    def samples(health: Health) -> Iterable[Sample]:
        told = (health.broker, *health.brokers)
        return [((one.name or "main",), float(read(one))) for one in told]

    return samples


BROKERS: Final[tuple[Metric[Health], ...]] = (
    Metric(
        "tidegate_edge_broker_connected",
        MetricKind.GAUGE,
        "1 while connected and subscribed; the broker of [broker] is called main.",
        _brokers(lambda one: one.connected),
        ("broker",),
    ),
    Metric(
        "tidegate_edge_broker_sessions_total",
        MetricKind.COUNTER,
        "Connections to the broker that came about.",
        _brokers(lambda one: one.sessions),
        ("broker",),
    ),
    Metric(
        "tidegate_edge_broker_window",
        MetricKind.GAUGE,
        "Messages the broker may have in flight to us.",
        _brokers(lambda one: one.window),
        ("broker",),
    ),
    Metric(
        "tidegate_edge_broker_stale_acks_total",
        MetricKind.COUNTER,
        "Acknowledgements dropped because their connection was gone; the broker sends again.",
        _brokers(lambda one: one.stale_acks),
        ("broker",),
    ),
)
