"""What is said on the topics of a command: one word for each change, within its limits."""

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.detect.command_slots import LATE_S, MINUTE_S, SLOTS_MAX, Slots, Word
from edge.detect.rules import Turn
from edge.settings_watch import Command, Watch, When
from protos.series import SeriesKey

WATCH = Watch(when=When.ABOVE, limit=80.0)
TS_US = 1_700_000_000_123_456


def turn(is_open: bool, device: str = "boiler", watch: str = "hot", value: float = 91.5) -> Turn:
    key = SeriesKey(device, "temperature", unit="°C")
    return Turn(watch, key, is_open, TS_US, value, 1.14375)


def slots(reads: Any = lambda topic: False, **command: Any) -> Slots:
    plain = {"topic": "valve/set", "open": "shut", "close": "free", "per_minute_max": 600}
    return Slots("valve", Command(**plain | command), "hut", reads)


def said(one: Slots, now_s: float) -> list[str]:
    """Everything that may be said now, in order."""
    words: list[Word] = []
    while (slot := one.due(now_s)[0]) is not None:
        words.append(one.said(slot, now_s))
    return [word.payload.decode() for word in words]


def test_a_topic_is_told_open_with_the_first_anomaly_and_close_with_the_last() -> None:
    one = slots()
    for device in ("a", "b"):
        one.take(turn(True, device), WATCH, 0.0)
    assert said(one, 0.0) == ["shut"]
    one.take(turn(False, "a"), WATCH, 1.0)
    assert said(one, 1.0) == []
    one.take(turn(False, "b"), WATCH, 2.0)
    assert said(one, 2.0) == ["free"]


def test_a_topic_with_the_device_in_it_is_another_for_each() -> None:
    one = slots(topic="valve/{device}/set")
    one.take(turn(True, "a"), WATCH, 0.0)
    one.take(turn(True, "b"), WATCH, 0.0)
    slot, _ = one.due(0.0)
    assert slot is not None
    assert slot.topic == "valve/a/set"
    assert said(one, 0.0) == ["shut", "shut"]


def test_a_short_anomaly_is_said_whole_while_it_can_be_said_soon() -> None:
    one = slots()
    one.take(turn(True), WATCH, 0.0)
    one.take(turn(False), WATCH, 0.0)
    assert said(one, LATE_S - 1) == ["shut", "free"]
    one.take(turn(True), WATCH, 20.0)
    one.take(turn(False), WATCH, 20.0)
    assert said(one, 20.0 + LATE_S + 1) == []
    assert one.standing().left == 2


def test_what_is_open_is_said_however_late_and_a_close_that_was_not_said_is_taken_back() -> None:
    one = slots()
    one.take(turn(True), WATCH, 0.0)
    assert said(one, 9999.0) == ["shut"]
    one.take(turn(False), WATCH, 9999.0)
    one.take(turn(True), WATCH, 9999.5)
    assert said(one, 10_000.0) == []
    assert one.standing().left == 2
    one.take(turn(False), WATCH, 10_001.0)
    assert said(one, 10_001.0) == ["free"]


def test_no_more_than_so_many_are_said_in_a_minute_and_the_rest_waits() -> None:
    one = slots(topic="valve/{device}/set", per_minute_max=2)
    for device in ("a", "b", "c"):
        one.take(turn(True, device), WATCH, 0.0)
    assert len(said(one, 0.0)) == 2
    assert one.due(1.0) == (None, MINUTE_S)
    assert one.standing().waiting == 1
    assert len(said(one, MINUTE_S)) == 1


def test_after_a_close_an_open_waits_for_the_time_off_and_a_close_never_waits_for_it() -> None:
    one = slots(off_s_min=300.0)
    one.take(turn(True), WATCH, 0.0)
    one.take(turn(False), WATCH, 1.0)
    assert said(one, 1.0) == ["shut", "free"]
    one.take(turn(True), WATCH, 5.0)
    assert one.due(5.0) == (None, 301.0)
    assert said(one, 301.0) == ["shut"]


def test_a_payload_holds_the_fields_and_no_device_can_write_keys_of_its_own() -> None:
    template = (
        '{"d": "{device}", "m": "{metric}", "u": "{unit}", "g": "{gateway}", "w": "{watch}",'
        ' "s": "{state}", "v": {value}, "l": {limit}, "x": {score}, "t": "{time}"}'
    )
    one = slots(open=template)
    one.take(turn(True, 'x", "valve": "free'), WATCH, 0.0)
    (text,) = said(one, 0.0)
    assert json.loads(text) == {
        "d": 'x", "valve": "free', "m": "temperature", "u": "°C", "g": "hut", "w": "hot",
        "s": "open", "v": 91.5, "l": 80.0, "x": 1.14375, "t": "2023-11-14T22:13:20.123456Z",
    }  # fmt: skip
    other = slots(open='{"v": {value}}')
    other.take(turn(True, value=math.nan), WATCH, 0.0)
    assert json.loads(said(other, 0.0)[0]) == {"v": None}


