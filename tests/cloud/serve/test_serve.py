"""The HTTP API as it is written down: columns, cursors, what is known of the fleet."""

import time
from pathlib import Path

import pytest

from cloud.rollup.partials import MINUTE_US
from tests.cloud.lake_world import DAY_US, T0
from tests.cloud.serve_world import Seen, World


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake", presence=lambda: {"gw-1": Seen()})
    world.fill()
    yield world
    world.close()


def test_status_counts_what_is_in_tables_and_tail(world):
    status = world.get("/api/v1/status")
    assert status["journal"] == {
        "head": 2,
        "archived": 1,
        "generation": 1,
        "blocks": 2,
        "readings": 61,
    }
    assert status["lake"] == {"offset": 1, "readings": 60, "anomalies": 1}
    assert status["history"] == {"readings": 61, "series": 2, "anomalies": 1}
    assert status["now"] > T0


def test_gateways_tell_what_the_stream_the_registry_and_the_journal_know(world):
    first, new = world.get("/api/v1/gateways")["gateways"]
    assert first["name"] == "gw-1"
    assert first["connected"] is True
    assert (first["backlog_rows"], first["backlog_bytes"]) == (5, 6)
    assert (first["clock"], first["readings"], first["series"]) == ("unsynced", 61, 2)
    assert (new["connected"], new["last_seen"], new["readings"]) == (False, None, 0)


def test_a_gateway_that_is_away_shows_what_it_said_last(tmp_path):
    world = World(tmp_path / "lake")
    gateway = world.get("/api/v1/gateways")["gateways"][0]
    shown = (gateway["connected"], gateway["backlog_rows"], gateway["clock"], gateway["key_tier"])
    assert shown == (False, 7, "synced", "file")
    world.close()


def test_devices_and_series_and_latest(world):
    devices = world.get("/api/v1/devices?gateway=gw-1")["devices"]
    assert [(d["device"], d["metrics"], d["readings"]) for d in devices] == [
        ("door", 1, 1),
        ("pump", 1, 60),
    ]
    assert world.get("/api/v1/devices?gateway=none")["devices"] == []
    (series,) = world.get("/api/v1/series?q=TEMP")["series"]
    assert (series["unit"], series["labels"], series["kind"]) == ("°C", {"room": "hall"}, "gauge")
    assert (series["first_ts"], series["last_value"], series["readings"]) == (T0, 59.0, 60)
    (door,) = world.get("/api/v1/latest?device=door")["latest"]
    assert (door["ts"], door["value"], door["text"], door["quality"]) == (T0, None, "open", 1)


def test_raw_history_pages_to_every_value(world):
    values: list[float] = []
    cursor = ""
    while cursor is not None:
        path = f"/api/v1/history?series={world.id('pump')}&resolution=raw&limit=25&cursor={cursor}"
        answer = world.get(path)
        values += answer["series"][0]["v"]
        assert "text" not in answer["series"][0]
        cursor = answer["next"]
    assert values == [float(i) for i in range(60)]
    assert answer["watermark"] == {"journal": 2, "lake": 1}
    assert answer["resolution"] == "raw"


def test_bucketed_history_is_columns(world):
    end = T0 + 60 * MINUTE_US
    answer = world.get(
        f"/api/v1/history?series={world.id('pump')}&from={T0}&to={end}&points=20&resolution=1m"
    )
    assert (answer["resolution"], answer["bucket_us"]) == ("1m", 5 * MINUTE_US)
    (series,) = answer["series"]
    assert series["count"] == [5] * 12
    assert (series["mean"][0], series["min"][0], series["max"][0]) == (2.0, 0.0, 4.0)
    assert (series["first"][1], series["last"][1]) == (5.0, 9.0)


def test_iso_times_mean_what_they_say(world):
    path = f"/api/v1/history?series={world.id('pump')}&resolution=raw"
    for start in ("2023-11-15T00:10:00Z", "2023-11-15T00:10:00", "2023-11-15T02:10:00+02:00"):
        answer = world.get(f"{path}&from={start}&to=2023-11-15T00:12:00Z")
        assert answer["from"] == T0 + 10 * MINUTE_US
        assert answer["series"][0]["v"] == [10.0, 11.0]


def test_numbers_that_json_lacks_are_null_and_told_apart(world):
    gateway = world.gateway
    gateway.send(gateway.numbers("odd", [T0, T0 + 1, T0 + 2], [float("nan"), float("-inf"), 1.0]))
    while world.live.advance():
        pass
    (series,) = world.get(f"/api/v1/history?series={world.id('odd')}")["series"]
    assert series["v"] == [None, None, 1.0]
    assert series["special"] == {"0": "nan", "1": "-inf"}


def test_texts_are_a_column_of_their_own(world):
    (series,) = world.get(f"/api/v1/history?series={world.id('door')}")["series"]
    assert (series["v"], series["text"]) == ([None], ["open"])


def test_anomalies_by_series_and_by_device(world):
    (anomaly,) = world.get(f"/api/v1/anomalies?series={world.id('pump')}")["anomalies"]
    assert anomaly == {
        "series": world.id("pump"),
        "gateway": "gw-1",
        "device": "pump",
        "metric": "temperature",
        "ts": T0 + 9 * MINUTE_US,
        "value": 9.0,
        "score": 9.0,
        "threshold": 3.0,
        "model": "drift-1",
    }
    assert world.get("/api/v1/anomalies?device=door")["anomalies"] == []


def test_a_reading_of_a_mad_clock_neither_breaks_nor_hides_the_present(world):
    now = time.time_ns() // 1000
    year_5138 = 100_000_000_000_000_000
    for ts in (now, year_5138, (1 << 63) - 1):
        world.gateway.send(world.gateway.numbers("mad", [ts], [1.0]))
    while world.live.advance():
        pass
    found = world.get(f"/api/v1/history?series={world.id('mad')}")
    assert found["series"][0]["t"] == [now]
    assert found["to"] <= now + 2 * DAY_US


def test_a_cursor_that_would_skip_a_billion_readings_is_refused(world):
    asked = f"/api/v1/history?series={world.id('pump')}&resolution=raw&cursor=0_{T0}_999999999"
    assert world.get(asked, 400)["error"]["code"] == "bad_parameter"


def test_the_ledger_tells_what_became_of_each_gateway(world):
    (row,) = world.get("/api/v1/ledger")["ledger"]
    assert (row["gateway"], row["epoch"], row["open"], row["blocks"]) == ("gw-1", 1, True, 2)
    assert world.get("/api/v1/ledger?gateway=gw-1")["ledger"] == [row]
    assert world.get("/api/v1/ledger?gateway=other")["ledger"] == []
    assert "gateway" in world.get("/api/v1/ledger?gatway=gw-1", 400)["error"]["hint"]
