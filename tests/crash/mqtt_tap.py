"""Reads what passes between a broker and the agent: PUBLISH down, PUBACK up, MQTT 3.1.1 and 5."""

from collections import deque
from collections.abc import Iterator

from tests.crash.verdict import Heard, number_in

PUBLISH, PUBACK, CONNECT = 3, 4, 1


class Packets:
    """Cuts a stream of bytes into MQTT packets: (type, flags, body)."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        self._held += data
        while (found := varint(self._held, 1)) is not None:
            length, start = found
            if len(self._held) < start + length:
                return
            head = self._held[0]
            body = bytes(self._held[start : start + length])
            del self._held[: start + length]
            yield head >> 4, head & 15, body


def varint(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """A variable byte integer and where it ends; None when there is not all of it."""
    value = 0
    for index in range(4):
        if at + index >= len(data):
            return None
        value |= (data[at + index] & 127) << 7 * index
        if not data[at + index] & 128:
            return value, at + index + 1
    raise ValueError("no length of MQTT")


class MqttTap:
    """One connection; what it learns goes to ``heard``, which outlives it.

    A broker that overshoots the receive window may give one packet id to several messages in
    flight. Acknowledgements come in the order of arrival: one is of the oldest.
    """

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._up, self._down = Packets(), Packets()
        self._in_flight: dict[int, deque[int]] = {}
        self._is_v5 = False

    def up(self, data: bytes) -> None:
        for kind, _, body in self._up.feed(data):
            if kind == CONNECT:
                self._is_v5 = body[2 + int.from_bytes(body[:2])] == 5
            elif kind == PUBACK:
                refused = len(body) > 2 and body[2] >= 128
                waiting = self._in_flight.get(int.from_bytes(body[:2]))
                if waiting:
                    number = waiting.popleft()
                    if not refused:
                        self._heard.puback(number)

    def down(self, data: bytes) -> None:
        for kind, flags, body in self._down.feed(data):
            if kind == PUBLISH and flags >> 1 & 3 == 1:
                self._published(body, dup=bool(flags & 8))

    def _published(self, body: bytes, *, dup: bool) -> None:
        at = 2 + int.from_bytes(body[:2])
        topic, packet_id = body[2:at].decode(), int.from_bytes(body[at : at + 2])
        at += 2
        if self._is_v5:
            properties = varint(body, at)
            assert properties is not None
            at = properties[1] + properties[0]
        number = number_in(topic, body[at:])
        if number is not None:
            self._in_flight.setdefault(packet_id, deque()).append(number)
            self._heard.delivered(number, packet_id, dup)
