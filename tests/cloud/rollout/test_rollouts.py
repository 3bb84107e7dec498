"""What people do with rollouts, and how the desk carries them on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.errors import OperatorError, StorageError
from cloud.registry.registry import Registry
from cloud.rollout.desk import RolloutDesk
from cloud.rollout.plan import Stage
from cloud.rollout.rollouts import (
    RolloutConflictError,
    Rollouts,
    UnknownRolloutError,
    Wish,
)
from protos import sync_pb2 as pb
from tests.rollout.models_made import package

US = 1_700_000_000_000_000


class Folder:
    """Packages as they lie on the shelf."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def put(self, data: bytes, name: str, version: str) -> None:
        (self.folder / f"{name}-{version}.tgm").write_bytes(data)

    def get(self, name: str, version: str) -> bytes:
        return (self.folder / f"{name}-{version}.tgm").read_bytes()


class World:
    """A cloud's registry, shelf and desk; ``now_us`` is its clock."""

    def __init__(self, home: Path) -> None:
        self.now_us = US
        self.registry = Registry.open(home / "registry.db")
        self.shelf = Folder(home / "models")
        for version in ("1", "2", "10"):
            self.shelf.put(package(version), "spread", version)
        self.rollouts = Rollouts(self.registry, self.shelf, lambda: self.now_us)
        with self.registry.transaction():
            for name in ("hall", "roof"):
                sql = "INSERT INTO gateways (name, enrolled_us) VALUES (?, ?)"
                self.registry._connection.execute(sql, (name, US))
        self.desk = RolloutDesk(self.registry, self.shelf.folder, lambda: self.now_us)

    def published(self, *versions: str) -> None:
        for version in versions:
            self.rollouts.publish("spread", version, "ada")

    def says(self, gateway: str, **told: object) -> None:
        made = pb.ModelBehaviour(name="spread", **told)  # type: ignore[arg-type]
        self.desk.reported(gateway, pb.ModelReport(models=[made]))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.registry.close()


def test_a_rollout_goes_from_shadow_to_done_step_by_step_and_each_is_in_the_audit(
    world: World,
) -> None:
    world.published("1")
    made = world.rollouts.begin(Wish("spread", share=1.0), "ada")
    stages = [made.stage]
    stages += [world.rollouts.advance(str(made.id), "bob").stage for _ in range(3)]
    assert stages == [Stage.SHADOW, Stage.CANARY, Stage.ALL, Stage.DONE]
    with pytest.raises(RolloutConflictError, match="it is done"):
        world.rollouts.advance(str(made.id), "bob")
    told = [(row["action"], row["actor"]) for row in reversed(world.registry.audit_rows())]
    assert (
        told
        == [("model publish", "ada"), ("model rollout", "ada")] + [("model rollout", "bob")] * 3
    )


def test_without_a_version_the_highest_published_is_meant(world: World) -> None:
    world.published("2", "10", "1")
    assert world.rollouts.begin(Wish("spread"), "ada").version == "10"


def test_two_rollouts_of_one_model_are_not_under_way_at_once(world: World) -> None:
    world.published("1", "2")
    first = world.rollouts.begin(Wish("spread", "1"), "ada")
    with pytest.raises(RolloutConflictError, match=f"rollout {first.id} of 1 is in shadow"):
        world.rollouts.begin(Wish("spread", "2"), "ada")
    world.rollouts.back("spread", "ada", "no")
    assert world.rollouts.begin(Wish("spread", "2"), "ada").id > first.id


def test_a_downgrade_is_refused_unless_it_is_asked_for(world: World) -> None:
    world.published("1", "10")
    world.rollouts.begin(Wish("spread", "10", stage=Stage.ALL), "ada")
    world.rollouts.advance("spread", "ada")
    with pytest.raises(RolloutConflictError, match="10 is in service, which is later"):
        world.rollouts.begin(Wish("spread", "1"), "ada")
    assert world.rollouts.begin(Wish("spread", "1", downgrade=True), "ada").downgrade


def test_what_was_not_published_is_refused_with_the_nearest(world: World) -> None:
    world.published("1")
    with pytest.raises(UnknownRolloutError, match="did you mean spread"):
        world.rollouts.begin(Wish("spraed"), "ada")
    with pytest.raises(UnknownRolloutError, match="published are 1"):
        world.rollouts.begin(Wish("spread", "7"), "ada")
    with pytest.raises(UnknownRolloutError, match="none of that id or model"):
        world.rollouts.back("9", "ada", "")


