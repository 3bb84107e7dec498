"""The cases of history that go wrong elsewhere, each by name: the real journal, lake, tail and
HTTP API.

Everything is asked with some blocks in the tables and some in the tail, and in the tables alone.
"""

import io
import math
import struct
from itertools import pairwise, product

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud.lake.table.schema import READINGS
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from protos.series import SeriesKind
from tests.cloud.lake_world import T0
from tests.cloud.serve.cases_world import TAILS, CasesWorld, rows_of, us

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture
def world(tmp_path):
    made = CasesWorld(tmp_path)
    yield made
    made.close()


# The seam between batch and tail


def test_seam_every_reading_is_there_once_at_every_step_of_a_consolidation(world):
    rows = rows_of(60)
    world.split(rows[:40], tail=2)
    world.put(rows[40:])
    asked = []

    def look(step: str) -> None:
        asked.append(step)
        assert world.raw() == rows, step

    world.at_step = look
    world.consolidate()
    assert {"data file written", "readings committed", "before archived"} <= {*asked}
    assert world.raw() == rows
    assert world.consolidator._tables[READINGS.name].state.files.rows == 60


def test_seam_buckets_count_every_reading_once_at_every_step_of_a_consolidation(world):
    rows = rows_of(60)
    world.split(rows[:40], tail=1)
    world.put(rows[40:])
    asked = {"bucket": "40m", "from_": T0, "to": T0 + HOUR_US, "columns": "count,sum,first,last"}
    right = world.history(**asked)
    assert right["count"] == [40, 20]
    assert right["sum"] == [sum(range(40)), sum(range(40, 60))]

    def look(step: str) -> None:
        assert world.history(**asked) == right, step

    world.at_step = look
    world.consolidate()
    assert world.history(**asked) == right


def test_seam_late_readings_in_the_tail_take_their_place_among_the_tables(world):
    world.put(rows_of(10, every=2 * MINUTE_US))
    world.consolidate()
    world.put([(T0 + MINUTE_US, -1.0)])
    assert [ts for ts, _ in world.raw()][:3] == [T0, T0 + MINUTE_US, T0 + 2 * MINUTE_US]
    world.consolidate()
    assert world.raw()[1] == (T0 + MINUTE_US, -1.0)


def test_seam_equal_readings_on_both_sides_are_two_readings(world):
    world.put([(T0, 7.0)])
    world.consolidate()
    world.put([(T0, 7.0)])
    assert world.raw() == [(T0, 7.0)] * 2
    assert world.history(bucket="1h", from_=T0, to=T0 + HOUR_US)["count"] == [2]


def test_seam_the_newest_reading_is_the_latest_on_either_side_of_it(world):
    for consolidated in range(2):
        world.put([(T0 + consolidated * HOUR_US, float(consolidated))])
        (latest,) = world.get("latest")["latest"]
        assert (latest["ts"], latest["value"]) == (T0 + consolidated * HOUR_US, consolidated)
        world.consolidate()
        assert world.get("latest")["latest"] == [latest]


# Empty ranges


RANGES = [(0, 0), (-DAY_US, -HOUR_US), (40 * DAY_US, 41 * DAY_US), (MINUTE_US, MINUTE_US)]


@pytest.mark.parametrize("tail", TAILS)
def test_empty_range_has_no_reading_and_says_so_in_every_form(world, tail):
    world.split(rows_of(20, every=DAY_US), tail=tail)
    forms = ({"resolution": "raw"}, {"bucket": "1h"}, {"points": "10"})
    for (first, last), more in product(RANGES, forms):
        asked = {"series": world.id(), "from": str(T0 + first), "to": str(T0 + last)}
        (told,) = world.client.get("/api/v1/history", params=asked | more).json()["series"]
        assert sum(told.get("count", [])) == 0
        assert told.get("v", []) == []
        for form, read in (("arrow", _arrow), ("parquet", _parquet), ("csv", _csv)):
            found = world.client.get("/api/v1/history", params=asked | more | {"format": form})
            assert found.status_code == 200
            assert read(found.content) == 0, (more, form)


def _arrow(data: bytes) -> int:
    return _readings(pa.ipc.open_stream(data).read_all())


