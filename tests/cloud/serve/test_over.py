"""What buckets were over time, told over HTTP: resets, changed clocks, leap days, NaN, texts."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from cloud.query import one as query_one
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud import over_model
from tests.cloud.lake_world import T0
from tests.cloud.serve.test_history import BERLIN, ask, one, read, send, us
from tests.cloud.serve_world import World

OVER = "count,time_mean,covered_us,increase"


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def check(series: dict, rows, edges) -> None:
    wanted = over_model.over(rows, edges)
    assert series["t"] == [at for at, _ in wanted]
    for name, at in (("time_mean", 0), ("covered_us", 1), ("increase", 2)):
        of = [told[at] for _, told in wanted]
        assert series[name] == [None if math.isnan(one) else pytest.approx(one) for one in of]


def test_a_counter_that_was_reset_rises_from_zero(world):
    values = [5.0, 9.0, 2.0, 4.0, 0.0, 7.0]
    rows = [(T0 + i * MINUTE_US, value) for i, value in enumerate(values)]
    send(world, "meter", rows, consolidate=True)
    span = {"from_": T0, "to": T0 + HOUR_US, "columns": "increase"}
    assert one(world, "meter", bucket="1h", **span)["increase"] == [4 + 2 + 2 + 0 + 7]
    minutes = one(world, "meter", bucket="1m", **span)["increase"]
    assert minutes == [0.0, 4.0, 2.0, 2.0, 0.0, 7.0]


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 26, 23), (10, 29, 25)])
def test_a_day_on_which_clocks_change_weighs_all_its_hours(world, month, day, hours):
    start = us(2023, month, day, zone=BERLIN)
    rows = [(start + (i - 24) * HOUR_US // 2, float(i % 5)) for i in range(49 + 2 * hours)]
    send(world, "meter", rows, consolidate=True)
    span = {"from_": start, "to": start + hours * HOUR_US, "columns": OVER}
    series = one(world, "meter", bucket="1d", zone="Europe/Berlin", **span)
    assert series["covered_us"] == [hours * HOUR_US]
    check(series, rows, [start, start + hours * HOUR_US])


def test_a_leap_day_is_covered_like_any_other_and_its_month_has_29(world):
    start = us(2024, 2, 1)
    rows = [(start + i * HOUR_US, float(i % 24)) for i in range(-5, 29 * 24 + 5)]
    send(world, "meter", rows, consolidate=True)
    span = {"from_": us(2024, 2, 1), "to": us(2024, 3, 1), "columns": OVER}
    month = one(world, "meter", bucket="1mo", **span)
    assert month["covered_us"] == [29 * DAY_US]
    days = one(world, "meter", bucket="1d", **span)
    assert days["covered_us"] == [DAY_US] * 29
    check(days, rows, [us(2024, 2, 1) + i * DAY_US for i in range(30)])


def test_nan_holds_no_number_and_no_counter_forgets_over_it(world):
    rows = [(T0, 4.0), (T0 + MINUTE_US, math.nan), (T0 + 2 * MINUTE_US, 6.0), (T0 + HOUR_US, 1.0)]
    send(world, "meter", rows, consolidate=True)
    span = {"from_": T0, "to": T0 + 2 * HOUR_US, "columns": OVER}
    for bucket, width in (("1m", MINUTE_US), ("1h", HOUR_US)):
        edges = range(T0, T0 + 2 * HOUR_US + 1, width)
        check(one(world, "meter", bucket=bucket, **span), rows, edges)


def test_a_series_of_texts_has_neither_mean_nor_increase(world):
    send(world, "door", [(T0, "open"), (T0 + 1, "shut"), (T0 + HOUR_US, "open")], consolidate=True)
    series = one(world, "door", bucket="1h", from_=T0, to=T0 + 2 * HOUR_US, columns=OVER)
    assert series["count"] == [2, 1]
    assert series["covered_us"] == [0, 0]
    assert series["time_mean"] == series["increase"] == [None, None]


def test_a_series_of_one_point_has_held_no_time_and_not_risen(world):
    send(world, "pump", [(T0 + 1, 2.5)], consolidate=True)
    for bucket in ("7s", "1m", "1h", "1d", "1y"):
        span = {"from_": T0, "to": T0 + 1000, "columns": OVER}
        series = one(world, "pump", bucket=bucket, **span)
        told = [series[name] for name in OVER.split(",")]
        assert told == [[1], [None], [0], [0.0]]


def test_an_empty_range_has_nothing_over_time_in_any_form(world):
    send(world, "pump", [(T0, 1.0)])
    for end in (T0 + HOUR_US, T0 + 2 * HOUR_US):
        span = {"from_": T0 + HOUR_US, "to": end, "columns": OVER, "bucket": "5m"}
        assert one(world, "pump", **span)["time_mean"] == []
        wide = ask(world, "pump", layout="wide", **span)
        rows = (end - T0 - HOUR_US) // (5 * MINUTE_US)
        assert wide["values"] == [[0] * rows, [None] * rows, [0] * rows, [None] * rows]


def test_ten_years_of_a_counter_add_up_to_what_it_counted(world):
    start = us(2014, 1, 1)
    rows = [(start + day * DAY_US + HOUR_US, float(day % 1000)) for day in range(3652)]
    send(world, "meter", rows, consolidate=True)
    span = {"from_": start, "to": us(2024, 1, 1), "columns": OVER}
    years = one(world, "meter", bucket="1y", **span)
    assert len(years["t"]) == 10
    assert sum(years["increase"]) == 3651 - 3  # each reset counts from zero, and comes a day late
    edges = [us(year, 1, 1) for year in range(2014, 2025)]
    check(years, rows, edges)
    days = one(world, "meter", bucket="1d", **span)
    assert sum(days["increase"]) == sum(years["increase"])
    assert days["covered_us"] == [HOUR_US] * 3651 + [0]


def test_tables_and_csv_have_the_columns_that_were_asked_for(world):
    send(world, "pump", [(T0, 1.0), (T0 + 30_000_000, 3.0)], consolidate=True)
    query = f"series={world.id('pump')}&bucket=1m&columns={OVER}&from={T0}&to={T0 + 1}"
    table = read(world, f"/api/v1/history?{query}&format=arrow")
    assert table.select(OVER.split(",")).to_pylist() == [
        {"count": 2, "time_mean": 1.0, "covered_us": 30_000_000, "increase": 2.0}
    ]


def test_what_is_not_asked_for_by_name_is_not_told(world):
    send(world, "pump", [(T0, 1.0)])
    assert not {"time_mean", "covered_us", "increase"} & set(one(world, "pump", bucket="1m"))


def test_a_question_that_takes_too_many_readings_is_refused(world, monkeypatch):
    monkeypatch.setattr(query_one, "READINGS_MAX", 3)
    for rows in ([0, 2, 4], [1, 3]):
        send(world, "pump", [(T0 + i, float(i)) for i in rows], consolidate=True)
    query = f"series={world.id('pump')}&bucket=1h&columns=time_mean&from={T0}&to={T0 + 1}"
    response = world.client.get(f"/api/v1/history?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "too_many_readings"


def test_the_readings_of_all_series_of_a_question_count_together(world, monkeypatch):
    monkeypatch.setattr(query_one, "READINGS_MAX", 5)
    for device in ("a", "b"):
        send(world, device, [(T0 + i, float(i)) for i in range(3)])
    both = f"{world.id('a')},{world.id('b')}"
    span = f"from={T0}&to={T0 + 1}&bucket=1m&columns=p50"
    told = world.get(f"/api/v1/history?series={both}&{span}", 400)
    assert told["error"]["code"] == "too_many_readings"
    assert world.get(f"/api/v1/history?series={world.id('a')}&{span}")["series"][0]["p50"] == [1.0]


def test_over_any_seam_and_late_data_buckets_are_what_a_loop_gives(world):
    sent = []
    for part, of in enumerate(pairwise(range(0, 120, 20))):
        late = [(T0 + (i - 7) * 97_000_000, float(i % 11)) for i in range(of[0], of[1] + 9, 3)]
        send(world, "pump", late, consolidate=part < 4)
        sent += late
    for bucket, width in (("1h", HOUR_US), ("5m", 5 * MINUTE_US), ("7s", 7_000_000)):
        first = T0 // width * width - 12 * width
        span = {"from_": first, "to": first + 1200 * width, "columns": OVER, "bucket": bucket}
        check(one(world, "pump", **span), sent, range(first, first + 1200 * width + 1, width))
