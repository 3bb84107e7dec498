"""Pace: which series are slow, whatever outages, bursts and clocks do; and who gets them then."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.pace import STRETCH, Pace
from edge.detect.routing import Routing
from edge.detect.slots import Slots

SECOND_US = 1_000_000
LEAST_S = 10.0


def slow(steps_s: NDArray[np.float64] | list[float]) -> list[bool]:
    """Of one series with these steps between its readings."""
    ts = np.append(0, np.cumsum(np.asarray(steps_s) * SECOND_US)).astype(np.int64)
    return Pace(LEAST_S).slow(np.ones(len(ts), np.uint32), ts).tolist()


def test_a_series_is_slow_from_the_end_of_its_second_stretch_on() -> None:
    told = slow([60.0] * 100)
    assert told.index(True) == 2 * STRETCH
    assert all(told[2 * STRETCH :])


def test_a_quick_series_is_never_slow_and_one_outage_does_not_make_it_so() -> None:
    steps = np.ones(400)
    steps[200] = 100_000.0
    assert not any(slow(steps))


def test_a_burst_shorter_than_a_stretch_leaves_a_slow_series_slow_and_a_long_one_does_not() -> None:
    steps = np.full(400, 60.0)
    steps[200 : 200 + STRETCH // 2] = 0.1
    assert all(slow(steps)[2 * STRETCH :])
    steps[200:] = 0.1
    assert not slow(steps)[-1]


@pytest.mark.parametrize("wild_us", [0, 2**62, -(2**62)])
def test_one_wild_stamp_changes_nothing(wild_us: int) -> None:
    for step_s, expected in ((1, False), (60, True)):
        ts = 1_700_000_000 * SECOND_US + np.arange(400, dtype=np.int64) * step_s * SECOND_US
        ts[12 * STRETCH] = wild_us
        told = Pace(LEAST_S).slow(np.ones(400, np.uint32), ts).tolist()
        assert set(told[2 * STRETCH :]) == {expected}


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 800), max_size=6))
def test_how_the_stream_is_cut_changes_no_answer(seed: int, cuts: list[int]) -> None:
    chance = np.random.default_rng(seed)
    series = chance.integers(0, 4, 800).astype(np.uint32)
    ts = np.cumsum(chance.choice([1, 4, 30], 800) * SECOND_US)
    whole = Pace(LEAST_S).slow(series, ts)
    parts, edges = Pace(LEAST_S), [0, *sorted(cuts), 800]
    told = [parts.slow(series[a:b], ts[a:b]) for a, b in itertools.pairwise(edges)]
    assert np.array_equal(np.concatenate(told), whole)


@dataclass(frozen=True)
class Claim:
    name: str
    step_s_min: float = 0.0
    instead_of: tuple[str, ...] = ()


def test_a_model_for_slow_series_takes_them_from_those_it_stands_in_for_and_no_other() -> None:
    count = 4 * STRETCH
    series = np.tile(np.array([1, 2], np.uint32), count)
    at_s = np.stack([np.arange(count), 60 * np.arange(count)], axis=1).reshape(-1)
    every = np.ones(2 * count, np.bool_)
    claims = [Claim("light"), Claim("heavy", LEAST_S, ("light",)), Claim("other")]
    light, heavy, other = Routing(claims).rows(series, at_s * SECOND_US, [every, every, every])
    assert light is not None
    assert heavy is not None
    known = np.arange(2 * count) >= 4 * STRETCH
    assert np.array_equal(heavy, (series == 2) & known)
    assert np.array_equal(light, ~heavy)
    assert other is every


def test_a_model_set_aside_leaves_its_series_to_the_others() -> None:
    count = 4 * STRETCH
    every = np.ones(count, np.bool_)
    claims = [Claim("light"), Claim("heavy", LEAST_S, ("light",))]
    ts = np.arange(count, dtype=np.int64) * 60 * SECOND_US
    light, heavy = Routing(claims).rows(np.ones(count, np.uint32), ts, [every, None])
    assert heavy is None
    assert light is every


def test_slots_are_given_in_the_order_of_coming_and_kept() -> None:
    slots = Slots()
    assert slots.of(np.array([900, 7, 900], np.uint32)).tolist() == [1, 0, 1]
    assert slots.of(np.array([7, 100_000, 900], np.uint32)).tolist() == [0, 2, 1]
    assert slots.of(np.zeros(0, np.uint32)).tolist() == []
    assert slots.count == 3
