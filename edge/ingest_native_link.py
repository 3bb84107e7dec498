"""One connection to an MQTT broker over our own codec: made, read, closed, and never used again.

The thread that drives it reads what the socket has in one go, and writes the acknowledgements of a
whole commit in one piece. QoS 2, should a broker send it, is answered with PUBREC after the commit
and PUBREL at once, so a copy can come on a later connection only, where redelivery collapses it.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

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
from edge.message import Messages
from edge.mqtt_version import MqttVersion
from edge.mqtt_wire import MalformedPacket, Packet, PacketType, Splitter, acknowledgements
from edge.mqtt_wire_control import (
    DISCONNECT,
    KEEPALIVE,
    PINGREQ,
    UNSUPPORTED_V5,
    UNSUPPORTED_V311,
    Connect,
    connect,
    pubcomp,
    read_connack,
    read_disconnect,
    read_id,
    read_suback,
    reason,
    subscribe,
)

READ_BYTES: Final = 128 * 1024
READS_MAX: Final = 8
"""Reads in one go; acknowledgements are sent between two goes."""
UNSENT_BYTES_MAX: Final = 1 << 20
"""A broker that takes no acknowledgements beyond these is as good as gone."""
_SUBSCRIBE_ID: Final = 1
_CLOSED: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class NativeLink:
    """One connection, driven by one thread; see `edge.ingest_broker.Link` for the contract."""

    def __init__(self, broker: Broker, version: MqttVersion, session: int) -> None:
        self.session = session
        self.version = version
        self.answered = self.accepted = self.resumed = False
        self.subscribed = self.unsupported = self.closed = False
        self.error = ""
        self._broker = broker
        self._v5 = version is MqttVersion.V5
        self._splitter = Splitter(v5=self._v5, packet_bytes_max=broker.packet_bytes_max)
        self._socket: socket.socket | None = None
        self._unsent = bytearray()
        self._keepalive_s = broker.keepalive_s
        self._heard_at = self._sent_at = time.monotonic()
        self._poll = select.poll()
        self._watched = -1

    @property
    def window(self) -> int:
        """Messages the broker may have in flight to us."""
        return self._broker.receive_maximum if self._v5 else WINDOW_V311

    def open(self) -> None:
        """Connect and send CONNECT; on failure ``closed`` with its ``error``."""
        broker = self._broker
        try:
            self._socket = self._connect()
        except (OSError, UnicodeError) as error:
            self._fail(not_reached(error, broker.tls))
            return
        asked = Connect(
            broker.client_id,
            broker.keepalive_s,
            broker.username,
            broker.password,
            broker.session_expiry_s,
            broker.receive_maximum,
            broker.packet_bytes_max,
        )
        self._send(connect(asked, v5=self._v5))

    def _connect(self) -> socket.socket:
        broker = self._broker
        sock = socket.create_connection((broker.host, broker.port), broker.timeout_s)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if broker.tls is not None:
                sock = broker.tls.wrap_socket(sock, server_hostname=broker.host)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        return sock

    def wait(self, wake: socket.socket, timeout_s: float, *, reading: bool) -> bool:
        """Wait until there is something to read, room to write, a wake-up, or the time is over."""
        sock = self._socket
        if sock is None:
            return False
        if reading and isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        wanted = (select.POLLOUT if self._unsent else 0) | (select.POLLIN if reading else 0)
        if wanted != self._watched:
            self._watched = wanted
            self._poll.register(wake.fileno(), select.POLLIN)
            self._poll.register(sock.fileno(), wanted)
        events = dict(self._poll.poll(timeout_s * 1000)).get(sock.fileno(), 0)
        if events & select.POLLOUT:
            self._send(b"")
        if not reading and events & ~select.POLLOUT:
            self._fail(LOST)
        return bool(events & ~select.POLLOUT)

    def read(self, has_room: Callable[[int, int], bool]) -> Messages:
        """Read while there is something and room beside what was read (count, bytes)."""
        messages = Messages()
        for _ in range(READS_MAX):
            if self.closed or not has_room(len(messages), messages.size):
                break
            data = self._receive()
            if not data:
                break
            try:
                heard, others = self._splitter.feed(data)
                messages.extend(heard)
                for packet in others:
                    self._take(packet)
            except MalformedPacket as error:
                self._fail(f"the broker sent what is no MQTT: {error}")
            if len(data) < READ_BYTES and not isinstance(self._socket, ssl.SSLSocket):
                break
        return messages

    def ack(self, packet_ids: Sequence[int], heads: Sequence[int]) -> None:
        """Acknowledge messages of this connection, in order of arrival, in one piece."""
        self._send(acknowledgements(packet_ids, heads))

    def tend(self) -> None:
        """Keep-alive; a broker that does not answer it is a lost one."""
        now, patience_s = time.monotonic(), self._keepalive_s
        if not patience_s or not self.accepted:
            return
        if now - self._heard_at > 1.5 * patience_s:
            self._fail(f"{LOST}: no answer within {1.5 * patience_s:.0f} s")
        elif now - max(self._sent_at, self._heard_at) > patience_s / 2 or (
            now - self._sent_at > patience_s / 2
        ):
            self._send(PINGREQ)

    def close(self, why: str = "", flush_s: float = 1.0) -> None:
        """Write what is under way, say goodbye and close; the broker keeps the session."""
        sock, deadline = self._socket, time.monotonic() + flush_s
        if self.accepted and not self.closed:
            self._send(DISCONNECT)
        while self._unsent and not self.closed and time.monotonic() < deadline:
            time.sleep(0.01)
            self._send(b"")
        self.closed = True
        self.error = self.error or why
        if sock is not None:
            sock.close()
            self._socket = None

    def _take(self, packet: Packet) -> None:
        """Act on a packet that is no publication."""
        type_, _, body = packet
        match type_:
            case PacketType.CONNACK if not self.answered:
                self._connected(body)
            case PacketType.SUBACK:
                self._granted(body)
            case PacketType.PUBREL:
                self._send(pubcomp(read_id(body)))
            case PacketType.PINGRESP:
                return
            case PacketType.DISCONNECT if self._v5:
                self._fail(refusal(LOST, reason(*read_disconnect(body), v5=True)))
            case _:
                raise MalformedPacket(f"{type_.name} out of place")

    def _connected(self, body: bytes) -> None:
        answer = read_connack(body, v5=self._v5)
        self.answered = True
        if answer.code:
            unsupported = UNSUPPORTED_V311 if len(body) == 2 else UNSUPPORTED_V5
            self.unsupported = answer.code in (unsupported, UNSUPPORTED_V5)
            v5 = self._v5 and len(body) > 2
            self._fail(refusal(REFUSED, reason(answer.code, answer.properties, v5=v5)))
            return
        self.accepted, self.resumed = True, answer.resumed
        told = answer.properties.get(KEEPALIVE)
        if isinstance(told, int):
            self._keepalive_s = told
        self._send(subscribe(_SUBSCRIBE_ID, self._broker.topics, 1, v5=self._v5))

    def _granted(self, body: bytes) -> None:
        _, codes = read_suback(body, v5=self._v5)
        pairs = list(zip(self._broker.topics, codes, strict=False))
        refused = [name for name, code in pairs if code >= 0x80]
        self.subscribed = len(refused) < len(pairs)
        if refused:
            self.error = not_granted(refused)

    def _receive(self) -> bytes:
        """What the socket has; empty when that is nothing, or the connection is over."""
        if self._socket is None:
            return b""
        try:
            data = self._socket.recv(READ_BYTES)
        except _CLOSED:
            return b""
        except OSError as error:
            self._fail(f"{LOST}: {error.strerror or error}")
            return b""
        if data:
            self._heard_at = time.monotonic()
        else:
            self._fail(LOST)
        return data

    def _send(self, data: bytes) -> None:
        """Write, keeping what the socket does not take now."""
        self._unsent += data
        if self._socket is None or self.closed or not self._unsent:
            return
        try:
            sent = self._socket.send(self._unsent)
            del self._unsent[:sent]
            self._sent_at = time.monotonic()
        except _CLOSED:
            pass
        except OSError as error:
            self._fail(f"{LOST}: {error.strerror or error}")
        if len(self._unsent) > UNSENT_BYTES_MAX:
            self._fail(f"{LOST}: the broker takes nothing any more")

    def _fail(self, error: str) -> None:
        """Note the end of the connection; the first reason told is the one that counts."""
        if not self.closed:
            self.closed = True
            self.error = error if self.answered else unanswered(error, self._broker.tls)
