"""What the agent tells of detection: its models, its episodes, and who was told."""

from dataclasses import asdict

import msgspec

from edge.detect.alert import Alerts
from edge.detect.commander import Commander
from edge.detect.detection import Detection
from edge.detect.episodes import Tally
from edge.detect.staged import Staged
from edge.detect.watching import Watching
from edge.health import AlertsHealth, CommandHealth, EpisodesHealth, ModelHealth, WatchHealth


def models(scorer: Staged) -> list[ModelHealth]:
    """The models in service."""
    return [ModelHealth(**asdict(one)) for one in scorer.standings()]


def watches(watching: Watching) -> list[WatchHealth]:
    """The rules."""
    return msgspec.convert(watching.standings(), list[WatchHealth], from_attributes=True)


def commands(commander: Commander) -> list[CommandHealth]:
    """What became of the commands of rules."""
    return msgspec.convert(commander.standings(), list[CommandHealth], from_attributes=True)


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
