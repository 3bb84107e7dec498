"""Bins of a bucket's numbers: the same of any split, and quantiles as near as they say."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.rollup import bins as rollup_bins
from cloud.rollup.bins import BINS_MAX, ERROR, SPAN_BITS, UNKNOWN, Bins, Spread
from cloud.rollup.quantiles import SHARES, quantiles
from tests.cloud import over_model

_any = st.floats(allow_nan=False, allow_infinity=False)
_some = st.one_of(
    st.integers(-300, 300).map(lambda n: n / 10),
    st.integers(0, 4000).map(lambda n: 1013 + n / 1000),
    st.floats(-1e3, 1e3),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e-20, 85.0, -127.0, 1e300, -1e300, 2.0**53]),
)
_numbers = st.one_of(
    st.lists(_some, min_size=1, max_size=400),
    st.lists(_any, min_size=1, max_size=200),
    st.lists(st.floats(0, 1), min_size=100, max_size=400),
)
_rows = st.lists(_numbers, min_size=1, max_size=4)


def spread_of(rows: list[list[float]]) -> Spread:
    lows = [min(row) + 0.0 if row else math.nan for row in rows]
    highs = [max(row) + 0.0 if row else math.nan for row in rows]
    return Spread(np.array([len(row) for row in rows]), np.array(lows), np.array(highs))


def made_of(rows: list[list[float]]) -> Bins:
    flat = np.array([value for row in rows for value in row], np.float64) + 0.0
    return rollup_bins.reduce(flat, spread_of(rows))


def plain(bins: Bins) -> list[tuple[int, list[int], list[int]]]:
    return [
        (int(bins.exponent[i]), bins.index[a:b].tolist(), bins.count[a:b].tolist())
        for i, (a, b) in enumerate(pairwise(bins.offsets.tolist()))
    ]


def merged(parts: list[list[float]], grouped: list[list[int]]) -> Bins:
    """Bins of groups of rows, by their numbers."""
    order = np.array([each for group in grouped for each in group], np.int64)
    starts = np.cumsum([0, *(len(group) for group in grouped)])[:-1]
    groups = [[value for each in group for value in parts[each]] for group in grouped]
    own = made_of(parts)
    return rollup_bins.merge(own, spread_of(parts), order, starts, spread_of(groups))


@given(_rows)
@settings(max_examples=60, deadline=None)
def test_bins_are_those_that_a_loop_finds(rows):
    for row, (exponent, index, count) in zip(rows, plain(made_of(rows)), strict=True):
        values = [Fraction(value) for value in row]
        low, high = min(values), max(values)
        if len(row) <= 2 or low == high:
            assert (index, count) == ([], [])
            continue
        width = Fraction(2) ** exponent
        wanted: dict[int, int] = {}
        for value in values:
            place = value // width - low // width
            wanted[place] = wanted.get(place, 0) + 1
        assert dict(zip(index, count, strict=True)) == wanted
        assert index == sorted(index)
        assert len(index) <= BINS_MAX
        assert index[-1] <= 1 << SPAN_BITS


@given(_rows, st.lists(st.integers(0, 400), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_bins_of_any_split_merge_to_those_of_all_numbers(rows, cuts, random):
    parts: list[list[float]] = []
    grouped: list[list[int]] = []
    for row in rows:
        shuffled = random.sample(row, len(row))
        edges = sorted({0, len(row), *(cut for cut in cuts if cut < len(row))})
        grouped.append(list(range(len(parts), len(parts) + len(edges) - 1)))
        parts += [shuffled[a:b] for a, b in pairwise(edges)]
        parts.append([])
        grouped[-1].append(len(parts) - 1)
        random.shuffle(grouped[-1])
    assert plain(merged(parts, grouped)) == plain(made_of(rows))


@given(st.lists(_numbers, min_size=4, max_size=4))
@settings(max_examples=40, deadline=None)
def test_merging_in_steps_or_at_once_is_the_same(rows):
    pairs = [rows[0] + rows[1], rows[2] + rows[3]]
    first = merged(rows, [[1, 0], [2, 3]])
    both, starts = np.arange(2), np.zeros(1, np.int64)
    whole = spread_of([pairs[0] + pairs[1]])
    stepwise = rollup_bins.merge(first, spread_of(pairs), both, starts, whole)
    assert plain(stepwise) == plain(merged(rows, [[3, 0, 2, 1]]))


@given(_rows)
@settings(max_examples=60, deadline=None)
def test_quantiles_are_within_the_error_that_is_stated(rows):
    spread = spread_of(rows)
    found = quantiles(made_of(rows), spread)
    for at, row in enumerate(rows):
        error, range_of = Fraction(found.error[at].item()), Fraction(max(row)) - Fraction(min(row))
        assert error <= Fraction(ERROR) * range_of
        for name in SHARES:
            share = Fraction(int(name[1:]), 100)
            exact = over_model.quantile([(0, value) for value in row], 0, 1, share)
            told = found.told[name][at].item()
            rounding = Fraction(math.ulp(max(abs(told), abs(exact))))
            assert abs(Fraction(told) - Fraction(exact)) <= error + rounding
            assert min(row) <= told <= max(row)


@given(
    st.lists(st.integers(0, BINS_MAX - 1), min_size=1, max_size=300),
    st.integers(-9_000, 9_000),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_of_few_different_decimals_quantiles_are_exact(steps, first, digits):
    row = [round((first + step) / 10**digits, digits) for step in steps]
    found = quantiles(made_of([row]), spread_of([row]))
    for name in SHARES:
        share = Fraction(int(name[1:]), 100)
        exact = over_model.quantile([(0, value) for value in row], 0, 1, share)
        assert found.told[name][0] == exact


def test_an_outlier_takes_a_bin_and_not_the_resolution_of_all_others():
    values = (20 + np.random.default_rng(5).normal(0, 0.2, 3000)).round(2).tolist()
    row = [*values, -127.0, 85.0]
    found = quantiles(made_of([row]), spread_of([row]))
    assert found.told["p50"][0] == pytest.approx(sorted(row)[len(row) // 2], abs=0.04)
    assert found.error[0] < 0.07


def test_infinities_have_no_bins_and_neither_has_what_they_are_merged_into():
    parts = [[1.0, 2.0, 3.0], [4.0, math.inf, 5.0], [6.0]]
    assert made_of(parts).exponent.tolist()[1] == UNKNOWN
    found = merged(parts, [[0, 1], [2, 0]])
    assert found.is_known.tolist() == [False, True]
    assert plain(found)[1] == plain(made_of([[1.0, 2.0, 3.0, 6.0]]))[0]


def test_more_readings_than_a_count_holds_have_no_bins():
    parts, order = spread_of([[1.0, 2.0], [1.0, 5.0]]), np.arange(2)
    groups = Spread(np.array([rollup_bins.COUNT_MAX + 1]), np.array([1.0]), np.array([5.0]))
    own = made_of([[1.0, 2.0], [1.0, 5.0]])
    found = rollup_bins.merge(own, parts, order, np.zeros(1, np.int64), groups)
    assert not found.is_known.any()


def test_of_nothing_there_are_no_bins_and_no_quantiles():
    found = quantiles(made_of([[], [7.0]]), spread_of([[], [7.0]]))
    assert repr(found.told["p50"].tolist()) == "[nan, 7.0]"
    assert len(rollup_bins.unknown(3)[np.array([True, False, True])]) == 2
    assert not len(merged([], []))


def test_rows_taken_and_put_together_keep_their_lists():
    rows = [[1.0, 2.0, 4.0], [5.0], [1.5, 9.0, 1.5, 3.0]]
    bins = made_of(rows)
    both = rollup_bins.concat([bins[np.array([2])], bins[np.array([1, 0])]])
    assert plain(both) == [plain(bins)[2], plain(bins)[1], plain(bins)[0]]