@pytest.mark.parametrize("device", ["a+", "#", "b\0"])
def test_a_device_whose_name_makes_no_topic_is_refused_and_counted(device: str) -> None:
    one = slots(topic="valve/{device}/set")
    assert one.take(turn(True, device), WATCH, 0.0)
    assert (said(one, 0.0), one.standing().refused) == ([], 1)


def test_a_topic_that_the_gateway_would_read_is_refused_whatever_the_check_let_through() -> None:
    one = slots(lambda topic: topic == "valve/loop/set", topic="valve/{device}/set")
    assert "ingest.ignore" in one.take(turn(True, "loop"), WATCH, 0.0)
    assert one.take(turn(True, "other"), WATCH, 0.0) == ""
    assert one.standing().refused == 1


def test_topics_are_bounded_and_idle_ones_give_way() -> None:
    one = slots(topic="valve/{device}/set")
    for number in range(SLOTS_MAX):
        assert one.take(turn(True, f"d{number}"), WATCH, 0.0) == ""
    assert str(SLOTS_MAX) in one.take(turn(True, "more"), WATCH, 0.0)
    for now_s in (0.0, 60.0):
        said(one, now_s)
    one.take(turn(False, "d0"), WATCH, 61.0)
    while said(one, 200.0):
        pass
    said(one, 300.0)
    assert one.take(turn(True, "more"), WATCH, 301.0) == ""


def test_an_empty_payload_says_nothing_and_takes_no_room() -> None:
    one = slots(close="", per_minute_max=1)
    one.take(turn(True), WATCH, 0.0)
    assert said(one, 0.0) == ["shut"]
    one.take(turn(False), WATCH, 1.0)
    assert said(one, 1.0) == [""]
    one.take(turn(True), WATCH, MINUTE_S)
    assert said(one, MINUTE_S) == ["shut"]


def test_what_did_not_leave_is_said_again_unless_it_no_longer_holds() -> None:
    one = slots()
    one.take(turn(True), WATCH, 0.0)
    slot, _ = one.due(0.0)
    assert slot is not None
    slot.unsaid(one.said(slot, 0.0))
    assert one.kept == frozenset()
    assert said(one, 1.0) == ["shut"]
    one.take(turn(False), WATCH, 2.0)
    word = one.said(slot, 2.0)
    one.take(turn(True), WATCH, 2.1)  # while it is on its way
    slot.unsaid(word)
    assert said(one, 3.0) == []
    assert len(one.kept) == 1


moves = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.booleans(), st.sampled_from("ab")),
        st.tuples(st.just("say"), st.just(True), st.just("")),
        st.tuples(st.just("crash"), st.just(True), st.just("")),
        st.tuples(st.just("fail"), st.just(True), st.just("")),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(moves)
def test_words_alternate_over_restarts_and_failures_and_what_is_kept_is_what_was_said(
    story: list[tuple[str, bool, str]],
) -> None:
    """Nothing is said twice for one change: an open follows a close, and a close an open."""
    one, words, is_open, now_s = slots(), [], dict.fromkeys("ab", False), 0.0
    for move, opens, device in story:
        now_s += 0.5
        slot = one.due(now_s)[0]
        if move == "turn" and is_open[device] != opens:
            is_open[device] = opens
            one.take(turn(opens, device), WATCH, now_s)
        elif move == "say" and slot is not None:
            words.append(one.said(slot, now_s).payload)
        elif move == "fail" and slot is not None:
            slot.unsaid(one.said(slot, now_s))
        elif move == "crash":
            # What was kept is open again for the rules; the rest begins anew with its readings.
            kept, one = one.kept, slots()
            standing = [d for d in "ab" if _holder(d) in kept]
            for d in standing:
                one.restore(turn(True, d), now_s)
            for d in "ab":
                if is_open[d] != (d in standing):
                    one.take(turn(is_open[d], d), WATCH, now_s)
        assert bool(one.kept) == (words[-1:] == [b"shut"])
        standing = [d for d in "ab" if is_open[d]]
        if one.kept and standing:
            assert one.kept == {_holder(d) for d in standing}, "a restart would know others"
    assert all(a != b for a, b in itertools.pairwise(words))
    now_s += 0.5
    while (slot := one.due(now_s)[0]) is not None:
        words.append(one.said(slot, now_s).payload)
    assert (words[-1:] == [b"shut"]) == any(is_open.values()), "the last word is what holds"


def _holder(device: str) -> tuple[str, str]:
    one = slots()
    one.restore(turn(True, device), 0.0)
    (holder,) = one.kept
    return holder
