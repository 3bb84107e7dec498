"""The Numenta benchmark's scoring, against figures that its definition fixes."""

import math

import numpy as np
import pytest

from benchmarks.backtest.nab_scoring import (
    FALSE_ALARM,
    Worth,
    begins,
    normalised,
    raw_score,
    scaled_sigmoid,
    sweep,
    worth_of,
)

ROWS = 1000
TIMES = np.arange(ROWS, dtype=np.int64)


@pytest.fixture
def worth() -> Worth:
    """Two windows, rows 400 to 499 and 800 to 849; the probation ends before row 150."""
    return worth_of(TIMES, [(400, 499), (800, 849)])


def scored(worth: Worth, *alarms: int) -> float:
    return normalised(raw_score(worth, np.array(alarms, np.int64)), worth.windows)


def test_no_alarm_scores_0_and_one_at_the_start_of_each_window_100(worth: Worth) -> None:
    assert scored(worth) == 0
    assert scored(worth, 400, 800) == pytest.approx(100)


def test_of_a_window_the_earliest_alarm_counts_and_no_other(worth: Worth) -> None:
    late = scored(worth, 480, 800)
    assert scored(worth, 400, 800) > late > scored(worth, 499, 800) > 75
    assert scored(worth, 480, 481, 499, 800) == late


def test_an_alarm_far_from_any_window_costs_a_ninth_of_what_a_window_can_earn(worth: Worth) -> None:
    one = 100 / (2 * worth.windows)
    assert scored(worth, 200) == pytest.approx(-FALSE_ALARM * one)
    assert scored(worth, 200, 201) == pytest.approx(-2 * FALSE_ALARM * one)


def test_an_alarm_just_behind_a_window_costs_less_than_one_far_behind(worth: Worth) -> None:
    costs = [scored(worth, row) for row in (500, 520, 599, 700)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]
    # One width behind, y = 1: 2 / (1 + e⁵) - 1.
    expected = FALSE_ALARM * (2 / (1 + math.exp(5 * 99 / 99)) - 1) * 25
    assert scored(worth, 499 + 99) == pytest.approx(expected)


def test_the_first_rows_are_for_learning_and_cost_nothing(worth: Worth) -> None:
    assert scored(worth, 0, 149) == 0
    assert scored(worth, 150) < 0
    long = worth_of(np.arange(20_000), [(15_000, 15_100)])
    assert scored(long, 749) == 0 > scored(long, 750)


def test_the_sigmoid_is_0_at_the_end_of_a_window_and_least_from_three_widths_on() -> None:
    assert scaled_sigmoid(np.array([0.0, 3.0001, 9.0])).tolist() == [0, -1, -1]
    assert scaled_sigmoid(np.array(-1.0)) == pytest.approx(2 / (1 + math.exp(-5)) - 1)


def test_windows_without_rows_and_windows_in_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="window 0 of 1 holds no row"):
        worth_of(TIMES, [(2000, 2001)])
    with pytest.raises(ValueError, match="window 1 of 2 begins in the one before it"):
        worth_of(TIMES, [(10, 40), (30, 60)])
    with pytest.raises(ValueError, match="without a labelled window"):
        normalised(0, 0)


def test_a_run_is_one_alarm_and_ends_after_its_quiet_rows() -> None:
    rows = np.array([5, 6, 9, 13, 18, 40])
    assert begins(rows, 4).tolist() == [5, 18, 40]
    assert begins(rows[:0], 4).tolist() == []


def test_the_sweep_finds_the_threshold_that_parts_the_windows_from_the_rest(worth: Worth) -> None:
    scores = np.random.default_rng(1).uniform(0, 1, ROWS)
    scores[[400, 800]] = 2.0, 1.5
    scores[600] = np.nan
    best = sweep([worth], [scores], 16)
    assert best.score == pytest.approx(100)
    assert 1 < best.threshold <= 1.5
    assert best.alarms == 2


def test_thresholds_that_differ_far_behind_the_point_are_told_apart(worth: Worth) -> None:
    scores = np.zeros(ROWS)
    scores[[200, 400, 800]] = 1 + np.array([0, 1, 2]) * 1e-12
    assert sweep([worth], [scores], 16).score == pytest.approx(100)


def test_scores_that_find_nothing_are_no_better_than_no_alarm(worth: Worth) -> None:
    assert sweep([worth], [np.where(TIMES == 200, 1.0, -np.inf)], 16).score == 0
