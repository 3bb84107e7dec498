"""Pure: MQTT 3.1.1 and 5 on the wire: a stream cut into packets, publications as columns.

`Splitter` takes what a socket gave and finds the packets in it. Publications come out as columns;
everything else comes out packet by packet (`edge.mqtt_wire_control` reads those). Clauses in
brackets are those of MQTT 5.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.message import (
    DUP,
    MESSAGE_OVERHEAD_BYTES,
    QOS,
    QOS_SHIFT,
    Messages,
    topic_named,
)

PACKET_BYTES_MAX: Final = (1 << 28) - 1
NAMES_MAX: Final = 1 << 16
"""Topic names kept to be given again as the same object; beyond it all are forgotten."""
NAME_BYTES_MAX: Final = 512
"""A longer topic is read as any other and not kept: a stranger may name 2^16 of 64 KiB each."""
_PUBLISH: Final = 3
_LENGTH_BYTES_MAX: Final = 4
_QOS_2: Final = 2 << QOS_SHIFT
_FORBIDDEN: Final = {QOS, QOS | DUP, DUP}


class PacketType(IntEnum):
    """The high four bits of a packet's first byte [2.1.2]."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class MalformedPacket(Exception):  # noqa: N818 - MQTT's own word
    """What the broker sent is no MQTT; its one argument says what is wrong with it."""


Packet = tuple[PacketType, int, bytes]
"""Type, flags (the low four bits), and what follows the length."""


class Splitter:
    """Cuts one connection's stream into packets.

    Args:
        v5: whether the connection speaks MQTT 5.
        packet_bytes_max: longest packet that is taken.
        alias_max: highest topic alias that was allowed to the broker (MQTT 5).
    """

    def __init__(
        self, *, v5: bool, packet_bytes_max: int = PACKET_BYTES_MAX, alias_max: int = 0
    ) -> None:
        self._v5 = v5
        self._packet_bytes_max = packet_bytes_max
        self._alias_max = alias_max
        self._aliases: dict[int, str] = {}
        self._names: dict[bytes, str] = {}
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 2

    def feed(self, data: bytes) -> tuple[Messages, list[Packet]]:
        """All whole packets in what came so far; the rest waits for more.

        Messages have no bursts yet. Raises MalformedPacket; the stream is then of no more use.
        """
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return Messages(), []
        stream = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        messages = Messages()
        others: list[Packet] = []
        try:
            end = self._cut(stream, messages, others)
        except IndexError:
            raise MalformedPacket("a PUBLISH that ends within its header") from None
        self._parts = [stream[end:]] if end < len(stream) else []
        self._have = len(stream) - end
        return messages, others

    def _cut(self, stream: bytes, messages: Messages, others: list[Packet]) -> int:
        """Take all whole packets of ``stream``; where the last of them ends.

        One turn a packet, with as little in it as can be: this is what every message costs.
        """
        tell, pay = messages.topics.append, messages.payloads.append
        mark, name_it = messages.heads.append, messages.packet_ids.append
        known, v5 = self._names.get, self._v5
        at, end, size = 0, len(stream), 0
        self._need = 2
        while at + 2 <= end:
            head, length = stream[at], stream[at + 1]
            body = at + 2
            if length > 127:
                length, body = self._long(stream, at)
                if not body:
                    break
            stop = body + length
            if stop > end:
                self._need = stop - at
                break
            at = stop
            if head >> 4 != _PUBLISH:
                others.append(_packet(head, stream[body:stop]))
                continue
            after = body + 2 + (stream[body] << 8 | stream[body + 1])
            raw = stream[body + 2 : after]
            packet_id = 0
            if head & QOS:
                packet_id = stream[after] << 8 | stream[after + 1]
                after += 2
            topic = known(raw) or self._named(raw)
            if v5:
                if stream[after] or not raw:
                    topic, after = self._properties(stream, after, stop, raw)
                else:
                    after += 1
            if after > stop or not topic or (head & QOS > 0) != (packet_id > 0):
                raise MalformedPacket("a PUBLISH without topic or packet id, or cut short")
            if head & (DUP | QOS) in _FORBIDDEN:
                raise MalformedPacket("a PUBLISH of QoS 3, or a copy of QoS 0")
            tell(topic)
            pay(stream[after:stop])
            mark(head & 15)
            name_it(packet_id)
            size += length
        messages.size = size + MESSAGE_OVERHEAD_BYTES * len(messages.topics)
        return at

    def _long(self, stream: bytes, at: int) -> tuple[int, int]:
        """The length of the packet at ``at`` and where its body begins; 0: not all there."""
        length = 0
        for place in range(_LENGTH_BYTES_MAX):
            if at + 1 + place >= len(stream):
                self._need = 2 + place
                return 0, 0
            octet = stream[at + 1 + place]
            length |= (octet & 127) << 7 * place
            if octet < 128:
                if length > self._packet_bytes_max:
                    told = f"a packet of {length} bytes is over {self._packet_bytes_max}"
                    raise MalformedPacket(told)
                return length, at + 2 + place
        raise MalformedPacket("a length of more than four bytes")

    def _named(self, raw: bytes) -> str:
        """A topic's name, kept to be given again."""
        topic = topic_named(raw)
        if len(raw) <= NAME_BYTES_MAX:
            if len(self._names) >= NAMES_MAX:
                self._names.clear()
            self._names[raw] = topic
        return topic

    def _properties(self, stream: bytes, at: int, stop: int, name: bytes) -> tuple[str, int]:
        """The topic of a PUBLISH of MQTT 5, and where its payload begins."""
        length, first = varint(stream, at, stop)
        end = first + length
        if end > stop:
            raise MalformedPacket("properties that end beyond their packet")
        alias = publish_alias(stream, first, end)
        topic = self._named(name)
        if alias:
            if alias > self._alias_max:
                raise MalformedPacket(f"topic alias {alias}, {self._alias_max} were allowed")
            if name:
                self._aliases[alias] = topic
            elif alias not in self._aliases:
                raise MalformedPacket(f"topic alias {alias} that stands for nothing")
            topic = self._aliases[alias]
        return topic, end


