"""What is told of buckets whose readings retention removed: what rollups know, and nothing else."""

import math
from fractions import Fraction
from pathlib import Path

import pytest

from cloud.retention.removal import Retention
from cloud.retention.rules import Rule, Rules
from cloud.rollup.partials import DAY_US, HOUR_US
from tests.cloud import over_model
from tests.cloud.lake_world import T0
from tests.cloud.serve.test_history import one, read, send
from tests.cloud.serve_world import World

COLUMNS = "count,p5,p50,quantile_error,time_mean,covered_us,increase,durations"
LATE, INFINITE, PLAIN = range(3)
"""What the hours have: readings that came late, an infinity, neither."""
ROWS = [(T0 + i * 30_000_000, float(i * 7919 % 1009)) for i in range(360)]
ROWS[130] = (ROWS[130][0], math.inf)
SPAN = {"from_": T0, "to": T0 + DAY_US, "bucket": "1h"}


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    send(world, "pump", [row for i, row in enumerate(ROWS) if i >= 120 or i % 2], consolidate=True)
    send(world, "pump", ROWS[:120:2], consolidate=True)
    send(world, "door", [(ts, "on" if i % 3 else "off") for i, (ts, _) in enumerate(ROWS)])
    for device, said in (("pump", 1.0), ("door", "on")):
        send(world, device, [(T0 + 40 * DAY_US, said)], consolidate=True)
    yield world
    world.close()


def age(world: World) -> None:
    rules = Rules([Rule("all", "*", 10 * DAY_US, 0)])
    world.consolidator._upkeep._retention = Retention(rules, lambda: T0 + 40 * DAY_US)
    while (done := world.consolidator.run_once()).more or done.is_upkeep_behind:
        pass
    assert world.live.view.retired.total == 2 * len(ROWS)


def quantile(hour: int, share: Fraction) -> float:
    start = T0 + hour * HOUR_US
    return over_model.quantile(ROWS, start, start + HOUR_US, share)


@pytest.mark.parametrize("asked", ["bins", "readings"])
def test_quantiles_are_of_bins_where_readings_left_and_nothing_where_there_are_none(world, asked):
    before = one(world, "pump", quantiles=asked, columns=COLUMNS, **SPAN)
    age(world)
    after = one(world, "pump", quantiles=asked, columns=COLUMNS, **SPAN)
    assert after["count"] == before["count"] == [120, 120, 120]
    for hour in (LATE, PLAIN):
        error = after["quantile_error"][hour]
        assert 0 < error < 1009 / 63
        for name, share in (("p5", Fraction(1, 20)), ("p50", Fraction(1, 2))):
            assert after[name][hour] == pytest.approx(quantile(hour, share), abs=error)
    assert before["quantile_error"][INFINITE] == 0
    assert before["p50"][INFINITE] == quantile(INFINITE, Fraction(1, 2))
    assert (after["p50"][INFINITE], after["quantile_error"][INFINITE]) == (None, None)


def test_an_answer_says_that_its_quantiles_are_of_bins_though_readings_were_asked_for(world):
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}&bucket=1h"
    path += "&columns=p50&quantiles=readings"
    exact = {"made_of": "readings", "error": 0.0, "removed": 0}
    assert world.get(path)["quantiles"] == exact
    age(world)
    assert world.get(path)["quantiles"] == {
        "made_of": "bins",
        "error": pytest.approx(1 / 63),
        "removed": 1,
    }
    response = world.client.get(f"{path}&format=csv")
    assert response.headers["tidegate-quantiles"] == "bins; error=0.015873; removed=1"
    assert math.isnan(read(world, f"{path}&format=arrow")["p50"][INFINITE].as_py())


def test_what_late_readings_did_over_time_is_not_told_when_they_left(world):
    before = one(world, "pump", columns=COLUMNS, **SPAN)
    age(world)
    after = one(world, "pump", columns=COLUMNS, **SPAN)
    assert before["covered_us"][LATE] > 0
    assert (after["time_mean"][LATE], after["increase"][LATE]) == (None, None)
    assert after["covered_us"][LATE] == 0
    for name in ("time_mean", "covered_us", "increase"):
        assert after[name][INFINITE:] == before[name][INFINITE:]


def test_times_of_states_outlive_the_readings_and_those_of_numbers_do_not(world):
    doors = one(world, "door", columns="durations", **SPAN)["durations"]
    pumps = one(world, "pump", columns="durations", **SPAN)["durations"]
    assert all(pumps)
    age(world)
    assert one(world, "door", columns="durations", **SPAN)["durations"] == doors
    assert one(world, "pump", columns="durations", **SPAN)["durations"] == [None] * 3
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}&bucket=1h"
    told = read(world, f"{path}&columns=durations&format=arrow")["durations"]
    assert told.null_count == 3
