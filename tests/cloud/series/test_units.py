"""Units: what is convertible into what, exactly, and what never is."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.series.units import _KNOWN, IDENTITY, Factor, conversion, misspelt

fractions = st.fractions(max_denominator=10_000).filter(lambda f: abs(f) < 10**9)
factors = st.builds(Factor, fractions.filter(bool), fractions)


@pytest.mark.parametrize(
    ("unit", "to", "value", "made"),
    [
        ("°F", "°C", 212.0, 100.0),
        ("°F", "°C", -40.0, -40.0),
        ("C", "°F", 37.0, 98.6),
        ("K", "℃", 300.0, 26.85),
        ("Fahrenheit", "kelvin", 32.0, 273.15),
        ("kWh", "MJ", 1.0, 3.6),
        ("Wh", "kWh", 1500.0, 1.5),
        ("bar", "hPa", 1.5, 1500.0),
        ("psi", "Pa", 1.0, 6894.757293168362),
        ("inHg", "hPa", 29.92, 1013.2074811900272),
        ("m^3", "L", 0.25, 250.0),
        ("m3/h", "L/min", 6.0, 100.0),
        ("km/h", "m/s", 36.0, 10.0),
        ("in", "mm", 2.0, 50.8),
        ("µg/m³", "mg/m3", 5.0, 0.005),
        ("μA", "µA", 5.0, 5.0),
    ],
)
def test_a_value_is_converted_to_the_last_digit(unit, to, value, made):
    factor = conversion(unit, to)
    assert factor.of(np.array([value])).tolist() == [made]


@pytest.mark.parametrize(
    ("unit", "to"),
    [
        ("°C", "%"),
        ("W", "Wh"),
        ("", "°C"),
        ("mW", "MWh"),
        ("furlong", "m"),
        ("V", "VA"),
        ("kg", "N"),
    ],
)
def test_units_of_different_quantities_are_kept_apart(unit, to):
    assert conversion(unit, to) is None


def test_a_unit_that_nobody_knows_is_itself_alone():
    assert conversion("furlong", "furlong") == IDENTITY
    assert conversion("", "") == IDENTITY
    assert conversion("furlong", "Furlong") is None


@pytest.mark.parametrize(
    ("unit", "near"),
    [("fahrenhit", "fahrenheit"), ("f", "F"), ("kwh", "kWh"), ("°C", ""), ("", ""), ("zzz", "")],
)
def test_a_unit_that_is_not_known_comes_with_its_nearest(unit, near):
    assert misspelt(unit) == near


def test_case_counts_where_it_means_something():
    assert conversion("mW", "MW") == Factor(Fraction(1, 10**9))
    assert conversion("celsius", "CELSIUS") == IDENTITY


@given(st.sampled_from(sorted(_KNOWN)), st.sampled_from(sorted(_KNOWN)))
def test_there_and_back_is_nothing_at_all(unit, to):
    there, back = conversion(unit, to), conversion(to, unit)
    assert (there is None) == (back is None)
    if there is not None:
        assert there.then(back) == IDENTITY == there.then(there.back())


@given(factors, factors, st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_one_line_after_another_is_one_line(first, second, values):
    held = np.array(values)
    once, twice = first.then(second).of(held), second.of(first.of(held))
    least = 1e-9 * float(1 + abs(second.a) * (abs(first.a) * 10**9 + abs(first.b)) + abs(second.b))
    assert np.allclose(once, twice, rtol=1e-9, atol=least)


@given(factors, st.lists(st.floats(allow_nan=False), min_size=2))
def test_a_line_keeps_or_turns_the_order(factor, values):
    made = factor.of(np.sort(values))
    made = made if factor.a > 0 else made[::-1]
    assert (made[1:] >= made[:-1]).all()


def test_nan_stays_nan_and_a_sum_counts_its_readings():
    factor = conversion("°C", "°F")
    assert np.isnan(factor.of(np.array([np.nan]))[0])
    assert factor.of(np.array([30.0]), np.array([3])).tolist() == [150.0]
