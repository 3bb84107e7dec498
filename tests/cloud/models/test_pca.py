"""T² and Q: what was foretold is calm, what was not is strange, and the graph agrees with numpy."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from cloud.models.pca import PcaSettings, chi_squared, fit, fitted, graph

F8 = NDArray[np.float64]
SETTINGS = PcaSettings()


def calm(rows: int, seed: int = 1, drift: float = 0.0) -> F8:
    """Four channels: two that share a source, one of noise, and one that wanders."""
    rng = np.random.default_rng(seed)
    source = rng.normal(size=rows)
    wander = np.cumsum(rng.normal(size=rows)) * drift
    noise = rng.normal(size=(rows, 4)) * [0.3, 0.3, 1.0, 0.2]
    return noise + np.stack([5 + source, 9 - source, np.zeros(rows), 70 + wander], axis=1)


def windows(frames: F8, window: int = SETTINGS.window) -> F8:
    views = np.lib.stride_tricks.sliding_window_view(frames, window, axis=0).transpose(0, 2, 1)
    return np.ascontiguousarray(views)


def test_calm_rows_are_calm_and_a_small_lasting_shift_of_one_channel_is_strange() -> None:
    rows = calm(1200)
    made = fitted(rows[:400], SETTINGS)
    score, _ = made.score(windows(rows[400:]))
    assert (score > 1).mean() < 0.005
    shifted = rows[400:].copy()
    shifted[:, 2] += 2.5
    score, parts = made.score(windows(shifted))
    assert (score > 1).mean() > 0.9
    assert (parts.argmax(axis=1) == 2).mean() > 0.95


def test_channels_that_part_though_each_is_usual_are_strange() -> None:
    rows = calm(1000)
    made = fitted(rows[:400], SETTINGS)
    parted = rows[400:].copy()
    parted[:, :2] += 1.5  # a deviation and a half, which each alone passes every minute
    score, _ = made.score(windows(parted))
    assert (score > 1).mean() > 0.9


def test_a_channel_that_swings_about_its_mean_is_strange() -> None:
    rows = calm(1000)
    made = fitted(rows[:400], SETTINGS)
    rows[400:, 2] *= 4
    score, parts = made.score(windows(rows[440:]))
    assert (score > 1).mean() > 0.9
    assert (parts.argmax(axis=1) == 2).mean() > 0.95


def test_a_level_may_wander_as_far_as_its_past_foretells_and_a_steady_one_may_not() -> None:
    flagged, plain, steady = [], [], []
    for seed in range(20):
        rows = calm(1200, seed, drift=0.15)
        made = fitted(rows[:400], SETTINGS)
        flagged.append((made.score(windows(rows[400:]))[0] > 1).mean())
        short = fitted(rows[:400], replace(SETTINGS, horizon=1e-6))
        plain.append((short.score(windows(rows[400:]))[0] > 1).mean())
        still = calm(1200, seed)
        still[400:, 3] += 1.5  # a third of where the wandering one ends up
        steady.append((fitted(still[:400], SETTINGS).score(windows(still[400:]))[0] > 1).mean())
    assert np.mean(flagged) < 0.1
    assert np.mean(plain) > 0.3
    assert np.mean(steady) > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_the_graph_gives_what_numpy_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(1, 9))
    rows = rng.normal(size=(300, channels)) * 10.0 ** rng.integers(-3, 6, channels) + 1e3
    settings = PcaSettings(window=int(rng.integers(12, 60)), mean_of=int(rng.integers(2, 12)))
    made = fitted(rows[:250], settings)
    session = onnxruntime.InferenceSession(graph(made), providers=["CPUExecutionProvider"])
    tried = windows(rows * rng.uniform(0.9, 1.1, channels), settings.window)
    score, parts = made.score(tried)
    told, contribution = session.run(["score", "contribution"], {"window": tried})
    assert told.dtype == contribution.dtype == np.float32
    np.testing.assert_allclose(told, score, rtol=1e-5)
    np.testing.assert_allclose(contribution, parts, rtol=1e-4, atol=1e-5 * parts.max())
    np.testing.assert_allclose(contribution.sum(axis=1), told**2, rtol=1e-3)


def test_channels_that_say_the_same_or_never_move_make_finite_scores() -> None:
    rows = calm(500)
    rows = np.column_stack([rows, rows[:, 0], np.full(500, 7.0), np.zeros(500)])
    made = fitted(rows[:400], SETTINGS)
    score, _ = made.score(windows(rows[400:]))
    assert np.isfinite(score).all()
    assert (score > 1).mean() < 0.05
    rows[450:, 5] = 8.0
    score, parts = made.score(windows(rows[460:]))
    assert (score > 1).all()
    assert (parts.argmax(axis=1) == 5).all(), "what never moved moved"


def test_gaps_in_the_training_rows_are_left_out() -> None:
    rows = calm(600)
    rows[100:130, 1] = np.nan
    made = fitted(rows[:400], SETTINGS)
    score, _ = made.score(windows(rows[400:]))
    assert (score > 1).mean() < 0.02


def test_a_fit_gives_the_same_bytes_again_and_says_how_it_is_to_be_used() -> None:
    first, told = fit(calm(400))
    assert first == fit(calm(400))[0]
    assert (told["takes"], told["window"]) == ("frame", 20)
    assert told["calibration"] == {"kind": "fixed", "threshold": 1.0}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (PcaSettings(mean_of=1), "2 ≤ mean_of ≤ window ≤ 4096"),
        (PcaSettings(window=5), "2 ≤ mean_of ≤ window ≤ 4096"),
        (PcaSettings(horizon=0), "0 < horizon ≤ 1000"),
        (PcaSettings(floor=2), "0 < floor ≤ 1"),
        (PcaSettings(false_share=0.5), "0 < false_share < 0.5"),
        (PcaSettings(spread=0.5), "1 ≤ spread ≤ 100"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings: PcaSettings, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fitted(calm(400), settings)


def test_too_few_rows_are_refused_with_how_many_are_wanted() -> None:
    with pytest.raises(ValueError, match=r"99 rows have 4 blocks of 20.* at least 100 rows"):
        fitted(calm(99), SETTINGS)
    rows = calm(400)
    rows[::15] = np.nan
    with pytest.raises(ValueError, match="400 rows have 0 blocks of 20 without a gap"):
        fitted(rows, SETTINGS)


def test_the_quantiles_of_chi_squared_are_those_of_the_tables() -> None:
    for degrees, chance, table in [
        (8, 0.999, 26.12),
        (2, 0.99, 9.21),
        (1, 0.99, 6.63),
        (30, 0.95, 43.77),
    ]:
        assert chi_squared(degrees, chance) == pytest.approx(table, rel=0.02)
