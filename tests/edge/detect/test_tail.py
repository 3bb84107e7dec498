"""Tails: how rare a score is, against laws whose tails are known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import tail
from edge.detect.tail import BINS, WARM_UP

F8 = NDArray[np.float64]


def fitted(scores: F8, clusters: float = 1.0) -> tail.Tail:
    """Of one series whose scores lie within the bins, none of them 0."""
    origin = int(tail.place(scores).max()) - BINS + 1
    bins = np.maximum(tail.place(scores) - origin, 1)
    counts = np.bincount(bins, minlength=BINS).astype(np.uint16)
    return tail.fit(counts[None], np.array([origin]), np.array([clusters]))


LAWS: dict[str, tuple[Callable[[np.random.Generator], F8], Callable[[float], float]]] = {
    "exponential": (lambda c: c.exponential(1, 30_000), lambda p: -np.log(p)),
    "pareto": (lambda c: c.pareto(4, 30_000), lambda p: p**-0.25 - 1),
    "uniform": (lambda c: c.uniform(0, 1, 30_000), lambda p: 1 - p),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_the_score_passed_with_a_chance_is_that_of_the_law(law: str, unit: float) -> None:
    draw, quantile = LAWS[law]
    found = fitted(draw(np.random.default_rng(1)) * unit)
    for chance in (1e-2, 1e-3, 1e-4):
        told = found.passed_with(np.array([chance]))[0] / unit
        assert told == pytest.approx(quantile(chance), rel=0.15), chance


@pytest.mark.parametrize("law", LAWS)
def test_rarity_is_the_chance_of_passing_turned_round(law: str) -> None:
    found = fitted(LAWS[law][0](np.random.default_rng(2)))
    for chance in (1e-2, 1e-3):
        assert found.rarity(found.passed_with(np.array([chance])))[0] == pytest.approx(
            -np.log10(chance), rel=1e-3
        )


def test_rarity_rises_with_the_score_below_the_tail_and_in_it() -> None:
    found = fitted(np.random.default_rng(3).exponential(1, 5000))
    scores = np.linspace(0, 30, 500)
    told = found.at(np.zeros(500, np.int64)).rarity(scores)
    assert told[0] == 0
    assert (np.diff(told) > 0).all()


def test_of_few_scores_or_of_clusters_the_same_chance_asks_for_a_stranger_one() -> None:
    chance = np.array([1e-4])
    draw = np.random.default_rng(4).exponential(1, 20_000)
    long = fitted(draw).passed_with(chance)[0]
    few = [fitted(part).passed_with(chance)[0] for part in draw.reshape(-1, 200)]
    assert np.mean(few) > 1.1 * long
    assert fitted(draw, 1 / 64).passed_with(chance)[0] > long


def test_nothing_is_told_of_a_series_that_has_shown_too_little() -> None:
    scores = np.random.default_rng(5).exponential(1, WARM_UP - 1)
    found = fitted(scores)
    assert found.passed_with(np.array([0.1]))[0] == np.inf
    assert found.rarity(np.array([5.0]))[0] == 0


def test_a_score_of_0_has_a_bin_below_all_others() -> None:
    places = tail.place(np.array([0.0, 1e-100, 1.0, 2.0, 1e300]))
    assert places[0] < places[1] < places[2] == 0
    assert places[3] == tail.BINS_PER_OCTAVE
    assert places[4] <= tail.place(np.array([tail.HIGHEST]))[0]
