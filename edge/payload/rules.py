"""Pure: what the operator says about topics: templates, fields, units, times, what to leave out.

A rule names topics by a template, whose levels are words, `+` (any), `{_}` (any, of no meaning),
`{device}`, `{metric}`, or `{name}`, which becomes a label; a last `#` is any rest. It changes what
the message's convention says, so it works with every convention, and the keys of its maps are the
metrics as `tidegate-edge decode` shows them without it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final, TypeVar

import msgspec

from edge.payload.known import TOPIC_CHARS_MAX, Bounded
from edge.payload.offer import Flat, Offer
from edge.payload.said import COUNTER, Channel, Labels, Said

_TOPICS_MAX: Final = 20_000
Value = TypeVar("Value")
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, as it stands for one topic.

    ``device`` and ``metric`` are empty where the template does not name them. ``fields`` renames
    metrics, ``units`` and ``counters`` say what they are (by their names of before), ``leave`` are
    patterns of metrics that are no readings. ``time`` is the key that holds the time.
    """

    convention: str = ""
    ignore: bool = False
    device: str = ""
    metric: str = ""
    labels: Labels = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    counters: frozenset[str] = frozenset()
    leave: re.Pattern[str] | None = None
    time: str = ""
    zone: tzinfo | None = None

    def channel(self, channel: Channel | None) -> Channel | None:
        """The channel of before by its name of now; None: it is no reading."""
        if channel is None:
            return None
        metric, kind, unit, labels = channel
        if self.leave is not None and self.leave.fullmatch(metric):
            return None
        unit = self.units.get(metric, unit)
        if metric in self.counters:
            kind = COUNTER
        if self.labels:
            labels = tuple(sorted({**dict(labels), **dict(self.labels)}.items()))
        return (self.fields.get(metric, metric), kind, unit, labels)

    def dress(self, flat: Flat) -> None:
        """Have a plain tree speak by this rule."""
        before = flat.name
        prefix = f"{self.metric}." if self.metric else ""

        def name(path: str) -> Channel | None:
            channel = self.channel(before(path))
            return channel and (prefix + channel[0], *channel[1:])

        flat.name = name
        flat.device = self.device or flat.device
        flat.zone = self.zone or flat.zone
        if self.time:
            flat.clock = self.time if self.time in flat.tree else None

    def apply(self, told: Sequence[Said], offer: Offer) -> Sequence[Said]:
        """What was said, by this rule."""
        for said in told:
            said.device = self.device or said.device
            said.numbers = _renamed(said.numbers, self._whole(offer, said))
            said.texts = _renamed(said.texts, self._whole(offer, said))
        return told

    def _whole(self, offer: Offer, said: Said) -> Callable[[Channel], Channel | None]:
        """How to name each value; the one value of a scalar is the template's metric itself."""
        lone = len(said.numbers) + len(said.texts) == 1 and offer.opening not in (b"{", b"[")

        def name(channel: Channel) -> Channel | None:
            now = self.channel(channel)
            if now is None or not self.metric:
                return now
            renamed = self.fields.get(self.metric, self.metric)
            unit = self.units.get(self.metric, now[2])
            kind = COUNTER if self.metric in self.counters else now[1]
            if lone:
                return (renamed, kind, unit, now[3])
            return (f"{self.metric}.{now[0]}", *now[1:])

        return name


def _renamed(
    told: list[tuple[Channel, Value]], name: Callable[[Channel], Channel | None]
) -> list[tuple[Channel, Value]]:
    pairs = ((name(channel), value) for channel, value in told)
    return [(channel, value) for channel, value in pairs if channel is not None]


class TopicRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[topic]]` of the rules file."""

    template: str
    convention: str = ""
    ignore: bool = False
    device: str = ""
    metric: str = ""
    labels: dict[str, str] = {}
    fields: dict[str, str] = {}
    units: dict[str, str] = {}
    counters: list[str] = []
    leave: list[str] = []
    time: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class _Compiled:
    form: re.Pattern[str]
    rule: TopicRule
    leave: re.Pattern[str] | None
    zone: tzinfo | None


class Rules:
    """All rules; the first whose template fits a topic is its rule.

    Args:
        rules: in the operator's order.
        zones: the zone of each name that the rules use.
        zone: of local times where no rule says another; None: they stay without meaning.
    """

    def __init__(
        self,
        rules: Sequence[TopicRule] = (),
        zones: Mapping[str, tzinfo] | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self.zone = zone
        known = zones or {}
        self._rules = [
            _Compiled(
                re.compile(template_form(rule.template), re.DOTALL),
                rule,
                re.compile("|".join(map(_glob, rule.leave))) if rule.leave else None,
                known.get(rule.time_zone),
            )
            for rule in rules
        ]
        self._of: Bounded[str, Rule | None] = Bounded(_TOPICS_MAX)

    @property
    def count(self) -> int:
        """How many rules there are."""
        return len(self._rules)

    def of(self, topic: str) -> Rule | None:
        """The rule of ``topic``; None without one."""
        if not self._rules:
            return None
        if len(topic) > TOPIC_CHARS_MAX:
            return self._match(topic)
        if topic not in self._of:
            self._of.put(topic, self._match(topic))
        return self._of[topic]

    def _match(self, topic: str) -> Rule | None:
        for one in self._rules:
            match = one.form.fullmatch(topic)
            if match is not None:
                return _for_topic(one, match.groupdict())
        return None


def _for_topic(one: _Compiled, named: dict[str, str]) -> Rule:
    rule = one.rule
    parts = {name.removeprefix("n_"): level for name, level in named.items() if level is not None}
    device, metric = parts.pop("device", ""), parts.pop("metric", "")
    return Rule(
        convention=rule.convention,
        ignore=rule.ignore,
        device=rule.device or device,
        metric=rule.metric or metric,
        labels=tuple(sorted({**parts, **rule.labels}.items())),
        fields=rule.fields,
        units=rule.units,
        counters=frozenset(rule.counters),
        leave=one.leave,
        time=rule.time,
        zone=one.zone,
    )


def template_form(template: str) -> str:
    """The regular expression of a template's topics.

    Raises:
        ValueError: a name that comes twice, braces that are none, a `#` that is not the last level.
    """
    levels = template.split("/")
    rest = levels[-1] == "#"
    named = levels[:-1] if rest else levels
    seen: set[str] = set()
    form = "/".join(_level(level, seen) for level in named)
    if rest:
        return f"{form}(?:/.*)?" if named else ".*"
    return form


def _level(level: str, seen: set[str]) -> str:
    if level in ("+", "{_}"):
        return "[^/]*"
    match = _NAME.fullmatch(level)
    if match is None:
        if set(level) & set("{}+#"):
            raise ValueError(f"{level!r}: a level is a word, +, or one {{name}}; # stands last")
        return re.escape(level)
    name = match[1].replace("-", "_")
    if name in seen:
        raise ValueError(f"{{{name}}} comes twice")
    seen.add(name)
    return f"(?P<n_{name}>[^/]*)"


def _glob(pattern: str) -> str:
    return "".join(".*" if sign == "*" else re.escape(sign) for sign in pattern)
