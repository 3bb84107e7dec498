"""Operations over HTTP: every answer tells one series, in one unit; logged, tried, undone."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from cloud.live_feed import Event, EventKind
from cloud.operations import OPERATIONS_MAX, Operations
from cloud.registry import Registry
from cloud.rollup import HOUR_US, MINUTE_US
from cloud.serve import stream
from cloud.serve.shown import Shown, event_shown
from protos import records
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

SEAM = T0 + 30 * MINUTE_US


@pytest.fixture
def world(tmp_path: Path):
    """An old sensor in °C, heard to the hour's end, and a new one in °F from before the seam on."""
    world = World(tmp_path / "lake")
    send(world, "old", "°C", range(60), lambda i: float(i))
    while world.consolidator.run_once().more:
        pass
    send(world, "new", "°F", range(20, 90), lambda i: 212.0)
    follow(world)
    yield world
    world.close()


def send(world: World, device: str, unit: str, minutes, value, score: bool = True) -> None:
    gateway, minutes = world.gateway, list(minutes)
    number = gateway.series(device, unit=unit)
    ts = np.array([T0 + i * MINUTE_US for i in minutes])
    at, values = np.full(len(ts), number), np.array([value(i) for i in minutes])
    batches = [records.numbers(at, ts, values, np.zeros(len(ts)), ts)]
    if score:
        nine, three = np.full(len(ts), 9.0), np.full(len(ts), 3.0)
        batches.append(records.scores(at, ts, values, nine, three, ["drift-1"] * len(ts)))
    gateway.send(*batches)


def follow(world: World) -> None:
    while world.live.advance():
        pass


def ids(world: World) -> tuple[str, str]:
    names = {name.device: f"{name.id:016x}" for name in world.live.book.known().names}
    return names["old"], names["new"]


def operate(world: World, kind: str, status: int = 201, **said) -> dict:
    body = {"kind": kind, "author": "ann", **said}
    response = world.client.post("/api/v1/operations", json=body)
    assert response.status_code == status, response.text
    return response.json()


def replaced(world: World) -> dict:
    old, new = ids(world)
    return operate(world, "replace", series=old, other=new, **{"from": SEAM})


def history(world: World, series: str, more: str = "resolution=raw") -> dict:
    span = f"from={T0}&to={T0 + 2 * HOUR_US}"
    return world.get(f"/api/v1/history?series={series}&{span}&{more}")


def test_a_swapped_sensor_keeps_one_history_in_one_unit(world):
    old, new = ids(world)
    replaced(world)
    for asked in (old, new, f"{old},{new}"):
        answer = history(world, asked)
        (series,) = answer["series"]
        assert series["id"] == old
        assert series["v"] == [*map(float, range(30)), *[100.0] * 60]
        assert [s["unit"] for s in answer["segments"]] == ["°C", "°F"]
    (buckets,) = history(world, old, "bucket=1h")["series"]
    assert (buckets["count"], buckets["max"]) == ([60, 30], [100.0, 100.0])
    assert (buckets["min"], buckets["first"], buckets["last"]) == ([0, 100], [0, 100], [100, 100])
    assert buckets["sum"] == [sum(range(30)) + 3000.0, 3000.0]


def test_a_bucket_that_the_seam_cuts_is_made_of_both_sides_exactly(world):
    old, _ = ids(world)
    replaced(world)
    (buckets,) = history(world, old, "bucket=45m")["series"]
    assert buckets["count"] == [45, 45]
    assert buckets["sum"] == [sum(range(30)) + 1500.0, 4500.0]


def test_wide_frames_and_tables_name_the_joined_series(world):
    old, new = ids(world)
    replaced(world)
    operate(world, "rename", series=old, device="hall", metric="air")
    wide = history(world, f"{new},{old}", "bucket=1h&layout=wide")
    assert [(one["name"], one["unit"]) for one in wide["series"]] == [("hall/air", "°C")]
    path = f"/api/v1/history?series={old}&from={T0}&to={T0 + HOUR_US}&resolution=raw&format=csv"
    told = world.client.get(path).text.splitlines()
    assert told[1].split(",")[:5] == [f'"{w}"' for w in (old, "gw-1", "hall", "air", "°C")]


