"""Adaptive thresholds: the stated rate is held, and cutting the stream changes nothing."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.threshold import QUIET, WARM_UP, WEEK_US, Thresholds

START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000


def alarms(thresholds: Thresholds, series: list[int], scores: NDArray[np.float64]) -> list[bool]:
    ts = START_US + np.arange(len(scores)) * MINUTE_US
    return thresholds.judge(np.array(series, np.uint32), scores, ts).alarm.tolist()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 1500), max_size=6))
def test_how_the_stream_is_cut_into_batches_changes_no_alarm(seed: int, cuts: list[int]) -> None:
    chance = np.random.default_rng(seed)
    series = chance.integers(1, 4, 1500).astype(np.uint32)
    scores = np.abs(chance.standard_t(3, 1500))
    ts = START_US + np.arange(1500) * MINUTE_US
    whole = Thresholds(50).judge(series, scores, ts)
    parts, edges = Thresholds(50), [0, *sorted(cuts), 1500]
    got = [parts.judge(series[a:b], scores[a:b], ts[a:b]) for a, b in itertools.pairwise(edges)]
    assert np.array_equal(np.concatenate([v.alarm for v in got]), whole.alarm)
    assert np.array_equal(np.concatenate([v.threshold for v in got]), whole.threshold)


NOISES: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "normal": lambda chance, n: np.abs(chance.normal(size=n)),
    "uniform": lambda chance, n: chance.uniform(0, 3, n),
    "exponential": lambda chance, n: chance.exponential(1, n),
    "heavy tail": lambda chance, n: np.abs(chance.standard_t(4, n)),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("stated", [1.0, 10.0])
def test_false_alarms_come_at_most_three_times_as_often_as_stated_and_are_not_silenced(
    noise: str, stated: float
) -> None:
    weeks, per_week, series = 4, WEEK_US // MINUTE_US, 30
    scores = NOISES[noise](np.random.default_rng(7), weeks * per_week * series)
    who = np.tile(np.arange(1, series + 1, dtype=np.uint32), weeks * per_week)
    ts = START_US + np.repeat(np.arange(weeks * per_week), series) * MINUTE_US
    achieved = Thresholds(stated).judge(who, scores, ts).alarm.sum() / (weeks * series)
    assert achieved <= 3 * stated
    # A bounded tail may stay silent; the exponential one errs towards silence on a lighter tail.
    assert achieved >= stated / 5 or noise == "uniform"


def test_a_clear_excess_raises_one_alarm_for_its_whole_run() -> None:
    scores = np.abs(np.random.default_rng(1).normal(size=2000))
    scores[1500:1505] = 50.0
    scores[1700] = 50.0
    raised = np.flatnonzero(alarms(Thresholds(1), [1] * 2000, scores))
    assert [row for row in raised.tolist() if scores[row] == 50.0] == [1500, 1700]


def test_nothing_is_raised_before_the_series_is_known() -> None:
    scores = np.ones(WARM_UP)
    scores[::10] = 1e6
    assert not any(alarms(Thresholds(1000), [1] * WARM_UP, scores))


def test_a_score_that_is_not_a_number_raises_nothing_and_teaches_nothing() -> None:
    chance = np.abs(np.random.default_rng(3).normal(size=1000))
    spoiled = np.insert(chance, range(0, 1000, 7), np.nan)
    clean, dirty = Thresholds(100), Thresholds(100)
    alarms(dirty, [1] * len(spoiled), spoiled)
    ts = START_US + np.arange(1000) * MINUTE_US
    clean.judge(np.ones(1000, np.uint32), chance, ts)
    assert np.array_equal(clean._histograms.counts, dirty._histograms.counts)


def test_the_run_ends_after_its_quiet_readings() -> None:
    scores = np.random.default_rng(2).uniform(0.1, 1, 3000)
    rows = [2000, 2000 + QUIET, 2000 + 2 * QUIET, 2000 + 3 * QUIET + 1]
    scores[rows] = 1e3
    assert np.flatnonzero(alarms(Thresholds(1), [9] * 3000, scores)).tolist() == [rows[0], rows[3]]


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Thresholds(0)


@pytest.mark.parametrize("wild_us", [0, 5_000_000_000_000_000, 2**62, -(2**62)])
def test_one_wild_stamp_or_a_clock_that_jumps_hardly_moves_the_alarms(wild_us: int) -> None:
    scores = np.abs(np.random.default_rng(4).normal(size=20_000))
    ts = START_US + np.arange(20_000) * 1_000_000
    who = np.ones(20_000, np.uint32)
    usual = int(Thresholds(1).judge(who, scores, ts).alarm.sum())
    stamped = ts.copy()
    stamped[7_000] = wild_us
    woken = np.where(np.arange(20_000) < 3_000, ts - START_US, ts)  # 1970, then the clock is set
    for times in (stamped, woken):
        assert abs(int(Thresholds(1).judge(who, scores, times).alarm.sum()) - usual) <= 2


def test_many_values_at_one_time_are_as_many_readings() -> None:
    scores = np.abs(np.random.default_rng(5).normal(size=40_000))
    who = np.ones(40_000, np.uint32)
    arrays = Thresholds(1)
    arrays.judge(who, scores, START_US + np.arange(40_000) // 8 * 8_000_000)
    single = Thresholds(1)
    single.judge(who, scores, START_US + np.arange(40_000) * 1_000_000)
    assert arrays._threshold[1] == pytest.approx(single._threshold[1], rel=0.05)
