"""Silence: found with no message arriving, by a clock that stands while nothing could be heard."""

from typing import Any

import numpy as np
import pytest

from edge.detect.rules import Found, Rules
from edge.detect.rules_silence import LEARN_MIN, SETTLE_S, STALL_S, Listening
from edge.settings_watch import Of, Watch, When
from protos.series import SeriesKey

START_US = 1_700_000_000_000_000
NO_NUMBERS = {"series": np.zeros(0, np.uint32), "ts": np.zeros(0, np.int64), "value": np.zeros(0)}
KEYS = [
    SeriesKey("pump", "flow"),
    SeriesKey("pump", "pressure"),
    SeriesKey("tank", "level"),
]


class Site:
    """A gateway with one rule for silence; its time goes on in steps of a second, with a tick."""

    def __init__(self, **watch: Any) -> None:
        self.rules = Rules({"quiet": Watch(when=When.SILENT, **watch)})
        self.clock = Listening()
        self.mono_s = 100.0
        self.hears = True
        self.told: list[tuple[str, float, list[int]]] = []
        self.clock.look(self.mono_s, hears=True)

    def __len__(self) -> int:
        return len(KEYS)

    def key(self, entry: int) -> SeriesKey | None:
        return KEYS[entry - 1]

    def hear(self, *series: int, ts: int = START_US, value: float = 7.0) -> None:
        self.clock.look(self.mono_s, hears=self.hears)
        columns = {
            "series": np.array(series, np.uint32),
            "ts": np.full(len(series), ts, np.int64),
            "value": np.full(len(series), value),
        }
        self._tell(self.rules.judge(columns, NO_NUMBERS, self, self.clock))

    def hear_text(self, series: int) -> None:
        self.clock.look(self.mono_s, hears=self.hears)
        columns = {"series": np.array([series], np.uint32), "ts": np.array([START_US])}
        self._tell(self.rules.judge(NO_NUMBERS, columns, self, self.clock))

    def wait(self, seconds: int, *, step_s: float = 1.0) -> None:
        for _ in range(seconds):
            self.mono_s += step_s
            self.clock.look(self.mono_s, hears=self.hears)
            self._tell(self.rules.tick(self.clock))

    def speak(self, series: int, every_s: int, times: int) -> None:
        for _ in range(times):
            self.wait(every_s)
            self.hear(series)

    def _tell(self, found: list[Found]) -> None:
        for one in found:
            word = "silent" if one.after.all() else "heard"
            assert np.array_equal(one.judged.score > one.judged.threshold, one.after)
            self.told.append((word, self.mono_s, one.judged.series.tolist()))
            self.last = one


def test_a_series_that_was_heard_is_silent_after_the_limit_and_told_once() -> None:
    site = Site(limit=30.0)
    site.hear(1, 3)
    site.wait(20)
    site.hear(3)
    site.wait(100)
    assert site.told == [("silent", 131.0, [1]), ("silent", 151.0, [3])]
    assert site.last.judged.detector == "rule:quiet"
    assert site.last.judged.ts.tolist() == [START_US + 31_000_000]
    assert site.last.judged.value.tolist() == [7.0]
    assert site.last.judged.score == pytest.approx([31 / 30])


def test_what_is_heard_again_ends_its_silence_and_can_fall_silent_again() -> None:
    site = Site(limit=30.0)
    site.hear(1)
    site.wait(50)
    site.hear_text(1)
    site.wait(31)
    assert site.told == [("silent", 131.0, [1]), ("heard", 150.0, [1]), ("silent", 181.0, [1])]


def test_a_series_that_was_never_heard_is_not_silent() -> None:
    site = Site(limit=30.0)
    site.wait(1000)
    assert site.told == []


@pytest.mark.parametrize("ts", [0, START_US - 10**14, START_US + 10**16, -(2**62), 2**62])
def test_a_clock_that_is_wrong_or_steps_changes_nothing(ts: int) -> None:
    site = Site(limit=30.0, cadences=3.0)
    for number in range(60):
        site.wait(5)
        site.hear(1, ts=ts if number % 2 else START_US)
    assert site.told == []
    site.wait(31)
    assert [word for word, _, _ in site.told] == ["silent"]


