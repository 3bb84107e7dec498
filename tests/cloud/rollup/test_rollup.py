"""The merging law: however the readings are split, the merged aggregates are the same."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.rollup import partials as rollup
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US, Partials, Readings

Row = tuple[int, int, float, str | None]

_values = st.one_of(
    st.integers(-4096, 4096).map(lambda n: n / 8),  # sums of these are exact in any order
    st.sampled_from([float("nan"), -0.0, 0.0]),
)
_rows = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(-3 * MINUTE_US, 3 * MINUTE_US).map(lambda t: t // 20_000_000 * 20_000_000),
        _values,
        st.sampled_from([None, None, None, "on", "off"]),
    ),
    min_size=1,
    max_size=40,
)


def _readings(rows: list[Row]) -> Readings:
    """Rows in arrival order to sorted columns; a text's number is NaN."""
    ordered = sorted(rows, key=lambda row: row[:2])
    text = np.empty(len(rows), object)
    text[:] = [row[3] for row in ordered]
    return Readings(
        np.array([row[0] for row in ordered], np.int64),
        np.array([row[1] for row in ordered], np.int64),
        np.array([np.nan if row[3] is not None else row[2] for row in ordered], np.float64),
        text,
        np.zeros(len(rows), np.uint8),
    )


def _plain(partials: Partials, *, parts: bool = False) -> list[tuple[object, ...]]:
    """Rows that compare equal when they are the same bit for bit (NaN and −0.0 included).

    What is only known of readings in order is tested in test_time.py.
    """
    over_time = {"integral", "held", "reset_sum", "head", "tail"}
    left_out = over_time if parts else over_time | {"part"}
    names = [name for name in rollup.COLUMNS if name not in left_out]
    columns = [
        column.view(np.int64).tolist() if column.dtype == np.float64 else column.tolist()
        for column in (getattr(partials, name) for name in names)
    ]
    return list(zip(*columns, strict=True))


def _lists(partials: Partials) -> list[tuple[object, ...]]:
    """Bins of each row, and its states where they are known."""
    bins, states = partials.bins, partials.states
    assert bins is not None
    assert states is not None
    return [
        (
            bins.exponent[i],
            bins[np.array([i])].index.tolist(),
            bins[np.array([i])].count.tolist(),
            bool(states.is_known[i]),
            repr(states[np.array([i])].value.tolist()),
            states[np.array([i])].text.tolist(),
            states[np.array([i])].us.tolist(),
        )
        for i in range(len(partials))
    ]


