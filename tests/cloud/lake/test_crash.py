"""Nothing is lost or doubled whatever a pass dies of, and a torn log is mended or told."""

from pathlib import Path

import pytest

from cloud.errors import StorageError
from cloud.lake import plan as lake_plan
from cloud.lake.attempts import DEATHS_MAX
from cloud.lake.table.schema import READINGS
from tests.cloud.lake_runs import Crash, World, check_whole, fill


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


ROUNDS = 2


def _story(world: World) -> None:
    """Rounds of sending and consolidating, with merges and checkpoints in the last; restartable."""
    if world.consolidator is None:
        world.start()
    for done in range(1, ROUNDS + 1):
        if world.journal.head() < 2 * done:
            fill(world, 2)
        world.drain()


def _crash_and_go_on(world: World, crash_at: int) -> None:
    world.crash_at = crash_at
    while True:
        try:
            _story(world)
            break
        except Crash:
            world.journal.trimmed = world.journal.marked  # archived is gone from the journal
            world.kill()
            world.consolidator = None
    world.kill()
    world.consolidator = None
    world.start()
    check_whole(world, 14 * ROUNDS)
    assert len(world.rows("anomalies")) == ROUNDS
    world.kill()


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Steps of the story, made short in passes and rich in merges and checkpoints."""
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 3)
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 4)
    dry = World(tmp_path / "dry")
    dry.bytes_per_pass = 1
    _story(dry)
    dry.kill()
    return dry.steps


@pytest.mark.parametrize("has_floors", [False, True], ids=["journal alone", "floors"])
def test_a_crash_at_one_step_of_each_name_loses_and_doubles_nothing(tmp_path, steps, has_floors):
    firsts = {steps.index(name) for name in set(steps)}
    lasts = {len(steps) - 1 - steps[::-1].index(name) for name in set(steps)}
    assert len(set(steps)) >= 9
    for step in sorted(firsts | lasts):
        world = World(tmp_path / f"crash-{step}")
        world.bytes_per_pass, world.has_floors = 1, has_floors
        _crash_and_go_on(world, step + 1)


@pytest.mark.campaign
def test_a_crash_at_any_step_loses_and_doubles_nothing(tmp_path, steps):
    for step in range(len(steps)):
        world = World(tmp_path / f"crash-{step}")
        world.bytes_per_pass, world.has_floors = 1, True
        _crash_and_go_on(world, step + 1)


def test_a_table_that_is_behind_catches_up_alone_before_anything_new(world):
    fill(world, 2)
    world.crash_at = -1
    consolidator = world.start()
    world.steps.clear()
    original = world.step

    def die(name: str) -> None:
        original(name)
        if name == "readings committed":
            raise Crash(name)

    consolidator._step = die
    with pytest.raises(Crash):
        consolidator.run_once()
    world.kill()
    world.consolidator = None
    world.steps.clear()
    fill(world, 1)
    world.start()
    assert world.viewer.batch.offset == 2
    assert "readings committed" in world.steps
    world.drain()
    check_whole(world, 21)


def test_a_block_that_kills_the_process_again_and_again_is_set_apart(world, monkeypatch):
    fill(world, 3)
    real = __import__("cloud.lake.embedded", fromlist=["read_block"]).read_block
    killer = world.journal.entries[1].data

    def read(data: bytes):
        if data == killer:
            raise Crash("killed by a bug in a library")
        return real(data)

    monkeypatch.setattr("cloud.lake.embedded.read_block", read)
    deaths = 0
    while True:
        try:
            world.start()
            world.drain()
            break
        except Crash:
            deaths += 1
            world.kill()
            world.consolidator = None
    assert deaths <= 3 * DEATHS_MAX
    assert [offset for offset, _ in world.journal.apart] == [2]
    check_whole(world, 14)


def test_a_lake_that_lost_what_it_promised_says_so_and_touches_nothing(world):
    fill(world, 2)
    world.drain()
    world.kill()
    world.consolidator = None
    log = sorted((world.root / "readings" / "_delta_log").glob("*.json"))[-1]
    log.write_bytes(log.read_bytes()[:100])
    for _ in range(2):
        with pytest.raises(StorageError, match="2 were archived"):
            world.start()
        world.kill()
    assert list(log.parent.glob("*.torn"))


@pytest.mark.parametrize("kept", [0, 40, -5])
def test_a_torn_log_entry_above_archived_is_removed_and_done_again(world, kept):
    fill(world, 2)
    world.drain()
    world.kill()
    world.consolidator = None
    world.journal.marked = 0
    for table in ("readings", "rollup_1h", "anomalies"):
        log = sorted((world.root / table / "_delta_log").glob("*.json"))[-1]
        log.write_bytes(log.read_bytes()[:kept])
    world.drain()
    check_whole(world, 14)
    assert not list(world.root.rglob("*.torn"))


def test_a_torn_checkpoint_is_not_believed(world, monkeypatch):
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 2)
    fill(world, 1)
    world.drain()
    fill(world, 1)
    world.drain()
    world.kill()
    world.consolidator = None
    log = world.root / READINGS.name / "_delta_log"
    checkpoint = next(log.glob("*.checkpoint.parquet"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:200])
    world.drain()
    check_whole(world, 14)
