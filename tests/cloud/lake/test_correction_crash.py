"""Corrections of rows that are in the tables: any crash, few days at a time, and merges."""

from collections import Counter
from pathlib import Path

import pytest

from cloud.lake import plan as lake_plan
from cloud.lake.correct import Corrector
from cloud.lake.table.schema import ROLLUPS, is_whole
from protos.records import Quality
from tests.cloud import lake_runs
from tests.cloud.correction_world import HOUR_US, STRETCHES, told, unsynced
from tests.cloud.lake_runs import Crash
from tests.cloud.lake_world import T0

CORRECTED = int(Quality.GATEWAY_CORRECTED)


def _rounds(world: lake_runs.World) -> None:
    """Unsynced readings over days, consolidated, then their correction; restartable."""
    first, second, _ = STRETCHES
    gateway, journal = world.gateway, world.journal
    if world.consolidator is None:
        world.start()
    if journal.head() < 1:
        gateway.send(
            unsynced(gateway, "pump", first, [0, HOUR_US], [1.0, 2.0]),
            gateway.scores("pump", [first.at(HOUR_US)], [2.0]),
        )
    world.drain()
    if journal.head() < 2:
        gateway.send(gateway.numbers("pump", [first.at(7), T0], [3.0, 4.0]))
    world.drain()
    if journal.head() < 3:
        gateway.send(first.correction(), unsynced(gateway, "pump", first, [5], [5.0]))
    world.drain()
    if journal.head() < 4:
        gateway.send(unsynced(gateway, "pump", second, [5], [6.0]), second.correction())
    world.drain()


def _check(world: lake_runs.World) -> None:
    first, second, _ = STRETCHES
    right = first.offset_us
    assert sorted(told(world)) == sorted(
        [
            (first.at(0) + right, 1.0, CORRECTED, 0),
            (first.at(HOUR_US) + right, 2.0, CORRECTED, 0),
            (first.at(5) + right, 5.0, CORRECTED, 0),
            (second.at(5) + second.offset_us, 6.0, CORRECTED, 0),
            (first.at(7), 3.0, 0, 5),
            (T0, 4.0, 0, 5),
        ]
    )
    for spec in filter(is_whole, ROLLUPS):
        due = Counter(ts - ts % spec.width_us for ts, *_ in told(world))
        found: Counter[int] = Counter()
        for bucket, count in world.rows(spec.name, "epoch_us(ts), count"):
            found[bucket] += count
        assert found == due, spec.name
    assert world.rows("anomalies", "epoch_us(ts)") == [(first.at(HOUR_US) + right,)]
    assert len(world.rows("corrections", "offset_us")) == 2
    lying = {str(path) for path in world.root.glob("*/period=*/*")}
    assert lying == {p for files in world.viewer.batch.tables.values() for p in files.paths()}


def _crash_at(world: lake_runs.World, step: int) -> None:
    world.crash_at = step
    while True:
        try:
            _rounds(world)
            break
        except Crash:
            world.journal.trimmed = world.journal.marked
            world.kill()
            world.consolidator = None
    world.kill()
    world.consolidator = None
    world.start()
    _check(world)
    world.kill()


@pytest.fixture
def commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps of the rounds that follow a commit, when the log is not yet on the disk."""
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 4)
    dry = lake_runs.World(tmp_path / "dry")
    _rounds(dry)
    dry.kill()
    return [at for at, name in enumerate(dry.steps, 1) if name == "committed"]


def test_a_crash_in_a_correction_costs_the_steps_alone(tmp_path: Path, commits: list[int]) -> None:
    assert len(commits) > 30
    for step in commits[len(commits) // 2 :: 3]:
        _crash_at(lake_runs.World(tmp_path / f"crash-{step}"), step)


@pytest.mark.campaign
def test_a_crash_at_any_commit_costs_the_steps_alone(tmp_path: Path, commits: list[int]) -> None:
    for step in commits:
        _crash_at(lake_runs.World(tmp_path / f"crash-{step}"), step)


def test_rollups_are_made_anew_a_few_days_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lake_runs.World(tmp_path / "lake")
    consolidator = world.start()
    consolidator._corrector = Corrector(consolidator._upkeep.sweeper, rows_at_once=1)
    _rounds(world)
    world.kill()
    world.consolidator = None
    world.start()
    _check(world)


def test_corrected_rows_survive_merges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    world = lake_runs.World(tmp_path / "lake")
    _rounds(world)
    world.kill()
    world.consolidator = None
    world.start()
    _check(world)
