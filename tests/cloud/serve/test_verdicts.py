"""Verdicts on episodes: given, told with them, durable, taken back; filters of episodes."""

from pathlib import Path

import pytest

from cloud.registry.registry import Registry
from cloud.series.verdicts import VERDICTS_MAX, VerdictKind, Verdicts
from tests.cloud.lake_world import T0
from tests.cloud.serve.test_events import episodes as block_of
from tests.cloud.serve.test_events import follow
from tests.cloud.serve_world import World

IDS = [1, 2, 3]


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    world.fill()
    times = [T0 + 10 * n for n in IDS]
    world.gateway.send(
        block_of(world.gateway, IDS, times, [at + 5 for at in times], [4.0, 9.0, 6.0])
    )
    follow(world)
    yield world
    world.close()


def body(world: World, number: int = 2, **more) -> dict:
    said = {"episode": f"{number:032x}", "series": [world.id("pump")], "from": T0 + 10 * number}
    return said | {"verdict": "confirmed", "author": "ann"} | more


def give(world: World, number: int = 2, status: int = 201, **more) -> dict:
    response = world.client.post("/api/v1/verdicts", json=body(world, number, **more))
    assert response.status_code == status, response.text
    return response.json()


def listed(world: World, query: str = "") -> list[int]:
    return [int(row["id"], 16) for row in world.get(f"/api/v1/episodes?{query}")["episodes"]]


def said(world: World, number: int = 2) -> tuple:
    rows = world.get("/api/v1/episodes")["episodes"]
    row = next(row for row in rows if int(row["id"], 16) == number)
    return row["verdict"], row["verdict_note"], row["verdict_author"]


def test_a_verdict_is_told_with_its_episode_and_survives_the_process(world, tmp_path):
    assert said(world) == (None, "", "")
    given = give(world, note="bearing was worn")
    assert (given["verdict"], given["author"], given["counts"]) == ("confirmed", "ann", True)
    assert said(world) == ("confirmed", "bearing was worn", "ann")
    again = Registry.open(tmp_path / "registry.db")
    kept = Verdicts(again).of(f"{2:032x}")
    again.close()
    assert kept is not None
    assert (kept.kind, kept.note, kept.from_us) == (
        VerdictKind.CONFIRMED, "bearing was worn", T0 + 20,
    )  # fmt: skip
    assert world.registry.audit_rows()[0]["subject"] == given["episode"]


def test_the_last_verdict_counts_and_may_take_the_others_back(world):
    give(world, note="first")
    give(world, verdict="dismissed", author="bob", note="a test run")
    assert said(world) == ("dismissed", "a test run", "bob")
    give(world, verdict="open", author="bob")
    assert said(world) == (None, "", "")
    told = world.get(f"/api/v1/verdicts?episode={2:032x}")["verdicts"]
    assert [(one["verdict"], one["counts"]) for one in told] == [
        ("open", True),
        ("dismissed", False),
        ("confirmed", False),
    ]


def test_verdicts_are_listed_by_what_they_say_in_pages_that_join_to_the_whole(world):
    for number in IDS:
        give(world, number, verdict="dismissed" if number == 2 else "confirmed")
    assert len(world.get("/api/v1/verdicts?verdict=confirmed")["verdicts"]) == 2
    pump = world.id("pump")
    whole = world.get(f"/api/v1/verdicts?series={pump}")["verdicts"]
    found, cursor = [], ""
    while cursor is not None:
        answer = world.get(f"/api/v1/verdicts?limit=1&cursor={cursor}")
        found += answer["verdicts"]
        cursor = answer["next"]
    assert found == whole
    assert [int(one["episode"], 16) for one in whole] == [3, 2, 1]


def test_episodes_are_found_by_verdict_score_metric_and_model(world):
    give(world, 1)
    give(world, 3, verdict="dismissed")
    assert listed(world, "verdict=open") == [2]
    assert listed(world, "verdict=confirmed,dismissed") == [3, 1]
    assert listed(world, "score_min=6") == [3, 2]
    (row,) = world.get("/api/v1/episodes?limit=1")["episodes"]
    assert listed(world, f"metric={row['metric']}&model={row['model']}") == [3, 2, 1]
    assert listed(world, "metric=nothing") == listed(world, "model=nothing") == []


def test_a_filter_reaches_behind_the_pages_that_hold_nothing_of_it(world):
    answer = world.get("/api/v1/episodes?limit=1&score_min=4&verdict=open&order=newest")
    assert [int(row["id"], 16) for row in answer["episodes"]] == [3]
    give(world, 3)
    give(world, 2)
    answer = world.get("/api/v1/episodes?limit=1&verdict=open")
    assert [int(row["id"], 16) for row in answer["episodes"]] == [1]


def test_a_repeated_request_with_an_id_gives_one_verdict(world):
    first = give(world, id="00000000000000aa", note="once")
    assert give(world, id="00000000000000aa", note="once") == first
    error = give(world, status=409, id="00000000000000aa", note="other")["error"]
    assert (error["code"], error["parameter"]) == ("verdict_taken", "id")
    assert len(world.get("/api/v1/verdicts")["verdicts"]) == 1


@pytest.mark.parametrize(
    ("more", "status", "parameter"),
    [
        ({"verdict": "maybe"}, 400, "verdict"),
        ({"author": ""}, 400, "author"),
        ({"author": "x" * 101}, 400, "author"),
        ({"note": "x" * 2001}, 400, "note"),
        ({"episode": "1"}, 400, "episode"),
        ({"episode": "f" * 32}, 404, "episode"),
        ({"from": T0}, 404, "episode"),
        ({"from": "soon"}, 400, "from"),
        ({"series": ["0" * 16]}, 404, "series"),
        ({"series": ["0" * 15 + "1", "0" * 15 + "2"]}, 400, "series"),
        ({"verdcit": "open"}, 400, "verdcit"),
    ],
)
def test_a_verdict_that_cannot_be_is_refused_by_the_name_of_what_is_wrong(
    world, more, status, parameter
):
    assert give(world, status=status, **more)["error"]["parameter"] == parameter
    assert world.get("/api/v1/verdicts")["verdicts"] == []


@pytest.mark.parametrize(
    "query", ["score_min=high", "score_min=-1", "score_min=nan", "verdict=maybe"]
)
def test_a_filter_that_cannot_be_is_refused_by_its_name(world, query):
    error = world.get(f"/api/v1/episodes?{query}", 400)["error"]
    assert error["parameter"] == query.partition("=")[0]


def test_a_page_of_another_site_can_give_no_verdict(world):
    headers = {"origin": "http://evil.example"}
    response = world.client.post("/api/v1/verdicts", json=body(world), headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "foreign_origin")


def test_when_there_are_too_many_verdicts_no_more_are_taken(world, monkeypatch):
    assert VERDICTS_MAX == 100_000
    monkeypatch.setattr("cloud.series.verdicts.VERDICTS_MAX", 1)
    give(world)
    assert give(world, 3, 409)["error"]["code"] == "too_many_verdicts"
