"""What a broker, or whoever publishes on it, may cost by the packets it sends."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.message import MESSAGE_OVERHEAD_BYTES
from edge.mqtt_wire import (
    NAME_BYTES_MAX,
    NAMES_BYTES_MAX,
    PARTS_MAX,
    MalformedPacket,
    Splitter,
)
from edge.mqtt_wire_control import reason
from tests.edge.test_mqtt_wire import fed


def test_names_of_strangers_are_bounded_together() -> None:
    splitter, most = Splitter(v5=False), NAMES_BYTES_MAX // NAME_BYTES_MAX
    for number in range(2 * most):
        topic = f"{number:0{NAME_BYTES_MAX}}".encode()
        splitter.feed(b"\x30\x83\x04" + len(topic).to_bytes(2, "big") + topic + b"1")
    assert len(splitter._names) <= most


def test_a_packet_in_pieces_of_a_byte_waits_in_few_of_them() -> None:
    splitter = Splitter(v5=False)
    packet = b"\x30\x90\x4e\x00\x01a" + bytes(9997)
    for at in range(len(packet) - 1):
        told, _ = splitter.feed(packet[at : at + 1])
        assert len(told) == 0
        assert len(splitter._parts) <= PARTS_MAX + 1
    assert splitter.feed(packet[-1:])[0].payloads == [bytes(9997)]


LONG = b"\x32\xd0\x0f\x00\x01a\x00\x07" + b"x" * 1995


@given(st.lists(st.integers(0, 5000), max_size=9))
@example([])
@example([303, 304])
@example(list(range(2050)))
def test_of_a_publication_that_is_too_long_the_beginning_is_taken(cuts: list[int]) -> None:
    stream = b"\x30\x04\x00\x01b1" + LONG + LONG + b"\x30\x04\x00\x01c2"
    told, others = fed(stream, cuts, v5=False, packet_bytes_max=300)
    assert (told.topics, others) == (["b", "a", "a", "c"], [])
    assert told.packet_ids == [0, 7, 7, 0]
    assert told.payloads == [b"1", b"x" * 295, b"x" * 295, b"2"]
    assert told.size == 8 + 600 + 4 * MESSAGE_OVERHEAD_BYTES


def test_a_broker_of_mqtt_5_was_told_what_is_too_long() -> None:
    with pytest.raises(MalformedPacket, match="is over"):
        fed(LONG, [], v5=True, packet_bytes_max=300)


def test_what_a_broker_says_for_itself_commands_no_terminal_and_fills_no_log() -> None:
    told = reason(0x87, {0x1F: b"\x1b[2J\n" + b"x" * 60_000}, v5=True)
    assert told.startswith("Not authorized: \\x1b[2J\\nxxx")
    assert len(told) < 400
