"""`top`: which topics, devices and conventions are the busiest, counted only while one looks."""

import asyncio

from edge.commands.top import By, arranged
from edge.traffic import LOOKED_AT_S, TOLD_MAX, TOPICS_MAX, Rates, Traffic

ORIGINS = {"a/t": ("json", "a"), "a/h": ("json", "a"), "zigbee2mqtt/b": ("zigbee2mqtt", "b")}


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def told(traffic: Traffic) -> Rates:
    return asyncio.run(traffic.told())


def looked(clock: Clock) -> Traffic:
    traffic = Traffic(lambda topic: ORIGINS.get(topic, ("", "")), clock)
    assert told(traffic).messages == 0
    return traffic


def test_nothing_is_counted_before_the_first_look_and_a_minute_after_the_last() -> None:
    clock = Clock()
    traffic = Traffic(lambda _: ("", ""), clock)
    traffic.add(["a/t"] * 5)
    assert told(traffic).messages == 0
    traffic.add(["a/t"] * 5)
    clock.now_s += LOOKED_AT_S + 1
    traffic.add(["a/t"] * 5)
    assert told(traffic).messages == 0, "what was counted before is of no known span"


def test_topics_devices_and_conventions_are_told_the_busiest_first() -> None:
    clock = Clock()
    traffic = looked(clock)
    traffic.add(["a/t"] * 6 + ["a/h"] * 2 + ["zigbee2mqtt/b"] * 4 + ["x"])
    clock.now_s += 2.0
    rates = told(traffic)
    assert (rates.messages, rates.topics, rates.seconds) == (13, 4, 2.0)

    def lines(by: By) -> list[tuple[str, float, int]]:
        page = arranged(rates, by, 3)
        return [(line.name, line.per_s, line.topics) for line in page.lines]

    assert lines(By.TOPIC) == [("a/t", 3.0, 1), ("zigbee2mqtt/b", 2.0, 1), ("a/h", 1.0, 1)]
    assert lines(By.DEVICE) == [("a", 4.0, 2), ("b", 2.0, 1), ("(not read)", 0.5, 1)]
    assert lines(By.CONVENTION) == [
        ("json", 4.0, 2), ("zigbee2mqtt", 2.0, 1), ("(not read)", 0.5, 1)]  # fmt: skip


def test_topics_beyond_the_bound_are_others() -> None:
    traffic = looked(Clock())
    traffic.add([f"t/{number}" for number in range(TOPICS_MAX)])
    traffic.add(["t/0", "new", "newer"])
    rates = told(traffic)
    assert rates.messages == TOPICS_MAX + 3
    assert rates.topics == TOPICS_MAX
    assert len(rates.rates) == TOLD_MAX
    assert rates.others == TOPICS_MAX + 3 - TOLD_MAX - 1
