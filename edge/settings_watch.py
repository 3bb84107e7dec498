"""The gateway's settings of what it watches by rule, and of the commands that it gives then.

A section of its own name: `rules.toml` has the rules by which payloads are read, and `[alerts]` is
where anomalies are told.
"""

import math
import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edge.topic import name_problem
from protos.limits import KIB
from protos.series import SeriesKind
from protos.settings import NEAREST_CUTOFF, WrongValueError

_SECONDS: Final = {"unit": "s"}
DAY_S: Final = 86_400.0
FIELD: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
"""A field in a template; JSON has no brace before a bare word, so that it needs no escapes."""
TOPIC_FIELDS: Final = ("gateway", "watch", "device", "metric")
PAYLOAD_FIELDS: Final = (
    *TOPIC_FIELDS, "unit", "state", "value", "limit", "score", "time",
)  # fmt: skip


class When(StrEnum):
    """What a watch looks for."""

    ABOVE = "above"
    BELOW = "below"
    RISES = "rises"
    FALLS = "falls"
    CHANGES = "changes"
    SILENT = "silent"
    STUCK = "stuck"


LEVELS: Final = frozenset({When.ABOVE, When.BELOW})
RATES: Final = frozenset({When.RISES, When.FALLS, When.CHANGES})


class Per(StrEnum):
    """The time that a rate of change is told for."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"


PER_S: Final = {Per.SECOND: 1.0, Per.MINUTE: 60.0, Per.HOUR: 3600.0}


class Of(StrEnum):
    """What falls silent."""

    SERIES = "series"
    DEVICE = "device"


class WatchedKind(StrEnum):
    """Kinds of series that a watch can be for."""

    ANY = "any"
    GAUGE = SeriesKind.GAUGE.name.lower()
    COUNTER = SeriesKind.COUNTER.name.lower()
    STATE = SeriesKind.STATE.name.lower()


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that finds anomalies: a limit, a rate of change, silence, a stuck value."""

    when: Annotated[
        When,
        Meta(
            description="What it looks for: a value `above` or `below` the limit; one that "
            "`rises`, `falls` or `changes` faster; a series or device that is `silent` for longer; "
            "a value that is `stuck` for longer.",
            examples=["above"],
        ),
    ]
    limit: Annotated[
        float,
        Meta(
            description="The limit: in the unit of the series; for a rate the change for each "
            "`per`; for `silent` and `stuck` seconds.",
            examples=[80.0],
        ),
    ]
    device: Annotated[
        str, Meta(description="Pattern of devices; `*` is any text and `?` any character.")
    ] = "*"
    metric: Annotated[str, Meta(description="Pattern of metrics.")] = "*"
    unit: Annotated[
        str, Meta(description="Unit that the series has, as it is told; empty: any.")
    ] = ""
    kind: Annotated[WatchedKind, Meta(description="Kind of series.")] = WatchedKind.ANY
    back: Annotated[
        float,
        Meta(
            description="Hysteresis: how far from the limit a value or rate has to be, on the good "
            "side, for the anomaly to be over.",
            ge=0,
        ),
    ] = 0.0
    per: Annotated[Per, Meta(description="For rates: the time that the limit is for.")] = Per.MINUTE
    over_s: Annotated[
        float,
        Meta(
            description="For rates: the change is taken against a reading that is at least so much "
            "older, and at most twice that where one is.",
            ge=0.001,
            le=DAY_S,
            extra=_SECONDS,
        ),
    ] = 60.0
    cadences: Annotated[
        float,
        Meta(
            description="For `silent`: longer than so many times its own cadence too, which is "
            "learnt; 0: the limit alone counts.",
            ge=0,
            le=1000,
        ),
    ] = 0.0
    of: Annotated[
        Of,
        Meta(
            description="For `silent`: each `series`, or a `device`, of which any series that fits "
            "is enough."
        ),
    ] = Of.SERIES
    command: Annotated[
        str, Meta(description="Name of the `[command.NAME]` that is given; empty: none.")
    ] = ""

    def __post_init__(self) -> None:
        """Refuse limits that no reading can pass, and keys that say nothing here."""
        for key in ("limit", "back"):
            if not math.isfinite(getattr(self, key)):
                raise WrongValueError(key, "it is no finite number", "write a number, as in 80.0")
        if self.when not in LEVELS and self.limit <= 0 and not (self._learns and not self.limit):
            cause = f"`{self.when}` needs a limit above 0, not {self.limit}"
            raise WrongValueError("limit", cause, _LIMIT_HINTS[self.when])
        if self.when in RATES and self.back >= self.limit:
            cause = f"no rate is {self.back} below {self.limit}: it would never be over"
            raise WrongValueError("back", cause, "make it less than limit")
        defaults = {one.name: one.default for one in msgspec.structs.fields(type(self))}
        for key, wanted in _ONLY_FOR.items():
            if self.when not in wanted and getattr(self, key) != defaults[key]:
                told = ", ".join(sorted(wanted))
                cause = f"`{self.when}` does not know it, {told} do"
                raise WrongValueError(key, cause, "remove it, or correct `when`")

    @property
    def _learns(self) -> bool:
        """Whether it goes by the cadence of a series."""
        return self.when is When.SILENT and self.cadences > 0

    @property
    def per_s(self) -> float:
        """`per` in seconds."""
        return PER_S[self.per]


