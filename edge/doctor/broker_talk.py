"""One conversation with a broker: what it grants, what it says of its limits, and goodbye.

Under a client id of its own and without a session that stays, so the agent's is not touched. What
the broker would send is neither wanted nor acknowledged: one message in flight at most.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from edge.ingest_broker import Broker, not_reached
from edge.message import Messages
from edge.mqtt_version import MqttVersion
from edge.mqtt_wire import MalformedPacket, Packet, PacketType, Splitter
from edge.mqtt_wire_control import (
    DISCONNECT,
    DISCONNECT_FORGET,
    RETAIN_NEVER,
    UNSUPPORTED_V5,
    UNSUPPORTED_V311,
    Connect,
    Properties,
    connect,
    read_connack,
    read_suback,
    reason,
    subscribe,
)

STEP_S: Final = 4.0
"""Most that each step may take: to be reached, to answer, to grant."""
FIGURES_S: Final = 0.5
"""How long to wait for figures that are retained: they come at once, or not at all."""
_SYS_ID, _TOPICS_ID = 1, 2
SYS: Final = {
    "version": "$SYS/broker/version",
    "dropped": "$SYS/broker/publish/messages/dropped",
    "stored": "$SYS/broker/store/messages/count",
}
"""What mosquitto and some others tell of themselves."""


class Stage(Enum):
    """How far a conversation came."""

    NOT_REACHED = "not reached"
    NOT_ENCRYPTED = "no TLS"
    MUTE = "no answer"
    REFUSED = "refused"
    GRANTED = "granted"


@dataclass(slots=True)
class Said:
    """What became of it. ``qos`` is what the filters were granted, by filter; 128 and up: refused.

    ``properties`` are CONNACK's, ``figures`` by the names of `SYS`.
    """

    stage: Stage
    error: str = ""
    version: MqttVersion = MqttVersion.V5
    is_unsupported: bool = False
    properties: Properties = field(default_factory=dict)
    qos: dict[str, int] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)


def converse(broker: Broker) -> Said:
    """Talk to a broker in the MQTT that the settings ask for, the older one where it has no 5."""
    if broker.version is MqttVersion.V311:
        return _converse(broker, MqttVersion.V311)
    said = _converse(broker, MqttVersion.V5)
    is_older = said.is_unsupported or said.stage is Stage.MUTE
    if broker.version is MqttVersion.AUTO and is_older:
        again = _converse(broker, MqttVersion.V311)
        return again if again.stage is not Stage.MUTE else said
    return said


def _converse(broker: Broker, version: MqttVersion) -> Said:
    address = (broker.host, broker.port)
    try:
        plain = socket.create_connection(address, STEP_S)
    except (OSError, UnicodeError) as error:
        return Said(Stage.NOT_REACHED, _words(error))
    with plain:
        try:
            sock = plain
            if broker.tls is not None:
                sock = broker.tls.wrap_socket(plain, server_hostname=broker.host)
        except (OSError, ValueError) as error:
            return Said(Stage.NOT_ENCRYPTED, not_reached(error, broker.tls))
        with sock:
            talk = _Talk(sock, broker, version)
            try:
                return talk.hold()
            except (OSError, MalformedPacket) as error:
                return Said(Stage.MUTE, _words(error), version)


def _words(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return (strerror or str(error) or type(error).__name__).lower()


class _Talk:
    def __init__(self, sock: socket.socket, broker: Broker, version: MqttVersion) -> None:
        self._sock = sock
        self._broker = broker
        self._v5 = version is MqttVersion.V5
        self._version = version
        self._splitter = Splitter(v5=self._v5, packet_bytes_max=broker.packet_bytes_max)
        self._figures: dict[str, str] = {}

    def hold(self) -> Said:
        """Say who we are, ask, and leave; OSError or MalformedPacket where it does not answer."""
        broker = self._broker
        asked = Connect(
            f"{broker.client_id}-doctor",
            broker.keepalive_s,
            broker.username,
            broker.password,
            clean=True,
            session_expiry_s=broker.session_expiry_s,
            receive_maximum=1,
            packet_bytes_max=broker.packet_bytes_max,
        )
        self._sock.sendall(connect(asked, v5=self._v5))
        answer = read_connack(self._await(PacketType.CONNACK), v5=self._v5)
        if answer.code:
            said = Said(Stage.REFUSED, version=self._version, properties=answer.properties)
            said.error = reason(answer.code, answer.properties, v5=self._v5)
            said.is_unsupported = answer.code in (UNSUPPORTED_V5, UNSUPPORTED_V311)
            return said
        try:
            self._sock.sendall(subscribe(_SYS_ID, list(SYS.values()), 0, v5=self._v5))
            self._await(PacketType.SUBACK)
            self._listen()
            qos = self._granted()
        finally:
            with suppress(OSError):
                self._sock.sendall(DISCONNECT_FORGET if self._v5 else DISCONNECT)
        return Said(Stage.GRANTED, "", self._version, False, answer.properties, qos, self._figures)

    def _granted(self) -> dict[str, int]:
        topics = self._broker.topics
        self._sock.sendall(subscribe(_TOPICS_ID, topics, 1, v5=self._v5, retained=RETAIN_NEVER))
        _, codes = read_suback(self._await(PacketType.SUBACK), v5=self._v5)
        return dict(zip(topics, codes, strict=False))

    def _await(self, wanted: PacketType) -> bytes:
        """The body of the next packet of a type; OSError when it does not come in time."""
        for _, packets in self._heard(STEP_S):
            for type_, _, body in packets:
                if type_ is wanted:
                    return body
        raise TimeoutError("it took the connection and then did not answer")

    def _listen(self) -> None:
        for _ in self._heard(FIGURES_S):
            if len(self._figures) == len(SYS):
                return

    def _heard(self, seconds: float) -> Iterator[tuple[Messages, list[Packet]]]:
        """What comes in that time; figures are kept. OSError when the broker hangs up."""
        until_s = time.monotonic() + seconds
        names = {topic: name for name, topic in SYS.items()}
        while (left_s := until_s - time.monotonic()) > 0:
            self._sock.settimeout(left_s)
            try:
                data = self._sock.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                return
            if not data:
                raise ConnectionResetError("the connection was lost before any answer")
            messages, packets = self._splitter.feed(data)
            for topic, payload in zip(messages.topics, messages.payloads, strict=True):
                if topic in names:
                    self._figures[names[topic]] = payload[:100].decode(errors="replace")
            yield messages, packets
