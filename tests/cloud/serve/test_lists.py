"""Quantiles and times of states told over HTTP: from bins and lists, or from the readings."""

import math
from fractions import Fraction
from pathlib import Path

import pytest

from cloud.query import one as query_one
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud import over_model
from tests.cloud.lake_world import T0
from tests.cloud.serve.test_history import one, read, send
from tests.cloud.serve_world import World


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def test_quantiles_are_readings_by_nearest_rank(world):
    values = [float((i * 37) % 100 + 1) for i in range(100)] + [math.nan]
    for part in (slice(0, 101, 2), slice(1, 101, 2)):
        rows = [(T0 + i * 1_000_000, value) for i, value in enumerate(values)][part]
        send(world, "pump", rows, consolidate=part.start == 0)
    names = ["p1", "p5", "p25", "p50", "p75", "p95", "p99"]
    span = {"from_": T0, "to": T0 + HOUR_US, "columns": ",".join(names)}
    series = one(world, "pump", bucket="1h", quantiles="readings", **span)
    assert [series[name] for name in names] == [
        [1.0],
        [5.0],
        [25.0],
        [50.0],
        [75.0],
        [95.0],
        [99.0],
    ]
    for at, got in enumerate(one(world, "pump", bucket="20s", **span)["p50"]):
        held = sorted(v for v in values[20 * at : 20 * at + 20] if v == v)
        assert got == (held[math.ceil(len(held) / 2) - 1] if held else None)


def test_quantiles_of_hours_and_days_are_told_from_bins_and_how_far_off_they_may_be(
    world, monkeypatch
):
    rows = [(T0 + i * 7_000_000, (i * 7919 % 10_007) / 100) for i in range(3000)]
    for part in (slice(0, 3000, 2), slice(1, 2400, 2), slice(2401, 3000, 2)):
        send(world, "pump", rows[part], consolidate=part.start < 2000)
    monkeypatch.setattr(query_one, "READINGS_MAX", 0)
    names = ["p1", "p5", "p25", "p50", "p75", "p95", "p99"]
    columns = ",".join([*names, "quantile_error", "min", "max"])
    asked = f"series={world.id('pump')}&from={T0}&to={T0 + DAY_US}&columns={columns}"
    for bucket, width in (("1h", HOUR_US), ("6h", 6 * HOUR_US), ("1d", DAY_US), ("1mo", None)):
        answer = world.get(f"/api/v1/history?{asked}&bucket={bucket}")
        assert answer["quantiles"] == {
            "made_of": "bins",
            "error": pytest.approx(1 / 63),
            "removed": 0,
        }
        (series,) = answer["series"]
        for at, start in enumerate(series["t"]):
            end = start + (width or 31 * DAY_US)
            error = series["quantile_error"][at]
            assert 0 < error <= (series["max"][at] - series["min"][at]) / 63
            for name in names:
                exact = over_model.quantile(rows, start, end, Fraction(int(name[1:]), 100))
                assert series[name][at] == pytest.approx(exact, abs=error)
    told = world.get(f"/api/v1/history?{asked}&bucket=1h&quantiles=readings", 400)
    assert told["error"]["code"] == "too_many_readings"


def test_quantiles_of_few_different_decimals_are_exact_from_bins_too(world, monkeypatch):
    rows = [(T0 + i * 10_000_000, round(20 + (i * i % 41) / 10, 1)) for i in range(8640)]
    send(world, "pump", rows, consolidate=True)
    monkeypatch.setattr(query_one, "READINGS_MAX", 0)
    span = {"from_": T0, "to": T0 + DAY_US, "bucket": "1d", "columns": "p5,p50,p99"}
    series = one(world, "pump", **span)
    for name in ("p5", "p50", "p99"):
        exact = over_model.quantile(rows, T0, T0 + DAY_US, Fraction(int(name[1:]), 100))
        assert series[name] == [exact]


def test_an_answer_says_what_its_quantiles_are_made_of_in_every_form(world):
    rows = [(T0 + i * 10_000_000, float(i * i % 977)) for i in range(360)]
    send(world, "pump", rows, consolidate=True)
    send(world, "fan", [*rows[:9], (T0 + 1, math.inf)])
    of = f"from={T0}&to={T0 + HOUR_US}&columns=p50,quantile_error"
    pump, fan = (f"/api/v1/history?series={world.id(each)}&{of}" for each in ("pump", "fan"))
    exact = {"made_of": "readings", "error": 0.0, "removed": 0}
    assert world.get(f"{pump}&bucket=1m")["quantiles"] == exact
    assert world.get(f"{pump}&bucket=1h&quantiles=readings")["quantiles"] == exact
    assert world.get(f"{fan}&bucket=1h")["quantiles"] == exact  # an infinity lies in no bin
    assert world.get(f"{pump}&bucket=1h&layout=wide")["quantiles"]["made_of"] == "bins"
    assert world.get(f"{pump}&bucket=1h".replace("p50,", ""))["quantiles"]["made_of"] == "bins"
    means = pump.replace("p50,quantile_error", "mean")
    assert world.get(f"{means}&bucket=1h")["quantiles"] is None
    response = world.client.get(f"{pump}&bucket=1h&format=csv")
    assert response.headers["tidegate-quantiles"] == "bins; error=0.015873"
    assert read(world, f"{pump}&bucket=1h&format=arrow")["quantile_error"][0].as_py() > 0


