"""Days of 23 and 25 hours, half-hour zones, leap days: real journal, lake, tail and HTTP API.

Everything is asked with some blocks in the tables and some in the tail, and in the tables alone.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud.serve.cases_world import TAILS, CasesWorld, rows_of, us


@pytest.fixture
def world(tmp_path):
    made = CasesWorld(tmp_path)
    yield made
    made.close()


# Days on which clocks change, zones with and without summer time, half-hour zones


def local_days(zone: str, first: tuple[int, int, int], count: int) -> list[int]:
    """Where the days of a zone begin: `count` of them, and the end of the last."""
    start = datetime(*first)
    days = [start + timedelta(days=at) for at in range(count + 1)]
    return [us(day.year, day.month, day.day, zone=zone) for day in days]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("Europe/Berlin", (2023, 3, 25), (24, 23, 24)),
        ("Europe/Berlin", (2023, 10, 28), (24, 25, 24)),
        ("America/New_York", (2024, 3, 9), (24, 23, 24)),
        ("America/Santiago", (2023, 9, 2), (24, 23, 24)),  # midnight itself is left out
        ("Australia/Lord_Howe", (2023, 9, 30), (24, 23.5, 24)),
        ("Australia/Lord_Howe", (2024, 4, 6), (24, 24.5, 24)),
        ("Asia/Tokyo", (2023, 3, 25), (24, 24, 24)),
        ("Asia/Kolkata", (2023, 3, 25), (24, 24, 24)),
        ("Asia/Kathmandu", (2023, 10, 28), (24, 24, 24)),
        ("UTC", (2023, 3, 25), (24, 24, 24)),
    ],
)
def test_dst_a_local_day_has_the_hours_that_its_zone_gives_it(world, zone, first, hours, tail):
    edges = local_days(zone, first, 3)
    rows = rows_of((edges[-1] - edges[0]) // (15 * MINUTE_US), edges[0], 15 * MINUTE_US)
    world.split(rows, tail=tail)
    asked = {"zone": zone, "from_": edges[0], "to": edges[-1]}
    days = world.history(bucket="1d", columns="count,first,last", **asked)
    assert days["t"] == edges[:-1]
    assert [count / 4 for count in days["count"]] == [*hours]
    assert days["first"][1:] == [last + 1 for last in days["last"][:-1]]
    assert days["gaps"] == []


CHANGED_WEEKS = {"Europe/Berlin": {167.0}, "Asia/Kolkata": set(), "Australia/Lord_Howe": {168.5}}
"""Hours of the weeks of spring 2023 that are not 168."""


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("zone", CHANGED_WEEKS)
def test_dst_weeks_months_and_years_of_a_zone_over_a_change_lose_nothing(world, zone, tail):
    start, end = us(2023, 3, 1, zone=zone), us(2023, 6, 1, zone=zone)
    rows = rows_of((end - start) // (6 * HOUR_US), start, 6 * HOUR_US)
    world.split(rows, tail=tail)
    asked = {"zone": zone, "from_": start, "to": end, "columns": "count,sum"}
    for width, buckets in (("1w", 14), ("1mo", 3), ("1y", 1)):
        found = world.history(bucket=width, **asked)
        assert (sum(found["count"]), sum(found["sum"])) == (len(rows), sum(v for _, v in rows))
        local = [datetime.fromtimestamp(ts / 1e6, ZoneInfo(zone)) for ts in found["t"]]
        assert len(local) == buckets
        assert {(each.hour, each.minute) for each in local} == {(0, 0)}
        if width == "1w":
            assert {each.weekday() for each in local} == {0}
            hours = {(b - a) / HOUR_US for a, b in pairwise(found["t"])}
            assert hours - {168.0} == CHANGED_WEEKS[zone]
        else:
            assert {each.day for each in local} == {1}


@pytest.mark.parametrize("tail", TAILS)
def test_dst_the_hour_that_comes_twice_is_two_hours_and_the_skipped_one_is_none(world, tail):
    start = us(2023, 10, 29, zone="Europe/Berlin")
    world.split(rows_of(25 * 4, start, 15 * MINUTE_US), tail=tail)
    end = us(2023, 10, 30, zone="Europe/Berlin")
    asked = {"bucket": "1h", "zone": "Europe/Berlin", "from_": start, "to": end}
    hours = world.history(**asked)
    assert (len(hours["t"]), set(hours["count"])) == (25, {4})
    assert [b - a for a, b in pairwise(hours["t"])] == [HOUR_US] * 24


# Leap days


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(("year", "days"), [(2024, 29), (2023, 28), (2100, 28), (2000, 29)])
def test_leap_day_is_a_day_of_its_month_and_year(world, year, days, tail):
    start, end = us(year, 2, 1), us(year, 3, 2)
    world.split(rows_of((end - start) // HOUR_US, start, HOUR_US), tail=tail)
    asked = {"from_": start, "to": end, "columns": "count"}
    months = world.history(bucket="1mo", **asked)
    assert months["count"] == [24 * days, 24]
    found = world.history(bucket="1d", **asked)
    assert (len(found["t"]), set(found["count"])) == (days + 1, {24})
    assert us(year, 2, 28) + DAY_US in found["t"]
    assert found["t"][-1] == us(year, 3, 1)