def test_while_nothing_can_be_heard_nobody_is_silent() -> None:
    site = Site(limit=30.0)
    site.hear(1)
    site.wait(20)
    site.hears = False  # the broker is away
    site.wait(10_000)
    site.hears = True
    site.wait(11)
    assert site.told == []
    site.wait(1)
    assert [word for word, _, _ in site.told] == ["silent"]


def test_a_process_that_was_held_up_does_not_take_that_for_silence() -> None:
    site = Site(limit=30.0)
    site.hear(1)
    site.wait(1, step_s=3600.0)
    assert site.told == []
    site.wait(round(31 - STALL_S))
    assert [word for word, _, _ in site.told] == ["silent"]


def test_a_device_is_heard_by_any_series_that_fits() -> None:
    site = Site(limit=30.0, of=Of.DEVICE)
    site.hear(1, 2, 3)
    for _ in range(3):
        site.wait(20)
        site.hear(2)
    assert [(word, who) for word, _, who in site.told] == [("silent", [3])]
    site.wait(31)
    site.hear(2)
    assert [(word, who) for word, _, who in site.told[1:]] == [("silent", [1]), ("heard", [1])]


def test_a_device_of_a_pattern_of_metrics_is_not_heard_by_others() -> None:
    site = Site(limit=30.0, of=Of.DEVICE, metric="flow")
    site.hear(1, 2)
    site.wait(31)
    assert [word for word, _, _ in site.told] == ["silent"]
    site.hear(2)
    assert len(site.told) == 1


def test_each_series_has_its_own_cadence_and_several_of_it_are_silence() -> None:
    site = Site(limit=0.0, cadences=4.0)
    site.hear(1, 3)
    for number in range(1, 400):
        site.wait(1)
        if number % 2 == 0:
            site.hear(1)
        if number % 40 == 0:
            site.hear(3)
    assert site.told == []
    site.wait(12)
    assert [who for _, _, who in site.told] == [[1]]
    site.wait(160)
    assert [who for _, _, who in site.told] == [[1], [3]]


def test_the_longer_of_limit_and_cadences_counts() -> None:
    site = Site(limit=60.0, cadences=4.0)
    site.hear(1)
    site.speak(1, every_s=1, times=100)
    site.wait(59)
    assert site.told == []
    site.wait(2)
    assert [word for word, _, _ in site.told] == ["silent"]


def test_a_cadence_is_believed_after_some_waits_alone() -> None:
    for waits, words in ((LEARN_MIN - 1, []), (LEARN_MIN, ["silent"])):
        site = Site(limit=0.0, cadences=4.0)
        site.wait(round(SETTLE_S))
        site.hear(1)
        site.speak(1, every_s=2, times=waits)
        site.wait(1000)
        assert [word for word, _, _ in site.told] == words


def test_one_long_silence_is_no_cadence() -> None:
    site = Site(limit=0.0, cadences=4.0)
    site.speak(1, every_s=5, times=40)
    site.wait(10_000)
    site.speak(1, every_s=5, times=3)
    site.wait(60)
    assert [word for word, _, _ in site.told] == ["silent", "heard", "silent"]


def test_what_a_broker_kept_and_sends_at_once_teaches_no_cadence() -> None:
    site = Site(limit=0.0, cadences=4.0)
    for _ in range(500):  # the backlog of a night, within five seconds
        site.mono_s += 0.01
        site.hear(1)
    site.speak(1, every_s=60, times=30)
    assert site.told == []
    site.hears = False
    site.wait(600)
    site.hears = True
    for _ in range(500):
        site.mono_s += 0.01
        site.hear(1)
    site.wait(200)
    assert site.told == []


def test_readings_in_threes_every_ten_minutes_have_a_cadence_of_ten_minutes() -> None:
    site = Site(limit=0.0, cadences=3.0)
    for _ in range(20):
        site.wait(600)
        for _ in range(3):
            site.wait(1)
            site.hear(1)
    assert site.told == []
    site.wait(1000)
    assert site.told == []
    site.wait(900)
    assert [word for word, _, _ in site.told] == ["silent"]


def test_a_silence_from_before_a_restart_is_ended_by_what_is_heard_and_begins_nothing() -> None:
    site = Site(limit=30.0)
    site.rules.restore({"quiet": [1]})
    site.wait(100)
    assert site.told == []
    site.hear(1)
    assert [word for word, _, _ in site.told] == ["heard"]
