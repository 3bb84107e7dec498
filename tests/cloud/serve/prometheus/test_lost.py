"""What is said where readings cannot be told: removed by retention, or unreadable."""

from pathlib import Path

import pytest

from cloud.lake.table.schema import READINGS
from cloud.retention.removal import Retention
from cloud.retention.rules import Rule, Rules
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud.lake_world import T0
from tests.cloud.serve.prometheus.prometheus_world import API, PrometheusWorld

KEPT_US = 10 * DAY_US


@pytest.fixture
def world(tmp_path: Path):
    world = PrometheusWorld(tmp_path / "lake")
    for device in ("pump", "door"):
        world.put(device, [(T0 + i * MINUTE_US, float(i)) for i in range(180)])
    world.put("door", [(T0 + 180 * MINUTE_US, "shut")])
    world.put("pump", [(T0 + 40 * DAY_US, 1.0)])
    world.consolidate()
    yield world
    world.close()


def age(world: PrometheusWorld) -> None:
    rules = Rules([Rule("all", "*", KEPT_US, 0)])
    world.consolidator._upkeep._retention = Retention(rules, lambda: T0 + 40 * DAY_US)
    while (done := world.consolidator.run_once()).more or done.is_upkeep_behind:
        pass
    assert world.live.view.retired.total > 0


def asked(world: PrometheusWorld, query: str, step_us: int) -> dict:
    span = {"start": (T0 + HOUR_US) / 1e6, "end": (T0 + 3 * HOUR_US) / 1e6, "step": step_us / 1e6}
    told = world.client.get(f"{API}/query_range", params={"query": query, **span})
    assert told.status_code == 200, told.text
    return told.json()


def test_whole_hours_are_told_as_before_where_retention_removed_readings(world) -> None:
    query = 'avg_over_time(up{device="pump"}[1h])'
    before = asked(world, query, HOUR_US)
    age(world)
    after = asked(world, query, HOUR_US)
    assert after == before
    assert len(after["data"]["result"][0]["values"]) == 3
    assert "warnings" not in after


def test_it_is_said_where_retention_removed_what_an_answer_would_be_made_of(world) -> None:
    query = 'avg_over_time(up{device="pump"}[7m])'
    assert "warnings" not in asked(world, query, 7 * MINUTE_US)
    age(world)
    (warning,) = asked(world, query, 7 * MINUTE_US)["warnings"]
    assert warning.endswith("told by steps and ranges of whole hours")


def test_it_is_said_of_a_series_with_texts_at_any_step(world) -> None:
    query = 'avg_over_time(up{device="door"}[3h])'
    span = {"query": query, "time": (T0 + 6 * HOUR_US) / 1e6}
    before = world.client.get(f"{API}/query", params=span).json()
    assert "warnings" not in before
    age(world)
    after = world.client.get(f"{API}/query", params=span).json()
    assert after["warnings"] == ["retention removed readings of this time"]


def test_files_that_cannot_be_read_are_no_fault_and_no_empty_answer(world) -> None:
    for path in map(Path, world.live.view.tables[READINGS.name].paths()):
        path.write_bytes(b"spoilt")
    span = {"query": "avg_over_time(up[7m])", "time": T0 / 1e6 + 600}
    told = world.client.get(f"{API}/query", params=span)
    assert told.status_code == 503, told.text
    assert told.json()["errorType"] == "unavailable"
    assert told.json()["error"].startswith("the history cannot be read now")
