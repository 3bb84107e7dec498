"""History over HTTP where it is hard: seams, changed clocks, leap days, nothing, ten years."""

import io
import math
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud.client.history import HistoryApi
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def us(year: int, month: int, day: int, hour: int = 0, zone=UTC) -> int:
    return int(datetime(year, month, day, hour, tzinfo=zone).timestamp()) * 1_000_000


def send(world: World, device: str, rows, *, consolidate: bool = False) -> None:
    ts, values = [row[0] for row in rows], [row[1] for row in rows]
    make = world.gateway.texts if isinstance(values[0], str) else world.gateway.numbers
    world.gateway.send(make(device, ts, values))
    while consolidate and world.consolidator.run_once().more:
        pass
    while world.live.advance():
        pass


def ask(world: World, device: str, **more) -> dict:
    query = "&".join(f"{name.rstrip('_')}={value}" for name, value in more.items())
    return world.get(f"/api/v1/history?series={world.id(device)}&{query}")


def one(world: World, device: str, **more) -> dict:
    (series,) = ask(world, device, **more)["series"]
    return series


@pytest.mark.parametrize(
    "asked", ["bucket=1m", "bucket=7s", "bucket=1h", "bucket=1d&zone=Asia/Kolkata"]
)
def test_buckets_over_the_seam_of_tables_and_tail_have_every_reading_once(world, asked):
    for part in range(4):
        rows = [(T0 + (part * 90 + i) * 1_000_000, float(part * 90 + i)) for i in range(0, 120, 2)]
        send(world, "pump", rows, consolidate=part < 2)
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + HOUR_US}&{asked}"
    answer = world.get(path)
    (series,) = answer["series"]
    assert answer["watermark"] == {"journal": 4, "lake": 2}
    assert sum(series["count"]) == 240
    assert sum(series["sum"]) == sum(part * 90 + i for part in range(4) for i in range(0, 120, 2))


@pytest.mark.parametrize(
    ("month", "day", "hours"), [(3, 26, 23), (10, 29, 25), (7, 1, 24)], ids=["23", "25", "24"]
)
def test_a_day_has_the_hours_that_the_clock_on_the_wall_gives_it(world, month, day, hours):
    start, end = us(2023, month, day, zone=BERLIN), us(2023, month, day + 1, zone=BERLIN)
    rows = [(ts, 1.0) for ts in range(start - 5 * HOUR_US, end + 5 * HOUR_US, HOUR_US)]
    send(world, "pump", rows, consolidate=True)
    answer = ask(world, "pump", bucket="1d", zone="Europe/Berlin", from_=start, to=end)
    (series,) = answer["series"]
    assert (series["t"], series["count"]) == ([start], [hours])
    assert (answer["bucket"], answer["bucket_us"], answer["zone"]) == ("1d", None, "Europe/Berlin")
    assert answer["resolution"] == "1h"


def test_a_day_without_a_midnight_begins_when_the_clocks_were_put_on(world):
    zone = ZoneInfo("America/Sao_Paulo")  # 2018-11-04 began at one o'clock
    noon = us(2018, 11, 4, 12, zone)
    send(world, "pump", [(noon, 1.0)])
    (t,) = one(world, "pump", bucket="1d", zone="America/Sao_Paulo", from_=noon, to=noon + 1)["t"]
    assert datetime.fromtimestamp(t / 1e6, zone).strftime("%d %H:%M") == "04 01:00"


@pytest.mark.parametrize("year", [2023, 2024])
def test_a_leap_day_is_a_day_and_its_month_has_29(world, year):
    days = range(us(year, 2, 1), us(year, 3, 1), DAY_US)
    send(world, "pump", [(ts, 1.0) for ts in days], consolidate=True)
    start, end = us(year, 1, 1), us(year + 1, 1, 1)
    month = one(world, "pump", bucket="1mo", from_=start, to=end)
    assert (month["t"], month["count"]) == ([us(year, 2, 1)], [29 if year == 2024 else 28])
    assert month["gaps"] == [[start, us(year, 2, 1)], [us(year, 3, 1), end]]
    whole = one(world, "pump", bucket="1y", from_=start, to=end)
    assert (whole["t"], whole["count"], whole["gaps"]) == ([start], month["count"], [])


