"""Whether a model keeps its promised rate: the Poisson tail, and what is borne."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.promise import BESIDE_MAX, CHANCE, TIMES_MAX, is_off, poisson_tail


@pytest.mark.parametrize("mean", [0.3, 1.0, 7.5, 40.0])
def test_a_tail_is_one_less_the_terms_before_it(mean: float) -> None:
    for count in range(math.floor(mean) + 1, math.floor(mean) + 12):
        below = sum(mean**k * math.exp(-mean) / math.factorial(k) for k in range(count))
        assert poisson_tail(count, mean) == pytest.approx(1 - below, rel=1e-6, abs=1e-12)


@given(st.integers(0, 10**9), st.floats(0, 1e9))
def test_a_tail_is_a_chance_whatever_is_asked(count: int, mean: float) -> None:
    assert 0.0 <= poisson_tail(count, mean) <= 1.0


@given(st.integers(1, 5000), st.floats(0.01, 1e4), st.floats(0.01, 10.0), st.integers(0, 50))
def test_more_alarms_are_never_less_off(count: int, weeks: float, rate: float, beside: int) -> None:
    assert is_off(count, weeks, rate, beside) <= is_off(count + 1, weeks, rate, beside)


def test_one_who_keeps_a_promise_is_not_off_and_a_flood_is() -> None:
    weeks, rate = 200.0, 1.0
    assert not is_off(int(TIMES_MAX * weeks * rate), weeks, rate, 0)
    assert is_off(int(TIMES_MAX * weeks * rate) + 120, weeks, rate, 0)


def test_few_alarms_on_little_are_no_proof() -> None:
    assert not is_off(3, 0.0, 1.0, 0)
    assert is_off(20, 0.0, 1.0, 0)


def test_where_the_model_in_service_tells_as_much_the_readings_are_to_blame() -> None:
    assert is_off(100, 1.0, 1.0, 0)
    assert not is_off(100, 1.0, 1.0, int(100 / BESIDE_MAX))
    assert CHANCE < 0.01