def test_a_package_that_was_altered_is_not_published(world: World) -> None:
    data = bytearray(package("1"))
    data[-30] ^= 1
    world.shelf.put(bytes(data), "spread", "1")
    with pytest.raises(OperatorError):
        world.published("1")
    assert world.registry.published() == []


def test_gateways_are_offered_what_people_decided_and_read_it_piece_by_piece(world: World) -> None:
    assert not world.desk.look()
    world.published("1")
    made = world.rollouts.begin(Wish("spread", share=1.0), "ada")
    assert world.desk.look()
    (offer,) = world.desk.offers("hall").offers
    assert (offer.rollout, offer.stage, offer.version) == (made.id, pb.MODEL_SHADOW, "1")
    data = b"".join(
        world.desk.read(offer.sha256, at, min(100, offer.size - at))
        for at in range(0, offer.size, 100)
    )
    assert data == package("1")
    with pytest.raises(OperatorError):
        world.desk.read(bytes(32), 0, 1)
    (world.shelf.folder / "spread-1.tgm").unlink()
    with pytest.raises(StorageError, match=r"spread-1\.tgm"):
        world.desk.read(offer.sha256, 0, 1)


def test_a_failed_canary_takes_the_rollout_back_by_itself_with_its_reason(world: World) -> None:
    world.published("1")
    made = world.rollouts.begin(Wish("spread", stage=Stage.CANARY), "ada")
    world.says("hall", rollout=made.id, state=pb.MODEL_FAILED, reason="its process died")
    assert world.desk.look()
    (now,) = world.registry.rollouts()
    assert (now.stage, now.changed_by) == (Stage.BACK, "tidegate")
    assert "its process died" in now.why
    assert list(world.desk.offers("hall").withdrawn) == [made.id]
    assert world.registry.audit_rows()[0]["action"] == "model rollback"


def test_an_automatic_rollout_goes_all_the_way_by_what_gateways_say(world: World) -> None:
    world.published("1")
    wish = Wish("spread", share=1.0, is_auto=True, hold_us=1000)
    made = world.rollouts.begin(wish, "ada")
    seen = []
    for stage in (pb.MODEL_SHADOW, pb.MODEL_CANARY, pb.MODEL_ALL):
        state = pb.MODEL_GOOD if stage == pb.MODEL_ALL else pb.MODEL_TRIED
        world.says("hall", rollout=made.id, state=state, stage=stage, scored=5)
        world.now_us += 1000
        world.desk.look()
        seen.append(world.registry.rollouts()[0].stage)
    assert seen == [Stage.CANARY, Stage.ALL, Stage.DONE]


def test_what_a_gateway_says_takes_the_place_of_what_it_said_before(world: World) -> None:
    world.says("hall", rollout=1, alarms=3)
    world.says("roof", rollout=1, alarms=1)
    world.desk.look()
    world.says("hall", rollout=2, alarms=4)
    world.desk.look()
    told = [(one.gateway, one.told.rollout) for one in world.registry.behaviours()]
    assert told == [("hall", 2), ("roof", 1)]


def test_numbers_and_words_of_a_stranger_are_kept_within_bounds(world: World) -> None:
    world.says(
        "hall", mean_us=float("nan"), series_weeks=float("-inf"), alarms=(1 << 64) - 1,
        reason="\x1b[2J" + "x" * 9000, sha256=bytes(1000),
    )  # fmt: skip
    world.desk.reported("roof", pb.ModelReport(models=[pb.ModelBehaviour()] * 1000))
    world.desk.look()
    told = world.registry.behaviours()
    (one,) = (each.told for each in told if each.gateway == "hall")
    assert (one.mean_us, one.series_weeks, one.alarms) == (0.0, 0.0, 1 << 53)
    assert "\x1b" not in one.reason
    assert len(one.reason) < 600
    assert len(one.sha256) == 32
    assert len([each for each in told if each.gateway == "roof"]) <= 64


def test_two_who_move_one_rollout_at_once_move_it_once(world: World) -> None:
    world.published("1")
    made = world.rollouts.begin(Wish("spread"), "ada")
    assert world.registry.move_rollout(made, Stage.BACK, "ada", "", US)
    assert not world.registry.move_rollout(made, Stage.CANARY, "bob", "", US)
    assert replace(made, stage=Stage.BACK).stage is world.registry.rollouts()[0].stage
