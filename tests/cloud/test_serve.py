"""The HTTP API as it is written down: columns, cursors, refusals that help, headers, events."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cloud.lake import Consolidator
from cloud.lake_names import Names
from cloud.live import Live
from cloud.query import Query
from cloud.registry import GatewayRow
from cloud.rollup import MINUTE_US
from cloud.serve import build_app
from protos import sync_pb2 as pb
from tests.cloud.lake_world import T0, Gateway, MemoryJournal


class Registry:
    """Two enrolled gateways, of which one has connected."""

    def gateways(self) -> list[GatewayRow]:
        status = {"backlog_rows": "7", "clock_quality": "CLOCK_SYNCED", "key_tier": "file"}
        return [
            GatewayRow("gw-1", 1, 2, 3, "0.1", status, 99),
            GatewayRow("gw-new", 1, 0, 0, "", {}, 98),
        ]


class Seen:
    session = 4
    status = pb.Status(backlog_rows=5, backlog_bytes=6, clock_quality=pb.CLOCK_UNSYNCED)


class World:
    def __init__(self, root: Path, dist: Path | None = None, **more) -> None:
        self.journal = MemoryJournal()
        self.gateway = Gateway(self.journal)
        names = Names(self.journal.series)
        self.live = Live(self.journal, names)
        self.consolidator = Consolidator(root, self.journal, names, self.live)
        self.consolidator.recover()
        self.query = Query(self.live, threads=1)
        self.app = build_app(self.query, self.live, Registry(), self.journal, dist, **more)
        self.client = TestClient(self.app, base_url="http://localhost:8460")

    def fill(self) -> None:
        gateway = self.gateway
        minutes = [T0 + i * MINUTE_US for i in range(60)]
        gateway.send(
            gateway.numbers("pump", minutes, [float(i) for i in range(60)]),
            gateway.scores("pump", minutes[9:10], [9.0]),
        )
        while self.consolidator.run_once().more:
            pass
        gateway.send(gateway.texts("door", [T0], ["open"]))
        while self.live.advance():
            pass

    def get(self, path: str, status: int = 200) -> dict:
        response = self.client.get(path)
        assert response.status_code == status, response.text
        return response.json()

    def id(self, device: str) -> str:
        return next(s["id"] for s in self.get("/api/v1/series")["series"] if s["device"] == device)

    def close(self) -> None:
        self.live.stop()
        self.consolidator.close()
        self.query.close()


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake", presence=lambda: {"gw-1": Seen()})
    world.fill()
    yield world
    world.close()


def test_status_counts_what_is_in_tables_and_tail(world):
    status = world.get("/api/v1/status")
    assert status["journal"] == {"head": 2, "archived": 1, "generation": 1}
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


@pytest.mark.parametrize(
    ("query", "code", "hint"),
    [
        ("history?serie=0000000000000001", "unknown_parameter", "did you mean `series`?"),
        ("history", "missing_parameter", "add `series=…`"),
        ("history?series=xyz", "bad_parameter", "ids of 16 hex digits"),
        ("history?series=ffffffffffffffff", "bad_parameter", "as /api/v1/series gives them"),
        ("history?series={id}&series={id}", "repeated_parameter", "give it once"),
        ("history?series={id}&points=1", "bad_parameter", "from 2 to 20000"),
        ("history?series={id}&points=1e3", "bad_parameter", "a whole number"),
        ("history?series={id}&points=٣", "bad_parameter", "a whole number"),
        ("history?series={id}&resolution=5m", "bad_parameter", "auto or raw or 1m or 1h or 1d"),
        ("history?series={id}&from=yesterday", "bad_parameter", "ISO 8601"),
        ("history?series={id}&from=99999999999999999999", "bad_parameter", "µs since 1970"),
        ("history?series={id}&from=9223372036854775807", "bad_parameter", "years 1 to 9999"),
        ("history?series={id}&from=5&to=4", "bad_range", "`from` is the earlier end"),
        ("history?series={id}&cursor=0_5_0", "bad_parameter", "resolution=raw"),
        ("history?series={id}&resolution=raw&cursor=1_5_0", "bad_parameter", "same series"),
        ("history?series={id}&resolution=raw&cursor=x", "bad_parameter", "`next` of the answer"),
        ("series?limit=0", "bad_parameter", "from 1 to 100000"),
        ("series?q=" + "x" * 256, "bad_parameter", "at most 255 characters"),
        ("status?x=1", "unknown_parameter", "known here: none"),
        ("live?series=1", "bad_parameter", "16 hex digits"),
    ],
)
def test_a_bad_parameter_is_a_400_with_the_way_out(world, query, code, hint):
    error = world.get(f"/api/v1/{query.replace('{id}', world.id('pump'))}", 400)["error"]
    assert error["code"] == code
    assert hint in error["hint"]
    assert error["message"]


def test_an_unknown_series_or_route_is_a_404_that_names_the_nearest(world):
    error = world.get("/api/v1/history?series=0000000000000001", 404)["error"]
    assert error["code"] == "unknown_series"
    error = world.get("/api/v1/historie", 404)["error"]
    assert (error["code"], error["hint"]) == ("not_found", "did you mean /api/v1/history?")


def test_other_methods_are_refused_as_json(world):
    response = world.client.post("/api/v1/status")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_every_answer_carries_the_security_headers(world):
    for path in ("/api/v1/status", "/", "/api/v1/nothing", "/api/v1/history"):
        headers = world.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8460", "localhost.evil", ""])
def test_a_foreign_host_name_is_refused(world, host):
    response = world.client.get("/api/v1/status", headers={"host": host})
    assert response.status_code == 421
    assert response.json()["error"]["code"] == "host_not_allowed"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8460", "LOCALHOST"])
def test_a_loopback_host_name_is_served(world, host):
    assert world.client.get("/healthz", headers={"host": host}).status_code == 200


def test_an_operator_may_name_other_hosts(tmp_path):
    world = World(tmp_path / "lake", hosts={"tide.example"})
    for host, status in (("tide.example", 200), ("localhost", 421)):
        assert world.client.get("/healthz", headers={"host": host}).status_code == status
    world.close()


def test_without_the_page_a_person_is_told_how_to_build_it(world):
    response = world.client.get("/")
    assert response.status_code == 503
    assert "make page" in response.text
    assert world.client.get("/assets/x.js").status_code == 404


def test_the_built_page_is_served_with_its_assets(tmp_path):
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html>tide")
    (dist / "assets" / "app-1a2b.js").write_text("1")
    world = World(tmp_path / "lake", dist)
    page = world.client.get("/")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    script = world.client.get("/assets/app-1a2b.js")
    assert "immutable" in script.headers["cache-control"]
    assert "script-src" not in script.headers["content-security-policy"]
    assert world.client.get("/../../secret").status_code == 404
    world.close()


async def _first_events(app, path: str, count: int, started) -> list[str]:
    """Read a stream of events straight over ASGI; the client of the tests would buffer it."""
    chunks: list[str] = []
    done = asyncio.Event()

    async def receive():
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        chunks.append(message.get("body", b"").decode())
        if message["type"] == "http.response.body" and len(chunks) == 2:
            started()
        if "".join(chunks).count("event: ") >= count:
            done.set()

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "asgi": {"spec_version": "2.4", "version": "3.0"},
    }
    request = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait_for(done.wait(), 20)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    return "".join(chunks).split("\n\n")


async def test_new_readings_and_anomalies_arrive_as_events(world):
    pump = world.id("pump")

    def send() -> None:
        gateway = world.gateway
        gateway.send(
            gateway.numbers("pump", [T0 - 1, T0 - 2], [1.5, 2.5]),
            gateway.scores("pump", [T0], [7.0]),
        )
        while world.live.advance():
            pass

    frames = await _first_events(world.app, f"/api/v1/live?series={pump}", 2, send)
    readings, anomaly = [frame for frame in frames if frame.startswith("event: ")]
    assert readings.startswith("event: readings\n")
    assert json.loads(readings.split("data: ")[1]) == {
        "id": pump,
        "t": [T0 - 2, T0 - 1],
        "v": [2.5, 1.5],
    }
    assert anomaly.startswith("event: anomaly\n")
    assert json.loads(anomaly.split("data: ")[1])["value"] == 7.0
    assert not world.live.feed._listeners


def test_many_listeners_are_refused_politely(world, monkeypatch):
    monkeypatch.setattr("cloud.live_feed.LISTENERS_MAX", 0)
    assert world.get("/api/v1/live", 503)["error"]["code"] == "busy"


def test_a_file_that_is_gone_is_a_503_not_a_traceback(world):
    for path in world.live.view.tables["readings"].paths():
        Path(path).unlink()
    path = f"/api/v1/history?series={world.id('pump')}&resolution=raw"
    assert world.get(path, 503)["error"]["code"] == "storage"