def test_an_empty_range_has_no_points_in_any_form(world):
    send(world, "pump", [(T0, 1.0)])
    forms = ["resolution=raw", "resolution=1h", "bucket=5m", "bucket=1mo", "layout=wide"]
    for asked in forms:
        for end in (T0 + HOUR_US, T0 + 2 * HOUR_US):
            start = end if asked == "bucket=1mo" else T0 + HOUR_US
            query = f"series={world.id('pump')}&from={start}&to={end}&{asked}"
            answer = world.get(f"/api/v1/history?{query}")
            if asked == "layout=wide":
                assert len(answer["t"]) == len(answer["values"][0]) == (0 if start == end else 720)
                assert all(value is None for value in answer["values"][0])
            else:
                assert answer["series"][0]["t"] == []
            table = read(world, f"/api/v1/history?{query}&format=arrow")
            assert asked == "layout=wide" or table.num_rows == 0


def test_a_series_of_one_point_is_that_point_everywhere(world):
    send(world, "pump", [(T0 + 1, 2.5)], consolidate=True)
    assert ask(world, "pump")["series"][0]["v"] == [2.5]
    for bucket in ("1ms", "1m", "3h", "1w", "1y"):
        span = {"from_": T0, "to": T0 + 1000}
        series = one(world, "pump", bucket=bucket, **span)
        told = [series[name] for name in ("count", "mean", "min", "max", "first", "last", "sum")]
        assert told == [[1], [2.5], [2.5], [2.5], [2.5], [2.5], [2.5]]


def test_ten_years_come_within_the_points_and_keep_their_extremes(world):
    start = us(2014, 1, 1)
    rows = [(start + day * DAY_US, 20.0) for day in range(3652)]
    rows[1700] = (rows[1700][0], -273.0)
    rows[2900] = (rows[2900][0], 999.0)
    send(world, "pump", rows, consolidate=True)
    span = {"from_": start, "to": us(2024, 1, 1), "points": 300}
    answer = ask(world, "pump", **span)
    (series,) = answer["series"]
    assert answer["resolution"] == "1d"
    assert len(series["t"]) <= 300
    assert (min(series["min"]), max(series["max"]), sum(series["count"])) == (-273.0, 999.0, 3652)
    assert min(series["mean"]) > -273.0
    assert len(one(world, "pump", bucket="1y", **span)["t"]) == 10


def test_nan_is_a_reading_and_no_number(world):
    send(world, "pump", [(T0, math.nan), (T0 + 1, math.inf), (T0 + 2, 1.0)])
    raw = one(world, "pump", resolution="raw")
    assert (raw["v"], raw["special"]) == ([None, None, 1.0], {"0": "nan", "1": "inf"})
    bucket = one(world, "pump", bucket="1h")
    assert (bucket["count"], bucket["first"], bucket["min"]) == ([3], [None], [1.0])
    table = read(world, f"/api/v1/history?series={world.id('pump')}&resolution=raw&format=arrow")
    assert str(table["value"].to_pylist()) == "[nan, inf, 1.0]"


def test_a_series_of_texts_has_its_last_word_in_each_bucket(world):
    send(world, "door", [(T0, "open"), (T0 + 1, "shut"), (T0 + HOUR_US, "open")], consolidate=True)
    series = one(world, "door", bucket="1h", from_=T0, to=T0 + 2 * HOUR_US)
    assert (series["text"], series["count"]) == (["shut", "open"], [2, 1])
    assert series["mean"] == [None, None]
    query = f"series={world.id('door')}&layout=wide&bucket=1h&columns=text,count"
    wide = world.get(f"/api/v1/history?{query}&from={T0}&to={T0 + 3 * HOUR_US}")
    assert wide["values"] == [["shut", "open", None], [2, 1, 0]]


def test_a_counter_that_was_reset_shows_the_fall(world):
    values = [5.0, 9.0, 2.0, 4.0]
    send(world, "pump", [(T0 + i, value) for i, value in enumerate(values)], consolidate=True)
    series = one(world, "pump", bucket="1m", from_=T0, to=T0 + MINUTE_US)
    told = [series[name] for name in ("first", "last", "min", "max")]
    assert told == [[5.0], [4.0], [2.0], [9.0]]


def test_gaps_are_the_runs_of_buckets_without_a_reading(world):
    rows = [(T0 + minute * MINUTE_US, 1.0) for minute in (2, 3, 7)]
    send(world, "pump", rows)
    series = one(world, "pump", resolution="1m", from_=T0, to=T0 + 10 * MINUTE_US)
    expected = [(0, 2), (4, 7), (8, 10)]
    assert series["gaps"] == [[T0 + a * MINUTE_US, T0 + b * MINUTE_US] for a, b in expected]


