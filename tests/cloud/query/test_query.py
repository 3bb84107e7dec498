"""Queries: complete and in order over tables and tail, at the resolution that was asked for."""

import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.query.history import Ask, Cursor, UnknownSeries
from cloud.query.plan import Resolution, buckets_for, span
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World, expected, same


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def test_raw_history_is_complete_and_in_order_over_tables_and_tail(world):
    world.send("pump", [(T0 + i, i / 3) for i in (5, 1, 3)])
    world.consolidate()
    world.follow()
    world.send("pump", [(T0 + i, i / 3) for i in (2, 4, 0)])
    world.follow()
    assert same(world.raw("pump", T0, T0 + 5), expected(world, "pump", T0, T0 + 5))


def test_pages_of_any_size_join_to_the_whole_even_where_many_share_one_time(world):
    world.send("pump", [(T0 + i // 7, float(i)) for i in range(40)])
    world.consolidate()
    world.send("pump", [(T0 + 2, float(100 + i)) for i in range(9)])
    world.follow()
    for limit in (1, 2, 3, 7, 48, 49, 50):
        found = world.raw("pump", T0, T0 + 100, limit=limit)
        assert same(found, expected(world, "pump", T0, T0 + 100)), limit


def test_several_series_page_one_after_another(world):
    for device in ("a", "b", "c"):
        world.send(device, [(T0 + i, float(i)) for i in range(5)])
    world.follow()
    ids = tuple(world.id(device) for device in ("a", "b", "c"))
    seen: dict[int, list[int]] = defaultdict(list)
    cursor: Cursor | None = None
    while True:
        ask = Ask(ids, T0, T0 + 10, resolution=Resolution.RAW, limit=5, cursor=cursor)
        answer = world.query.history(ask)
        for series in answer.series:
            seen[series.id] += series.ts.tolist()
        cursor = answer.next
        if cursor is None:
            break
    assert seen == {each: [T0 + i for i in range(5)] for each in ids}


def test_texts_come_back_as_texts(world):
    world.send("door", [(T0, "open"), (T0 + 1, "shut")])
    world.consolidate()
    world.follow()
    world.send("door", [(T0 + 2, "open")])
    world.follow()
    assert world.raw("door", T0, T0 + 9) == [(T0, "open"), (T0 + 1, "shut"), (T0 + 2, "open")]


def test_nan_and_infinity_are_kept_bit_for_bit(world):
    world.send("pump", [(T0, math.nan), (T0 + 1, math.inf), (T0 + 2, -0.0)])
    world.consolidate()
    world.follow()
    assert repr(world.raw("pump", T0, T0 + 9)) == repr(
        [(T0, math.nan), (T0 + 1, math.inf), (T0 + 2, -0.0)]
    )


def test_an_unknown_series_is_named(world):
    with pytest.raises(UnknownSeries):
        world.query.history(Ask((7,), 0, 1))


def test_an_empty_range_has_no_points(world):
    world.send("pump", [(T0, 1.0)])
    world.follow()
    answer = world.query.history(Ask((world.id("pump"),), T0 + 1, T0 + 1))
    assert answer.series[0].ts.tolist() == []


def test_one_point_is_one_point_at_every_resolution(world):
    world.send("pump", [(T0 + 1, 2.5)])
    world.consolidate()
    world.follow()
    for resolution in (Resolution.MINUTE, Resolution.HOUR, Resolution.DAY):
        ask = Ask((world.id("pump"),), T0, T0 + DAY_US, resolution=resolution)
        (series,) = world.query.history(ask).series
        assert series.partials.count.tolist() == [1]
        assert series.partials.first.tolist() == series.partials.max.tolist() == [2.5]


def test_few_readings_come_raw_and_many_come_in_buckets(world):
    world.send("pump", [(T0 + i * 1_000_000, float(i)) for i in range(7200)])
    world.consolidate()
    world.follow()
    ids = (world.id("pump"),)
    few = world.query.history(Ask(ids, T0, T0 + 500 * 1_000_000))
    assert few.buckets is None
    assert len(few.series[0].ts) == 500
    many = world.query.history(Ask(ids, T0, T0 + 2 * HOUR_US, points=100))
    assert many.buckets.name == "1m"
    assert many.buckets.width_us == 2 * MINUTE_US
    assert many.series[0].partials.count.tolist() == [120] * 60
    fine = world.query.history(Ask(ids, T0, T0 + HOUR_US, points=400))
    assert (fine.buckets.name, fine.buckets.tier) == ("10s", None)
    assert fine.series[0].partials.count.tolist() == [10] * 360


def test_a_gap_has_no_buckets(world):
    world.send("pump", [(T0, 1.0), (T0 + HOUR_US, 2.0)])
    world.follow()
    ask = Ask((world.id("pump"),), T0, T0 + DAY_US, resolution=Resolution.MINUTE, points=2000)
    assert world.query.history(ask).series[0].partials.bucket.tolist() == [T0, T0 + HOUR_US]


def test_buckets_straddling_the_seam_are_whole(world):
    for i in range(6):
        world.send("pump", [(T0 + i, float(i))])
        if i == 2:
            world.consolidate()
    world.follow()
    ask = Ask((world.id("pump"),), T0, T0 + 1, resolution=Resolution.HOUR)
    (series,) = world.query.history(ask).series
    partials = series.partials
    got = (partials.count[0], partials.sum[0], partials.first[0], partials.last[0])
    assert got == (6, 15.0, 0.0, 5.0)


def test_anomalies_come_newest_first_from_tables_and_tail_and_by_filter(world):
    gateway = world.gateway
    gateway.send(gateway.scores("pump", [T0, T0 + 5], [1.0, 2.0]))
    world.consolidate()
    world.follow()
    gateway.send(gateway.scores("fan", [T0 + 3], [3.0]))
    world.follow()
    query = world.query
    assert [row["value"] for row in query.anomalies(T0, T0 + 9)] == [2.0, 3.0, 1.0]
    assert [row["value"] for row in query.anomalies(T0, T0 + 9, device="pump")] == [2.0, 1.0]
    assert [row["value"] for row in query.anomalies(T0, T0 + 9, limit=1)] == [2.0]
    assert query.anomalies(T0, T0 + 9, gateway="other") == []
    fan = world.id("fan")
    assert [row["value"] for row in query.anomalies(T0, T0 + 9, series=[fan])] == [3.0]
    assert query.anomalies(T0 + 6, T0 + 9) == []


@given(
    st.integers(-(10**15), 4 * 10**15),
    st.integers(1, 4 * 10**15),
    st.integers(2, 20_000),
    st.sampled_from([Resolution.AUTO, Resolution.MINUTE, Resolution.HOUR, Resolution.DAY]),
)
@settings(max_examples=300, deadline=None)
def test_buckets_never_outnumber_the_points_and_fill_their_tier(start, length, points, resolution):
    buckets = buckets_for(start, start + length, points, resolution)
    first, end = span(start, start + length, buckets.width_us)
    assert first <= start < start + length <= end
    assert (end - first) // buckets.width_us <= points
    if buckets.tier is not None:
        assert buckets.width_us % buckets.tier.width_us == 0


def test_times_of_an_unset_clock_are_found_where_they_say(world):
    world.send("pump", [(5, 1.0), (T0, 2.0), (T0 + 400 * DAY_US, 3.0)])
    world.consolidate()
    world.follow()
    assert world.raw("pump", 0, 10) == [(5, 1.0)]
    ask = Ask((world.id("pump"),), 0, T0 + 500 * DAY_US, 1000, Resolution.DAY)
    assert np.sum(world.query.history(ask).series[0].partials.count) == 3


def test_minutes_of_a_series_that_came_often_and_then_seldom_are_whole(world):
    often = [(T0 + i * 1_000_000, float(i % 7)) for i in range(600)]
    seldom = [(T0 + HOUR_US // 2 + i * 20_000_000, float(i)) for i in range(60)]
    for rows in (often, seldom):
        world.send("a", rows)
        world.consolidate()
        world.follow()
        ask = Ask((world.id("a"),), T0, T0 + HOUR_US, 100, Resolution.MINUTE)
        (series,) = world.query.history(ask).series
        due = Counter(ts - ts % MINUTE_US for ts, _ in world.sent["a"])
        found = zip(series.partials.bucket.tolist(), series.partials.count.tolist(), strict=True)
        assert dict(found) == due
    assert sum(file.rows for file in world.live.view.tables["rollup_1m"].files) == 10
