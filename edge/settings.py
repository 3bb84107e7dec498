"""The gateway's settings: every section and key of `edge.toml`, described once.

Limits, units and meanings stand here alone; the reader of the file, the file that `init` writes
and `docs/guide/settings.md` all come from these structs.
"""

from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from edge.topic import filter_problem
from edge.when_full import WhenFull
from protos.limits import KIB, MIB
from protos.log import LogFormat, LogLevel
from protos.scrape_settings import Metrics
from protos.settings import WrongValueError
from protos.token import gateway_name_problem

MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

_BYTES = {"unit": "bytes"}


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """Who this gateway is."""

    name: Annotated[
        str,
        Meta(description="The name in the certificate; readings are kept under it from the first."),
    ]

    def __post_init__(self) -> None:
        """Refuse what no certificate can carry."""
        problem = gateway_name_problem(self.name)
        if problem:
            raise WrongValueError("name", problem, "choose another name")


def _broker_url(url: str) -> SplitResult:
    form = "write mqtt://host[:port], or mqtts://host[:port] for TLS"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises ValueError when it is no port)
    except ValueError as error:
        raise WrongValueError("url", f"{error}: {url!r}", form) from error
    if parts.scheme not in MQTT_PORTS or not parts.hostname or parts.path not in ("", "/"):
        cause = f"expected mqtt://host[:port] or mqtts://host[:port], got {url!r}"
        raise WrongValueError("url", cause, form)
    if parts.username or parts.password:
        hint = "put them in broker.username and broker.password_file"
        raise WrongValueError("url", "user and password do not belong in it", hint)
    return parts


def _filters(key: str, filters: Sequence[str]) -> None:
    for one in filters:
        problem = filter_problem(one)
        if problem:
            hint = "filters are like plant/+/temperature and plant/#"
            raise WrongValueError(key, f"{one[:80]!r} is no topic filter: {problem}", hint)


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """The MQTT broker that sensors publish to."""

    url: Annotated[
        str, Meta(description="`mqtt://host[:port]`, or `mqtts://host[:port]` for TLS.")
    ] = "mqtt://127.0.0.1:1883"
    topics: Annotated[
        list[str], Meta(description="Topic filters to subscribe to, with QoS 1.", min_length=1)
    ] = msgspec.field(default_factory=lambda: ["#"])
    username: Annotated[str, Meta(description="User name; empty: none.")] = ""
    password_file: Annotated[
        str, Meta(description="File whose first line is the password; empty: none.")
    ] = ""
    ca_file: Annotated[
        str, Meta(description="Authorities for `mqtts`, PEM; empty: the system's own.")
    ] = ""
    cert_file: Annotated[
        str, Meta(description="Client certificate for `mqtts`, PEM; empty: none.")
    ] = ""
    key_file: Annotated[
        str, Meta(description="Key of the client certificate, PEM; empty: none.")
    ] = ""
    client_id: Annotated[
        str,
        Meta(
            description="MQTT client id; the broker keeps the session under it. "
            "Empty: `tidegate-` and the gateway's name."
        ),
    ] = ""
    receive_maximum: Annotated[
        int,
        Meta(
            description="Messages the broker may have in flight to us; one commit takes at most "
            "these, so too few cap the rate.",
            ge=1,
            le=65535,
        ),
    ] = 2000

    def __post_init__(self) -> None:
        """Refuse a url that is none, and files that do not go together."""
        parts = _broker_url(self.url)
        if bool(self.cert_file) != bool(self.key_file):
            given, absent = (
                ("cert_file", "key_file") if self.cert_file else ("key_file", "cert_file")
            )
            cause = f"it and `broker.{given}` go together, and it is missing"
            raise WrongValueError(absent, cause, "name both files, or none")
        if parts.scheme == "mqtt" and (self.ca_file or self.cert_file):
            key = "ca_file" if self.ca_file else "cert_file"
            hint = f"write broker.url as mqtts://…, or remove broker.{key}"
            raise WrongValueError(key, "it needs an mqtts:// url", hint)
        _filters("topics", self.topics)

    @property
    def host(self) -> str:
        """Name or address of the broker."""
        return urlsplit(self.url).hostname or ""

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def port(self) -> int:
        """TCP port, MQTT's own where the url names none."""
        return urlsplit(self.url).port or MQTT_PORTS[urlsplit(self.url).scheme]


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """The way to the cloud; the address itself comes from enrolment."""

    address: Annotated[
        str, Meta(description="`host:port` in place of the enrolled one, should the cloud move.")
    ] = ""
    proxy: Annotated[
        str,
        Meta(
            description="`http://host:port` of an HTTP CONNECT proxy for delivery and enrolment; "
            "empty: none but what the environment names (`grpc_proxy`, `https_proxy`). "
            "Hosts in `no_proxy` are reached directly either way."
        ),
    ] = ""
    proxy_username: Annotated[str, Meta(description="User name at the proxy; empty: none.")] = ""
    proxy_password_file: Annotated[
        str, Meta(description="File whose first line is the proxy's password; empty: none.")
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a proxy that cannot be used, and credentials where they would be shown."""
        parts = urlsplit(self.proxy)
        if parts.username or parts.password:
            raise ValueError(
                "proxy: user and password belong in `proxy_username` and `proxy_password_file`"
            )
        if self.proxy and (
            parts.scheme != "http" or not parts.hostname or not parts.port or parts.path.strip("/")
        ):
            raise ValueError(f"proxy: expected http://host:port, got {self.proxy!r}")
        if self.proxy_username and not self.proxy:
            raise ValueError("`proxy_username` needs a `proxy`")
        if self.proxy_password_file and not self.proxy_username:
            raise ValueError("`proxy_password_file` needs a `proxy_username`")


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
    ] = 20_000
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
            description="Shortest wait for more messages before a commit.",
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

    def __post_init__(self) -> None:
        """Refuse a range that is empty, and filters that are none."""
        if self.linger_ms_min > self.linger_ms_max:
            cause = f"{self.linger_ms_min} ms is longer than ingest.linger_ms_max"
            hint = f"make it at most {self.linger_ms_max}, or ingest.linger_ms_max longer"
            raise WrongValueError("linger_ms_min", cause, hint)
        _filters("ignore", self.ignore)


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """The models that look for anomalies."""

    enabled: Annotated[bool, Meta(description="Whether readings are scored at all.")] = True
    folder: Annotated[
        str, Meta(description="Folder of models; without models in it the shipped one is used.")
    ] = "models"
    false_alarms_per_series_per_week: Annotated[
        float, Meta(description="The rate that thresholds adapt to hold.", gt=0, le=10_000)
    ] = 1.0


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Anomalies told at once on the local broker, with or without a cloud."""

    enabled: Annotated[bool, Meta(description="Whether alerts are published.")] = True
    topic: Annotated[
        str, Meta(description="Prefix of alert topics; device and metric follow.", min_length=1)
    ] = "tidegate/anomaly"

    def __post_init__(self) -> None:
        """Refuse a topic that cannot be published to."""
        if set(self.topic) & set("#+\0"):
            cause = "a prefix to publish under holds no wildcard"
            raise WrongValueError("topic", cause, "leave out + and #, as in tidegate/anomaly")


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
    cloud: Cloud
    buffer: Buffer
    ingest: Ingest
    models: Models
    alerts: Alerts
    metrics: Metrics
    log: Log
