"""What the agent tells of detection: its models, its episodes, and who was told."""

from dataclasses import asdict

from edge.detect.alert import Alerts
from edge.detect.detection import Detection
from edge.detect.episodes import Tally
from edge.detect.staged import Staged
from edge.health import AlertsHealth, EpisodesHealth, ModelHealth


def models(scorer: Staged) -> list[ModelHealth]:
    """The models in service."""
    return [ModelHealth(**asdict(one)) for one in scorer.standings()]


def episodes(detection: Detection) -> list[EpisodesHealth]:
    """The episodes of every detector in service; from any thread."""
    made = detection.episodes
    found = []
    for label in sorted(detection.labels):
        tally = made.tallies.get(label, Tally())
        found.append(
            EpisodesHealth(
                detector=label,
                open=made.open_count(label),
                opened=tally.opened,
                closed=tally.closed,
                passed_over=tally.passed_over,
            )
        )
    return found


def alerts(told: Alerts) -> AlertsHealth:
    """What was told on the local broker."""
    return AlertsHealth(waiting=told.waiting, sent=told.told.sent, dropped=told.told.dropped)
