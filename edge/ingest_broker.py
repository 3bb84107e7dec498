"""Where and as whom to connect, and how a link's trouble is told; for every kind of link."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge.message import Messages
from edge.mqtt_version import MqttVersion

if TYPE_CHECKING:
    import socket

NEVER_EXPIRES_S: Final = 0xFFFF_FFFF
WINDOW_V311: Final = 20
"""What mosquitto and others have in flight when the client cannot say."""
LOST: Final = "the connection was lost"
REFUSED: Final = "the broker refused the connection"
_HINTS: Final = {
    "Not authorized": "check broker.username, broker.password_file and the broker's access rules",
    "Bad user name or password": "check broker.username and broker.password_file",
    "Session taken over": "another client uses this client id: give each gateway its own",
    "Client identifier not valid": "choose another broker.client_id",
}
_TLS_THERE: Final = " before any answer (does the broker want TLS there? then mqtts://)"
_NO_TLS_THERE: Final = " (has the broker no TLS there? then mqtt://)"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom to connect.

    ``topics`` are filters, subscribed with QoS 1. ``receive_maximum`` (MQTT 5) is how many messages
    the broker may have in flight to us. ``packet_bytes_max`` (MQTT 5) is what the broker may send
    at most: larger publications stay with the broker, which drops them. ``name`` tells brokers
    apart where there are several.
    """

    host: str
    port: int
    client_id: str
    topics: tuple[str, ...]
    username: str = ""
    password: str | None = None
    tls: ssl.SSLContext | None = None
    version: MqttVersion = MqttVersion.AUTO
    receive_maximum: int = 2000
    packet_bytes_max: int = 4 << 20
    keepalive_s: int = 30
    timeout_s: float = 5.0
    session_expiry_s: int = NEVER_EXPIRES_S
    name: str = ""


class Link(Protocol):
    """One connection, driven by one thread; after ``closed`` it is of no more use.

    Attributes:
        session: rises with every connection.
        answered: the broker answered our CONNECT, for better or worse.
        accepted: it took the connection; ``resumed``: with the session of an earlier one.
        subscribed: it granted at least one topic filter.
        unsupported: it does not speak this version of MQTT.
        closed: the connection is over; ``error`` says why, empty when we left ourselves.
    """

    session: int
    version: MqttVersion
    answered: bool
    accepted: bool
    resumed: bool
    subscribed: bool
    unsupported: bool
    closed: bool
    error: str

    @property
    def window(self) -> int:
        """Messages the broker may have in flight to us."""

    def open(self) -> None:
        """Connect and send CONNECT; on failure ``closed`` with its ``error``."""

    def wait(self, wake: "socket.socket", timeout_s: float, *, reading: bool) -> bool:
        """Wait until there is something to read, room to write, a wake-up, or the time is over.

        True when there is something to read from the broker.
        """

    def read(self, has_room: Callable[[int, int], bool]) -> Messages:
        """Read while there is something and room beside what was read (count, bytes).

        The messages have no bursts yet.
        """

    def ack(self, packet_ids: Sequence[int], heads: Sequence[int]) -> None:
        """Acknowledge messages of this connection, in order of arrival, passing those of QoS 0."""

    def tend(self) -> None:
        """Keep-alive; a broker that does not answer it is a lost one."""

    def close(self, why: str = "", flush_s: float = 1.0) -> None:
        """Write what is under way, say goodbye and close; the broker keeps the session."""


def refusal(what: str, reason: str) -> str:
    """``what`` with the broker's reason, and what to do about it where that is known."""
    hint = _HINTS.get(reason.partition(":")[0])
    return f"{what}: {reason} ({hint})" if hint else f"{what}: {reason}"


def not_reached(error: Exception, tls: ssl.SSLContext | None) -> str:
    """Why no connection came about."""
    hint = _NO_TLS_THERE if tls and _is_not_tls(error) else ""
    return (str(error) or type(error).__name__) + hint


def unanswered(error: str, tls: ssl.SSLContext | None) -> str:
    """The error of a connection that ended before any answer."""
    return error + (_TLS_THERE if error.startswith(LOST) and tls is None else "")


def not_granted(filters: Sequence[str]) -> str:
    """The error of a subscription that the broker does not grant."""
    return f"the broker did not grant {', '.join(filters)}: check its access rules"


def _is_not_tls(error: Exception) -> bool:
    """Whether a handshake ended as it does with a server that speaks no TLS."""
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError):
        return True
    return isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER"
