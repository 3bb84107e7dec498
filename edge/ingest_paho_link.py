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
from typing import Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.ingest_broker import (
    LOST,
    REFUSED,
    WINDOW_V311,
    Broker,
    not_granted,
    not_reached,
    refusal,
    unanswered,
)
from edge.message import (
    DUP,
    MESSAGE_OVERHEAD_BYTES,
    QOS,
    QOS_SHIFT,
    RETAIN,
    UNREADABLE_TOPIC,
    Messages,
    topic_named,
)
from edge.mqtt_version import MqttVersion

_BURST_MAX: Final = 256
_UNSUPPORTED: Final = "Unsupported protocol version"


class PahoLink:
    """One connection, driven by one thread; see `edge.ingest_broker.Link` for the contract.

    Attributes:
        heard: packets that came to a callback, a measure of progress.
    """

    def __init__(self, broker: Broker, version: MqttVersion, session: int) -> None:
        self.session = session
        self.version = version
        self.answered = self.accepted = self.resumed = False
        self.subscribed = self.unsupported = self.closed = False
        self.error = ""
        self.heard = 0
        self._broker = broker
        self._messages = Messages()
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
            self._fail(not_reached(error, self._broker.tls))

    def wait(self, wake: socket.socket, timeout_s: float, *, reading: bool) -> bool:
        """Wait until there is something to read, room to write, a wake-up, or the time is over.

        True when there is something to read from the broker.
        """
        sock = self._client.socket()
        if sock is None or sock.fileno() < 0:
            self._fail(LOST)
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
            self._fail(LOST)
        return bool(events & ~select.POLLOUT)

    def read(self, has_room: Callable[[int, int], bool]) -> Messages:
        """Read packets while there are any and there is room."""
        start = self.heard
        self._messages = messages = Messages()
        while (
            not self.closed
            and has_room(len(messages), messages.size)
            and self.heard - start < _BURST_MAX
        ):
            before = self.heard
            self._check(self._client.loop_read())
            if self.heard == before:
                break
        return messages

    def ack(self, packet_ids: Sequence[int], heads: Sequence[int]) -> None:
        """Send PUBACKs; packet ids must be of this connection, in order of arrival."""
        for packet_id, head in zip(packet_ids, heads, strict=True):
            if head & QOS and not self.closed:
                self._check(self._client.ack(packet_id, (head & QOS) >> QOS_SHIFT))

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
            self._fail(_told(REFUSED, reason))
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
            self.error = not_granted(refused)

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        self.heard += 1
        try:
            topic = topic_named(message.topic.encode())
        except UnicodeDecodeError:
            topic = UNREADABLE_TOPIC
        heard, payload = self._messages, bytes(message.payload)
        heard.topics.append(topic)
        heard.payloads.append(payload)
        heard.heads.append(message.retain * RETAIN | message.qos << QOS_SHIFT | message.dup * DUP)
        heard.packet_ids.append(message.mid)
        heard.size += len(payload) + len(topic) + MESSAGE_OVERHEAD_BYTES

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._fail(_told(LOST, reason))

    def _check(self, code: MQTTErrorCode) -> None:
        if code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
            self._fail(f"{LOST}: {paho.error_string(code)}")

    def _fail(self, error: str) -> None:
        """Note the end of the connection; the first reason told is the one that counts."""
        if not self.closed:
            self.closed = True
            self.error = error if self.answered else unanswered(error, self._broker.tls)


def _told(what: str, reason: ReasonCode) -> str:
    if str(reason) == "Unspecified error":  # paho's word for a socket that ended
        return what
    return refusal(what, str(reason))