def test_lists_show_one_series_and_what_it_is_made_of(world):
    old, new = ids(world)
    replaced(world)
    (row,) = world.get("/api/v1/series")["series"]
    assert (row["id"], row["device"], row["unit"]) == (old, "old", "°C")
    assert (row["made_of"], row["readings"]) == ([old, new], 130)
    assert (row["last_ts"], row["last_value"]) == (T0 + 89 * MINUTE_US, 100.0)
    (latest,) = world.get("/api/v1/latest")["latest"]
    assert (latest["id"], latest["value"]) == (old, 100.0)
    assert world.get(f"/api/v1/series?series={new}")["series"] == [row]
    assert [d["device"] for d in world.get("/api/v1/devices")["devices"]] == ["old"]


def test_a_series_is_found_by_its_former_names_and_by_its_new_one(world):
    old, _ = ids(world)
    replaced(world)
    operate(world, "rename", series=old, device="hall")
    for query in ("q=old", "q=NEW/temp", "q=hall", "device=hall", "match=*/hall/*"):
        assert [s["id"] for s in world.get(f"/api/v1/series?{query}")["series"]] == [old], query
    assert world.get("/api/v1/series?device=old")["series"] == []


def test_what_is_stored_can_still_be_asked_for(world):
    old, new = ids(world)
    replaced(world)
    rows = world.get("/api/v1/series?view=stored")["series"]
    assert {(row["id"], row["unit"]) for row in rows} == {(old, "°C"), (new, "°F")}
    (series,) = history(world, new, "resolution=raw&view=stored")["series"]
    assert (series["id"], series["v"]) == (new, [212.0] * 70)


def test_the_last_reading_before_the_seam_stands_while_the_new_sensor_is_silent(world):
    old, new = ids(world)
    operate(world, "replace", series=old, other=new, **{"from": T0 + 200 * MINUTE_US})
    assert world.get("/api/v1/latest")["latest"][0]["value"] == 59.0
    undo = world.get("/api/v1/operations")["operations"][0]["id"]
    operate(world, "undo", operation=undo)
    operate(world, "replace", series=new, other=old, **{"from": T0 + 70 * MINUTE_US})
    (latest,) = world.get("/api/v1/latest")["latest"]
    assert (latest["ts"], latest["value"]) == (T0 + 69 * MINUTE_US, 212.0)


def test_anomalies_are_told_of_the_joined_series_by_page_and_by_its_device(world):
    old, new = ids(world)
    replaced(world)
    operate(world, "rename", series=old, device="hall")
    wanted = [*[100.0] * 60, *map(float, reversed(range(30)))]
    for query in (f"series={new}", "device=hall", "gateway=gw-1"):
        found, cursor = [], ""
        while cursor is not None:
            answer = world.get(f"/api/v1/anomalies?limit=7&cursor={cursor}&{query}")
            found += answer["anomalies"]
            cursor = answer["next"]
        assert [row["value"] for row in found] == wanted, query
        assert {(row["series"], row["device"]) for row in found} == {(old, "hall")}
    assert world.get("/api/v1/anomalies?device=old")["anomalies"] == []


def test_marks_of_either_sensor_and_of_the_joined_series_hold(world):
    old, new = ids(world)
    replaced(world)
    for minute, said in ((5, {"series": [old]}), (40, {"gateway": "gw-1", "device": "new"})):
        start = T0 + minute * MINUTE_US
        mark = {"kind": "bad", "author": "ann", "from": start, "to": start + MINUTE_US, **said}
        assert world.client.post("/api/v1/marks", json=mark).status_code == 201
    answer = history(world, new, "resolution=raw&bad=exclude")
    assert len(answer["series"][0]["t"]) == 88
    assert len(answer["marks"]) == len(world.get(f"/api/v1/marks?series={old}")["marks"]) == 2


def test_states_are_those_of_the_joined_series(world):
    old, _ = ids(world)
    replaced(world)
    path = f"/api/v1/states?series={old}&from={SEAM - MINUTE_US}&to={T0 + 2 * HOUR_US}"
    found = [(s["value"], s["from"]) for s in world.get(path)["states"]]
    assert found == [(29.0, SEAM - MINUTE_US), (100.0, SEAM)]