@given(_rows, st.lists(st.integers(0, 40), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_lists_of_any_split_merge_to_those_of_all_readings_or_say_that_they_do_not_know(
    rows, cuts, random
):
    def reduced(some: list[Row], width: int, part: int) -> Partials:
        readings = _readings(some)
        of_states = readings.series == 2
        return rollup.reduce(replace(readings, of_states=of_states), width, part, lists=True)

    whole = _lists(reduced(rows, DAY_US, 0))
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [reduced(rows[a:b], HOUR_US, a) for a, b in pairwise(edges)]
    random.shuffle(parts)
    first = rollup.merge(rollup.concat(parts[:2]), HOUR_US)
    merged = rollup.merge(rollup.concat([first, *parts[2:]]), DAY_US)
    for at, (got, want) in enumerate(zip(_lists(merged), whole, strict=True)):
        assert got[:3] == want[:3]
        assert bool(got[3]) == (merged.held[at] >= 0)
        assert not got[3] or got == want


@given(_rows, st.lists(st.integers(0, 40), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_any_split_in_arrival_order_merges_to_the_same(rows, cuts, random):
    whole = rollup.reduce(_readings(rows), MINUTE_US, 0)
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [rollup.reduce(_readings(rows[a:b]), MINUTE_US, a) for a, b in pairwise(edges)]
    random.shuffle(parts)
    assert _plain(rollup.merge(rollup.concat(parts), MINUTE_US)) == _plain(whole)


@given(_rows, st.integers(1, 39))
@settings(max_examples=100, deadline=None)
def test_merging_in_steps_or_at_once_is_the_same(rows, cut):
    cut = min(cut, len(rows))
    parts = [
        rollup.reduce(_readings(piece), MINUTE_US, part)
        for part, piece in ((0, rows[:cut]), (cut, rows[cut:]))
        if piece
    ]
    stepwise = rollup.merge(rollup.merge(rollup.concat(parts), HOUR_US), DAY_US)
    at_once = rollup.merge(rollup.concat(parts), DAY_US)
    assert _plain(stepwise, parts=True) == _plain(at_once, parts=True)


@given(_rows)
@settings(max_examples=100, deadline=None)
def test_a_coarser_tier_merged_from_a_finer_one_equals_the_one_made_from_readings(rows):
    fine = rollup.reduce(_readings(rows), MINUTE_US, 7)
    assert _plain(rollup.merge(fine, HOUR_US)) == _plain(rollup.reduce(_readings(rows), HOUR_US, 7))


@given(_rows)
@settings(max_examples=100, deadline=None)
def test_aggregates_are_what_a_loop_over_the_readings_gives(rows):
    got = rollup.reduce(_readings(rows), MINUTE_US, 0)
    groups: dict[tuple[int, int], list[Row]] = {}
    for row in sorted(rows, key=lambda r: r[:2]):
        groups.setdefault((row[0], row[1] // MINUTE_US * MINUTE_US), []).append(row)
    assert list(zip(got.series.tolist(), got.bucket.tolist(), strict=True)) == sorted(groups)
    for i, key in enumerate(sorted(groups)):
        numbers = [r[2] for r in groups[key] if r[3] is None and r[2] == r[2]]
        assert got.count[i] == len(groups[key])
        assert got.valid[i] == len(numbers)
        assert got.sum[i] == sum(numbers)
        if numbers:
            assert (got.min[i], got.max[i]) == (min(numbers), max(numbers))
        else:
            assert np.isnan(got.min[i])
            assert np.isnan(got.max[i])
        assert got.last_text[i] == groups[key][-1][3]


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=200), st.integers(1, 199))
@settings(max_examples=100, deadline=None)
def test_a_sum_of_any_floats_is_the_same_up_to_rounding(values, cut):
    rows: list[Row] = [(1, i, value, None) for i, value in enumerate(values)]
    cut = min(cut, len(rows) - 1)
    parts = [
        rollup.reduce(_readings(r), HOUR_US, i) for i, r in enumerate((rows[:cut], rows[cut:]))
    ]
    merged = rollup.merge(rollup.concat(parts), HOUR_US)
    scale = sum(abs(value) for value in values)
    assert merged.sum[0] == pytest.approx(sum(values), abs=scale * 1e-12)


def test_readings_of_one_time_are_ordered_by_arrival_across_partials():
    parts = [
        rollup.reduce(_readings([(1, 5, value, None)]), MINUTE_US, part)
        for part, value in ((30, 3.0), (10, 1.0), (20, 2.0))
    ]
    merged = rollup.merge(rollup.concat(parts), MINUTE_US)
    assert (merged.first[0], merged.last[0], merged.part[0]) == (1.0, 3.0, 10)


def test_a_negative_zero_never_leaks_into_sum_min_or_max():
    got = rollup.reduce(_readings([(1, 0, -0.0, None)]), MINUTE_US, 0)
    assert not np.signbit([got.sum[0], got.min[0], got.max[0]]).any()
    assert np.signbit(got.first[0])


def test_infinities_are_numbers_and_their_difference_is_not():
    rows: list[Row] = [(1, 0, np.inf, None), (1, 1, -np.inf, None)]
    got = rollup.reduce(_readings(rows), MINUTE_US, 0)
    assert (got.min[0], got.max[0], got.valid[0]) == (-np.inf, np.inf, 2)
    assert np.isnan(got.sum[0])


def test_a_bucket_of_nan_and_texts_has_a_count_and_no_statistics():
    rows: list[Row] = [(1, 0, float("nan"), None), (1, 1, 0.0, "open")]
    got = rollup.reduce(_readings(rows), MINUTE_US, 0)
    assert (got.count[0], got.valid[0], got.last_text[0]) == (2, 0, "open")
    assert np.isnan(rollup.mean(got)[0])


def test_times_before_1970_fall_into_the_bucket_that_contains_them():
    got = rollup.bucket_of(np.array([-1, 0, -MINUTE_US, -MINUTE_US - 1], np.int64), MINUTE_US)
    assert got.tolist() == [-MINUTE_US, 0, -MINUTE_US, -2 * MINUTE_US]


def test_the_lowest_and_highest_times_have_a_bucket_below_them():
    ends = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max], np.int64)
    got = rollup.bucket_of(ends, DAY_US)
    assert got[0] < 0 < got[1]


def test_nothing_in_gives_nothing_out():
    assert len(rollup.merge(rollup.EMPTY, DAY_US)) == 0
    assert len(rollup.concat([])) == 0


def test_minutes_are_kept_of_a_series_that_comes_every_two_seconds_and_of_no_slower_one():
    often: list[Row] = [(1, i * 1_900_000, 0.0, None) for i in range(20)]
    seldom: list[Row] = [(2, i * 2_100_000, 0.0, None) for i in range(20)]
    once: list[Row] = [(3, 0, 0.0, None)]
    kept = rollup.dense(_readings([*often, *seldom, *once]))
    assert kept.tolist() == [True] * 20 + [False] * 21
    assert not len(rollup.dense(_readings([])))
