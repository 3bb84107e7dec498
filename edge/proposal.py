"""Pure: what was heard for a while, and the rules that are worth writing for it.

Topics that a named convention knows need no rule. Of plain topics those of one form are taken
together: the last level is the metric of scalars, the last that differs (before it) the device,
others that differ are labels; levels that are the same in all stay words. What could not be read
has its reason.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.payload.timestamp import Undated, time_us

PLAIN: Final = frozenset({"json", "scalar"})
TOPICS_MAX: Final = 20_000
GROUP_MIN: Final = 2
_TIME_WORDS: Final = ("time", "date", "stamp", "when")


@dataclass(slots=True)
class Topic:
    """What is known of one topic."""

    convention: str
    devices: set[str] = field(default_factory=set)
    clocks: set[str] = field(default_factory=set)
    messages: int = 0


@dataclass(slots=True)
class Listened:
    """Everything that was heard; bounded by `TOPICS_MAX` topics."""

    topics: dict[str, Topic] = field(default_factory=dict)
    conventions: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, str] = field(default_factory=dict)
    local_times: int = 0

    def add(self, topic: str, convention: str, devices: Iterable[str], tree: object) -> None:
        """Take a message that was read; ``tree`` is its JSON, None without one."""
        self.conventions[convention] += 1
        known = self.topics.get(topic)
        if known is None:
            if len(self.topics) >= TOPICS_MAX:
                return
            known = self.topics[topic] = Topic(convention)
        known.messages += 1
        known.devices.update(devices)
        for key, value in tree.items() if isinstance(tree, dict) else ():
            at = time_us(value)
            self.local_times += at is Undated.NO_ZONE
            if isinstance(at, int) and any(word in key.lower() for word in _TIME_WORDS):
                known.clocks.add(key)

    def reject(self, topic: str, reason: str) -> None:
        """Take a message that could not be read."""
        if topic in self.rejected or len(self.rejected) < TOPICS_MAX:
            self.rejected[topic] = reason


@dataclass(frozen=True, slots=True)
class Proposed:
    """One rule worth writing: its template, the key of its time, and how many topics it is for."""

    template: str
    time: str
    topics: int
    example: str


def proposals(listened: Listened) -> list[Proposed]:
    """Rules for the plain topics, those for most topics first."""
    groups: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for name, topic in listened.topics.items():
        if topic.convention in PLAIN:
            levels = name.split("/")
            groups[topic.convention, len(levels), levels[0]].append(name)
    found = [_proposed(listened, key[0], sorted(names)) for key, names in groups.items()]
    worth = [one for one in found if one.topics >= GROUP_MIN or one.time]
    return sorted(worth, key=lambda one: (-one.topics, one.template))


def _proposed(listened: Listened, convention: str, names: Sequence[str]) -> Proposed:
    clocks: Counter[str] = Counter()
    for name in names:
        clocks.update(listened.topics[name].clocks - {"ts", "time", "timestamp"})
    clock = clocks.most_common(1)
    return Proposed(
        template_of(names, scalar=convention == "scalar"),
        clock[0][0] if clock else "",
        len(names),
        names[0],
    )


def template_of(names: Sequence[str], *, scalar: bool) -> str:
    """The template that fits all of ``names``, which have as many levels each."""
    columns = list(zip(*(name.split("/") for name in names), strict=True))
    varying = [number for number, column in enumerate(columns) if len(set(column)) > 1]
    last = len(columns) - 1
    if scalar and varying and varying[-1] != last and _is_word(columns[last][0]):
        varying.append(last)  # where only devices differ the metric is what it is
    parts = [column[0] if _is_word(column[0]) else "+" for column in columns]
    roles = ["metric", "device"] if scalar else ["device"]
    for role, number in zip(roles, reversed(varying), strict=False):
        parts[number] = f"{{{role}}}"
    for label, number in enumerate(varying[: max(len(varying) - len(roles), 0)], 1):
        parts[number] = f"{{level{label}}}"
    return "/".join(parts)


def _is_word(level: str) -> bool:
    """Whether a level may stand in a template as it is."""
    return not set(level) & set("{}+#")
