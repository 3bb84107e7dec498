"""What trainers fit: what they must find again, what they refuse, and that graphs are the same."""

import dataclasses
import hashlib

import numpy as np
import pytest

from cloud.errors import OperatorError
from cloud.models import fault, pattern, predictor, runs
from cloud.models.calibration import SCORES_MIN, WEEK_US, calibrate
from cloud.models.fault import FaultSettings, Occurrence
from cloud.models.features import NAMES, Units, features
from cloud.models.pattern import PatternSettings
from cloud.models.predictor import PredictorSettings
from cloud.models.proof import ABSOLUTE, RELATIVE, UnequalError, compared, prove
from cloud.models.runs import Lesson, lesson_of, parted, season_of
from tests.cloud.models.history_world import daily

MINUTE_US = 60_000_000


def lesson(values: np.ndarray) -> Lesson:
    return Lesson([values], MINUTE_US)


def autoregressive(n: int, seed: int) -> np.ndarray:
    """x = 0.6 x₋₁ + 0.3 x₋₂ + noise of size 1."""
    noise, x = np.random.default_rng(seed).normal(0, 1, n), np.zeros(n)
    for at in range(2, n):
        x[at] = 0.6 * x[at - 1] + 0.3 * x[at - 2] + noise[at]
    return x


def test_a_predictor_finds_the_noise_that_nothing_foretells():
    made = predictor.fit([lesson(autoregressive(20_000, 1))], PredictorSettings(season=0))
    assert made.figures["sigma"] == pytest.approx(1.0, abs=0.03)
    assert prove(made).windows == 3996


def test_a_class_of_devices_is_foretold_in_units_of_each():
    small, large = daily(4000, 1, size=0.01), daily(4000, 2, level=1e5, size=100.0)
    made = predictor.fit([lesson(small), lesson(large)], PredictorSettings())
    views = [np.lib.stride_tricks.sliding_window_view(each, made.window) for each in (small, large)]
    sizes = [float(np.sqrt(np.mean(made.score(each) ** 2))) for each in views]
    assert sizes == pytest.approx([1.0, 1.0], rel=0.1)
    assert prove(made).difference < 1e-5


def test_a_counter_that_stands_still_gives_finite_scores():
    still = np.full(3000, 7.0)
    for made in (
        predictor.fit([lesson(still)], PredictorSettings()),
        predictor.fit([lesson(still), lesson(still)], PredictorSettings()),
        pattern.fit([lesson(still)], PatternSettings()),
    ):
        prove(made)
        jumped = np.full((1, made.window), 7.0)
        jumped[0, -1] = 8.0
        assert np.isfinite(made.score(jumped)).all()
        assert made.score(jumped)[0] > made.held_out.max()


def test_a_broken_shape_scores_above_all_that_was_held_out():
    made = pattern.fit([lesson(daily(8000, 1))], PatternSettings())
    strange = daily(made.window, 2)
    strange[40:60] = strange[40]
    assert made.score(strange[None])[0] > 1.5 * np.quantile(made.held_out, 0.999)
    assert np.quantile(made.held_out, 0.99) == pytest.approx(1.2, abs=0.3)


@pytest.mark.parametrize("period", [24, 96, 500])
def test_the_season_is_found_and_not_its_multiples(period):
    noise = np.random.default_rng(1).normal(0, 0.3, 8000)
    values = np.sin(2 * np.pi * np.arange(8000) / period) + noise
    assert abs(season_of([values], 8, 2000) - period) <= 1


def test_noise_and_drift_have_no_season():
    rng = np.random.default_rng(2)
    assert season_of([rng.normal(0, 1, 8000)], 8, 2000) == 0
    assert season_of([np.arange(8000.0)], 8, 2000) == 0
    assert season_of([], 8, 2000) == 0
    assert season_of([np.full(8000, 3.0)], 8, 2000) == 0


def test_runs_end_where_something_was_left_out_and_where_a_series_was_silent():
    ts = MINUTE_US * np.array([0, 1, 2, 3, 4, 5, 25, 26, 27])
    normal = np.array([True, True, False, True, True, True, True, True, True])
    made = lesson_of(ts, np.arange(9.0), normal)
    assert [run.tolist() for run in made.runs] == [[0, 1], [3, 4, 5], [6, 7, 8]]
    assert made.step_us == MINUTE_US


def test_no_window_fits_and_proves():
    made = Lesson([np.arange(50.0), 100 + np.arange(30.0)], MINUTE_US)
    fitted, held = parted(made, 10)
    newest = [{run[at] for run in part for at in range(9, len(run))} for part in (fitted, held)]
    assert not newest[0] & newest[1]
    assert len(newest[0]) + len(newest[1]) == runs.count(made.runs, 10) == 62
    assert len(newest[1]) == 12
    assert min(newest[1]) > max(newest[0])


