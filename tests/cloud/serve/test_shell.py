"""Refusals that help, security headers, names, the page, and events."""

import asyncio
import json
from pathlib import Path

import pytest

from cloud.live.feed import FeedFull
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import Seen, World


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake", presence=lambda: {"gw-1": Seen()})
    world.fill()
    yield world
    world.close()


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
        ("history?series={id}&from=9223372036854775807", "bad_parameter", "to 9999-12-31T00:00"),
        ("history?series={id}&from=9999-12-31T12:00Z", "bad_parameter", "to 9999-12-31T00:00"),
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


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8460", "localhost.evil", "", "[::1].evil", "localhost:1@evil"],
)
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
    monkeypatch.setattr("cloud.live.feed.LISTENERS_MAX", 0)
    assert world.get("/api/v1/live", 503)["error"]["code"] == "busy"


def test_a_file_that_is_gone_is_a_503_not_a_traceback(world):
    for path in world.live.view.tables["readings"].paths():
        Path(path).unlink()
    path = f"/api/v1/history?series={world.id('pump')}&resolution=raw"
    assert world.get(path, 503)["error"]["code"] == "storage"


def test_health_names_what_stands_in_the_way(tmp_path):
    said = ["could not consolidate: the disk is full", ""]
    world = World(tmp_path / "lake", fault=lambda: said[0])
    try:
        answer = world.client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "fault", "fault": said[0]}
        said.pop(0)
        assert world.client.get("/healthz").json() == {"status": "ok"}
    finally:
        world.close()


def test_a_fault_of_ours_is_told_as_json_and_logged(world, monkeypatch, caplog):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret of our insides")

    monkeypatch.setattr(world.live.book, "known", fail)
    response = world.client.get("/api/v1/series")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "fault"
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "a secret of our insides" in caplog.text


async def test_one_client_cannot_take_every_place_to_listen(world, monkeypatch):
    monkeypatch.setattr("cloud.live.feed.LISTENERS_OF_ONE_MAX", 2)
    feed = world.live.feed
    held = [feed.listen(None, "10.0.0.1") for _ in range(2)]
    with pytest.raises(FeedFull):
        feed.listen(None, "10.0.0.1")
    with feed.listen(None, "10.0.0.2"):
        pass
    feed.leave(held[0])
    with feed.listen(None, "10.0.0.1"), held[1]:
        pass


async def test_who_comes_back_is_told_what_came_since_and_nothing_twice(world):
    pump, gateway = world.id("pump"), world.gateway
    for number in range(3):
        gateway.send(gateway.numbers("pump", [T0 + number], [float(number)]))
        while world.live.advance():
            pass
    seen = world.live.view.journal - 2

    def send() -> None:
        gateway.send(gateway.numbers("pump", [T0 + 9], [9.0]))
        while world.live.advance():
            pass

    path = f"/api/v1/live?series={pump}&after={seen}"
    frames = await _first_events(world.app, path, 2, send)
    told = [frame for frame in frames if frame.startswith("event: readings")]
    values = [value for frame in told for value in json.loads(frame.split("data: ")[1])["v"]]
    assert values == [1.0, 2.0, 9.0]
    ids = [int(frame.split("id: ")[1].split("\n")[0]) for frame in told]
    assert ids == sorted(ids)
    assert ids[-1] == world.live.view.journal


async def test_who_missed_what_is_in_the_tables_by_now_is_told_so(world):
    frames = await _first_events(world.app, "/api/v1/live?after=0", 1, lambda: None)
    (missed,) = [frame for frame in frames if frame.startswith("event: missed")]
    told = json.loads(missed.split("data: ")[1])
    assert (told["after"], told["lake"], told["journal"]) == (0, 1, 2)
    error = world.get("/api/v1/live?after=-1", 400)["error"]
    assert error["parameter"] == "after"


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-IP"],
)
def test_where_no_proxy_is_named_what_one_brings_is_refused(world, header):
    answer = world.client.get("/api/v1/status", headers={header: "203.0.113.5"})
    assert answer.status_code == 421
    error = answer.json()["error"]
    assert error["code"] == "proxy_not_named"
    assert "http.behind" in error["hint"]