_ONLY_FOR: Final = {
    "back": LEVELS | RATES,
    "per": RATES,
    "over_s": RATES,
    "cadences": {When.SILENT},
    "of": {When.SILENT},
}
_RATE_HINT: Final = 'a fall is a rate above 0 too: write when = "falls" and limit = 5.0'
_LIMIT_HINTS: Final = {
    **dict.fromkeys(RATES, _RATE_HINT),
    When.SILENT: "seconds, as in 300.0; or 0.0 with `cadences`, as in 5.0",
    When.STUCK: "seconds, as in 3600.0",
}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """An MQTT message that a watch has published on the spot, with or without a cloud."""

    topic: Annotated[
        str,
        Meta(
            description="Topic; may hold {gateway}, {watch}, {device} and {metric}. One that the "
            "gateway reads itself is refused: name it in `ingest.ignore`.",
            examples=["actuators/valve-3/set"],
        ),
    ]
    open: Annotated[
        str,
        Meta(
            description="Payload when it begins; may hold those fields and {unit}, {state}, "
            "{value}, {limit}, {score} and {time}. Empty: nothing is sent then.",
            examples=['{"valve": "shut", "why": "{watch}"}'],
            max_length=4 * KIB,
        ),
    ]
    close: Annotated[
        str,
        Meta(
            description="Payload when it is over. Empty: nothing is sent then.",
            max_length=4 * KIB,
        ),
    ] = ""
    broker: Annotated[
        str, Meta(description="Name of the broker of `[brokers.NAME]`; empty: [broker].")
    ] = ""
    qos: Annotated[int, Meta(description="Quality of service.", ge=0, le=2)] = 1
    retain: Annotated[
        bool, Meta(description="Whether the broker keeps it for who subscribes later.")
    ] = False
    per_minute_max: Annotated[
        int,
        Meta(
            description="Most messages in any minute; what is over waits, and is sent if it still "
            "holds.",
            ge=1,
            le=600,
        ),
    ] = 6
    off_s_min: Annotated[
        float,
        Meta(
            description="Shortest time from a close to the next open on a topic, as a motor needs.",
            ge=0,
            le=DAY_S,
            extra=_SECONDS,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        """Refuse topics that no message may have, and fields that there are not."""
        for key, known in (("topic", TOPIC_FIELDS), ("open", PAYLOAD_FIELDS)):
            _check_fields(key, getattr(self, key), known)
        _check_fields("close", self.close, PAYLOAD_FIELDS)
        problem = name_problem(self.topic)
        if not problem and self.topic.startswith("$"):
            problem = "topics with $ are the broker's own"
        if problem:
            raise WrongValueError("topic", problem, "write one as in actuators/valve-3/set")
        if FIELD.match(self.topic):
            cause = "it begins with a field, so that a device could choose any topic"
            raise WrongValueError("topic", cause, "begin it with a word, as in commands/{device}")
        if not self.open and not self.close:
            raise WrongValueError("open", "open and close are both empty", "give a payload")


def _check_fields(key: str, template: str, known: tuple[str, ...]) -> None:
    for name in FIELD.findall(template):
        if name not in known:
            near = get_close_matches(name, known, 1, NEAREST_CUTOFF)
            told = ", ".join(f"{{{one}}}" for one in known)
            hint = f"did you mean {{{near[0]}}}?" if near else f"the fields are {told}"
            raise WrongValueError(key, f"there is no field {{{name}}}", hint)
