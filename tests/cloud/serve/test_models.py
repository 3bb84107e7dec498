"""Models and rollouts over the API: who runs what, and what may be decided."""

from pathlib import Path

import pytest

from cloud.models.shelf import Shelf
from cloud.registry.registry import Registry
from cloud.rollout.plan import Stage
from cloud.rollout.rollouts import Rollouts
from protos import sync_pb2 as pb
from tests.cloud.serve_world import World
from tests.rollout.models_made import package

US = 1_700_000_000_000_000


class Home:
    """A site with two published models and two gateways."""

    def __init__(self, home: Path) -> None:
        registry = Registry.open(home / "registry.db")
        self.rollouts = Rollouts(registry, Shelf(home / "models"), lambda: US)
        self.registry = registry
        for version in ("1", "2"):
            self.rollouts.shelf.put(package(version))  # type: ignore[attr-defined]
            self.rollouts.publish("spread", version, "ada")
        with registry.transaction():
            for name in ("gw-1", "gw-new"):
                sql = "INSERT INTO gateways (name, enrolled_us) VALUES (?, ?)"
                registry._connection.execute(sql, (name, US))
        self.world = World(home / "lake", rollouts=self.rollouts)
        self.get = self.world.get

    def post(self, path: str, status: int = 201, **body: object) -> dict:
        response = self.world.client.post(path, json={"author": "bob"} | body)
        assert response.status_code == status, response.text
        return response.json()

    def says(self, gateway: str, **told: object) -> None:
        made = pb.ModelBehaviour(name="spread", **told)  # type: ignore[arg-type]
        self.registry.note_behaviours({gateway: [made]}, US)


@pytest.fixture
def home(tmp_path: Path):
    home = Home(tmp_path)
    yield home
    home.world.close()
    home.registry.close()


def test_published_models_are_listed_with_where_they_are_in_service(home):
    first = home.get("/api/v1/models")["models"][0]
    home.says("gw-1", state=pb.MODEL_GOOD, sha256=bytes.fromhex(first["sha256"]))
    told = home.get("/api/v1/models?name=spread")["models"]
    assert {row["version"]: row["gateways"] for row in told} == {"1": 0, "2": 0} | {
        first["version"]: 1
    }
    assert home.get("/api/v1/models?name=other")["models"] == []


def test_a_rollout_is_begun_goes_on_and_is_taken_back(home):
    made = home.post("/api/v1/rollouts", 201, name="spread", version="1", share="0.5")
    assert (made["stage"], made["share"], made["created_by"]) == ("shadow", 0.5, "bob")
    path = f"/api/v1/rollouts/{made['id']}"
    assert home.post(f"{path}/advance")["stage"] == "canary"
    gone = home.post(f"{path}/rollback", note="too loud")
    assert (gone["stage"], gone["why"], gone["by"]) == ("back", "too loud", "bob")
    told = home.get("/api/v1/rollouts")["rollouts"]
    assert [(row["id"], row["stage"], row["gateways"]) for row in told] == [(made["id"], "back", 0)]
    assert home.post(f"{path}/rollback", 409)["error"]["code"] == "rollout_conflict"


def test_what_gateways_say_is_told_row_by_row_and_counted_by_rollout(home):
    made = home.post("/api/v1/rollouts", 201, name="spread", stage="canary", share=1)
    home.says(
        "gw-1", rollout=made["id"], version="2", state=pb.MODEL_FAILED, stage=pb.MODEL_CANARY,
        reason="its process ended", alarms=3, series_weeks=2.0, promised_per_week=1.0,
    )  # fmt: skip
    home.says("gw-new", rollout=made["id"], version="2", state=pb.MODEL_TRIED)
    (row,) = home.get("/api/v1/rollouts")["rollouts"]
    assert (row["gateways"], row["failed"], row["tried"], row["good"]) == (2, 1, 1, 0)
    told = home.get(f"/api/v1/models/running?rollout={made['id']}")["running"]
    assert [(one["gateway"], one["state"]) for one in told] == [
        ("gw-1", "failed"),
        ("gw-new", "tried"),
    ]
    assert (told[0]["reason"], told[0]["alarms_per_week"]) == ("its process ended", 1.5)
    assert told[1]["alarms_per_week"] is None


def test_who_runs_what_is_paged(home):
    for name in ("a", "b", "c"):
        home.says(name, state=pb.MODEL_GOOD)
    first = home.get("/api/v1/models/running?limit=2")
    rest = home.get(f"/api/v1/models/running?limit=2&cursor={first['next']}")
    assert [one["gateway"] for one in first["running"] + rest["running"]] == ["a", "b", "c"]
    assert rest["next"] is None


def test_rollouts_are_paged_the_last_first(home):
    ids = []
    for _ in range(3):
        ids.append(home.post("/api/v1/rollouts", 201, name="spread")["id"])
        home.post(f"/api/v1/rollouts/{ids[-1]}/rollback")
    first = home.get("/api/v1/rollouts?limit=2")
    rest = home.get(f"/api/v1/rollouts?limit=2&cursor={first['next']}")
    assert [row["id"] for row in first["rollouts"] + rest["rollouts"]] == ids[::-1]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"name": "spraed"}, 404, "did you mean spread?"),
        ({"name": "spread", "version": "9"}, 404, "published are 1, 2"),
        ({"name": "spread", "share": 0}, 400, "above 0 up to 1"),
        ({"name": "spread", "stage": "done"}, 400, "shadow, canary or all"),
        ({"name": "spread", "hold_s": 0}, 400, "whole number"),
        ({}, 400, "name"),
    ],
)
def test_a_rollout_that_cannot_be_is_refused_with_what_would_be_right(home, body, status, word):
    error = home.post("/api/v1/rollouts", status, **body)["error"]
    assert word in error["message"] + error["hint"] + str(error.get("parameter", ""))


def test_two_rollouts_of_one_model_conflict_and_an_unknown_one_is_not_found(home):
    made = home.post("/api/v1/rollouts", 201, name="spread", version="1")
    error = home.post("/api/v1/rollouts", 409, name="spread", version="2")["error"]
    assert f"rollout {made['id']} of 1 is in shadow" in error["message"]
    assert home.post("/api/v1/rollouts/99/advance", 404)["error"]["code"] == "unknown_rollout"
    assert home.registry.rollouts()[0].stage is Stage.SHADOW
