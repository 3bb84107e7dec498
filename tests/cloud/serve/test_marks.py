"""Marks: made, listed by interval and series, durable, withdrawn; bad data left out and back."""

from pathlib import Path

import pytest

from cloud.registry.registry import Registry
from cloud.rollup.partials import HOUR_US, MINUTE_US
from cloud.series.marks import MARKS_MAX, Mark, MarkKind, Marks
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    world.fill()
    yield world
    world.close()


def body(world: World, **more) -> dict:
    said = {"kind": "bad", "from": T0 + 10 * MINUTE_US, "to": T0 + 20 * MINUTE_US, "author": "ann"}
    target = {} if {"gateway", "series"} & more.keys() else {"series": [world.id("pump")]}
    return said | target | more


def make(world: World, status: int = 201, **more) -> dict:
    response = world.client.post("/api/v1/marks", json=body(world, **more))
    assert response.status_code == status, response.text
    return response.json()


def withdraw(world: World, mark: str, status: int = 200, author: str = "bob") -> dict:
    response = world.client.delete(f"/api/v1/marks/{mark}?author={author}")
    assert response.status_code == status, response.text
    return response.json()


def listed(world: World, query: str = "") -> list[str]:
    return [mark["note"] for mark in world.get(f"/api/v1/marks?{query}")["marks"]]


def test_a_mark_is_told_as_it_was_made_and_survives_the_process(world, tmp_path):
    made = make(world, note="wet", kind="fault")
    assert (made["kind"], made["note"], made["author"]) == ("fault", "wet", "ann")
    assert (made["series"], made["gateway"]) == ([world.id("pump")], "")
    again = Registry.open(tmp_path / "registry.db")
    (kept,) = Marks(again).all()
    again.close()
    assert (kept.id, kept.kind, kept.note) == (made["id"], MarkKind.FAULT, "wet")
    assert world.get(f"/api/v1/marks/{made['id']}") == made
    assert world.registry.audit_rows()[0]["subject"] == made["id"]


def test_marks_are_listed_by_interval_series_and_kind(world):
    make(world, note="early", **{"from": T0, "to": T0 + 5})
    make(world, note="late", kind="fault", **{"from": T0 + HOUR_US, "to": T0 + 2 * HOUR_US})
    make(world, note="door", series=[world.id("door")])
    make(world, note="all", gateway="gw-1")
    make(world, note="of the pump", gateway="gw-1", device="pump")
    assert sorted(listed(world)) == ["all", "door", "early", "late", "of the pump"]
    assert listed(world)[0] == "late"
    assert "door" not in listed(world, f"series={world.id('pump')}")
    assert sorted(listed(world, f"series={world.id('door')}")) == ["all", "door"]
    assert listed(world, f"to={T0 + 5}") == ["early"]
    assert listed(world, f"from={T0 + HOUR_US}") == ["late"]
    assert listed(world, "kind=fault,maintenance") == ["late"]
    assert listed(world, "device=pump") == ["of the pump"]


