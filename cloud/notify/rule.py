"""The settings of a rule: what stands that somebody should know of."""

import math
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from cloud.notify.channel import CHANNELS_MAX, Severity
from protos.settings import WrongValueError

_SECONDS: Final = {"unit": "s"}
_DAYS: Final = {"unit": "days"}
PATTERN_CHARS_MAX: Final = 512


class What(StrEnum):
    """What a rule is about."""

    SILENCE = "silence"
    BUFFER = "buffer"
    CERTIFICATE = "certificate"
    GAP = "gap"
    EPISODE = "episode"
    LIMIT = "limit"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is told; a kind of which there is no rule has one with these defaults, for all."""

    on: Annotated[What, Meta(description="What it is about.", examples=["silence"])]
    severity: Annotated[Severity, Meta(description="How much it matters.")] = Severity.WARNING
    channels: Annotated[
        list[str],
        Meta(
            description="Names of channels, also with `*`. None: it is shown and told nobody.",
            max_length=CHANNELS_MAX,
        ),
    ] = msgspec.field(default_factory=lambda: ["*"])
    gateways: Annotated[
        str,
        Meta(
            description="Pattern of the gateways it is about, with `*`, `?` and `[…]`.",
            max_length=PATTERN_CHARS_MAX,
        ),
    ] = "*"
    repeat_s: Annotated[
        float,
        Meta(
            description="It is told again after so long while it stands; 0 tells it once.",
            ge=0,
            le=31_536_000,
            extra=_SECONDS,
        ),
    ] = 0.0
    silent_s: Annotated[
        float,
        Meta(
            description="silence: a gateway is silent when nothing was heard of it for so long.",
            ge=1,
            le=31_536_000,
            extra=_SECONDS,
        ),
    ] = 300.0
    full_share: Annotated[
        float,
        Meta(description="buffer: told when so much of it is taken.", ge=0.01, le=1),
    ] = 0.8
    full_days: Annotated[
        float,
        Meta(
            description="buffer: told when it grows so that it is full in so many days; 0: never.",
            ge=0,
            le=3650,
            extra=_DAYS,
        ),
    ] = 2.0
    left_days: Annotated[
        float,
        Meta(
            description="certificate: told when it has so many days left, or a sixth of its life "
            "where that is less.",
            ge=0.01,
            le=3650,
            extra=_DAYS,
        ),
    ] = 30.0
    calm_s: Annotated[
        float,
        Meta(
            description="episode, gap: it has ended when nothing more came of it for so long.",
            ge=1,
            le=604_800,
            extra=_SECONDS,
        ),
    ] = 600.0
    score_min: Annotated[
        float,
        Meta(description="episode: anomalies with a lower score are not told.", ge=0, le=1e308),
    ] = 0.0
    series: Annotated[
        str,
        Meta(
            description="limit, episode: pattern of `gateway/device/metric`, whatever their case.",
            max_length=PATTERN_CHARS_MAX,
        ),
    ] = "*"
    above: Annotated[
        float, Meta(description="limit: told when a reading is higher; inf: none is.")
    ] = math.inf
    below: Annotated[
        float, Meta(description="limit: told when a reading is lower; -inf: none is.")
    ] = -math.inf
    for_s: Annotated[
        float,
        Meta(
            description="limit: and has been for so long, without a look that said otherwise.",
            ge=0,
            le=31_536_000,
            extra=_SECONDS,
        ),
    ] = 0.0
    hysteresis: Annotated[
        float,
        Meta(
            description="limit: it has ended when a reading is so far within the limit again.",
            ge=0,
            le=1e308,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        """Refuse keys of another kind, and limits that nothing can pass."""
        for key, kinds in _KEYS_OF.items():
            default = next(f.default for f in msgspec.structs.fields(Rule) if f.name == key)
            if self.on not in kinds and getattr(self, key) != default:
                of = " and ".join(kind.value for kind in kinds)
                cause = f"a rule on {self.on.value} has no such key, only {of}"
                raise WrongValueError(key, cause, f"remove {key}, or correct `on`")
        if self.on is not What.LIMIT:
            return
        for key in ("above", "below"):
            if math.isnan(getattr(self, key)):
                raise WrongValueError(key, "nan is no limit", "write a number")
        if self.above == math.inf and self.below == -math.inf:
            raise WrongValueError("above", "there is no limit", "write `above`, `below` or both")
        if self.above - self.hysteresis <= self.below + self.hysteresis:
            cause = "no reading lies between the limits and their hysteresis"
            raise WrongValueError("above", cause, "set `above` higher, or `hysteresis` lower")


_KEYS_OF: Final = {
    "silent_s": (What.SILENCE,),
    "full_share": (What.BUFFER,),
    "full_days": (What.BUFFER,),
    "left_days": (What.CERTIFICATE,),
    "calm_s": (What.EPISODE, What.GAP),
    "score_min": (What.EPISODE,),
    "series": (What.LIMIT, What.EPISODE),
    "above": (What.LIMIT,),
    "below": (What.LIMIT,),
    "for_s": (What.LIMIT,),
    "hysteresis": (What.LIMIT,),
}
