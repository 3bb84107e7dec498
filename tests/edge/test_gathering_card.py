"""When what was read is committed on a card that is to be spared."""

from dataclasses import replace

from edge.detect.found import Found
from edge.gathering import MESSAGES_ENOUGH, Gathering
from protos.records import scores
from tests.edge.test_gathering import AT_S, LINGER, gathered, messages, part

SPARING = replace(LINGER, spare_s=5.0)


def trickled(made: Gathering, start_s: float, count: int, each_s: float) -> float:
    """Messages that come one by one; when the last of them came."""
    for n in range(count):
        made.add(part(), None, messages(1, first=n + 1), start_s + n * each_s)
    return start_s + (count - 1) * each_s


def test_a_card_that_is_to_be_spared_has_commits_far_apart_but_not_the_first() -> None:
    made = Gathering()
    trickled(made, AT_S, 3, 0.2)
    assert made.due_s(SPARING, steady=False) == AT_S
    made.take(AT_S + 0.5)
    trickled(made, AT_S + 0.6, 20, 0.2)
    assert made.due_s(SPARING, steady=False) == AT_S + 0.5 + SPARING.spare_s


def test_what_fills_a_chunk_or_the_brokers_window_does_not_wait_for_the_card() -> None:
    made = gathered(5)
    made.take(AT_S)
    trickled(made, AT_S + 1, 10, 0.1)
    assert made.due_s(replace(SPARING, enough_max=10), steady=False) == AT_S + 1
    full = gathered(5)
    full.take(AT_S)
    full.add(part(MESSAGES_ENOUGH), None, messages(MESSAGES_ENOUGH), AT_S + 1)
    assert full.due_s(SPARING, steady=True) == AT_S + 1


def test_an_anomaly_does_not_wait_for_the_card_and_what_is_only_remembered_does() -> None:
    made = gathered(5)
    made.take(AT_S)
    made.add(part(), Found(kept=(("a", b"1"),)), messages(1), AT_S + 1)
    assert made.due_s(SPARING, steady=False) == AT_S + SPARING.spare_s
    found = Found(scores([1], [1], [1.0], [9.0], [3.0], ["m 1"]))
    made.add(part(), found, messages(1), AT_S + 1.2)
    assert made.due_s(SPARING, steady=False) == AT_S + 1
    made.take(AT_S + 1.3)
    made.add(part(), None, messages(1), AT_S + 1.4)
    assert made.due_s(SPARING, steady=False) == AT_S + 1.3 + SPARING.spare_s


def test_a_broker_that_sends_few_until_it_has_pubacks_is_not_kept_waiting() -> None:
    made, now_s = gathered(1), AT_S
    made.take(now_s)
    trickled(made, AT_S + 0.01, 2, 0.0)
    due_s = made.due_s(SPARING, steady=False)
    assert due_s == AT_S + SPARING.spare_s
    made.take(due_s)
    trickled(made, due_s + 0.02, 2, 0.0)  # held back until then: two are all it has under way
    assert made.due_s(SPARING, steady=False) == due_s + 0.02
    made.take(due_s + 0.03)
    trickled(made, due_s + 0.04, 3, 0.0)  # but more than two: it is another broker
    assert made.due_s(SPARING, steady=False) == due_s + 0.03 + SPARING.spare_s


def test_sensors_that_speak_seldom_are_no_such_broker() -> None:
    made, now_s = gathered(1), AT_S
    made.take(now_s)
    for _ in range(20):
        made.add(part(), None, messages(1), now_s + 3.0)
        due_s = made.due_s(SPARING, steady=False)
        assert due_s == now_s + SPARING.spare_s
        made.take(due_s)
        now_s = due_s
