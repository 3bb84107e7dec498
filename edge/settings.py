"""The gateway's settings: every section and key of `edge.toml`, described once.

Limits, units and meanings stand here alone; the reader of the file, the file that `init` writes
and `docs/guide/settings.md` all come from these structs.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.settings_budget import Budget, Uplink
from edge.settings_detect import Alerts, Detect
from edge.settings_links import Broker, Cloud, check_filters
from edge.settings_watch import Command, Watch
from edge.when_full import WhenFull
from protos.limits import KIB, MIB
from protos.log import LogFormat, LogLevel
from protos.scrape_settings import Metrics
from protos.settings import WrongValueError
from protos.token import gateway_name_problem

_BYTES = {"unit": "bytes"}


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """Who this gateway is."""

    name: Annotated[
        str,
        Meta(description="The name in the certificate; readings are kept under it from the first."),
    ]
    begun_as: Annotated[
        str,
        Meta(
            description="The name under which the buffer was begun, where this gateway has got "
            "another since; `enroll --rename` writes it. Empty: its own."
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse what no certificate can carry."""
        for key, name in (("name", self.name), ("begun_as", self.begun_as or self.name)):
            problem = gateway_name_problem(name)
            if problem:
                raise WrongValueError(key, problem, "choose another name")


class Buffer(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept on the gateway until the cloud has archived it."""

    bytes_max: Annotated[
        int,
        Meta(
            description="Most that the buffer file may take on the disk.",
            ge=16 * MIB,
            le=1 << 40,
            extra=_BYTES,
        ),
    ] = 512 * MIB
    when_full: Annotated[
        WhenFull,
        Meta(
            description="`reject` holds messages back at the broker; `drop-oldest` lets the oldest "
            "readings go, those around anomalies last, and tells the cloud of each gap."
        ),
    ] = WhenFull.REJECT
    dedup_messages_max: Annotated[
        int,
        Meta(
            description="Messages remembered to recognise a redelivery after a reconnect.",
            ge=0,
            le=1_000_000,
        ),
    ] = 65_536
    rejects_max: Annotated[
        int,
        Meta(
            description="Unreadable messages kept for inspection; older ones leave.",
            ge=0,
            le=100_000,
        ),
    ] = 1000


class Ingest(msgspec.Struct, frozen=True, kw_only=True):
    """How messages are taken in."""

    linger_ms_min: Annotated[
        int,
        Meta(
            description="Shortest time from one commit to the next, unless 1,024 messages wait.",
            ge=1,
            le=10_000,
            extra={"unit": "ms"},
        ),
    ] = 5
    linger_ms_max: Annotated[
        int,
        Meta(
            description="Longest wait for more messages before a commit.",
            ge=1,
            le=60_000,
            extra={"unit": "ms"},
        ),
    ] = 250
    inbox_messages_max: Annotated[
        int, Meta(description="Messages held in memory before a commit.", ge=16, le=1_000_000)
    ] = 20_000
    payload_bytes_max: Annotated[
        int,
        Meta(
            description="Longest payload that is read; longer ones are rejects.",
            ge=64,
            le=16 * MIB,
            extra=_BYTES,
        ),
    ] = 256 * KIB
    series_max: Annotated[
        int,
        Meta(
            description="Most series of this gateway; readings of more are rejects.",
            ge=1,
            le=1_000_000,
        ),
    ] = 20_000
    ignore: Annotated[
        list[str],
        Meta(
            description="Topic filters that are counted and not read; the agent's own alerts "
            "always are."
        ),
    ] = msgspec.field(default_factory=list)
    rules_file: Annotated[
        str,
        Meta(
            description="What topics mean where no convention says so: names, units, times, what "
            "to leave out (`docs/guide/devices.md`). Empty: `rules.toml`, if there is one."
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a range that is empty, and filters that are none."""
        if self.linger_ms_min > self.linger_ms_max:
            cause = f"{self.linger_ms_min} ms is longer than ingest.linger_ms_max"
            hint = f"make it at most {self.linger_ms_max}, or ingest.linger_ms_max longer"
            raise WrongValueError("linger_ms_min", cause, hint)
        check_filters("ignore", self.ignore)


class Sparkplug(msgspec.Struct, frozen=True, kw_only=True):
    """This gateway as a host application of Sparkplug B nodes, once it hears one."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether its STATE is published and nodes are asked for births; they are "
            "read either way."
        ),
    ] = True
    host_id: Annotated[
        str,
        Meta(
            description="Its name in `spBv1.0/STATE/…`. Empty: `tidegate-` and the gateway's name."
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a name that is no level of a topic."""
        if set(self.host_id) & set("/#+\0"):
            cause = "it is one level of a topic"
            raise WrongValueError("host_id", cause, "leave out /, + and #")


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """The models that look for anomalies."""

    enabled: Annotated[bool, Meta(description="Whether readings are scored at all.")] = True
    folder: Annotated[
        str, Meta(description="Folder of models; without models in it the shipped one is used.")
    ] = "models"
    false_alarms_per_series_per_week: Annotated[
        float, Meta(description="The rate that thresholds adapt to hold.", gt=0, le=10_000)
    ] = 1.0
    keys: Annotated[
        list[str],
        Meta(
            description="Public keys, `ed25519:…`, whose signed models may run here, beside those "
            "of the gateway's cloud.",
            max_length=16,
        ),
    ] = msgspec.field(default_factory=list)
    apart: Annotated[
        bool,
        Meta(
            description="Whether models of packages stay in processes of their own, some 50 MB "
            "each, so that none can end the agent; else they run in it after their trial."
        ),
    ] = False
    window_us_max: Annotated[
        float,
        Meta(
            description="Microseconds that a window may take in a batch of 256; a model that takes "
            "longer is refused.",
            gt=0,
            le=100_000,
        ),
    ] = 200.0

    def __post_init__(self) -> None:
        """Refuse a line that is no key."""
        from protos.model_key import read_public  # heavy, and mostly there is no key

        for line in self.keys:
            try:
                read_public(line)
            except ValueError as error:
                hint = "copy the line that `tidegate-cloud model keygen` told"
                raise WrongValueError("keys", str(error), hint) from error


class ClockTrust(StrEnum):
    """Whose word counts for whether the clock is right."""

    SYSTEM = "system"
    ALWAYS = "always"


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """When the gateway's clock is believed."""

    trust: Annotated[
        ClockTrust,
        Meta(
            description="`system` believes the clock once the kernel or systemd-timesyncd says it "
            "is synchronised; `always`, for clocks kept right by other means, from 2025 on. Times "
            "from before that are corrected as soon as it is believed."
        ),
    ] = ClockTrust.SYSTEM


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent tells on stderr."""

    format: Annotated[
        LogFormat,
        Meta(description="`auto` is text on a terminal and JSON lines under systemd."),
    ] = LogFormat.AUTO
    level: Annotated[LogLevel, Meta(description="Least important line that is written.")] = (
        LogLevel.INFO
    )


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All sections of `edge.toml`."""

    gateway: Gateway
    broker: Broker
    brokers: dict[str, Broker]
    cloud: Cloud
    uplink: Uplink
    buffer: Buffer
    budget: Budget
    ingest: Ingest
    sparkplug: Sparkplug
    models: Models
    detect: Detect
    alerts: Alerts
    watch: dict[str, Watch]
    command: dict[str, Command]
    clock: Clock
    metrics: Metrics
    log: Log
