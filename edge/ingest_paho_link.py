"""One connection to an MQTT broker through paho-mqtt: made, read, closed, and never used again.

What is known of paho 2.x, and how it is met here:

- A client that reconnects keeps packet ids of the old connection, and `ack` sends whatever it is
  given: each connection is a client of its own, and only its own packet ids are acknowledged on it.
- QoS 2 is answered with PUBREC before the application has the message, so a crash loses it: we
  subscribe with QoS 1, and the broker delivers QoS 2 publications as QoS 1.
- Its loop thread sends no keep-alive while a callback blocks, and may write from any thread: here
  one thread reads, writes and acknowledges, and a full inbox means not to read.
- A refused CONNACK, and a subscription the broker does not grant, raise nothing: both become
  ``error``.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

NEVER_EXPIRES_S: Final = 0xFFFF_FFFF
WINDOW_V311: Final = 20  # what mosquitto and others have in flight when the client cannot say
_BURST_MAX: Final = 256
_UNSUPPORTED: Final = "Unsupported protocol version"
_HINTS: Final = {
    "Not authorized": "check broker.username, broker.password_file and the broker's access rules",
    "Bad user name or password": "check broker.username and broker.password_file",
    "Session taken over": "another client uses this client id: give each gateway its own",
    "Client identifier not valid": "choose another broker.client_id",
}

_LOST: Final = "the connection was lost"
_TLS_THERE: Final = " before any answer (does the broker want TLS there? then mqtts://)"
_NO_TLS_THERE: Final = " (has the broker no TLS there? then mqtt://)"


class MqttVersion(Enum):
    """Which MQTT to speak; AUTO tries 5 and falls back to 3.1.1 when the broker has no 5."""

    AUTO = "auto"
    V311 = "3.1.1"
    V5 = "5"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom to connect.

    ``topics`` are filters, subscribed with QoS 1. ``receive_maximum`` (MQTT 5) is how many messages
    the broker may have in flight to us. ``packet_bytes_max`` (MQTT 5) is what the broker may send
    at most: larger publications stay with the broker, which drops them.
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


class Link:
    """One connection, driven by one thread; after ``closed`` it is of no more use.

    Attributes:
        answered: the broker answered our CONNECT, for better or worse.
        accepted: it took the connection; ``resumed``: with the session of an earlier one.
        subscribed: it granted at least one topic filter.
        unsupported: it does not speak this version of MQTT.
        closed: the connection is over; ``error`` says why, empty when we left ourselves.
        heard: packets that came to a callback, a measure of progress.
    """

    def __init__(
        self,
        broker: Broker,
        version: MqttVersion,
        session: int,
        deliver: Callable[["Link", paho.MQTTMessage], None],
    ) -> None:
        self.session = session
        self.version = version
        self.answered = self.accepted = self.resumed = False
        self.subscribed = self.unsupported = self.closed = False
        self.error = ""
        self.heard = 0
        self._broker = broker
        self._deliver = deliver
        self._poll = select.poll()
        self._tended_at = 0.0
        self._client = self._make_client()

    @property
    def window(self) -> int:
        """Messages the broker may have in flight to us."""
        return self._broker.receive_maximum if self.version is MqttVersion.V5 else WINDOW_V311

    def open(self) -> None:
        """Connect and send CONNECT; on failure ``closed`` with its ``error``."""
        broker, properties = self._broker, Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        try:
            if self.version is MqttVersion.V5:
                properties.SessionExpiryInterval = broker.session_expiry_s
                properties.ReceiveMaximum = broker.receive_maximum
                properties.MaximumPacketSize = broker.packet_bytes_max
                self._client.connect(
                    broker.host,
                    broker.port,
                    broker.keepalive_s,
                    clean_start=False,
                    properties=properties,
                )
            else:
                self._client.connect(broker.host, broker.port, broker.keepalive_s)
        except (OSError, UnicodeError) as error:
            hint = _NO_TLS_THERE if self._broker.tls and _is_not_tls(error) else ""
            self._fail((str(error) or type(error).__name__) + hint)

    def wait(self, wake: socket.socket, timeout_s: float, *, reading: bool) -> bool:
        """Wait until there is something to read, room to write, a wake-up, or the time is over.

        True when there is something to read from the broker.
        """
        sock = self._client.socket()
        if sock is None or sock.fileno() < 0:
            self._fail(_LOST)
            return False
        if reading and isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        writing = select.POLLOUT if self._client.want_write() else 0
        self._poll.register(wake.fileno(), select.POLLIN)
        self._poll.register(sock.fileno(), writing | (select.POLLIN if reading else 0))
        ready = dict(self._poll.poll(timeout_s * 1000))
        events = ready.get(sock.fileno(), 0)
        if events & select.POLLOUT:
            self._check(self._client.loop_write())
        if not reading and events & ~select.POLLOUT:
            self._fail(_LOST)
        return bool(events & ~select.POLLOUT)

    def read(self, has_room: Callable[[], bool]) -> int:
        """Read packets while there are any and there is room; how many were heard."""
        start = self.heard
        while not self.closed and has_room() and self.heard - start < _BURST_MAX:
            before = self.heard
            self._check(self._client.loop_read())
            if self.heard == before:
                break
        return self.heard - start

    def ack(self, packet_id: int, qos: int) -> None:
        """Send a PUBACK; packet ids must be of this connection, in order of arrival."""
        self._check(self._client.ack(packet_id, qos))

    def tend(self) -> None:
        """Keep-alive, once a second at most; a broker that does not answer it is a lost one."""
        now = time.monotonic()
        if now - self._tended_at >= 1:
            self._tended_at = now
            self._check(self._client.loop_misc())

    def close(self, why: str = "", flush_s: float = 1.0) -> None:
        """Write what is under way, say goodbye and close; the broker keeps the session."""
        deadline = time.monotonic() + flush_s
        while not self.closed and self._client.want_write() and time.monotonic() < deadline:
            self._check(self._client.loop_write())
            time.sleep(0.01)
        self.closed = True
        self.error = self.error or why
        self._client.disconnect()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _make_client(self) -> paho.Client:
        v5 = self.version is MqttVersion.V5
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id,
            clean_session=None if v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = self._broker.timeout_s
        if self._broker.username:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.heard += 1
        self.answered = True
        if reason.is_failure:
            self.unsupported = str(reason) == _UNSUPPORTED
            self._fail(_told("the broker refused the connection", reason))
            return
        self.accepted = True
        self.resumed = flags.session_present
        filters = self._broker.topics
        if self.version is MqttVersion.V5:
            # Retained values are no readings: have them sent once per subscription, not per start.
            options = SubscribeOptions(
                qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            )
            client.subscribe([(name, options) for name in filters])
        else:
            client.subscribe([(name, 1) for name in filters])

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        _mid: int,
        reasons: Sequence[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self.heard += 1
        pairs = list(zip(self._broker.topics, reasons, strict=False))
        refused = [name for name, reason in pairs if reason.is_failure]
        self.subscribed = len(refused) < len(pairs)
        if refused:
            self.error = f"the broker did not grant {', '.join(refused)}: check its access rules"

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        self.heard += 1
        self._deliver(self, message)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._fail(_told(_LOST, reason))

    def _check(self, code: MQTTErrorCode) -> None:
        if code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
            self._fail(f"{_LOST}: {paho.error_string(code)}")

    def _fail(self, error: str) -> None:
        """Note the end of the connection; the first reason told is the one that counts."""
        if not self.closed:
            self.closed = True
            mute = error.startswith(_LOST) and not self.answered and self._broker.tls is None
            self.error = error + (_TLS_THERE if mute else "")


def _is_not_tls(error: Exception) -> bool:
    """Whether a handshake ended as it does with a server that speaks no TLS."""
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError):
        return True
    return isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER"


def _told(what: str, reason: ReasonCode) -> str:
    if str(reason) == "Unspecified error":  # paho's word for a socket that ended
        return what
    hint = _HINTS.get(str(reason))
    return f"{what}: {reason} ({hint})" if hint else f"{what}: {reason}"