def _parquet(data: bytes) -> int:
    return _readings(pq.read_table(io.BytesIO(data)))


def _readings(table: pa.Table) -> int:
    return sum(table["count"].to_pylist()) if "count" in table.column_names else table.num_rows


def _csv(data: bytes) -> int:
    head, *lines = data.decode().splitlines()
    if "count" not in head.split(","):
        return len(lines)
    return sum(int(line.split(",")[head.split(",").index("count")]) for line in lines)


# Series of one point


@pytest.mark.parametrize("is_in_tail", [False, True])
def test_one_point_series_is_that_point_at_every_resolution(world, is_in_tail):
    world.put([(T0 + 5, 7.5)])
    if not is_in_tail:
        world.consolidate()
    assert world.raw() == [(T0 + 5, 7.5)]
    span = {"from_": T0, "to": T0 + DAY_US}
    for asked in ({"points": 2}, {"bucket": "1h"}, {"bucket": "1d"}, {"resolution": "1d"}):
        found = world.history(**asked, **span)
        at = found["count"].index(1) if "count" in found else None
        if at is None:
            assert (found["t"], found["v"]) == ([T0 + 5], [7.5])
            continue
        told = [found[name][at] for name in ("mean", "min", "max", "first", "last", "sum")]
        assert (sum(found["count"]), told) == (1, [7.5] * 6)
    over = world.history(bucket="1d", columns="increase,p50", **span)
    assert (over["increase"], over["p50"]) == ([0.0], [7.5])


# Ten years


