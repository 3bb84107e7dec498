"""Integrals, holds and increases: merged from partials they are exact, or known to be unknown."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.rollup import partials as rollup
from cloud.rollup import time as rollup_time
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US, Partials, Readings
from cloud.rollup.time import HOLD_US, Before, Buckets, Over, Sums
from tests.cloud import over_model
from tests.cloud.over_model import Row

_rows = st.lists(
    st.tuples(
        st.integers(-9, 30).map(lambda n: n * 600_000_000 // 2),
        st.one_of(
            st.integers(-64, 64).map(lambda n: n / 4),
            st.sampled_from([math.nan, "on"]),
        ),
    ),
    min_size=1,
    max_size=25,
)


def _readings(rows: list[Row]) -> Readings:
    ordered = sorted(rows, key=lambda row: row[0])
    text = np.empty(len(rows), object)
    text[:] = [value if isinstance(value, str) else None for _, value in ordered]
    value = [math.nan if isinstance(value, str) else value for _, value in ordered]
    ts = np.array([ts for ts, _ in ordered], np.int64)
    series = np.ones(len(rows), np.int64)
    return Readings(series, ts, np.array(value), text, np.zeros(len(rows), np.uint8))


def _over(partials: Partials, width_us: int, before: Before | None, *, goes_on: bool) -> Over:
    inside = Sums(
        partials.integral, partials.held, partials.reset_sum, partials.head, partials.tail
    )
    ends = partials.bucket + width_us
    buckets = Buckets(
        partials.bucket, ends, partials.first_ts, partials.last_ts, partials.last, inside
    )
    return rollup_time.over(buckets, before, goes_on=goes_on)


def _told(over: Over) -> list[over_model.Told]:
    return list(zip(over.mean.tolist(), over.covered.tolist(), over.increase.tolist(), strict=True))


def _time(partials: Partials) -> list[tuple[float, ...]]:
    names = ("integral", "held", "reset_sum", "head", "tail")
    columns = (getattr(partials, name).tolist() for name in names)
    return list(zip(*columns, strict=True))


@given(_rows, st.sampled_from([MINUTE_US, HOUR_US, DAY_US]))
@settings(max_examples=200)
def test_buckets_made_from_readings_are_what_a_loop_over_them_gives(rows, width):
    partials = rollup.reduce(_readings(rows), width, 0)
    edges = range(-DAY_US, DAY_US + 1, width)
    found = list(
        zip(
            partials.bucket.tolist(),
            _told(_over(partials, width, None, goes_on=False)),
            strict=True,
        )
    )
    assert repr(found) == repr(over_model.over(rows, edges))


@given(_rows, st.lists(st.integers(0, 25), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_partials_of_any_split_merge_to_the_same_or_say_that_they_do_not_know(rows, cuts, random):
    whole = rollup.reduce(_readings(rows), HOUR_US, 0)
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [rollup.reduce(_readings(rows[a:b]), MINUTE_US, a) for a, b in pairwise(edges)]
    random.shuffle(parts)
    merged = rollup.merge(rollup.concat(parts), HOUR_US)
    known = ~rollup.unknown(merged)
    assert repr(np.array(_time(merged))[known]) == repr(np.array(_time(whole))[known])


@given(_rows, st.lists(st.integers(0, 25), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_partials_one_after_another_in_time_are_always_known(rows, cuts, random):
    rows = sorted(rows, key=lambda row: row[0])
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [rollup.reduce(_readings(rows[a:b]), HOUR_US, a) for a, b in pairwise(edges)]
    random.shuffle(parts)
    merged = rollup.merge(rollup.concat(parts), DAY_US)
    assert not rollup.unknown(merged).any()
    assert repr(_time(merged)) == repr(_time(rollup.reduce(_readings(rows), DAY_US, 0)))


def test_late_readings_between_others_make_a_bucket_unknown_and_so_does_what_it_is_merged_into():
    early = rollup.reduce(_readings([(0, 1.0), (20, 3.0)]), MINUTE_US, 1)
    late = rollup.reduce(_readings([(10, 2.0)]), MINUTE_US, 2)
    other = rollup.reduce(_readings([(MINUTE_US, 4.0)]), MINUTE_US, 3)
    merged = rollup.merge(rollup.concat([early, late, other]), MINUTE_US)
    assert rollup.unknown(merged).tolist() == [True, False]
    assert merged.sum.tolist() == [6.0, 4.0]
    assert rollup.unknown(rollup.merge(merged, HOUR_US)).all()


def test_partials_that_meet_at_one_time_are_in_order_only_if_the_later_arrived_later():
    first = [(0, 1.0), (10, 2.0)]
    for parts, known in (((1, 2), True), ((2, 1), False), ((1, 1), False)):
        pieces = [
            rollup.reduce(_readings(first), MINUTE_US, parts[0]),
            rollup.reduce(_readings([(10, 5.0)]), MINUTE_US, parts[1]),
        ]
        merged = rollup.merge(rollup.concat(pieces), MINUTE_US)
        assert rollup.unknown(merged).tolist() == [not known]


def test_a_reading_holds_for_an_hour_at_most_and_the_newest_has_held_no_time():
    got = rollup.reduce(_readings([(0, 8.0), (3 * HOUR_US, 2.0)]), DAY_US, 0)
    over = _over(got, DAY_US, None, goes_on=False)
    assert (over.mean[0], over.covered[0]) == (8.0, HOLD_US)
    over = _over(got, DAY_US, None, goes_on=True)
    assert (over.mean[0], over.covered[0]) == (5.0, 2 * HOLD_US)


def test_what_held_before_a_bucket_holds_in_it_until_its_first_reading():
    got = rollup.reduce(_readings([(HOUR_US + HOUR_US // 2, 4.0)]), HOUR_US, 0)
    over = _over(got, HOUR_US, Before(HOUR_US - HOUR_US // 4, 8.0, 8.0), goes_on=True)
    # 8.0 from the hour on until the reading after half of it, then 4.0 until its end
    assert (over.mean[0], over.covered[0]) == (6.0, HOUR_US)
    far = _over(got, HOUR_US, Before(0, 8.0, 8.0), goes_on=True)
    assert (far.mean[0], far.covered[0]) == (4.0, HOUR_US // 2)


def test_a_counter_that_falls_was_reset_and_rises_from_zero():
    rows: list[Row] = [(i, value) for i, value in enumerate([90.0, 100.0, 3.0, 5.0, 0.0, 1.0])]
    got = rollup.reduce(_readings(rows), MINUTE_US, 0)
    assert _over(got, MINUTE_US, None, goes_on=False).increase[0] == 10 + 3 + 2 + 0 + 1
    assert _over(got, MINUTE_US, Before(-1, 80.0, 80.0), goes_on=False).increase[0] == 26
    assert _over(got, MINUTE_US, Before(-1, 95.0, 95.0), goes_on=False).increase[0] == 90 + 16


def test_infinities_and_extreme_times_give_numbers_or_nan_and_no_fault():
    ends = np.iinfo(np.int64)
    rows: list[Row] = [(ends.min, 1.0), (0, math.inf), (0, -math.inf), (5, 1.0), (ends.max, 2.0)]
    got = rollup.reduce(_readings(rows), DAY_US, 0)
    totals = rollup.merge(rollup.concat([got, got]), DAY_US)
    assert rollup.unknown(totals)[1]
    assert math.isinf(got.integral[1])
    everything = Partials(
        **{name: getattr(got, name) for name in rollup.COLUMNS if name != "bucket"},
        bucket=np.zeros(len(got), np.int64),
    )
    one = rollup.merge(everything, DAY_US)
    assert one.held[0] == 2 * HOLD_US + 5


@pytest.mark.parametrize("value", ["on", math.nan])
def test_what_is_no_number_holds_no_number_and_ends_the_one_before(value):
    rows: list[Row] = [(0, 4.0), (MINUTE_US, value), (2 * MINUTE_US, 6.0), (3 * MINUTE_US, 0.0)]
    got = rollup.reduce(_readings(rows), HOUR_US, 0)
    over = _over(got, HOUR_US, None, goes_on=False)
    assert (over.mean[0], over.covered[0], over.increase[0]) == (5.0, 2 * MINUTE_US, 2.0)
