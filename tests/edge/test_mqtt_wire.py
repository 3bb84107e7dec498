"""The codec, with paho as the reference peer: we read what it writes, and write what it does."""

import itertools
import socket
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.message import DUP, MESSAGE_OVERHEAD_BYTES, QOS, QOS_SHIFT, RETAIN, Messages
from edge.mqtt_wire import (
    NAME_BYTES_MAX,
    MalformedPacket,
    Packet,
    PacketType,
    Splitter,
    acknowledgements,
)
from edge.mqtt_wire_control import (
    Connect,
    connect,
    pubcomp,
    read_connack,
    read_disconnect,
    read_id,
    read_properties,
    read_suback,
    reason,
    subscribe,
)

TOPICS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=40
)
Publication = tuple[str, bytes, int, bool]
PUBLICATIONS = st.lists(
    st.tuples(TOPICS, st.binary(max_size=300), st.integers(0, 2), st.booleans()), max_size=12
)


class Peer:
    """A paho client whose socket we hold the other end of."""

    def __init__(self, *, v5: bool) -> None:
        self.v5 = v5
        version = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
        clean = None if v5 else False
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, "gw", clean_session=clean, protocol=version
        )
        self.client.max_inflight_messages_set(0)
        near, self.far = socket.socketpair()
        self.far.settimeout(5)
        self.client._sock = near
        self.client._state = paho._ConnectionState.MQTT_CS_CONNECTED

    def wrote(self) -> bytes:
        """All that paho has written so far."""
        while self.client.want_write():
            self.client.loop_write()
        self.client._sock.shutdown(socket.SHUT_WR)  # type: ignore[union-attr]
        parts = []
        while data := self.far.recv(1 << 16):
            parts.append(data)
        self.far.close()
        self.client._sock.close()  # type: ignore[union-attr]
        self.client._sock = None
        return b"".join(parts)


def fed(
    stream: bytes, cuts: list[int], *, v5: bool, **limits: int
) -> tuple[Messages, list[Packet]]:
    """What a splitter makes of a stream that arrives in pieces."""
    splitter, told, others = Splitter(v5=v5, **limits), Messages(), []
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, stop in itertools.pairwise(bounds):
        messages, packets = splitter.feed(stream[start:stop])
        told.extend(messages)
        others += packets
    return told, others


@given(PUBLICATIONS, st.booleans(), st.lists(st.integers(0, 5000), max_size=6))
@example([("t", b"x" * 300, 1, False)] * 3, True, [1, 2, 3])
def test_what_paho_publishes_is_read_however_it_is_cut(
    sent: list[Publication], v5: bool, cuts: list[int]
) -> None:
    peer = Peer(v5=v5)
    for topic, payload, qos, retain in sent:
        peer.client.publish(topic, payload, qos, retain)
    told, others = fed(peer.wrote(), cuts, v5=v5)
    assert others == []
    assert list(zip(told.topics, told.payloads, strict=True)) == [one[:2] for one in sent]
    assert [(head & QOS) >> QOS_SHIFT for head in told.heads] == [one[2] for one in sent]
    assert [bool(head & RETAIN) for head in told.heads] == [one[3] for one in sent]
    for packet_id, head in zip(told.packet_ids, told.heads, strict=True):
        assert bool(packet_id) == bool(head & QOS)


@given(st.dictionaries(st.integers(1, 9), st.binary(max_size=20), max_size=4), st.booleans())
def test_properties_of_a_publication_are_passed_over_and_aliases_stand_for_their_topics(
    told: dict[int, bytes], user: bool
) -> None:
    stream, expected = b"", []
    for turn in range(2):
        for alias, payload in told.items():
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.TopicAlias = alias
            properties.MessageExpiryInterval = 60
            properties.ContentType = "text/plain"
            properties.PayloadFormatIndicator = 0
            if user:
                properties.UserProperty = [("a", "b"), ("c", "d")]
            packed = properties.pack()  # type: ignore[no-untyped-call]
            name = f"device/{alias}".encode() if turn == 0 else b""
            body = len(name).to_bytes(2, "big") + name + b"\0\x07" + packed + payload
            stream += b"\x32" + bytes((len(body),)) + body
            expected.append((f"device/{alias}", payload))
    heard, _ = fed(stream, [], v5=True, alias_max=9)
    assert list(zip(heard.topics, heard.payloads, strict=True)) == expected
    if told:
        with pytest.raises(MalformedPacket, match="alias"):
            fed(stream, [], v5=True, alias_max=0)


def test_equal_topics_are_one_object_and_sizes_are_counted() -> None:
    packet = b"\x30\x06\x00\x03a/b1"
    told, _ = fed(packet * 3, [], v5=False)
    assert told.topics[0] is told.topics[2]
    assert told.size >= 3 * (len("a/b") + 1 + MESSAGE_OVERHEAD_BYTES)


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        (b"\x36\x06\x00\x01a\x00\x011", "QoS 3"),
        (b"\x38\x04\x00\x01a1", "copy of QoS 0"),
        (b"\x32\x06\x00\x01a\x00\x001", "packet id"),
        (b"\x30\x03\x00\x09a", "header|cut short"),
        (b"\x30\x00", "header"),
        (b"\x30\x02\x00\x00", "without topic"),
        (b"\x30\xff\xff\xff\xff\x01", "four bytes"),
        (b"\x30\xff\xff\xff\x7f", "is over"),
        (b"\x00\x00", "packet type 0"),
    ],
)
def test_what_is_no_mqtt_is_named(stream: bytes, cause: str) -> None:
    with pytest.raises(MalformedPacket, match=cause):
        fed(stream, [], v5=False, packet_bytes_max=1 << 20)


