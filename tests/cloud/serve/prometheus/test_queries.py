"""PromQL over HTTP: what history says, whichever rollup or reading it is made from."""

from pathlib import Path
from random import Random

import pytest

from cloud.promql.parser import parse
from cloud.promql.steps import STEPS_MAX
from cloud.promql.tree import FUNCTIONS
from cloud.rollup.partials import HOUR_US, MINUTE_US
from cloud.serve.prometheus import source
from protos.series import SeriesKind
from tests.cloud.lake_world import T0
from tests.cloud.promql.naive_model import NaiveModel
from tests.cloud.promql.promql_world import random_query
from tests.cloud.serve.joined_world import operate
from tests.cloud.serve.prometheus.prometheus_world import (
    API,
    PrometheusWorld,
    close,
    labels_of,
    stale_of,
)

SECOND_US = 1_000_000


@pytest.fixture
def world(tmp_path: Path):
    world = PrometheusWorld(tmp_path / "lake")
    yield world
    world.close()


def fill_at_random(world: PrometheusWorld, random: Random) -> None:
    """Four series of three hours, each in four blocks of which one or two stay in the tail."""
    series = []
    for device in range(4):
        every = random.choice((1, 1, 7, 60)) * SECOND_US
        rows: list[tuple[int, float]] = []
        is_away, value = False, 0.0
        for at in range(3 * HOUR_US // every):
            is_away = random.random() < (0.98 if is_away else 0.002)
            value = 0.0 if random.random() < 0.01 else value + random.randrange(5)
            if not is_away:
                rows.append((T0 + at * every, value))
        series.append((f"d{device}", random.choice(("up", "energy")), rows))
    for part in range(4):
        for device, metric, rows in series:
            size = len(rows) // 4
            world.put(device, rows[part * size : (part + 1) * size], metric)
        if part == 2 or (part == 1 and random.random() < 0.5):
            world.consolidate()


@pytest.mark.parametrize("seed", range(6))
def test_random_queries_over_tables_and_tail_give_what_plain_loops_give(world, seed: int) -> None:
    random, seen = Random(seed), 0
    fill_at_random(world, random)
    model = NaiveModel(world.sent, {key: stale_of(rows) for key, rows in world.sent.items()})
    for _ in range(16):
        query = random_query(random, sorted(FUNCTIONS)).replace("[7m]", "[1h]")
        step = random.choice((60, 600, 3600, 47)) * SECOND_US
        start = T0 + random.choice((0, HOUR_US, 123_456_000, 3 * HOUR_US - MINUTE_US))
        end = start + step * random.randrange(8)
        found, node = world.ranged(query, start, end, step), parse(query)
        wanted: dict = {}
        for at in range(start, end + 1, step):
            for labels, value in model.at(node, at).items():
                wanted.setdefault(labels, {})[at] = value
        assert found.keys() == wanted.keys(), (query, start, step)
        for labels, values in wanted.items():
            assert found[labels].keys() == values.keys(), (query, start, step)
            assert all(close(found[labels][at], values[at]) for at in values), (query, start, step)
            seen += len(values)
    assert seen > 0


def test_a_query_at_one_time_tells_the_last_reading_with_all_labels(world) -> None:
    world.put("pump", [(T0 + i * SECOND_US, float(i)) for i in range(10)], unit="°C", room="hall")
    told = world.ask("query", query='{device="pump"}', time=T0 / 1e6 + 9.5)
    labels = {
        "__name__": "up", "gateway": "gw-1", "device": "pump", "metric": "up", "unit": "°C",
        "room": "hall",
    }  # fmt: skip
    value = [T0 / 1e6 + 9.5, "9"]
    assert told == {"resultType": "vector", "result": [{"metric": labels, "value": value}]}


def test_a_query_without_a_time_is_asked_of_now(world) -> None:
    now = world.client.get("/api/v1/gateways").json()["now"]
    world.put("pump", [(now - 5 * SECOND_US, 3.0)])
    (row,) = world.ask("query", query="up")["result"]
    assert row["value"][1] == "3"
    assert abs(row["value"][0] * 1e6 - now) < 60 * SECOND_US


def test_where_a_sensor_fell_silent_there_is_a_gap_and_no_line(world) -> None:
    first = [(T0 + i * SECOND_US, 1.0) for i in range(60)]
    second = [(T0 + i * SECOND_US, 2.0) for i in range(180, 240)]
    world.put("pump", [*first, *second])
    found = world.ranged("up", T0, T0 + 239 * SECOND_US, SECOND_US)
    (values,) = found.values()
    # The mean time between its readings is 2 s: the last one stands for less than 10 s.
    missing = {(at - T0) // SECOND_US for at in range(T0, T0 + 240 * SECOND_US, SECOND_US)}
    missing -= {(at - T0) // SECOND_US for at in values}
    assert missing == set(range(69, 180))


def test_a_slow_series_is_a_line_as_long_as_it_speaks_and_a_gap_afterwards(world) -> None:
    world.put("meter", [(T0 + i * 900 * SECOND_US, float(i)) for i in range(8)])
    (values,) = world.ranged("up", T0, T0 + 4 * HOUR_US, 60 * SECOND_US).values()
    last = T0 + 7 * 900 * SECOND_US
    assert list(values) == list(range(T0, last + 1800 * SECOND_US, 60 * SECOND_US))


def test_a_reading_of_a_clock_that_nobody_set_does_not_make_the_others_last_longer(world) -> None:
    world.put("pump", [(5, 0.0), *((T0 + i * SECOND_US, 1.0) for i in range(10))])
    at = T0 + 9 * SECOND_US
    assert world.instant("up", at + 299 * SECOND_US)
    assert not world.instant("up", at + 300 * SECOND_US)


def test_texts_are_no_readings_and_numbers_beside_them_are(world) -> None:
    world.put("door", [(T0 + i * SECOND_US, "open") for i in range(5)])
    world.put("door", [(T0 + (5 + i) * SECOND_US, float(i)) for i in range(5)])
    world.put("door", [(T0 + (10 + i) * SECOND_US, "shut") for i in range(5)])
    at = T0 + 14 * SECOND_US
    (value,) = world.instant("up", at).values()
    assert value == 4.0
    (count,) = world.instant("count_over_time(up[1m])", at).values()
    assert count == 5.0
    (rise,) = world.instant("increase(up[1m])", at).values()
    assert rise == 4.0


def test_a_window_of_whole_hours_says_what_the_bucket_of_history_says(world) -> None:
    rows = [(T0 + i * 7 * SECOND_US, float(i % 13)) for i in range(3000)]
    world.put("pump", rows[:2000])
    world.consolidate()
    world.put("pump", rows[2000:])
    end = T0 + 6 * HOUR_US
    id_ = world.id("pump")
    (held,) = world.get(f"/api/v1/history?series={id_}&from={T0}&to={end}&bucket=1h")["series"]
    for function, column in (("avg", "mean"), ("min", "min"), ("max", "max"), ("sum", "sum"),
                             ("count", "count"), ("last", "last")):  # fmt: skip
        query = f"{function}_over_time(up[1h])"
        (found,) = world.ranged(query, T0 + HOUR_US, end, HOUR_US).values()
        wanted = dict(zip((t + HOUR_US for t in held["t"]), held[column], strict=True))
        assert found == wanted, function


def test_counters_add_up_by_gateway(world) -> None:
    for device in ("a", "b"):
        rows = [(T0 + i * 10 * SECOND_US, float(i)) for i in range(100)]
        world.put(device, rows, "energy", kind=SeriesKind.COUNTER, unit="kWh")
    at = T0 + 600 * SECOND_US
    found = world.instant("sum by (gateway) (rate(energy[5m])) * 60", at)
    assert found == {(("gateway", "gw-1"),): pytest.approx(12.0)}


def test_a_range_alone_tells_its_readings(world) -> None:
    rows = [(T0 + i * SECOND_US, float(i)) for i in range(10)]
    world.put("pump", rows)
    told = world.ask("query", query="up[3s]", time=T0 / 1e6 + 8)
    assert told["resultType"] == "matrix"
    ((row),) = told["result"]
    assert row["values"] == [[T0 / 1e6 + i, str(i)] for i in (5, 6, 7)]


def test_scalars_are_told_as_such(world) -> None:
    told = world.ask("query", query="1 + 1", time="2023-11-15T00:00:00.25Z")
    assert told == {"resultType": "scalar", "result": [T0 / 1e6 + 0.25, "2"]}
    told = world.ask("query_range", query="1 / 0", start=0, end=2, step="1s")
    assert told["result"] == [{"metric": {}, "values": [[0, "+Inf"], [1, "+Inf"], [2, "+Inf"]]}]


def test_a_form_asks_the_same_as_a_query_string(world) -> None:
    world.put("pump", [(T0, 1.5)])
    asked = {"query": "up", "time": T0 / 1e6}
    form = world.client.post(f"{API}/query", data=asked)
    assert form.status_code == 200
    assert form.json()["data"] == world.ask("query", **asked)


def test_series_that_an_operation_joined_are_one(world) -> None:
    world.put("old", [(T0 + i * SECOND_US, 1.0) for i in range(10)])
    world.put("new", [(T0 + (20 + i) * SECOND_US, 2.0) for i in range(10)])
    operate(
        world, "replace", series=world.id("old"), other=world.id("new"),
        **{"from": T0 + 15 * SECOND_US},
    )  # fmt: skip
    found = world.ranged("count_over_time(up[1m])", T0 + MINUTE_US, T0 + MINUTE_US, SECOND_US)
    assert [list(values.values()) for values in found.values()] == [[20.0]]


@pytest.mark.parametrize(
    ("time", "nearest"),
    [("1e12", "253402214400"), ("1e308", "253402214400"), ("-1e999", "-62135596800")],
)
def test_a_time_beyond_the_years_is_refused_with_the_nearest(world, time, nearest) -> None:
    assert world.ask("query", 400, query="up", time=time).endswith(f"the nearest is {nearest}")


def test_too_many_steps_are_refused_with_the_nearest_step(world) -> None:
    asked = {"query": "up", "start": 0, "end": STEPS_MAX}
    error = world.ask("query_range", 400, step=1, **asked)
    assert error.startswith("11001 points a series are more than 11000")
    nearest = error.rpartition("the nearest is ")[2].removesuffix(" s")
    assert world.ask("query_range", step=nearest, **asked)["result"] == []


@pytest.mark.parametrize(
    ("bound", "most", "query"),
    [
        ("SERIES_MAX", 1, "up"),
        ("VALUES_MAX", 10, "up"),
        ("READINGS_MAX", 20, "avg_over_time(up[2s])"),
        ("RAW_MAX", 20, "door"),
        ("CELLS_MAX", 30, "avg_over_time(up[30s])"),
    ],
)
def test_a_query_beyond_a_bound_is_refused_and_one_within_it_is_answered(
    world, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, query: str
) -> None:
    for device in ("a", "b"):
        world.put(device, [(T0 + i * SECOND_US, 1.0) for i in range(60)])
        world.put(device, [(T0 + i * SECOND_US, float(i)) for i in range(60)], "door")
        world.put(device, [(T0 + 60 * SECOND_US, "shut")], "door")
    asked = {"query": query, "start": T0 / 1e6 + 30, "end": T0 / 1e6 + 60, "step": 1}
    assert len(world.ask("query_range", **asked)["result"]) == 2
    monkeypatch.setattr(source, bound, most)
    told = world.client.get(f"{API}/query_range", params=asked)
    assert told.status_code == 422, told.text
    assert told.json()["errorType"] == "execution"
    assert ": ask for " in told.json()["error"] or ": name a " in told.json()["error"]


def test_the_very_last_readings_are_told_of_any_number_of_series_without_a_look_at_tables(
    world, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device in ("a", "b"):
        world.put(device, [(T0 + i * SECOND_US, float(i)) for i in range(5)])
    monkeypatch.setattr(source, "SERIES_MAX", 0)
    monkeypatch.setattr(world.query, "history", None)
    last = T0 + 4 * SECOND_US
    assert world.instant("count(up)", last) == {(): 2.0}
    found = world.ranged("up", last, last + 20 * SECOND_US, SECOND_US)
    assert [list(each.values()) for each in found.values()] == [[4.0] * 10] * 2


def test_no_more_series_are_told_than_asked_for_and_that_is_said(world) -> None:
    for device in ("a", "b", "c"):
        world.put(device, [(T0, 1.0)])
    told = world.client.get(f"{API}/query", params={"query": "up", "time": T0 / 1e6, "limit": 2})
    assert len(told.json()["data"]["result"]) == 2
    assert told.json()["warnings"] == ["3 series were found, 2 are told: `limit`"]
    assert len({labels_of(row) for row in told.json()["data"]["result"]}) == 2