def publish_alias(stream: bytes, at: int, end: int) -> int:
    """The topic alias among the properties of a PUBLISH, 0 when there is none [3.3.2.3]."""
    alias = 0
    while at < end:
        code = stream[at]
        at += 1
        match code:
            case 0x01:  # payload format
                at += 1
            case 0x02:  # message expiry
                at += 4
            case 0x23:
                if at + 2 > end:
                    break
                alias, at = int.from_bytes(stream[at : at + 2], "big"), at + 2
                if alias == 0:
                    raise MalformedPacket("topic alias 0")
            case 0x03 | 0x08 | 0x09:  # content type, response topic, correlation data
                at += 2 + int.from_bytes(stream[at : at + 2], "big")
            case 0x26:  # user property
                for _ in range(2):
                    at += 2 + int.from_bytes(stream[at : at + 2], "big")
            case 0x0B:  # subscription identifier
                _, at = varint(stream, at, end)
            case _:
                raise MalformedPacket(f"property {code:#04x} in a PUBLISH")
    if at != end:
        raise MalformedPacket("a property that ends beyond the others")
    return alias


def acknowledgements(packet_ids: Sequence[int], heads: Sequence[int]) -> bytes:
    """PUBACKs for QoS 1 and PUBRECs for QoS 2, in the order given, in one piece; none for QoS 0."""
    kind = np.array(heads, np.uint8) & QOS
    answered = kind > 0
    out = np.empty((int(answered.sum()), 4), np.uint8)
    out[:, 0] = np.where(kind[answered] == _QOS_2, PacketType.PUBREC << 4, PacketType.PUBACK << 4)
    out[:, 1] = 2
    ids: NDArray[Any] = np.array(packet_ids, ">u2")[answered]
    out[:, 2:] = ids.view(np.uint8).reshape(-1, 2)
    return out.tobytes()


def _packet(head: int, body: bytes) -> Packet:
    try:
        return PacketType(head >> 4), head & 15, body
    except ValueError:
        raise MalformedPacket(f"packet type {head >> 4}") from None


def varint(stream: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable byte integer [1.5.5], and where it ends."""
    value = 0
    for place in range(_LENGTH_BYTES_MAX):
        if at >= end:
            break
        octet = stream[at]
        at += 1
        value |= (octet & 127) << 7 * place
        if octet < 128:
            return value, at
    raise MalformedPacket("a variable length that does not end")
