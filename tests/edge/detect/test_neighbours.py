"""Nearest neighbours: the graph says what its reference says, of young and of wild windows too."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import models
from edge.detect.shipped import neighbours
from edge.detect.shipped.build import NEIGHBOURS, build

WINDOW = neighbours.WINDOW


@pytest.fixture(scope="module")
def model() -> Iterator[models.Model]:
    with TemporaryDirectory() as place:
        yield models.load(build(Path(place), (NEIGHBOURS,))[0])


def scores(model: models.Model, windows: NDArray[np.float64]) -> NDArray[np.float64]:
    return model.score(windows.reshape(-1), np.arange(len(windows)) * WINDOW)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.1, 1013.25), (1.0, 1e9), (1e-6, 0.0)])
def test_it_scores_as_its_reference_says(model: models.Model, scale: float, offset: float) -> None:
    windows = np.random.default_rng(1).normal(offset, scale, (40, WINDOW))
    assert np.allclose(scores(model, windows), neighbours.reference(windows), rtol=1e-4)


def test_a_window_that_is_not_full_is_compared_with_what_there_is(model: models.Model) -> None:
    windows = np.random.default_rng(2).normal(size=(40, WINDOW))
    for row, values in enumerate(np.linspace(neighbours.LEAST, WINDOW, 40).astype(int)):
        windows[row, : WINDOW - values] = np.nan
    found = scores(model, windows)
    assert np.isfinite(found).all()
    assert np.allclose(found, neighbours.reference(windows), rtol=1e-4)


def test_what_repeats_scores_nothing_and_what_never_was_scores_high(model: models.Model) -> None:
    wave = np.tile(np.sin(np.arange(32) * np.pi / 16), 17)[-WINDOW:]
    windows = np.stack([wave, wave])
    windows[1, -6:] = 0.0
    repeated, broken = scores(model, windows)
    assert repeated < 1e-5
    assert broken > 0.5


@pytest.mark.parametrize("wild", [np.finfo(np.float64).max, -1e300, 3.4028235e38, 65535.0])
def test_a_wild_value_scores_high_and_never_nan(model: models.Model, wild: float) -> None:
    windows = np.random.default_rng(3).normal(size=(3, WINDOW))
    usual = scores(model, windows).max()
    windows[0, -1], windows[1, 200], windows[2, -10] = wild, wild, wild
    newest, past, within = scores(model, windows)
    assert newest > 1000 * usual
    assert within > 1000 * usual
    assert past < 3 * usual


def test_the_same_window_has_the_same_score_to_the_bit_in_any_batch(model: models.Model) -> None:
    windows = np.random.default_rng(4).normal(size=(300, WINDOW))
    together = scores(model, windows)
    alone = [scores(model, windows[at : at + 1])[0] for at in range(0, 300, 13)]
    assert together[::13].tolist() == alone
