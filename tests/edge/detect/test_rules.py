"""Rules for values: the same as told reading by reading, however the stream is cut."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.detect.rules import SCORE_MAX, Found, Rules
from edge.detect.rules_order import LATE_RUN
from edge.detect.rules_silence import Listening
from edge.settings_watch import Of, Per, Watch, WatchedKind, When
from protos.series import SeriesKey, SeriesKind
from tests.edge.detect.naive_rules import Reading, judged

START_US = 1_700_000_000_000_000
S = 1_000_000
NO_TEXTS = {"series": np.zeros(0, np.uint32), "ts": np.zeros(0, np.int64)}


class Plant:
    """A few series with names; the first has number 1."""

    def __init__(self, *keys: SeriesKey) -> None:
        self.keys = list(keys) or [SeriesKey("boiler", "temperature")] * 4

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, entry: int) -> SeriesKey | None:
        return self.keys[entry - 1]


def columns(readings: Sequence[Reading]) -> dict[str, Any]:
    series, ts, value = zip(*readings, strict=True) if readings else ((), (), ())
    return {
        "series": np.array(series, np.uint32),
        "ts": np.array(ts, np.int64),
        "value": np.array(value, np.float64),
    }


def run(
    watch: Watch, readings: list[Reading], cuts: Sequence[int] = ()
) -> dict[int, tuple[bool, bool]]:
    """What the rules judged, by the number of the reading; each judgement is looked over."""
    rules, found = Rules({"one": watch}), {}
    edges = sorted({0, *cuts, len(readings)})
    for first, end in itertools.pairwise(edges):
        for one in rules.judge(columns(readings[first:end]), NO_TEXTS, Plant(), Listening()):
            look_over(one)
            told = zip(one.rows.tolist(), one.before.tolist(), one.after.tolist(), strict=True)
            found |= {first + row: (before, after) for row, before, after in told}
            for at, row in enumerate(one.rows.tolist()):
                said = (one.judged.series[at], one.judged.ts[at], one.judged.value[at])
                assert said == readings[first + row]
    return found


def look_over(found: Found) -> None:
    """A judgement says of itself what it found, in the words that episodes are made from."""
    one = found.judged
    assert one.detector == "rule:one"
    assert np.array_equal(one.score > one.threshold, found.after)
    assert (one.score >= 0).all()
    assert (one.score <= SCORE_MAX).all()
    for series in np.unique(one.series):
        rows = found.rows[one.series == series]
        assert (np.diff(rows) > 0).all(), "not in the order of arrival"


steps = st.sampled_from([0, 0, 1, 400_000, S, S, 2 * S, 5 * S, 40 * S, -1, -S, -7 * S, 10**10])
values = st.one_of(st.integers(-4, 14).map(float), st.floats(-20, 20, allow_subnormal=False))
rows = st.lists(st.tuples(st.integers(1, 4), steps, values), max_size=80)
cutting = st.lists(st.integers(0, 80), max_size=5)


def as_readings(told: list[tuple[int, int, float]]) -> list[Reading]:
    at = itertools.accumulate((step for _, step, _ in told), initial=START_US)
    next(at)
    return [(who, ts, value) for (who, _, value), ts in zip(told, at, strict=True)]


WATCHES = {
    "above": Watch(when=When.ABOVE, limit=5.0),
    "above with hysteresis": Watch(when=When.ABOVE, limit=5.0, back=3.0),
    "above zero": Watch(when=When.ABOVE, limit=0.0),
    "hysteresis of more than the limit": Watch(when=When.ABOVE, limit=1.0, back=4.0),
    "below": Watch(when=When.BELOW, limit=2.0, back=0.5),
    "below a negative limit": Watch(when=When.BELOW, limit=-2.5, back=2.0),
    "rises": Watch(when=When.RISES, limit=1.5, per=Per.SECOND, over_s=1.0),
    "falls": Watch(when=When.FALLS, limit=30.0, back=10.0, over_s=0.5),
    "changes": Watch(when=When.CHANGES, limit=1.0, per=Per.SECOND, over_s=3.0),
    "stuck": Watch(when=When.STUCK, limit=3.0),
}


@pytest.mark.parametrize("watch", WATCHES.values(), ids=WATCHES)
@settings(max_examples=150, deadline=None)
@given(told=rows, cuts=cutting)
@example(told=[(1, S, 1.0), (1, S, 1.0)], cuts=[1])
def test_every_reading_is_judged_as_one_by_one_however_the_stream_is_cut(
    watch: Watch, told: list[tuple[int, int, float]], cuts: list[int]
) -> None:
    readings = as_readings(told)
    expected = judged(watch, readings)
    assert run(watch, readings, [cut for cut in cuts if cut <= len(readings)]) == expected


@pytest.mark.parametrize("watch", WATCHES.values(), ids=WATCHES)
def test_so_it_is_over_a_long_stream_with_late_readings_and_clocks_put_back(watch: Watch) -> None:
    chance = np.random.default_rng(7)
    ts = START_US + np.cumsum(chance.choice([0, S // 3, S, 9 * S, -2 * S], 3000))
    ts[1000:] -= 500 * S
    ts[2000:2005] += 10**12
    value = np.round(chance.normal(2, 4, 3000))
    readings = list(zip(chance.integers(1, 4, 3000).tolist(), ts.tolist(), value.tolist(),
                        strict=True))  # fmt: skip
    expected = judged(watch, readings)
    assert len({after for _, after in expected.values()}) == 2, "it found nothing, or everything"
    assert run(watch, readings, range(0, 3000, 333)) == expected


def opened(watch: Watch, told: list[tuple[float, float]]) -> list[int]:
    """Numbers of the readings, (s, value) of one series, at which something begins."""
    readings = [(1, START_US + round(at * S), value) for at, value in told]
    return [number for number, (before, after) in run(watch, readings).items() if after > before]


def test_a_value_at_the_limit_is_none_beyond_it_and_hysteresis_keeps_an_anomaly_together() -> None:
    values = [79.0, 80.0, 80.1, 78.5, 80.5, 78.0, 80.2]
    told = [(float(at), value) for at, value in enumerate(values)]
    assert opened(Watch(when=When.ABOVE, limit=80.0), told) == [2, 4, 6]
    assert opened(Watch(when=When.ABOVE, limit=80.0, back=2.0), told) == [2, 6]


def test_a_score_is_one_at_the_limit_and_value_over_limit_above_it() -> None:
    rules = Rules({"one": Watch(when=When.ABOVE, limit=80.0, back=8.0)})
    readings = [(1, START_US, value) for value in (40.0, 80.0, 160.0, 76.0)]
    (found,) = rules.judge(columns(readings), NO_TEXTS, Plant(), Listening())
    assert found.judged.score == pytest.approx([0.5, 1.0, 2.0, 0.95])
    assert found.judged.threshold == pytest.approx([1.0, 1.0, 1.0, 0.9])


def test_two_readings_of_one_time_or_nearly_make_no_rate() -> None:
    rises = Watch(when=When.RISES, limit=1.0, per=Per.SECOND, over_s=10.0)
    told = [(0.0, 0.0), (25.0, 1.0), (25.0, 9.0), (25.001, 1.0)]
    assert opened(rises, told) == []
    assert opened(rises, [*told, (50.0, 60.0)]) == [4]


def test_a_jump_is_told_with_the_very_reading_that_brings_it() -> None:
    rises = Watch(when=When.RISES, limit=5.0, per=Per.MINUTE, over_s=60.0)
    told = [(float(at), 20.0) for at in range(0, 300, 10)] + [(300.0, 31.0)]
    assert opened(rises, told) == [30]


def test_a_sensor_that_speaks_rarely_is_judged_by_its_last_reading() -> None:
    falls = Watch(when=When.FALLS, limit=1.0, per=Per.HOUR, over_s=60.0)
    assert opened(falls, [(0.0, 9.0), (7200.0, 7.5), (14400.0, 3.0)]) == [2]


def test_a_wild_stamp_from_the_future_does_not_make_a_rule_blind_for_ever() -> None:
    rises = Watch(when=When.RISES, limit=5.0, per=Per.MINUTE, over_s=60.0)
    told = [(0.0, 20.0), (1e9, 20.0)] + [(10.0 * at, 20.0) for at in range(1, 40)]
    told.append((400.0, 90.0))
    assert LATE_RUN < 20
    assert opened(rises, told) == [len(told) - 1]


def test_late_readings_with_others_between_them_begin_no_life() -> None:
    rises = Watch(when=When.RISES, limit=1.0, per=Per.SECOND, over_s=1.0)
    late = [(1, START_US + number, 0.0) for number in range(LATE_RUN - 1)]
    readings = [(1, START_US + 9 * S, 0.0), *late, (1, START_US + 10 * S, 0.0), late[0],
                (1, START_US + 12 * S, 11.0)]  # fmt: skip
    expected = judged(rises, readings)
    assert expected[len(readings) - 1] == (False, True)
    assert run(rises, readings, range(len(readings))) == expected


def test_values_that_are_no_numbers_are_left_out() -> None:
    rules = Rules({"one": Watch(when=When.ABOVE, limit=1.0)})
    readings = [(1, START_US, float("nan")), (1, START_US, 2.0), (1, START_US, float("inf"))]
    (found,) = rules.judge(columns(readings), NO_TEXTS, Plant(), Listening())
    assert found.rows.tolist() == [1]


NAMES = [
    SeriesKey("boiler-1", "temperature", unit="°C"),
    SeriesKey("boiler-2", "temperature", unit="°F"),
    SeriesKey("boiler-2", "starts", kind=SeriesKind.COUNTER),
    SeriesKey("pump", "temperature", unit="°C"),
    SeriesKey("boiler-[3]", "Temperature", unit="°C"),
]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"device": "boiler-*"}, [1, 2, 3, 5]),
        ({"device": "boiler-?"}, [1, 2, 3]),
        ({"device": "boiler-[3]"}, [5]),
        ({"metric": "temp*"}, [1, 2, 4]),
        ({"device": "boiler-*", "metric": "*", "unit": "°C"}, [1, 5]),
        ({"kind": WatchedKind.COUNTER}, [3]),
        ({"device": "boiler"}, []),
    ],
)
def test_a_rule_is_for_the_series_that_its_patterns_unit_and_kind_name(
    wanted: dict[str, Any], numbers: list[int]
) -> None:
    rules, plant = Rules({"one": Watch(when=When.ABOVE, limit=1.0, **wanted)}), Plant(*NAMES[:2])
    early = [(number, START_US, 2.0) for number in (1, 2)]
    found = rules.judge(columns(early), NO_TEXTS, plant, Listening())
    plant.keys += NAMES[2:]  # heard for the first time later
    late = [(number, START_US, 2.0) for number in (3, 4, 5)]
    found += rules.judge(columns(late), NO_TEXTS, plant, Listening())
    assert sorted(who for one in found for who in one.judged.series.tolist()) == numbers
    assert rules.standings()[0].series == len(numbers)


def test_what_was_open_before_a_restart_is_open_after_it_and_begins_nothing_anew() -> None:
    rules = Rules(
        {"one": Watch(when=When.ABOVE, limit=5.0), "two": Watch(when=When.BELOW, limit=0)}
    )
    rules.restore({"one": [2], "gone": [1]})
    readings = [(1, START_US, 9.0), (2, START_US, 9.0), (2, START_US, 1.0)]
    one, two = rules.judge(columns(readings), NO_TEXTS, Plant(), Listening())
    assert one.judged.series[one.opened].tolist() == [1]
    assert one.judged.series[one.turned].tolist() == [1, 2]
    assert not len(two.turned)


def test_a_rule_for_devices_counts_them_and_not_their_series() -> None:
    watch = Watch(when=When.SILENT, limit=9.0, device="boiler-*", of=Of.DEVICE)
    rules = Rules({"one": watch})
    readings = [(number, START_US, 2.0) for number in (1, 2, 3, 4, 5)]
    rules.judge(columns(readings), NO_TEXTS, Plant(*NAMES), Listening())
    assert rules.standings()[0].series == 3
