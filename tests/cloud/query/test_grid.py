"""Buckets of a calendar: they follow each other, cover the range, and begin at local midnights."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.query.grid import TooMany, Unit, Width, grid, width_of
from cloud.query.plan import POINTS_MAX
from cloud.rollup.partials import DAY_US, HOUR_US
from cloud.serve.kinds import FIRST_US, LAST_US

ZONES = [
    UTC,
    *map(
        ZoneInfo,
        ("Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Africa/Cairo", "Asia/Kolkata"),
    ),
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.integers(1, 9),
    st.sampled_from([Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR]),
    st.sampled_from(ZONES),
    st.integers(-(4 * 10**15), 8 * 10**15),
    st.integers(1, 900 * DAY_US),
)
@settings(max_examples=150, deadline=None)
def test_calendar_buckets_cover_the_range_and_begin_when_a_day_does(count, unit, zone, start, long):
    edges = grid(Width(count, unit), zone, start, start + long).edges
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= start < edges[1]
    assert edges[-2] < start + long <= edges[-1]
    for edge in edges[:50].tolist():
        at = (EPOCH + timedelta(microseconds=edge)).astimezone(zone)
        before = (EPOCH + timedelta(microseconds=edge - 1)).astimezone(zone)
        assert before.date() < at.date(), (before, at)
        if unit is Unit.WEEK:
            assert at.weekday() == 0
        if unit in (Unit.MONTH, Unit.YEAR):
            assert at.day == 1


def test_a_day_that_a_zone_left_out_has_no_bucket():
    zone = ZoneInfo("Pacific/Apia")  # it went from 29 to 31 December 2011
    start = int(datetime(2011, 12, 29, tzinfo=zone).timestamp()) * 1_000_000
    edges = grid(Width(1, Unit.DAY), zone, start, start + 2 * DAY_US).edges
    days = [(EPOCH + timedelta(microseconds=e)).astimezone(zone).day for e in edges.tolist()]
    assert days == [29, 31, 1]


@given(st.sampled_from(ZONES), st.sampled_from(list(Unit)), st.booleans())
@settings(deadline=None)
def test_the_ends_of_the_calendar_are_buckets_too(zone, unit, is_first):
    start = FIRST_US if is_first else LAST_US - 1000
    edges = grid(Width(1, unit), zone, start, start + 1000).edges
    assert edges[0] <= start
    assert edges[-1] >= start + 1000
    assert (np.diff(edges) > 0).all()


@given(st.integers(1, 999), st.sampled_from(list(Unit)), st.integers(0, 20_000 * 366 * DAY_US))
@settings(deadline=None)
def test_a_width_that_is_too_narrow_is_answered_with_one_that_will_do(count, unit, long):
    start = max(FIRST_US, -long // 2)
    end = min(start + long, LAST_US)
    try:
        made = grid(Width(count, unit), UTC, start, end)
    except TooMany as error:
        made = grid(width_of(str(error)), UTC, start, end)
    assert len(made.edges) - 1 <= POINTS_MAX


@pytest.mark.parametrize(
    ("zone", "width", "tier"),
    [
        ("UTC", "1d", "rollup_1d"),
        ("Europe/Berlin", "1d", "rollup_1h"),
        ("Asia/Kolkata", "1w", "rollup_1m"),
        ("UTC", "90m", "rollup_1m"),
        ("UTC", "36h", "rollup_1h"),
        ("UTC", "100s", None),
    ],
)
def test_a_grid_is_made_from_the_coarsest_tier_that_fits(zone, width, tier):
    start = 1_700_006_400_000_000 + 7 * HOUR_US
    made = grid(width_of(width), ZoneInfo(zone), start, start + 10 * DAY_US)
    assert (made.tier.name if made.tier else None) == tier


@pytest.mark.parametrize("text", ["", "5", "m5", "1M", "0d", "01d", "-1d", "99999s", "1.5h", "1 h"])
def test_what_is_no_width_is_refused(text):
    with pytest.raises(ValueError, match="1 to 10000"):
        width_of(text)
