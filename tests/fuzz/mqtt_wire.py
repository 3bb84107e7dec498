"""What a broker, or who poses as one, sends: read alike however it is cut, or refused by name.

The first byte says the version and how the rest is cut. What was read is written anew and read
again; every packet that is no publication is handed to its reader, as the link does. `mutate`
works within one packet and mends its length, so that what lies behind that is reached.
"""

from collections.abc import Callable
from random import Random

from edge.message import (
    DUP,
    MESSAGE_OVERHEAD_BYTES,
    QOS,
    QOS_SHIFT,
    UNREADABLE_TOPIC,
    Messages,
)
from edge.mqtt_wire import (
    MalformedPacket,
    Packet,
    PacketType,
    Splitter,
    acknowledgements,
    varint,
)
from edge.mqtt_wire_control import (
    read_connack,
    read_disconnect,
    read_id,
    read_suback,
    reason,
)

INPUT_BYTES_MAX = 1 << 14
MEMORY_MAX = 8 << 20
"""Most by far is what three readings of 5,000 publications of three bytes keep."""
PACKET_BYTES_MAX = 1 << 13
ALIAS_MAX = 4
WORDS = [b"\x02\x00\x00\x00\x3c", b"\x23\x00\x01", b"\x26\x00\x01a\x00\x01b", b"\x0b\x80\x01",
         b"\x1f\x00\x04nope", b"\x13\x00\x1e", b"\x21\xff\xff", b"\xff\xff\xff\x7f"]  # fmt: skip

Mutate = Callable[[bytes, int], bytes]
Said = tuple[Messages, list[Packet]]


def packet(head: int, body: bytes) -> bytes:
    """A packet with the length that its body has."""
    size, length = len(body), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes((head, *length, size)) + body


def publication(topic: str, payload: bytes, head: int, packet_id: int, properties: bytes) -> bytes:
    """A PUBLISH; ``properties`` with their length, empty before MQTT 5."""
    name = topic.encode()
    middle = packet_id.to_bytes(2, "big") if head & QOS else b""
    return packet(0x30 | head, len(name).to_bytes(2, "big") + name + middle + properties + payload)


def seeds() -> list[bytes]:
    """A session in each version: answer, grant, publications of every kind, goodbye."""
    made = []
    for v5 in (False, True):
        none = b"\0" if v5 else b""
        alias = b"\x03\x23\x00\x01" if v5 else b""
        told = b"\x10\x02\x00\x00\x00\x3c\x26\x00\x01a\x00\x01b\x01\x01" if v5 else b""
        stream = packet(0x20, b"\0\0" + (b"\x03\x13\x00\x1e" if v5 else b""))
        stream += packet(0x90, b"\0\x01" + none + b"\x01\x80")
        stream += publication("plant/a", b'{"t":21.5}', 0x02, 7, none)
        stream += publication("plant/a", b"21.5", 0x0A, 8, alias or none)
        stream += publication("gr\u00f6\u00dfe", b"x" * 200, 0x04, 9, told)
        stream += publication("a/#", b"", 0x01, 0, none)
        stream += packet(0x62, b"\0\x09") + packet(0xD0, b"")
        if v5:
            stream += publication("", b"1", 0x02, 10, alias)
            stream += packet(0xE0, b"\x8e\x07\x1f\x00\x04nope")
        made += [bytes((v5 | cut << 1,)) + stream for cut in (0, 1, 7)]
    refused = packet(0x20, b"\0\x87\x07\x1f\x00\x04nope")
    return [*made, b"\1" + refused, b"\0" + packet(0x20, b"\0\x05"), b"\1" + packet(0xE0, b"")]


def check(data: bytes) -> None:
    """Raise unless the stream is read soundly, the same in one piece and in many, or refused."""
    how, stream = data[0] if data else 0, data[1:]
    v5, cut = bool(how & 1), how >> 1
    whole, pieces = read([stream], v5=v5), read(cut_up(stream, cut), v5=v5)
    assert (whole is None) == (pieces is None), "refused only in one piece, or only in many"
    if whole is None or pieces is None:
        return
    assert rows(whole[0]) == rows(pieces[0]), "publications that depend on where they are cut"
    assert whole[1] == pieces[1], "packets that depend on where they are cut"
    check_messages(whole[0], len(stream), v5=v5)
    for one in whole[1]:
        take(one, v5=v5)


