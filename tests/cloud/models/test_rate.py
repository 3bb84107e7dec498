"""Rates with their interval: Garwood's published bounds, and what the bounds mean."""

import math

import pytest

from cloud.models.rate import TAIL, Rate, at_most


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (20, 12.217, 30.888)],
)
def test_the_bounds_are_those_of_the_tables(count, low, high):
    rate = Rate(count, 1.0)
    assert rate.low == pytest.approx(low, abs=1e-3)
    assert rate.high == pytest.approx(high, abs=1e-3)
    assert Rate(count, 4.0).high == pytest.approx(high / 4, abs=1e-3)


def test_at_the_bounds_what_was_seen_is_as_rare_as_said():
    rate = Rate(300, 1.0)
    assert at_most(300, rate.high) == pytest.approx(TAIL, rel=1e-6)
    assert 1 - at_most(299, rate.low) == pytest.approx(TAIL, rel=1e-6)


def test_nothing_watched_says_nothing():
    assert (Rate(0, 0.0).per_week, Rate(0, 0.0).high) == (0.0, math.inf)


def test_the_chance_of_few_events_is_poissons():
    assert at_most(0, 0.0) == 1.0
    assert at_most(1, 2.0) == pytest.approx(3 * math.exp(-2))