def test_live_events_are_told_of_the_joined_series_in_its_unit(world):
    old, new = ids(world)
    replaced(world)
    t = np.array([SEAM - 1, SEAM, SEAM + 1])
    data = {"id": new, "t": t, "v": np.array([1.0, 32.0, 212.0]), "text": [None, None, "x"]}
    told = event_shown(world.operations.resolver, Event(EventKind.READINGS, data, 7))
    assert (told.data["id"], told.data["v"].tolist()) == (old, [0.0, 100.0])
    assert (told.data["t"].tolist(), told.data["text"], told.offset) == (
        [SEAM, SEAM + 1], [None, "x"], 7,
    )  # fmt: skip
    gone = Event(EventKind.READINGS, data | {"id": old}, 7)
    assert event_shown(world.operations.resolver, gone).data["t"].tolist() == [SEAM - 1]


def test_a_listener_hears_a_sensor_that_comes_into_its_series_while_it_listens(world):
    old, _ = ids(world)

    async def listen() -> list[bytes]:
        series = frozenset({int(old, 16)})
        shown = Shown(world.operations, world.live, world.query)
        listener = world.live.feed.listen(series)
        events = stream._events(world.live, shown, listener, series, None)
        told = [await anext(events)]
        replaced(world)
        told.append(await anext(events))
        send(world, "new", "°F", [95], lambda i: 32.0, score=False)
        follow(world)
        while b"readings" not in told[-1]:
            told.append(await anext(events))
        await events.aclose()
        return told

    told = asyncio.run(listen())
    assert f'"id":"{old}"'.encode() in told[-1]
    assert b'"v":[0.0]' in told[-1]


def test_a_unit_that_changed_at_the_gateway_is_proposed_and_joined(world):
    send(world, "old", "°F", range(60, 70), lambda i: 32.0)
    follow(world)
    (one,) = world.get("/api/v1/proposals")["proposals"]
    assert (one["kind"], one["unit"], one["other_unit"]) == ("merge", "°C", "°F")
    operate(world, one["kind"], series=one["series"], other=one["other"])
    assert world.get("/api/v1/proposals") == {"proposals": [], "total": 0}
    (series,) = history(world, one["series"])["series"]
    assert series["v"] == [*map(float, range(60)), *[0.0] * 10]


def test_series_whose_units_are_of_no_one_quantity_are_not_proposed(world):
    old, _ = ids(world)
    send(world, "old", "%", range(60, 70), lambda i: 32.0)
    follow(world)
    assert world.get("/api/v1/proposals")["proposals"] == []
    other = next(s["id"] for s in world.get("/api/v1/series")["series"] if s["unit"] == "%")
    error = operate(world, "merge", 409, series=old, other=other)["error"]
    assert error["code"] == "cannot_apply"
    assert "°C" in error["message"]


def test_a_retired_series_leaves_lists_and_keeps_its_history(world):
    old, new = ids(world)
    operate(world, "retire", series=old)
    for query, found in (("", [new]), ("retired=show", [new, old]), ("retired=only", [old]),
                         ("silent_s=1", [new]), (f"series={old}", [old])):  # fmt: skip
        rows = world.get(f"/api/v1/series?{query}")["series"]
        assert [row["id"] for row in rows] == found, query
    assert [row["device"] for row in world.get("/api/v1/devices")["devices"]] == ["new"]
    assert len(history(world, old)["series"][0]["t"]) == 60


def test_an_operation_that_is_tried_changes_nothing_and_says_what_it_would_make(world):
    old, new = ids(world)
    path = f"/api/v1/operations/check?kind=replace&series={old}&other={new}&from={SEAM}"
    told = world.get(path)
    assert [(s["stored"], s["from"], s["to"]) for s in told["segments"]] == [
        (old, None, SEAM), (new, SEAM, None),
    ]  # fmt: skip
    assert told["left_out"] == [old, new]
    assert world.get("/api/v1/operations")["operations"] == []
    assert len(world.get("/api/v1/series")["series"]) == 2
    assert replaced(world)["segments"] == told["segments"]


def test_operations_survive_the_process_with_their_author_and_are_audited(world, tmp_path):
    old, _ = ids(world)
    made = replaced(world)["operation"]
    again = Registry.open(tmp_path / "registry.db")
    held, undone = Operations(again).all()
    audit = again.audit_rows()[0]
    again.close()
    assert [each.id for each in held] == [made["id"]]
    assert (audit["action"], audit["subject"], audit["actor"]) == ("series replace", old, "ann")
    assert undone == frozenset()