@pytest.mark.parametrize("tail", TAILS)
def test_ten_years_of_readings_come_within_the_points_and_keep_extremes(world, tail):
    start, end = us(2014, 1, 1), us(2024, 1, 1)
    rows = [(start + day * DAY_US, float(day % 7)) for day in range((end - start) // DAY_US)]
    rows[1234] = (rows[1234][0], -273.15)
    rows[3600] = (rows[3600][0], 5000.0)
    world.split(rows, tail=tail)
    found = world.history(from_=start, to=end, points=400)
    assert len(found["t"]) <= 400
    assert (min(found["min"]), max(found["max"])) == (-273.15, 5000.0)
    assert sum(found["count"]) == len(rows)
    years = world.history(bucket="1y", from_=start, to=end)
    leaps = [366 if year % 4 == 0 else 365 for year in range(2014, 2024)]
    assert (years["count"], years["gaps"]) == (leaps, [])


# NaN, infinities, negative zero


@pytest.mark.parametrize("tail", TAILS)
def test_nan_infinities_and_negative_zero_come_back_bit_for_bit(world, tail):
    values = [1.0, math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1.7976931348623157e308]
    world.split([(T0 + at, value) for at, value in enumerate(values)], tail=tail)
    asked = {"series": world.id(), "resolution": "raw", "from": str(T0), "to": str(T0 + HOUR_US)}
    (told,) = world.client.get("/api/v1/history", params=asked).json()["series"]
    assert told["special"] == {"1": "nan", "2": "inf", "3": "-inf"}
    assert [told["v"][at] for at in (1, 2, 3)] == [None] * 3
    for form in ("arrow", "parquet"):
        data = world.client.get("/api/v1/history", params=asked | {"format": form}).content
        table = (
            pa.ipc.open_stream(data).read_all()
            if form == "arrow"
            else pq.read_table(io.BytesIO(data))
        )
        assert _bits(table["value"].to_pylist()) == _bits(values), form
    assert _bits([told["v"][4], told["v"][5]]) == _bits([-0.0, 0.0])


def _bits(values: list[float]) -> list[bytes]:
    return [b"nan" if each != each else struct.pack(">d", each) for each in values]


@pytest.mark.parametrize("tail", TAILS)
def test_nan_is_counted_and_in_no_statistic(world, tail):
    values = [1.0, math.nan, 3.0, math.nan]
    world.split([(T0 + at, value) for at, value in enumerate(values)], tail=tail)
    found = world.history(bucket="1h", from_=T0, to=T0 + HOUR_US)
    told = {name: found[name][0] for name in ("count", "min", "max", "mean", "sum", "first")}
    assert told == {"count": 4, "min": 1.0, "max": 3.0, "mean": 2.0, "sum": 4.0, "first": 1.0}


@pytest.mark.parametrize("tail", TAILS)
def test_infinities_are_bounds_of_their_bucket(world, tail):
    values = [1.0, math.inf, -math.inf, 3.0]
    world.split([(T0 + at, value) for at, value in enumerate(values)], tail=tail)
    asked = {"series": world.id(), "bucket": "1h", "from": str(T0), "to": str(T0 + HOUR_US)}
    data = world.client.get("/api/v1/history", params=asked | {"format": "arrow"}).content
    (row,) = pa.ipc.open_stream(data).read_all().select(["count", "min", "max"]).to_pylist()
    assert row == {"count": 4, "min": -math.inf, "max": math.inf}


@pytest.mark.parametrize("tail", TAILS)
def test_negative_zero_is_zero_in_statistics(world, tail):
    world.split([(T0 + at, -0.0) for at in range(4)], tail=tail)
    found = world.history(bucket="1h", from_=T0, to=T0 + HOUR_US, columns="min,max,sum,mean")
    for name in ("min", "max", "sum", "mean"):
        assert _bits(found[name]) == _bits([0.0]), name


# Texts and states


@pytest.mark.parametrize("tail", TAILS)
def test_text_series_keeps_every_word_and_the_last_of_each_bucket(world, tail):
    words = ["open", "", "zu ✓", "shut", "open", 'a "b", c', "\n", "open"]
    rows = [(T0 + at * 30 * MINUTE_US, word) for at, word in enumerate(words)]
    world.split(rows, "door", tail=tail)
    assert world.raw("door") == rows
    found = world.history("door", bucket="1h", from_=T0, to=T0 + 4 * HOUR_US)
    assert found["text"] == words[1::2]
    assert (found["count"], found["mean"]) == ([2] * 4, [None] * 4)


@pytest.mark.parametrize("tail", TAILS)
def test_states_are_stretches_over_the_seam_and_their_durations_add_up(world, tail):
    words = ["idle", "idle", "busy", "busy", "idle", "off", "off", "idle"]
    rows = [(T0 + at * 15 * MINUTE_US, word) for at, word in enumerate(words)]
    world.split(rows, "door", tail=tail)
    span = {"from_": T0, "to": T0 + 2 * HOUR_US}
    states = world.get("states", series=world.id("door"), **span)["states"]
    assert [each["text"] for each in states] == ["idle", "busy", "idle", "off", "idle"]
    assert [each["readings"] for each in states] == [2, 2, 1, 2, 1]
    (hour, _) = world.history("door", bucket="1h", columns="durations", **span)["durations"]
    assert {each["text"]: each["us"] for each in hour} == {
        "idle": 30 * MINUTE_US,
        "busy": 30 * MINUTE_US,
    }


# Counters


@pytest.mark.parametrize("tail", TAILS)
def test_counter_resets_rise_from_zero_wherever_the_seam_lies(world, tail):
    world.declare("meter", SeriesKind.COUNTER)
    values = [100.0, 150.0, 20.0, 30.0, 0.0, 5.0, 5.0, 1.0]
    world.split([(T0 + at * 15 * MINUTE_US, v) for at, v in enumerate(values)], tail=tail)
    span = {"from_": T0, "to": T0 + 2 * HOUR_US, "columns": "increase"}
    assert world.history(bucket="2h", **span)["increase"] == [50 + 20 + 10 + 0 + 5 + 0 + 1]
    assert world.history(bucket="1h", **span)["increase"] == [50 + 20 + 10, 0 + 5 + 0 + 1]
    assert sum(world.history(bucket="15m", **span)["increase"]) == 86


@pytest.mark.parametrize("tail", TAILS)
def test_counter_over_ten_years_with_a_reset_each_year_adds_up(world, tail):
    world.declare("meter", SeriesKind.COUNTER)
    start, end = us(2014, 1, 1), us(2024, 1, 1)
    rows = [(start + at * DAY_US, float(at % 365)) for at in range((end - start) // DAY_US)]
    world.split(rows, tail=tail)
    found = world.history(bucket="10y", from_=start, to=end, columns="increase")
    rises = (b - a if b >= a else b for (_, a), (_, b) in pairwise(rows))
    assert sum(found["increase"]) == sum(rises)