@given(st.binary(max_size=400), st.booleans(), st.lists(st.integers(0, 400), max_size=4))
def test_whatever_comes_is_read_or_refused_by_name(noise: bytes, v5: bool, cuts: list[int]) -> None:
    try:
        told, others = fed(noise, cuts, v5=v5, packet_bytes_max=300)
    except MalformedPacket:
        return
    assert sum(map(len, told.payloads)) <= len(noise)
    assert len(told) + len(others) <= len(noise) // 2


@given(st.data(), PUBLICATIONS.filter(bool), st.booleans())
def test_a_flipped_byte_is_read_or_refused_by_name(
    data: st.DataObject, sent: list[Publication], v5: bool
) -> None:
    peer = Peer(v5=v5)
    for topic, payload, qos, retain in sent:
        peer.client.publish(topic, payload, qos, retain)
    stream = bytearray(peer.wrote())
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] ^= data.draw(st.integers(1, 255))
    try:
        fed(bytes(stream), [], v5=v5)
    except MalformedPacket:
        return


@pytest.mark.parametrize("v5", [True, False])
def test_we_connect_as_paho_does(v5: bool) -> None:
    peer = Peer(v5=v5)
    peer.client.username_pw_set("user", "secret")
    if v5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0xFFFF_FFFF
        properties.ReceiveMaximum = 2000
        properties.MaximumPacketSize = 4 << 20
        peer.client._connect_properties = properties
    peer.client._keepalive = 30
    peer.client._clean_start = False
    peer.client._send_connect(30)
    asked = Connect("gw", 30, "user", "secret", 0xFFFF_FFFF, 2000, 4 << 20)
    assert connect(asked, v5=v5) == peer.wrote()


@pytest.mark.parametrize("v5", [True, False])
def test_we_subscribe_as_paho_does(v5: bool) -> None:
    peer = Peer(v5=v5)
    filters = ("plant/#", "+/größe")
    if v5:
        once = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        peer.client.subscribe([(name, once) for name in filters])
    else:
        peer.client.subscribe([(name, 1) for name in filters])
    assert subscribe(1, filters, 1, v5=v5) == peer.wrote()


@given(st.lists(st.tuples(st.integers(1, 65535), st.integers(0, 2)), max_size=20))
def test_acknowledgements_are_those_of_the_messages_in_their_order(
    told: list[tuple[int, int]],
) -> None:
    written = acknowledgements([id_ for id_, _ in told], [qos << QOS_SHIFT for _, qos in told])
    kind = {1: PacketType.PUBACK, 2: PacketType.PUBREC}
    expected = [bytes((kind[qos] << 4, 2)) + id_.to_bytes(2, "big") for id_, qos in told if qos]
    assert written == b"".join(expected)


def test_every_reason_is_told_in_pahos_words() -> None:
    for type_ in (PacketTypes.CONNACK, PacketTypes.DISCONNECT):
        for code in range(256):
            try:
                known: Any = ReasonCode(type_, identifier=code)
            except (KeyError, ValueError):
                continue
            if code and str(known) != "Success":
                assert reason(code, {}, v5=True) == str(known), code


def test_answers_are_read_with_their_properties() -> None:
    told = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    told.ServerKeepAlive = 17
    told.ReasonString = "because"
    told.AssignedClientIdentifier = "x"
    told.UserProperty = ("a", "b")
    packed = told.pack()  # type: ignore[no-untyped-call]
    answer = read_connack(b"\x01\x87" + packed, v5=True)
    assert (answer.resumed, answer.code, answer.properties[0x13]) == (True, 0x87, 17)
    assert reason(answer.code, answer.properties, v5=True) == "Not authorized: because"
    assert read_connack(b"\x00\x01", v5=True).code == 1, "a broker that only speaks 3.1.1"
    assert read_suback(b"\x00\x05\x00\x01\x87", v5=True) == (5, b"\x01\x87")
    assert read_suback(b"\x00\x05\x01\x80", v5=False) == (5, b"\x01\x80")
    assert read_disconnect(b"") == (0, {})
    assert read_disconnect(b"\x8e")[0] == 0x8E
    assert pubcomp(read_id(b"\x12\x34")) == b"\x70\x02\x12\x34"


@given(st.binary(max_size=60))
def test_answers_of_noise_are_read_or_refused_by_name(noise: bytes) -> None:
    for read in (
        lambda: read_connack(noise, v5=True),
        lambda: read_suback(noise, v5=True),
        lambda: read_disconnect(noise),
        lambda: read_properties(noise, 0),
        lambda: read_id(noise),
    ):
        try:
            read()
        except MalformedPacket:
            continue


def test_a_copy_says_so() -> None:
    assert fed(b"\x3a\x06\x00\x01a\x00\x071", [], v5=False)[0].heads == [DUP | 1 << QOS_SHIFT]


def test_long_topics_of_strangers_are_not_kept() -> None:
    splitter = Splitter(v5=False, packet_bytes_max=1 << 20)
    peer = Peer(v5=False)
    names = [str(number) * (NAME_BYTES_MAX + 1) for number in range(2, 9)]
    for name in ["short", *names]:
        peer.client.publish(name, b"1")
    told, _ = splitter.feed(peer.wrote())
    assert told.topics == ["short", *names]
    assert list(splitter._names) == [b"short"]
