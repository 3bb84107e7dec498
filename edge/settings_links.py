"""The gateway's settings of its two lines: the broker that sensors publish to, and the cloud."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from edge.mqtt_version import MqttVersion
from edge.topic import filter_problem
from protos.settings import WrongValueError

PROXY_VARIABLES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""Where gRPC looks for a proxy, in its order."""
MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


def _split(key: str, url: str, form: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises ValueError when it is no port)
    except ValueError as error:
        raise WrongValueError(key, f"{error}: {url!r}", form) from error
    return parts


def _broker_url(url: str) -> SplitResult:
    form = "write mqtt://host[:port], or mqtts://host[:port] for TLS"
    parts = _split("url", url, form)
    if parts.scheme not in MQTT_PORTS or not parts.hostname or parts.path not in ("", "/"):
        cause = f"expected mqtt://host[:port] or mqtts://host[:port], got {url!r}"
        raise WrongValueError("url", cause, form)
    if parts.username or parts.password:
        hint = "put them in broker.username and broker.password_file"
        raise WrongValueError("url", "user and password do not belong in it", hint)
    return parts


def check_filters(key: str, filters: Sequence[str]) -> None:
    """Refuse topic filters that no broker would take, naming the setting `key`."""
    for one in filters:
        problem = filter_problem(one)
        if problem:
            hint = "filters are like plant/+/temperature and plant/#"
            raise WrongValueError(key, f"{one[:80]!r} is no topic filter: {problem}", hint)


class BrokerClient(StrEnum):
    """Which implementation of MQTT reads the broker."""

    NATIVE = "native"
    PAHO = "paho"


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
    client: Annotated[
        BrokerClient,
        Meta(
            description="What speaks MQTT: `native`, our own, takes the least processor; `paho` is "
            "the library that most programs use, should a broker not get on with ours."
        ),
    ] = BrokerClient.NATIVE
    version: Annotated[
        MqttVersion,
        Meta(description="MQTT to speak; `auto` asks for 5, and for 3.1.1 where there is no 5."),
    ] = MqttVersion.AUTO
    receive_maximum: Annotated[
        int,
        Meta(
            description="Most messages that the broker may have in flight to us; too few cap the "
            "rate. From the second connection on it is asked for what was needed, up to this.",
            ge=1,
            le=65535,
        ),
    ] = 8000

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
        check_filters("topics", self.topics)

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
        form = "write it as http://host:port"
        parts = _split("proxy", self.proxy, form)
        if parts.username or parts.password:
            hint = "they belong in `proxy_username` and `proxy_password_file`"
            raise WrongValueError("proxy", "user and password do not belong in it", hint)
        if self.proxy and (
            parts.scheme != "http" or not parts.hostname or not parts.port or parts.path.strip("/")
        ):
            raise WrongValueError("proxy", f"expected http://host:port, got {self.proxy!r}", form)
        if self.proxy_username and not self.proxy:
            raise WrongValueError("proxy_username", "it needs a `proxy`", form)
        if self.proxy_password_file and not self.proxy_username:
            hint = "name the user too, or leave both out"
            raise WrongValueError("proxy_password_file", "it needs a `proxy_username`", hint)
