"""Sections of `edge.toml` about what is made of strange readings: episodes, and who is told."""

from datetime import tzinfo
from typing import Annotated

import msgspec
from msgspec import Meta

from protos.quiet import QuietError, Span
from protos.settings import WrongValueError

_SECONDS = {"unit": "s"}
_YEAR_S = 31_536_000


class Detect(msgspec.Struct, frozen=True, kw_only=True):
    """When strange readings are an episode: one thing that happened, from its start to its end."""

    stay_share: Annotated[
        float,
        Meta(
            description="An episode goes on while readings score at least this share of the "
            "threshold that one had to pass to begin it.",
            gt=0,
            le=1,
        ),
    ] = 0.5
    calm_readings: Annotated[
        int,
        Meta(
            description="It ends after so many calm readings in a row, once `calm_s` is over too.",
            ge=1,
            le=100_000,
        ),
    ] = 16
    calm_s: Annotated[
        float,
        Meta(
            description="It ends after so long a calm, once there were `calm_readings` too.",
            ge=0,
            le=_YEAR_S,
            extra=_SECONDS,
        ),
    ] = 30.0
    least_readings: Annotated[
        int, Meta(description="What has fewer readings is no episode.", ge=1, le=100_000)
    ] = 1
    least_s: Annotated[
        float,
        Meta(description="What is shorter is no episode.", ge=0, le=_YEAR_S, extra=_SECONDS),
    ] = 0.0
    gap_s: Annotated[
        float,
        Meta(
            description="An episode ends where its series is not heard for so long, and a reading "
            "older than its newest by that is history to it.",
            ge=1,
            le=_YEAR_S,
            extra=_SECONDS,
        ),
    ] = 7200.0


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Episodes told at once on the local broker, with or without a cloud."""

    enabled: Annotated[bool, Meta(description="Whether alerts are published.")] = True
    broker: Annotated[
        str,
        Meta(description="Name of the broker of `[brokers.NAME]` that is told; empty: [broker]."),
    ] = ""
    topic: Annotated[
        str,
        Meta(
            description="Prefix of alert topics; gateway, device and metric follow.", min_length=1
        ),
    ] = "tidegate/anomaly"
    home_assistant: Annotated[
        str,
        Meta(
            description="Prefix under which Home Assistant is told of a problem sensor for each "
            "device that had an episode (its MQTT discovery). Empty: it is not told."
        ),
    ] = "homeassistant"
    quiet: Annotated[
        list[str],
        Meta(
            description="Times of the day or week when no alert is sent of what opens, as in "
            '`["22:00-07:00", "sat-sun 00:00-24:00"]`; what is still open afterwards is told then.'
        ),
    ] = msgspec.field(default_factory=list)
    zone: Annotated[
        str,
        Meta(description="Zone of quiet times, as in Europe/Berlin. Empty: the machine's own."),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse topics that cannot be published to, times that are none, and unknown zones."""
        for key, value in (("topic", self.topic), ("home_assistant", self.home_assistant)):
            if set(value) & set("#+\0"):
                cause = "a prefix to publish under holds no wildcard"
                raise WrongValueError(key, cause, "leave out + and #, as in tidegate/anomaly")
        for text in self.quiet:
            try:
                Span.read(text)
            except QuietError as error:
                raise WrongValueError("quiet", str(error), error.hint) from error
        self.quiet_zone()

    @property
    def own_topics(self) -> tuple[str, ...]:
        """What all topics begin with that agents publish to themselves."""
        return f"{self.topic}/", f"{self.home_assistant}/binary_sensor/tidegate_"

    def quiet_zone(self) -> tzinfo | None:
        """The zone of quiet times; None for the machine's own."""
        if not self.zone:
            return None
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # for who names a zone alone

        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            hint = "name a zone of this machine's table, as in Europe/Berlin, or leave it empty"
            raise WrongValueError("zone", "there is no such zone here", hint) from error
