"""What is told of episodes on the local broker: topics, states, quiet times, Home Assistant."""

import json
from typing import Any

import pytest

from edge.detect import standing
from edge.detect.standing import Message, Naming, Standing
from edge.payload.home_assistant import COMPONENTS
from tests.edge.detect.occurring import CLOSED, OPENED, UPDATED, occurrence

PLAIN = Naming("gw", "tidegate/anomaly", discovery="")


def told(messages: list[Message]) -> list[tuple[str, Any, bool]]:
    return [(one.topic, json.loads(one.payload), one.retain) for one in messages]


def test_an_episode_is_told_once_when_it_opens_and_once_when_it_ends() -> None:
    made = Standing(PLAIN, lambda: False)
    opened, on = told(made.take(occurrence(OPENED)))
    topic, said, retain = opened
    assert (topic, retain) == ("tidegate/anomaly/gw/pump/flow", False)
    assert said == {
        "event": "opened", "gateway": "gw", "device": "pump", "metric": "flow",
        "id": f"{1:032x}", "from": 5_000_000, "to": 9_000_000, "peak_ts": 7_000_000, "peak": 7.5,
        "value": 90.0, "threshold": 4.0, "model": "residual@1", "points": 3, "series": ["flow"],
    }  # fmt: skip
    assert on[0] == "tidegate/anomaly/gw/pump/$state"
    assert (on[1]["state"], on[1]["count"], on[2]) == ("ON", 1, True)
    (still_on,) = told(made.take(occurrence(UPDATED)))
    assert still_on[1]["state"] == "ON"
    ended, off = told(made.take(occurrence(CLOSED)))
    assert ended[1]["event"] == "ended"
    assert (off[1]["state"], off[1]["episodes"]) == ("OFF", [])


def test_a_device_is_well_again_when_the_last_of_its_episodes_ended() -> None:
    made = Standing(PLAIN, lambda: False)
    made.take(occurrence(OPENED, 1))
    *_, both = told(made.take(occurrence(OPENED, 2, metric="heat")))
    assert [one["metric"] for one in both[1]["episodes"]] == ["flow", "heat"]
    *_, one = told(made.take(occurrence(CLOSED, 1)))
    assert (one[1]["state"], one[1]["count"]) == ("ON", 1)
    *_, none = told(made.take(occurrence(CLOSED, 2, metric="heat")))
    assert none[1]["state"] == "OFF"


def test_in_a_quiet_time_nothing_is_told_and_afterwards_what_is_still_open() -> None:
    quiet = [True]
    made = Standing(PLAIN, lambda: quiet[0])
    assert made.take(occurrence(OPENED, 1)) == made.take(occurrence(OPENED, 2)) == []
    assert made.take(occurrence(UPDATED, 2)) == made.take(occurrence(CLOSED, 1)) == []
    assert made.after_quiet() == []
    quiet[0] = False
    opened, on = told(made.after_quiet())
    assert (opened[1]["event"], opened[1]["id"]) == ("opened", f"{2:032x}")
    assert on[1]["count"] == 1
    assert made.after_quiet() == []
    assert len(made.take(occurrence(CLOSED, 2))) == 2


def test_what_was_told_before_a_quiet_time_is_told_to_have_ended_in_it() -> None:
    quiet = [False]
    made = Standing(PLAIN, lambda: quiet[0])
    made.take(occurrence(OPENED))
    quiet[0] = True
    assert [one[1].get("event") for one in told(made.take(occurrence(CLOSED)))] == ["ended", None]


def test_after_a_restart_states_are_told_and_no_episode_opens_again() -> None:
    made = Standing(PLAIN, lambda: False)
    (state,) = told(made.resume([occurrence(UPDATED)]))
    assert (state[0], state[1]["state"]) == ("tidegate/anomaly/gw/pump/$state", "ON")
    ended, off = told(made.take(occurrence(CLOSED)))
    assert (ended[1]["event"], off[1]["state"]) == ("ended", "OFF")


def test_a_state_that_nobody_stands_for_any_more_is_put_right() -> None:
    made = Standing(PLAIN, lambda: False)
    made.take(occurrence(OPENED))
    on = b'{"state":"ON"}'
    assert made.is_wrong("tidegate/anomaly/gw/pump/$state", on) is None, "it is open"
    assert made.is_wrong("tidegate/anomaly/gw/fan/flow", on) is None, "no state"
    assert made.is_wrong("tidegate/anomaly/gw2/fan/$state", on) is None, "of another gateway"
    assert made.is_wrong("tidegate/anomaly/gw/fan/$state", b'{"state":"OFF"}') is None
    for wrong in (on, b"", b"\xff", b"[]"):
        right = made.is_wrong("tidegate/anomaly/gw/line 1/fan/$state", wrong)
        assert right is not None
        assert json.loads(right.payload)["state"] == "OFF"
        assert json.loads(right.payload)["device"] == "line 1/fan"
        assert right.retain


def test_home_assistant_is_told_of_a_problem_sensor_for_the_device() -> None:
    made = Standing(Naming("gw", "t", version="1.0"), lambda: False)
    _, (topic, said, retain), (state_topic, *_) = told(made.take(occurrence(OPENED)))
    assert (topic, retain) == ("homeassistant/binary_sensor/tidegate_gw/pump/config", True)
    assert (said["device_class"], said["qos"]) == ("problem", 1)
    assert said["state_topic"] == said["json_attributes_topic"] == state_topic == "t/gw/pump/$state"
    assert said["value_template"] == "{{ value_json.state }}"
    assert said["unique_id"] == "tidegate_gw_pump_anomaly"
    assert said["device"]["name"] == "pump"
    assert "binary_sensor" in COMPONENTS


@pytest.mark.parametrize("names", [("line 1/pump", "line_1_pump"), ("a+b", "a#b"), ("ü", "ö")])
def test_devices_of_like_names_are_different_sensors_with_ids_of_plain_letters(
    names: tuple[str, str],
) -> None:
    topics = [Naming("g w", "t").announcement(name).topic for name in names]
    assert topics[0] != topics[1]
    for topic in topics:
        assert topic.isascii()
        assert set("+# ").isdisjoint(topic)
        assert topic.count("/") == 4


def test_a_name_with_wildcards_still_makes_topics() -> None:
    assert PLAIN.event("a+b/#", "m\0") == "tidegate/anomaly/gw/a_b/_/m_"
    assert PLAIN.state("a+b") == "tidegate/anomaly/gw/a_b/$state"


def test_the_devices_whose_state_is_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "DEVICES_MAX", 3)
    made = Standing(PLAIN, lambda: False)
    for number in range(5):
        made.take(occurrence(OPENED, number, device=f"d{number}"))
    assert [json.loads(one.payload)["device"] for one in made.states()] == ["d2", "d3", "d4"]