def test_durations_of_states_are_told_without_a_look_at_the_readings(world, monkeypatch):
    words = ["on", "off", "idle", "on"]
    rows = [(T0 + i * 55_000_000, words[i * i % 4]) for i in range(4000)]
    for part in (slice(0, 1500), slice(1500, 2200), slice(2200, 4000)):
        send(world, "door", rows[part], consolidate=part.start < 2200)
    span = {"from_": T0, "to": T0 + 3 * DAY_US, "columns": "durations"}
    monkeypatch.setattr(query_one, "READINGS_MAX", 0)
    for bucket, width in (("1h", HOUR_US), ("1d", DAY_US)):
        series = one(world, "door", bucket=bucket, **span)
        for start, told in zip(series["t"], series["durations"], strict=True):
            wanted = over_model.durations(rows, start, start + width)
            assert {repr(each["text"]): each["us"] for each in told} == wanted


def test_quantiles_of_nothing_are_nothing(world):
    send(world, "door", [(T0, "open"), (T0 + 1, "shut")])
    send(world, "pump", [(T0, math.nan), (T0 + HOUR_US, math.inf)])
    span = {"from_": T0, "to": T0 + 2 * HOUR_US, "bucket": "1h", "columns": "p50,p99"}
    assert one(world, "door", **span)["p50"] == [None]
    table = read(
        world,
        f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + 2 * HOUR_US}"
        "&bucket=1h&columns=p99&format=arrow",
    )
    assert str(table["p99"].to_pylist()) == "[nan, inf]"


def test_a_bucket_says_how_long_each_state_stood(world):
    hour = [(T0 + i * 10 * MINUTE_US, text) for i, text in enumerate(["open", "shut", "open"])]
    send(world, "door", [(T0 - 9 * HOUR_US, "shut"), *hour[1:]], consolidate=True)
    send(world, "door", [(T0 + 2 * HOUR_US + MINUTE_US, "ajar")])
    span = {"from_": T0, "to": T0 + 3 * HOUR_US, "columns": "durations"}
    series = one(world, "door", bucket="1h", **span)
    assert series["t"] == [T0, T0 + 2 * HOUR_US]
    told = [[(one["text"], one["us"] // MINUTE_US) for one in each] for each in series["durations"]]
    # shut since long before until 20 minutes past; "ajar" is the newest and has stood for no time
    assert told == [[("open", 40), ("shut", 20)], [("open", 1)]]
    day = one(world, "door", bucket="1d", **span)["durations"][0]
    assert [(each["text"], each["us"] // MINUTE_US) for each in day] == [
        ("open", 101),
        ("shut", 20),
    ]


def test_of_many_states_the_longest_are_told_and_the_others_are_counted(world):
    rows, at = [], T0
    for state in range(12):
        rows.append((at, float(state)))
        at += (state + 1) * 1_000_000
    send(world, "mode", [*rows, (at, 3.0)])
    span = {"from_": T0, "to": T0 + HOUR_US, "bucket": "1h", "columns": "durations,count"}
    (told,) = one(world, "mode", **span)["durations"]
    longest = [{"us": n * 1_000_000, "value": n - 1.0, "text": None} for n in range(12, 4, -1)]
    assert told == [*longest, {"us": 10_000_000, "others": 4}]


def test_durations_agree_with_the_stretches_of_states(world):
    rows = [(T0 + i * 700_000_000, ["on", "off", "idle"][i * i % 3]) for i in range(60)]
    send(world, "door", rows[::2], consolidate=True)
    send(world, "door", rows[1::2])
    end = T0 + 11 * HOUR_US
    asked = f"series={world.id('door')}&from={T0 + HOUR_US}&to={end}"
    stretches = world.get(f"/api/v1/states?{asked}")["states"]
    span = {"from_": T0 + HOUR_US, "to": end, "columns": "durations", "bucket": "1h"}
    total: dict[str, int] = {}
    for bucket in one(world, "door", **span)["durations"]:
        assert sum(each["us"] for each in bucket) == HOUR_US
        for each in bucket:
            total[each["text"]] = total.get(each["text"], 0) + each["us"]
    wanted: dict[str, int] = {}
    for each in stretches:
        wanted[each["text"]] = wanted.get(each["text"], 0) + each["to"] - each["from"]
    assert total == wanted


def test_durations_come_as_a_table_of_lists_and_in_csv_as_json(world):
    send(world, "door", [(T0, "on"), (T0 + 5, "off"), (T0 + 9, "on")])
    query = f"series={world.id('door')}&bucket=1m&columns=durations&from={T0}&to={T0 + 1}"
    table = read(world, f"/api/v1/history?{query}&format=parquet")
    wanted = [("on", 5), ("off", 4)]
    assert [(each["text"], each["us"]) for each in table["durations"][0].as_py()] == wanted
    text = world.client.get(f"/api/v1/history?{query}&format=csv").text
    assert '""text"":""on""' in text.splitlines()[1]
    wide = world.get(f"/api/v1/history?{query}&layout=wide&points=2")
    assert wide["values"][0][0][0]["us"] == 5


def test_of_one_state_that_is_the_newest_nothing_has_stood_yet(world):
    send(world, "door", [(T0, "on")])
    span = {"from_": T0, "to": T0 + 1, "columns": "durations", "bucket": "1m"}
    assert one(world, "door", **span)["durations"] == [[]]
    assert one(world, "door", **span | {"from_": T0 + HOUR_US, "to": T0 + DAY_US})["t"] == []
