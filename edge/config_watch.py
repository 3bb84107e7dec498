"""What watches and commands need of the other settings: names that are there, and no loops."""

import itertools
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from edge.errors import OperatorError
from edge.settings import EdgeSettings
from edge.settings_watch import FIELD
from edge.topic import OWN_PREFIX, TopicFilters
from protos.settings import NEAREST_CUTOFF, toml_value
from protos.shown import printable

WATCHES_MAX: Final = 256
COMMANDS_MAX: Final = 64
_ANY: Final = "x"
"""Stands for whatever a field of a topic may hold; the topics themselves are looked at again."""


class ReadTopics:
    """Which topics the gateway takes for messages of sensors, by whatever broker they come."""

    def __init__(self, settings: EdgeSettings) -> None:
        brokers = (settings.broker, *settings.brokers.values())
        self._read = TopicFilters(topic for one in brokers for topic in one.topics)
        self._ignored = TopicFilters(settings.ingest.ignore)
        self._own = (OWN_PREFIX, f"{settings.alerts.topic}/")

    def match(self, topic: str) -> bool:
        """Whether a message on this topic would become readings."""
        own = topic.startswith(self._own)
        return self._read.match(topic) and not own and not self._ignored.match(topic)


def check_watches(settings: EdgeSettings, path: Path) -> None:
    """See that watches and commands name what there is, and that no command is read as a reading.

    Raises:
        OperatorError: with the key that is wrong, and what to write.
    """
    commands, brokers = list(settings.command), list(settings.brokers)
    for part, count, most in (("watch", len(settings.watch), WATCHES_MAX),
                              ("command", len(commands), COMMANDS_MAX)):  # fmt: skip
        if count > most:
            raise _wrong(path, f"`{part}`: {count} are over {most}", "use patterns")
    for name, watch in settings.watch.items():
        if watch.command and watch.command not in commands:
            key = f"watch.{name}.command"
            raise _wrong(path, *_missing(key, "command", watch.command, commands))
    read = ReadTopics(settings)
    for name, command in settings.command.items():
        if command.broker and command.broker not in brokers:
            raise _wrong(
                path, *_missing(f"command.{name}.broker", "brokers", command.broker, brokers)
            )
        topic = FIELD.sub(_ANY, command.topic)
        if read.match(topic):
            cause = f"`command.{name}.topic`: the gateway reads {command.topic!r} as a sensor's"
            wanted = toml_value(_filter_for(command.topic))
            raise _wrong(path, cause, f"add {wanted} to `ingest.ignore`, or take another topic")


def _filter_for(topic: str) -> str:
    """A topic filter that names whatever a topic with fields becomes: a device may have a /."""
    levels = topic.split("/")
    fixed = list(itertools.takewhile(lambda level: not FIELD.search(level), levels))
    return topic if len(fixed) == len(levels) else "/".join([*fixed, "#"])


def _missing(key: str, part: str, wanted: str, names: Iterable[str]) -> tuple[str, str]:
    near = get_close_matches(wanted, names, 1, NEAREST_CUTOFF)
    told = ", ".join(names) or f"nothing: there is no [{part}.NAME]"
    hint = f"did you mean {toml_value(near[0])}?" if near else f"choose among {told}"
    return f"`{key}`: there is no [{part}.{printable(wanted)[:60]}]", hint


def _wrong(path: Path, cause: str, hint: str) -> OperatorError:
    return OperatorError(f"read the settings in {path}", cause, hint)
