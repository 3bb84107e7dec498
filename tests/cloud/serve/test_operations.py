"""Operations over HTTP: tried, made, logged, undone, and refused by the name of what is wrong."""

from pathlib import Path

import pytest

from cloud.registry.registry import Registry
from cloud.rollup.partials import MINUTE_US
from cloud.series.operations import OPERATIONS_MAX, Operations
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


@pytest.fixture
def world(tmp_path: Path):
    world = two_sensors(tmp_path)
    yield world
    world.close()


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


def test_a_repeated_retirement_counts_once_though_its_time_was_now(world):
    old, _ = ids(world)
    first = operate(world, "retire", series=old, id="00000000000000aa")["operation"]
    assert operate(world, "retire", series=old, id="00000000000000aa")["operation"] == first


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
    monkeypatch.setattr("cloud.series.operations.OPERATIONS_MAX", 5)
    error = operate(world, "rename", 409, series=old, device="x")["error"]
    assert error["code"] == "too_many_operations"