def test_undo_is_an_operation_and_brings_both_series_back(world):
    old, new = ids(world)
    made = replaced(world)["operation"]["id"]
    undo = operate(world, "undo", operation=made, note="wrong one")["operation"]
    assert {row["id"] for row in world.get("/api/v1/series")["series"]} == {old, new}
    log = world.get(f"/api/v1/operations?series={old}")["operations"]
    assert [(one["id"], one["undone"]) for one in log] == [(undo["id"], False), (made, True)]
    assert "undone already" in operate(world, "undo", 409, operation=made)["error"]["message"]


def test_what_rests_on_an_operation_is_undone_before_it(world):
    old, new = ids(world)
    first = replaced(world)["operation"]["id"]
    send(world, "third", "K", range(100, 110), lambda i: 273.15)
    follow(world)
    third = next(s["id"] for s in world.get("/api/v1/series")["series"] if s["device"] == "third")
    later = operate(
        world, "replace", series=new, other=third, **{"from": SEAM - MINUTE_US}, status=409
    )["error"]
    assert "stretch of its own" in later["message"]
    shown = operate(world, "unit", series=old, unit="K")["operation"]["id"]
    operate(world, "unit", series=old, unit="°C")
    error = operate(world, "undo", 409, operation=shown)["error"]
    assert "rests on" in error["message"]
    assert operate(world, "undo", operation=first)["series"]["unit"] == "°C"


def test_a_repeated_request_with_an_id_counts_once(world):
    old, new = ids(world)
    said = {"series": old, "other": new, "from": SEAM, "id": "00000000000000aa"}
    first = operate(world, "replace", **said)
    assert operate(world, "replace", **said)["operation"] == first["operation"]
    error = operate(world, "replace", 409, **said | {"from": SEAM + 1})["error"]
    assert (error["code"], error["parameter"]) == ("operation_taken", "id")
    assert len(world.get("/api/v1/operations")["operations"]) == 1


@pytest.mark.parametrize(
    ("kind", "more", "status", "parameter"),
    [
        ("renam", {}, 400, "kind"),
        ("rename", {}, 400, "device"),
        ("rename", {"device": "new"}, 409, "device"),
        ("rename", {"device": "a\nb"}, 400, "device"),
        ("rename", {"device": "x" * 256}, 400, "device"),
        ("rename", {"device": "x", "from": T0}, 400, "from"),
        ("replace", {"other": "new"}, 400, "from"),
        ("replace", {"from": T0}, 400, "other"),
        ("replace", {"from": T0, "other": "0" * 16}, 404, "other"),
        ("merge", {"other": "new", "from": T0, "to": T0}, 400, "from"),
        ("merge", {"other": "new", "scale": "0"}, 400, "scale"),
        ("merge", {"other": "new", "scale": "1e9"}, 400, "scale"),
        ("merge", {"other": "new", "scale": "1/0"}, 400, "scale"),
        ("unit", {}, 400, "unit"),
        ("unit", {"unit": "%"}, 409, ""),
        ("undo", {"series": None}, 400, "operation"),
        ("undo", {"operation": "0" * 16}, 400, "series"),
        ("undo", {"series": None, "operation": "0" * 16}, 409, ""),
        ("retire", {"series": "f" * 16}, 400, "series"),
        ("retire", {"author": ""}, 400, "author"),
    ],
)
def test_an_operation_that_cannot_be_is_refused_by_the_name_of_what_is_wrong(
    world, kind, more, status, parameter
):
    old, new = ids(world)
    said = {"series": old} | {k: new if v == "new" and k == "other" else v for k, v in more.items()}
    error = operate(world, kind, status, **said)["error"]
    assert error.get("parameter", "") == parameter
    assert error["hint"]
    assert world.get("/api/v1/operations")["operations"] == []


def test_the_log_comes_in_pages_and_is_bounded(world, monkeypatch):
    old, _ = ids(world)
    for number in range(5):
        operate(world, "rename", series=old, device=f"n{number}")
    found, cursor = [], ""
    while cursor is not None:
        answer = world.get(f"/api/v1/operations?limit=2&kind=rename&cursor={cursor}")
        found += [one["device"] for one in answer["operations"]]
        cursor = answer["next"]
    assert found == [f"n{number}" for number in reversed(range(5))]
    assert OPERATIONS_MAX == 20_000
    monkeypatch.setattr("cloud.operations.OPERATIONS_MAX", 5)
    error = operate(world, "rename", 409, series=old, device="x")["error"]
    assert error["code"] == "too_many_operations"