def test_marks_come_in_pages_that_join_to_the_whole(world):
    for number in range(7):
        make(world, note=str(number), **{"from": T0 + number // 2, "to": T0 + 9})
    whole, found, cursor = listed(world), [], ""
    while cursor is not None:
        answer = world.get(f"/api/v1/marks?limit=2&cursor={cursor}")
        found += [mark["note"] for mark in answer["marks"]]
        cursor = answer["next"]
    assert found == whole
    assert len(found) == 7


def test_bad_data_is_left_out_when_asked_and_back_when_the_mark_is_withdrawn(world):
    made = make(world)
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + HOUR_US}"
    for asked, lost in (("resolution=raw", 10), ("bucket=1h", 10), ("bucket=7m", 10)):
        told = [world.get(f"{path}&{asked}&bad={bad}") for bad in ("include", "exclude")]
        assert [_count(answer) for answer in told] == [60, 60 - lost]
        assert all([mark["id"] for mark in answer["marks"]] == [made["id"]] for answer in told)
    assert withdraw(world, made["id"])["withdrawn_by"] == "bob"
    assert _count(world.get(f"{path}&bucket=1h&bad=exclude")) == 60
    assert world.get(path)["marks"] == []
    assert listed(world) == []
    assert len(listed(world, "state=withdrawn")) == len(listed(world, "state=all")) == 1


def _count(answer: dict) -> int:
    (series,) = answer["series"]
    return sum(series["count"]) if "count" in series else len(series["t"])


def test_faults_and_maintenance_leave_nothing_out(world):
    make(world, kind="fault")
    make(world, kind="maintenance")
    path = f"/api/v1/history?series={world.id('pump')}&resolution=raw&bad=exclude"
    assert _count(world.get(f"{path}&from={T0}&to={T0 + HOUR_US}")) == 60


def test_a_mark_of_a_whole_device_leaves_out_all_its_series(world):
    make(world, gateway="gw-1", device="pump")
    path = f"/api/v1/history?from={T0}&to={T0 + HOUR_US}&resolution=raw&bad=exclude&series="
    assert _count(world.get(path + world.id("pump"))) == 50
    assert _count(world.get(path + world.id("door"))) == 1


def test_a_repeated_request_with_an_id_makes_one_mark(world):
    first = make(world, id="00000000000000aa", note="once")
    assert make(world, id="00000000000000aa", note="once") == first
    error = make(world, 409, id="00000000000000aa", note="other")["error"]
    assert (error["code"], error["parameter"]) == ("mark_taken", "id")
    assert len(listed(world, "state=all")) == 1


def test_a_mark_is_withdrawn_once_and_by_its_first(world):
    mark = make(world)["id"]
    assert withdraw(world, mark) == withdraw(world, mark, author="eve")
    assert withdraw(world, "f" * 16, 404)["error"]["code"] == "unknown_mark"
    assert withdraw(world, "nonsense", 400)["error"]["parameter"] == "mark"


@pytest.mark.parametrize(
    ("more", "status", "parameter"),
    [
        ({"kind": "broken"}, 400, "kind"),
        ({"from": T0, "to": T0}, 400, "from"),
        ({"from": "soon"}, 400, "from"),
        ({"from": 1.5}, 400, "from"),
        ({"from": True}, 400, "from"),
        ({"author": ""}, 400, "author"),
        ({"author": "x" * 101}, 400, "author"),
        ({"note": "x" * 2001}, 400, "note"),
        ({"note": {"a": 1}}, 400, "note"),
        ({"series": ["xyz"]}, 400, "series"),
        ({"series": ["0" * 16]}, 404, "series"),
        ({"series": []}, 400, "series"),
        ({"series": [], "device": "pump"}, 400, "series"),
        ({"gateway": "gw-9"}, 404, "gateway"),
        ({"gateway": "gw-1", "device": "pmup"}, 404, "device"),
        ({"auhtor": "ann"}, 400, "auhtor"),
        ({"id": "1"}, 400, "id"),
    ],
)
def test_a_mark_that_cannot_be_is_refused_by_the_name_of_what_is_wrong(
    world, more, status, parameter
):
    assert make(world, status, **more)["error"]["parameter"] == parameter
    assert listed(world, "state=all") == []


def test_a_page_of_another_site_can_make_no_mark(world):
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        response = world.client.post("/api/v1/marks", json=body(world), headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "foreign_origin")
    own = {"origin": "http://localhost:8460", "sec-fetch-site": "same-origin"}
    assert world.client.post("/api/v1/marks", json=body(world), headers=own).status_code == 201


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'"' + b"x" * (1 << 17) + b'"', "application/json", 413),
        (b"[" * 60_000, "application/json", 400),
    ],
)
def test_a_body_that_is_no_small_object_of_json_is_refused(world, content, kind, status):
    headers = {"content-type": kind}
    response = world.client.post("/api/v1/marks", content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["error"]["hint"]


def test_when_there_are_too_many_marks_no_more_are_taken(world, monkeypatch):
    assert MARKS_MAX == 50_000
    monkeypatch.setattr("cloud.series.marks.MARKS_MAX", 2)
    make(world)
    make(world)
    assert make(world, 409)["error"]["code"] == "too_many_marks"


def test_fifty_thousand_marks_of_one_series_are_held_and_found(world):
    pump = int(world.id("pump"), 16)
    marks = [
        Mark(f"{n:016x}", MarkKind.BAD, T0 + 2 * n, T0 + 2 * n + 1, (pump,), "", "", "", "ann", 1)
        for n in range(MARKS_MAX)
    ]

    class Store:
        def marks(self) -> list[Mark]:
            return marks

    held = Marks(Store())
    name = world.live.book.name(pump)
    assert len(held.bad(name).start) == MARKS_MAX
    assert [mark.id for mark in held.of(name, T0 + 10, T0 + 13)] == [f"{5:016x}", f"{6:016x}"]
