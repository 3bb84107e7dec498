"""Pure: MQTT's packets of one connection's life: CONNECT, SUBSCRIBE, their answers, the goodbye.

Clauses in brackets are those of MQTT 5; 3.1.1 has the same packets without properties.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.mqtt_wire import MalformedPacket, PacketType, varint
from protos.shown import printable

RETAIN_IF_NEW: Final = 1 << 4
"""Retained values are sent when a subscription is made, not at each resumption [3.8.3.1]."""
RETAIN_NEVER: Final = 2 << 4
UNSUPPORTED_V5: Final = 0x84
UNSUPPORTED_V311: Final = 0x01
PINGREQ: Final = bytes((PacketType.PINGREQ << 4, 0))
DISCONNECT: Final = bytes((PacketType.DISCONNECT << 4, 0))
DISCONNECT_FORGET: Final = bytes((PacketType.DISCONNECT << 4, 7, 0, 5, 0x11, 0, 0, 0, 0))
"""Goodbye, and the session need not be kept [3.14.2.2.2] (MQTT 5)."""
_STRING_BYTES_MAX: Final = 0xFFFF
_REASON_BYTES_MAX: Final = 256
_PROPERTY_BYTES: Final = {
    0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1,
    0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
_STRINGS: Final = {0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F}
_USER: Final = 0x26
_SUBSCRIPTION: Final = 0x0B
_REASONS_V311: Final = {
    1: "Unsupported protocol version",
    2: "Client identifier not valid",
    3: "Server unavailable",
    4: "Bad user name or password",
    5: "Not authorized",
}
_REASONS: Final = {
    0x00: "Normal disconnection", 0x04: "Disconnect with will message", 0x80: "Unspecified error",
    0x81: "Malformed packet", 0x82: "Protocol error", 0x83: "Implementation specific error",
    0x84: "Unsupported protocol version", 0x85: "Client identifier not valid",
    0x86: "Bad user name or password", 0x87: "Not authorized", 0x88: "Server unavailable",
    0x89: "Server busy", 0x8A: "Banned", 0x8B: "Server shutting down",
    0x8C: "Bad authentication method", 0x8D: "Keep alive timeout", 0x8E: "Session taken over",
    0x8F: "Topic filter invalid", 0x90: "Topic name invalid", 0x91: "Packet identifier in use",
    0x93: "Receive maximum exceeded", 0x94: "Topic alias invalid", 0x95: "Packet too large",
    0x96: "Message rate too high", 0x97: "Quota exceeded", 0x98: "Administrative action",
    0x99: "Payload format invalid", 0x9A: "Retain not supported", 0x9B: "QoS not supported",
    0x9C: "Use another server", 0x9D: "Server moved", 0x9E: "Shared subscription not supported",
    0x9F: "Connection rate exceeded", 0xA0: "Maximum connect time",
    0xA1: "Subscription identifiers not supported", 0xA2: "Wildcard subscription not supported",
}  # fmt: skip

Properties = dict[int, int | bytes]
"""By property identifier [2.2.2.2]; user properties and subscription identifiers are left out."""
KEEPALIVE: Final = 0x13
REASON_STRING: Final = 0x1F


@dataclass(frozen=True, slots=True)
class Connect:
    """What CONNECT says. ``clean``: no earlier session is meant. Those between are of MQTT 5."""

    client_id: str
    keepalive_s: int
    username: str = ""
    password: str | None = None
    session_expiry_s: int = 0
    receive_maximum: int = 0xFFFF
    packet_bytes_max: int = 0
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Connack:
    """What CONNACK says: ``code`` 0 is a yes."""

    resumed: bool
    code: int
    properties: Properties


def connect(asked: Connect, *, v5: bool) -> bytes:
    """CONNECT, for a session that outlives the connection; ValueError for a string too long."""
    flags = 0x02 if asked.clean else 0
    payload = _string(asked.client_id)
    if asked.username:
        flags |= 0x80
        payload += _string(asked.username)
        if asked.password is not None:
            flags |= 0x40
            payload += _string(asked.password)
    head = _string("MQTT") + bytes((5 if v5 else 4, flags))
    head += asked.keepalive_s.to_bytes(2, "big")
    if v5:
        properties = b"\x11" + asked.session_expiry_s.to_bytes(4, "big")
        properties += b"\x21" + asked.receive_maximum.to_bytes(2, "big")
        if asked.packet_bytes_max:
            properties += b"\x27" + asked.packet_bytes_max.to_bytes(4, "big")
        head += _length(len(properties)) + properties
    return _packet(PacketType.CONNECT << 4, head + payload)


def read_connack(body: bytes, *, v5: bool) -> Connack:
    """The answer to CONNECT; MalformedPacket when it is none."""
    if len(body) < 2 or body[0] > 1:
        raise MalformedPacket("a CONNACK that is none")
    # A broker without MQTT 5 may answer in the form of 3.1.1, which has no properties.
    properties = read_properties(body, 2)[0] if v5 and len(body) > 2 else {}
    return Connack(bool(body[0]), body[1], properties)


def subscribe(
    packet_id: int, filters: Sequence[str], qos: int, *, v5: bool, retained: int = RETAIN_IF_NEW
) -> bytes:
    """SUBSCRIBE to all filters at once; ``retained`` says when retained values come (MQTT 5)."""
    options = bytes((qos | (retained if v5 else 0),))
    body = packet_id.to_bytes(2, "big") + (b"\0" if v5 else b"")
    return _packet(0x82, body + b"".join(_string(name) + options for name in filters))


def read_suback(body: bytes, *, v5: bool) -> tuple[int, bytes]:
    """Packet id and a code for each filter: below 0x80 it is the granted QoS."""
    if len(body) < 3:
        raise MalformedPacket("a SUBACK without a code")
    at = read_properties(body, 2)[1] if v5 else 2
    return int.from_bytes(body[:2], "big"), body[at:]


def read_id(body: bytes) -> int:
    """The packet id of a PUBREL."""
    if len(body) < 2:
        raise MalformedPacket("a packet without its packet id")
    return int.from_bytes(body[:2], "big")


def pubcomp(packet_id: int) -> bytes:
    """The last word about a message of QoS 2."""
    return bytes((PacketType.PUBCOMP << 4, 2)) + packet_id.to_bytes(2, "big")


def read_disconnect(body: bytes) -> tuple[int, Properties]:
    """Why the broker leaves (MQTT 5)."""
    if not body:
        return 0, {}
    return body[0], read_properties(body, 1)[0] if len(body) > 1 else {}


def reason(code: int, properties: Properties, *, v5: bool) -> str:
    """A reason code in words, with the beginning of what the broker says about it, escaped."""
    named = _REASONS.get(code) if v5 or code >= 0x80 else _REASONS_V311.get(code)
    told = properties.get(REASON_STRING)
    text = named or f"reason {code:#04x}"
    if not isinstance(told, bytes):
        return text
    return f"{text}: {printable(told[:_REASON_BYTES_MAX].decode(errors='replace'))}"


def read_properties(body: bytes, at: int) -> tuple[Properties, int]:
    """The properties that begin at ``at``, and where they end."""
    length, at = varint(body, at, len(body))
    end = at + length
    if end > len(body):
        raise MalformedPacket("properties that end beyond their packet")
    found: Properties = {}
    while at < end:
        code = body[at]
        at += 1
        if code in _PROPERTY_BYTES:
            size = _PROPERTY_BYTES[code]
            found[code] = int.from_bytes(body[at : at + size], "big")
            at += size
        elif code in _STRINGS:
            size = int.from_bytes(body[at : at + 2], "big")
            found[code] = body[at + 2 : at + 2 + size]
            at += 2 + size
        elif code == _USER:
            for _ in range(2):
                at += 2 + int.from_bytes(body[at : at + 2], "big")
        elif code == _SUBSCRIPTION:
            _, at = varint(body, at, end)
        else:
            raise MalformedPacket(f"property {code:#04x} is unknown")
    if at != end:
        raise MalformedPacket("a property that ends beyond the others")
    return found, end


def _string(text: str) -> bytes:
    data = text.encode()
    if len(data) > _STRING_BYTES_MAX:
        raise ValueError(f"a string of {len(data)} bytes, MQTT takes {_STRING_BYTES_MAX}")
    return len(data).to_bytes(2, "big") + data


def _packet(head: int, body: bytes) -> bytes:
    return bytes((head,)) + _length(len(body)) + body


def _length(size: int) -> bytes:
    """A variable byte integer [1.5.5]."""
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out)
