"""Every answer tells a joined series as one, in one unit: history, lists, events, live."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from cloud.live.feed import Event, EventKind
from cloud.rollup.partials import HOUR_US, MINUTE_US
from cloud.serve import stream
from cloud.serve.shown import Shown, event_shown
from tests.cloud.lake_world import T0
from tests.cloud.serve.joined_world import (
    SEAM,
    follow,
    history,
    ids,
    operate,
    replaced,
    send,
    two_sensors,
)
from tests.cloud.serve_world import World


@pytest.fixture
def world(tmp_path: Path):
    world = two_sensors(tmp_path)
    yield world
    world.close()


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


def test_the_last_reading_of_a_stretch_that_ends_is_newer_than_that_of_a_silent_sensor(world):
    old, new = ids(world)
    until = T0 + 75 * MINUTE_US  # the old one is heard to 59, the new one to 89
    operate(world, "merge", series=old, other=new, to=until)
    (latest,) = world.get("/api/v1/latest")["latest"]
    assert (latest["ts"], latest["value"]) == (until - MINUTE_US, 100.0)


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


def test_a_listener_hears_a_sensor_that_comes_into_its_series(world, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)  # if it hears nothing, say so soon
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
        for _ in range(50):
            told.append(await anext(events))
            if b"readings" in told[-1]:
                break
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


def test_a_series_of_which_nothing_is_shown_was_never_heard(world):
    _, new = ids(world)
    send(world, "third", "K", range(5), lambda i: 273.15, score=False)
    follow(world)
    third = next(s["id"] for s in world.get("/api/v1/series")["series"] if s["device"] == "third")
    operate(world, "replace", series=new, other=third, **{"from": T0 + 10 * MINUTE_US})
    (row,) = world.get("/api/v1/series?device=new")["series"]
    assert (row["readings"], row["first_ts"], row["last_ts"], row["last_value"]) == (
        75, None, None, None,
    )  # fmt: skip
    assert world.get("/api/v1/latest?device=new")["latest"] == []
    assert world.get("/api/v1/series?heard_s=1000000000&device=new")["series"] == []
    (device,) = [d for d in world.get("/api/v1/devices")["devices"] if d["device"] == "new"]
    assert device["last_ts"] is None
    assert world.get(f"/api/v1/history?series={new}")["series"][0]["t"] == []


def test_a_scale_below_nothing_turns_minimum_and_maximum_round(world):
    old, _ = ids(world)
    operate(world, "unit", series=old, unit="below", scale="-2", offset="1")
    (buckets,) = history(world, old, "bucket=1h")["series"]
    assert (buckets["min"], buckets["max"]) == ([-117.0], [1.0])
    assert (buckets["first"], buckets["last"]) == ([1.0], [-117.0])
    assert (buckets["sum"], buckets["mean"]) == ([-2.0 * 1770 + 60], [-58.0])
    assert world.get(f"/api/v1/latest?series={old}")["latest"][0]["value"] == -117.0


def test_texts_of_two_series_are_one_history(world):
    for device, minutes in (("door-1", (1, 2, 8)), ("door-2", (3, 5, 9))):
        at = [T0 + minute * MINUTE_US for minute in minutes]
        words = [f"{device} at {minute}" for minute in minutes]
        world.gateway.send(world.gateway.texts(device, at, words))
    follow(world)
    first, second = (name_of(world, device) for device in ("door-1", "door-2"))
    operate(world, "replace", series=first, other=second, **{"from": T0 + 4 * MINUTE_US})
    (series,) = history(world, first)["series"]
    assert series["text"] == ["door-1 at 1", "door-1 at 2", "door-2 at 5", "door-2 at 9"]
    said = world.get(f"/api/v1/states?series={first}&from={T0}&to={T0 + HOUR_US}")["states"]
    assert [one["text"] for one in said] == series["text"]
    assert world.get(f"/api/v1/latest?series={first}")["latest"][0]["text"] == "door-2 at 9"


def name_of(world: World, device: str) -> str:
    return next(f"{n.id:016x}" for n in world.live.book.known().names if n.device == device)


def test_a_page_that_would_read_too_many_rows_is_refused_not_cut_short(world, monkeypatch):
    old, _ = ids(world)
    replaced(world)
    path = f"/api/v1/anomalies?series={old}&limit=20"
    assert len(world.get(path)["anomalies"]) == 20
    monkeypatch.setattr("cloud.serve.shown_events.READ_MAX", 90)
    error = world.get(f"/api/v1/anomalies?series={old}&limit=100", 400)["error"]
    assert (error["code"], error["parameter"]) == ("too_many_rows", "from")


def test_what_was_looked_up_is_looked_up_again_only_when_its_series_grew(world, monkeypatch):
    _, new = ids(world)
    calls: list[int] = []
    original = Shown._last_of

    def counted(self, segment):
        calls.append(segment.name.id)
        return original(self, segment)

    monkeypatch.setattr(Shown, "_last_of", counted)
    send(world, "third", "K", [0], lambda i: 273.15, score=False)
    follow(world)
    third = name_of(world, "third")
    operate(world, "replace", series=new, other=third, **{"from": T0 + 70 * MINUTE_US})
    for _ in range(3):
        assert world.get(f"/api/v1/latest?series={new}")["latest"][0]["value"] == 212.0
    assert len(calls) == 1
    send(world, "new", "°F", [69], lambda i: 32.0, score=False)
    follow(world)
    assert world.get(f"/api/v1/latest?series={new}")["latest"][0]["value"] == 32.0
    assert len(calls) == 2
