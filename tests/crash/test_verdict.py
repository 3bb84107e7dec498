"""The campaign's own judgement: it must be able to find what it looks for."""

import pytest

from tests.crash.mqtt_tap import MqttTap
from tests.crash.publisher import packet
from tests.crash.verdict import Heard, message, number_in

TIMED, UNTIMED = 3, 4


def told(*deliveries: tuple[int, int, bool], acked: tuple[int, ...] = ()) -> Heard:
    heard = Heard()
    for number, packet_id, dup in deliveries:
        heard.delivered(number, packet_id, dup)
    for number in acked:
        heard.puback(number)
    return heard


def test_an_acknowledged_reading_that_is_not_in_history_is_lost() -> None:
    heard = told((TIMED, 1, False), (UNTIMED, 2, False), acked=(TIMED,))
    verdict = heard.judge({})
    assert (verdict.acknowledged, verdict.lost, verdict.doubled) == (1, [TIMED], [])


def test_a_second_copy_is_doubled_when_it_could_be_recognised() -> None:
    heard = told((TIMED, 1, False), (TIMED, 9, False), (UNTIMED, 2, False), (UNTIMED, 2, True))
    verdict = heard.judge({TIMED: 2, UNTIMED: 2})
    assert (verdict.doubled, verdict.doubled_untimed) == ([TIMED, UNTIMED], 0)


@pytest.mark.parametrize(("packet_id", "dup"), [(2, False), (7, True), (7, False)])
def test_an_untimed_copy_that_nobody_could_recognise_is_counted_apart(
    packet_id: int, dup: bool
) -> None:
    heard = told((UNTIMED, 2, False), (UNTIMED, packet_id, dup), acked=(UNTIMED,))
    verdict = heard.judge({UNTIMED: 2})
    assert (verdict.doubled, verdict.doubled_untimed) == ([], 1)
    assert heard.judge({UNTIMED: 3}).doubled == [UNTIMED]


def test_what_was_never_delivered_and_is_in_history_is_foreign() -> None:
    assert told((TIMED, 1, False)).judge({TIMED: 1, 999: 1}).foreign == 1


def test_the_wire_is_read_byte_by_byte_and_a_refusing_puback_is_none() -> None:
    heard = Heard()
    tap = MqttTap(heard)
    for byte in packet(7) + packet(8):
        tap.down(bytes([byte]))
    assert heard.deliveries == 2
    tap.up(bytes([0x40, 2, 0, 8]))
    tap.up(bytes([0x40, 3, 0, 9, 0x80]))
    assert (heard.acknowledged, bytes(heard.acked[7:9])) == (1, b"\1\0")


def test_an_acknowledgement_is_of_the_oldest_message_with_its_packet_id() -> None:
    heard = Heard()
    tap = MqttTap(heard)
    first, later = 7, 7 + 65535  # of one packet id, as the publisher gives them
    tap.down(packet(first) + packet(later))
    tap.up(bytes([0x40, 2, 0, 8]))
    assert (heard.acked[first], heard.acked[later]) == (1, 0)
    tap.up(bytes([0x40, 2, 0, 8]))
    assert heard.acked[later] == 1


@pytest.mark.parametrize("number", range(6))
def test_every_kind_of_message_says_its_number(number: int) -> None:
    assert number_in(*message(number)) == number
    assert number_in("plant/pump1", b"{}") is None
