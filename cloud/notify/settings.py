"""The settings of being told as a whole: `[notify]`, with its channels and rules."""

import difflib
from fnmatch import fnmatchcase
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from cloud.notify.channel import CHANNELS_MAX, Channel
from cloud.notify.rule import Rule, What
from cloud.notify.zone import nearest_zone, zone_named
from protos.settings import WrongValueError

_SECONDS: Final = {"unit": "s"}
_DAYS: Final = {"unit": "days"}
RULES_MAX: Final = 100


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """How people are told what stands: silent gateways, filling buffers, limits, episodes."""

    look_s: Annotated[
        float,
        Meta(description="Between two looks at what stands.", ge=0.1, le=3600, extra=_SECONDS),
    ] = 5.0
    group_s: Annotated[
        float,
        Meta(
            description="What one rule has to tell within so long is one message.",
            ge=0,
            le=86_400,
            extra=_SECONDS,
        ),
    ] = 20.0
    retry_s_max: Annotated[
        float,
        Meta(
            description="Longest between two attempts at a channel that is down.",
            ge=0.1,
            le=86_400,
            extra=_SECONDS,
        ),
    ] = 300.0
    give_up_days: Annotated[
        float,
        Meta(
            description="A message that could not be delivered for so long is dropped, and that "
            "is counted.",
            ge=0.001,
            le=365,
            extra=_DAYS,
        ),
    ] = 7.0
    waiting_max: Annotated[
        int,
        Meta(
            description="Messages of one channel that wait, at most; the oldest is dropped for a "
            "newer one, and that is counted.",
            ge=10,
            le=100_000,
        ),
    ] = 2000
    keep_days: Annotated[
        float,
        Meta(
            description="How long the log of deliveries, and of what stood, is kept.",
            ge=0.01,
            le=3650,
            extra=_DAYS,
        ),
    ] = 30.0
    zone: Annotated[
        str, Meta(description="Zone of quiet times, and of times in messages.", max_length=98)
    ] = "UTC"
    channels: dict[str, Channel] = msgspec.field(default_factory=dict)
    rules: dict[str, Rule] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a zone that there is none of, and rules that name no channel."""
        if zone_named(self.zone) is None:
            near = nearest_zone(self.zone)
            hint = f"did you mean {near}?" if near else "write one such as Europe/Berlin"
            raise WrongValueError("zone", f"there is no zone {self.zone[:60]!r}", hint)
        for key, held, most in (
            ("channels", self.channels, CHANNELS_MAX),
            ("rules", self.rules, RULES_MAX),
        ):
            if len(held) > most:
                raise WrongValueError(key, f"{len(held)} are more than {most}", "remove some")
        for name, rule in self.rules.items():
            for channel in rule.channels:
                if not channel_names(channel, self.channels) and channel != "*":
                    near_names = difflib.get_close_matches(channel, self.channels, 1, 0.4)
                    known = ", ".join(self.channels) or "none"
                    hint = f"did you mean {near_names[0]}?" if near_names else f"there are {known}"
                    cause = f"there is no channel {channel[:60]!r}"
                    raise WrongValueError(f"rules.{name}.channels", cause, hint)

    @property
    def all_rules(self) -> dict[str, Rule]:
        """Every rule by name; a kind without one has its default under the kind's name."""
        told = {rule.on for rule in self.rules.values()}
        rest = {
            what.value: Rule(on=what)
            for what in What
            if what not in told and what is not What.LIMIT and what.value not in self.rules
        }
        return {**self.rules, **rest}

    def silent_s(self, gateway: str) -> float:
        """Unheard for so long, a gateway is silent: by its strictest rule, else by the default."""
        times = [
            rule.silent_s
            for rule in self.all_rules.values()
            if rule.on is What.SILENCE and fnmatchcase(gateway, rule.gateways)
        ]
        return min(times, default=Rule(on=What.SILENCE).silent_s)

    def channels_of(self, rule: Rule) -> list[str]:
        """The channels that a rule tells."""
        return [
            name
            for name, channel in self.channels.items()
            if any(fnmatchcase(name, pattern) for pattern in rule.channels)
            and rule.severity.rank >= channel.severity_min.rank
        ]


def channel_names(pattern: str, channels: dict[str, Channel]) -> list[str]:
    """The channels that a pattern names."""
    return [name for name in channels if fnmatchcase(name, pattern)]