def test_wide_frames_align_series_and_name_their_columns(world):
    for device, first in (("a", 0), ("b", 1)):
        rows = [(T0 + i * MINUTE_US + first, float(10 * first + i)) for i in range(first, 4)]
        send(world, device, rows, consolidate=device == "a")
    ids = f"{world.id('b')},{world.id('a')}"
    query = f"series={ids}&layout=wide&bucket=1m&from={T0}&to={T0 + 5 * MINUTE_US}"
    answer = world.get(f"/api/v1/history?{query}&columns=min,max")
    names = [told["name"] for told in answer["series"]]
    assert names == [f"{d}/temperature:{c}" for d in "ba" for c in ("min", "max")]
    assert answer["t"] == [T0 + i * MINUTE_US for i in range(5)]
    assert answer["values"][0] == [None, 11.0, 12.0, 13.0, None]
    assert answer["values"][2] == [0.0, 1.0, 2.0, 3.0, None]
    table = read(world, f"/api/v1/history?{query}&format=parquet")
    assert table.column_names == ["ts", "b/temperature", "a/temperature"]
    assert table["a/temperature"].to_pylist() == answer["values"][2]


def read(world: World, path: str) -> pa.Table:
    response = world.client.get(path)
    assert response.status_code == 200, response.text
    if path.endswith("parquet"):
        return pq.read_table(io.BytesIO(response.content))
    return pa.ipc.open_stream(response.content).read_all()


@pytest.mark.parametrize(
    ("query", "parameter", "nearest"),
    [
        ("bucket=15min", "bucket", "15m"),
        ("bucket=0m", "bucket", ""),
        ("bucket=1d&zone=europe/berlin", "zone", "Europe/Berlin"),
        ("zone=Europe/Berlin", "zone", "UTC"),
        ("bucket=1m&resolution=1h", "resolution", "auto"),
        ("layout=wide&resolution=raw", "resolution", "auto"),
        ("layout=width", "layout", "wide"),
        ("columns=mean,maximum", "columns", "max"),
        ("columns=mean,mean", "columns", "mean"),
        ("resolution=raw&columns=mean", "columns", ""),
        ("bad=excluded", "bad", "exclude"),
        ("points=99999", "points", "20000"),
        ("format=xml", "format", ""),
        ("format=parq", "format", "parquet"),
        ("from=5&to=4", "from", "4"),
        ("bucket=1ms&from=0&to=86400000000", "bucket", "4321ms"),
    ],
)
def test_a_bad_parameter_names_itself_and_the_nearest_that_is_right(
    world, query, parameter, nearest
):
    send(world, "pump", [(T0, 1.0)])
    error = world.get(f"/api/v1/history?series={world.id('pump')}&{query}", 400)["error"]
    assert (error["parameter"], error.get("nearest", "")) == (parameter, nearest)


def test_an_answer_of_too_many_values_is_refused_with_the_points_that_fit(world):
    for number in range(60):
        send(world, f"d{number}", [(T0, 1.0)])
    ids = ",".join(row["id"] for row in world.get("/api/v1/series")["series"])
    asked = f"/api/v1/history?series={ids}&resolution=1m&from={T0}&to={T0 + DAY_US}"
    error = world.get(f"{asked}&points=20000", 400)["error"]
    assert (error["code"], error["parameter"]) == ("too_many_values", "points")
    assert world.get(f"{asked}&points={error['nearest']}")["series"][0]["count"] == [1]


class Asking(HistoryApi):
    """The command line's reader, without a network between."""

    def __init__(self, world: World) -> None:
        super().__init__("localhost", 1)
        self._world = world

    def _get(self, path, query):
        asked = {name: value for name, value in query.items() if value is not None}
        return self._world.get(f"{path}?{urlencode(asked)}")


def test_the_command_line_reads_what_the_server_says_at_every_resolution(world):
    rows = [(T0 + i * MINUTE_US, float(i)) for i in range(180) if i % 60 < 50]
    send(world, "pump", rows, consolidate=True)
    api = Asking(world)
    (found,) = api.find("pump/temperature", device=None, gateway=None)
    span = {"from": str(T0), "to": str(T0 + DAY_US)}
    for resolution, count in (("raw", 150), ("1m", 150), ("1h", 3), ("1d", 1)):
        told = list(api.history(found["id"], span | {"resolution": resolution}))
        assert len(told) == count
        assert told[0]["ts"] == T0
        assert ("value" in told[0]) == (resolution == "raw")