def read(parts: list[bytes], *, v5: bool) -> Said | None:
    """All that a splitter finds; None when it refuses the stream."""
    splitter = Splitter(v5=v5, packet_bytes_max=PACKET_BYTES_MAX, alias_max=ALIAS_MAX)
    messages, packets = Messages(), []
    try:
        for part in parts:
            some, others = splitter.feed(part)
            messages.extend(some)
            packets += others
    except MalformedPacket:
        return None
    return messages, packets


def cut_up(stream: bytes, how: int) -> list[bytes]:
    """The stream in pieces of a few bytes, or in two."""
    if not how:
        return [stream]
    if how < 64:
        return [stream[at : at + how] for at in range(0, len(stream), how)]
    at = len(stream) * (how - 64) // 64
    return [stream[:at], stream[at:]]


def rows(messages: Messages) -> list[tuple[str, bytes, int, int]]:
    columns = (messages.topics, messages.payloads, messages.heads, messages.packet_ids)
    return list(zip(*columns, strict=True))


def check_messages(messages: Messages, size: int, *, v5: bool) -> None:
    found = rows(messages)
    told = sum(len(topic) + len(payload) for topic, payload, _, _ in found)
    assert messages.size >= len(found) * MESSAGE_OVERHEAD_BYTES
    assert sum(len(payload) for _, payload, _, _ in found) <= size
    assert len(found) <= size // 2
    again = b""
    for topic, payload, head, packet_id in found:
        assert topic == UNREADABLE_TOPIC or not set(topic) & set("+#\0"), "no topic"
        assert (packet_id > 0) == (head & QOS > 0)
        assert head >> QOS_SHIFT & 3 < 3
        assert head & QOS or not head & DUP
        again += publication(topic, payload, head, packet_id, b"\0" if v5 else b"")
    if told < PACKET_BYTES_MAX:
        back = read([again], v5=v5)
        assert back is not None
        assert rows(back[0]) == found, "publications that do not come back"
    answers = acknowledgements(messages.packet_ids, messages.heads)
    assert len(answers) == 4 * sum(head & QOS > 0 for head in messages.heads)


def take(one: Packet, *, v5: bool) -> None:
    """Read a packet as the link does."""
    type_, _, body = one
    try:
        match type_:
            case PacketType.CONNACK:
                answer = read_connack(body, v5=v5)
                assert reason(answer.code, answer.properties, v5=v5)
            case PacketType.SUBACK:
                read_suback(body, v5=v5)
            case PacketType.PUBREL:
                assert 0 <= read_id(body) < 1 << 16
            case PacketType.DISCONNECT:
                assert reason(*read_disconnect(body), v5=True)
            case _:
                return
    except MalformedPacket:
        return


def mutate(data: bytes, size_max: int, seed: int, mutate_bytes: Mutate) -> bytes:
    """Another input: mostly one packet of the stream with other contents, its length mended."""
    chance = Random(seed)
    found = bounds(data)
    if not found or chance.random() < 0.2:
        return mutate_bytes(data, size_max)
    start, body, stop = chance.choice(found)
    match chance.randrange(4):
        case 0:  # said twice
            made = data[:stop] + data[start:]
        case 1:  # left out
            made = data[:start] + data[stop:]
        case _:
            other = mutate_bytes(data[body:stop], min(size_max, PACKET_BYTES_MAX))
            made = data[:start] + packet(data[start], other) + data[stop:]
    return made if len(made) <= size_max else mutate_bytes(data, size_max)


def bounds(data: bytes) -> list[tuple[int, int, int]]:
    """Where each whole packet behind the first byte begins, its body begins, and it ends."""
    found, at = [], 1
    while at + 2 <= len(data):
        try:
            length, body = varint(data, at + 1, len(data))
        except MalformedPacket:
            break
        if body + length > len(data):
            break
        found.append((at, body, body + length))
        at = body + length
    return found