def test_the_threshold_is_passed_as_often_as_was_stated():
    rng = np.random.default_rng(3)
    step_us = WEEK_US / 1000
    made = calibrate(rng.exponential(1, 20_000), step_us, 1.0)
    passed = (rng.exponential(1, 1_000_000) > made.threshold).mean()
    assert 0.5 < passed / made.chance < 2


def test_a_short_time_held_out_raises_no_alarm_in_itself():
    scores = np.random.default_rng(4).pareto(1.5, 500)
    assert calibrate(scores, MINUTE_US, 1.0).threshold >= scores.max()
    with pytest.raises(ValueError, match="127 windows are held out"):
        calibrate(scores[: SCORES_MIN - 1], MINUTE_US, 1.0)


def test_features_tell_what_they_are_named_after():
    units = Units(40, 10.0, 2.0)
    flat = np.full(40, 10.0)
    named = dict(zip(NAMES, features(flat[None], units)[0], strict=True))
    assert {name for name, value in named.items() if value} == {"stillness", "unrest"}
    rising, jumping = flat + np.arange(40.0), flat.copy()
    jumping[-1] += 8.0
    of_rising, of_jumping = (
        dict(zip(NAMES, features(each[None], units)[0], strict=True)) for each in (rising, jumping)
    )
    assert np.expm1(of_rising["trend"]) == pytest.approx(39 / 2.0)
    assert np.expm1(of_jumping["jump"]) == pytest.approx(4.0)
    assert of_rising["shift"] > of_jumping["shift"] > 0


def occurrence(seed: int) -> Occurrence:
    rng = np.random.default_rng(seed)
    values = daily(140, seed)
    values[100:] += np.linspace(0, 6, 40) + rng.normal(0, 1.5, 40)
    return Occurrence(values, 40)


def test_a_fault_is_fitted_the_same_by_the_same_seed(monkeypatch):
    monkeypatch.setattr(fault, "NORMAL_MAX", 1000)
    known = [occurrence(1), occurrence(2)]

    def graph(seed: int) -> str:
        made, _ = fault.fit([lesson(daily(8000, 3))], known, FaultSettings(seed=seed))
        prove(made)
        return hashlib.sha256(made.graph).hexdigest()

    assert graph(1) == graph(1)
    assert graph(1) != graph(2)


def test_windows_of_an_occurrence_end_within_it():
    one = Occurrence(np.arange(140.0), 40)
    views = one.views(40)
    assert (views[0, -1], views[-1, -1]) == (110.0, 139.0)
    assert Occurrence(np.arange(5.0), 2).views(8).shape == (0, 8)
    assert Occurrence(np.arange(50.0), 1).views(8)[:, -1].tolist() == [49.0]


@pytest.mark.parametrize(
    ("exported", "told"),
    [
        ([1.0, 2.0, 3.001], "differ"),
        ([1.0, 2.0], "shape"),
        ([1.0, 2.0, np.nan], "no finite number"),
    ],
)
def test_a_graph_that_gives_something_else_is_not_kept(exported, told):
    with pytest.raises(UnequalError, match=told):
        compared(np.array(exported), np.array([1.0, 2.0, 3.0]))


def test_a_graph_of_other_weights_is_found_out():
    made = predictor.fit([lesson(daily(4000, 1))], PredictorSettings(season=0))
    other = predictor.fit([lesson(daily(4000, 1, size=2.0))], PredictorSettings(season=0))
    with pytest.raises(UnequalError, match="of one window differ"):
        prove(dataclasses.replace(made, graph=other.graph))
    proof = prove(made)
    assert proof.difference <= proof.bound
    assert proof.bound <= ABSOLUTE + RELATIVE * made.score(made.probe).max()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (PredictorSettings(lags=257), "give 1 to 256"),
        (PredictorSettings(ridge=0.0), "more than 0"),
        (PatternSettings(window=4), "give 8 to 512"),
        (PatternSettings(kept=0.1), "give 0.5"),
        (FaultSettings(window=300), "give 8 to 256"),
        (FaultSettings(ridge=11.0), "up to 10"),
    ],
)
def test_settings_out_of_range_are_told_with_the_range(settings, told):
    with pytest.raises(OperatorError, match=told):
        settings.check()


def test_too_little_to_learn_from_is_told():
    few = lesson(np.arange(12.0))
    with pytest.raises(OperatorError, match="no series has 17 readings in a row"):
        predictor.fit([few], PredictorSettings())
    with pytest.raises(OperatorError, match="no 64 readings in a row"):
        pattern.fit([few], PatternSettings())
    with pytest.raises(OperatorError, match="normal windows of 40 readings"):
        fault.fit([few], [occurrence(1), occurrence(2)], FaultSettings())
