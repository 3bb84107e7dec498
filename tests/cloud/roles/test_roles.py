"""Consolidation in a process of its own: what it promises, whoever of the two dies."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloud.errors import OperatorError, StorageError
from cloud.memory import resident_bytes
from cloud.roles.placement import is_apart, machine
from cloud.settings import Placement
from tests.cloud.live.test_live import held
from tests.cloud.roles.role_world import (
    PER_BLOCK,
    ROOT,
    World,
    every_view_whole,
    is_alive,
    wait_for,
)

STEPS = (
    "data file written",
    "data file durable",
    "committed",
    "commit durable",
    "readings committed",
    "before archived",
)


@pytest.fixture
def make(tmp_path: Path):
    worlds: list[World] = []

    def made(*faults: str) -> World:
        worlds.append(World(tmp_path, *faults))
        return worlds[-1]

    yield made
    for world in worlds:
        world.close()


def check_whole(world: World) -> None:
    """Every reading that was sent is in the view once, and counted once."""
    found = held(world.live.view)
    assert len(found) == len(set(found)) == PER_BLOCK * world.blocks
    wait_for(lambda: world.live.book.counts()[1] == PER_BLOCK * world.blocks)


def test_tables_are_made_in_another_process_and_shown_in_this_one(make) -> None:
    world = make().start()
    world.send(20)
    world.drain()
    check_whole(world)
    pid = world.role.pid
    assert pid is not None
    assert pid != os.getpid()
    assert (world.role.fault, world.role.faults, world.role.restarts) == (None, 0, 0)
    assert world.role.progress is not None
    assert world.role.progress.offset == 20
    assert resident_bytes(pid) > 50 << 20
    assert world.journal.trim() >= 0
    world.close()
    assert not is_alive(pid)
    assert resident_bytes(pid) == 0
    assert world.role.pid is None


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_is_started_anew_and_no_reading_is_lost_or_doubled(
    make, step: str
) -> None:
    world = make(f"step:{step}", "").start()
    world.send(6)
    world.drain()
    check_whole(world)
    wait_for(lambda: world.role.fault is None)
    assert (world.role.restarts, world.role.faults) == (1, 1)


def test_every_view_is_whole_while_it_is_killed_again_and_again(make) -> None:
    world = make().start()
    with every_view_whole(world.live, PER_BLOCK):
        for kills in range(4):
            world.send(15)
            pid = world.role.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda kills=kills: world.role.restarts == kills + 1)
            wait_for(lambda: world.role.pid is not None and world.role.fault is None)
        world.drain()
        wait_for(lambda: world.live.view.journal == world.blocks)
    check_whole(world)


def test_while_it_is_away_blocks_are_taken_and_the_fault_is_told(make) -> None:
    world = make("", "step:data file written").start()
    pid = world.role.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: world.role.fault is not None)
    assert "killed by signal 9" in str(world.role.fault)
    world.send(3)
    wait_for(lambda: world.live.view.journal == 3)
    check_whole(world)
    assert world.journal.archived() == 0
    assert world.role.failure is None


def test_a_file_that_a_reader_holds_outlives_the_child_that_replaced_it(make) -> None:
    world = make().start()
    world.send(3)
    world.drain()
    view = world.live.view
    for _ in range(12):  # passes enough that their files are merged
        world.send()
        world.drain()
    paths = [Path(path) for path in view.tables["readings"].paths()]
    wait_for(lambda: not set(map(str, paths)) & set(world.live.view.tables["readings"].paths()))
    pid = world.role.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: world.role.restarts == 1 and world.role.fault is None)
    assert len(held(view)) == PER_BLOCK * 3


def test_it_ends_with_its_parent_and_lets_go_of_the_lake(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.cloud.roles.role_world import World\n"
        "world = World(Path(sys.argv[1])).start()\nworld.send(3)\n"
        "print(world.role.pid, flush=True)\nsys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    wait_for(lambda: not is_alive(child))
    world = World(tmp_path)
    world.blocks = 3
    try:
        world.start()
        world.drain()
        check_whole(world)
    finally:
        world.close()


def test_a_pass_under_way_is_finished_before_the_end(make, tmp_path: Path) -> None:
    world = make("slow").start()
    world.send(2)
    wait_for((tmp_path / "under-way").exists)
    child = world.role._child
    ending = threading.Thread(target=world.role.stop)
    ending.start()
    wait_for(world.role._stopping.is_set)
    (tmp_path / "go").touch()
    ending.join()
    assert child is not None
    assert child.process.returncode == 0
    assert world.journal.archived() == 2
    assert world.role.restarts == 0


def test_a_block_that_kills_it_is_set_apart_and_the_others_get_in(make) -> None:
    world = make("block:3").start()
    world.send(5)
    world.drain()
    (apart,) = world.journal.quarantined()
    assert (apart.offset, apart.reason) == (3, "the process died of it again and again")
    assert world.role.fault is None
    assert len(held(world.live.view)) == PER_BLOCK * 4


def test_a_block_whose_rows_are_in_history_is_not_given_up_for_the_rollups_it_lacks(make) -> None:
    world = make("step:readings committed", "block:1").start()
    world.send(2)
    world.drain()
    assert world.journal.quarantined() == []
    assert world.role.restarts == 1
    check_whole(world)


def test_an_fsync_that_failed_ends_passes_for_good(make) -> None:
    world = make("fsync").start()
    world.send()
    wait_for(lambda: world.role.failure is not None)
    assert isinstance(world.role.failure, StorageError)
    assert world.journal.archived() == 0


def test_a_lake_that_another_process_holds_is_refused_as_the_operators(
    make, tmp_path: Path
) -> None:
    (tmp_path / "lake").mkdir()
    with (tmp_path / "lake" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OperatorError, match="another process holds the lake's lock"):
            make("impatient").role.begin()


def test_a_child_that_dies_before_the_first_view_keeps_the_cloud_from_starting(
    make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.roles.keeper.START_PAUSE_S", 0.0)
    monkeypatch.setattr("cloud.roles.keeper.STARTS_MAX", 2)
    world = make("nonsense:", "step:")
    world.role._spawn = lambda: _ended(world)
    with pytest.raises(StorageError, match=r"its process died each time \(killed by signal 9\)"):
        world.role.begin()


def test_where_no_process_can_be_started_it_is_tried_again(make) -> None:
    world = make().start()
    spawn, failures = world.role._spawn, [1, 2]

    def refused():
        if failures:
            raise OSError(11, f"no process more ({failures.pop()})")
        return spawn()

    world.role._spawn = refused
    pid = world.role.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    world.send(2)
    world.drain()
    check_whole(world)
    assert world.role.restarts == 3


def _ended(world: World):
    child = world._spawn()
    child.process.kill()
    return child


def test_a_block_that_is_released_is_counted_once_here_too(make) -> None:
    world = make().start()
    world.send(2)
    batch = world.gateway.numbers("pump-0", [1_700_000_000_000_000], [1.0])
    batch.tables[next(iter(batch.tables))]["series"][:] = 0
    world.gateway.send(batch)
    world.drain()
    wait_for(lambda: len(world.journal.quarantined()) == 1)
    (apart,) = world.journal.quarantined()
    world.journal.quarantined_blocks.release(apart)
    wait_for(lambda: world.journal.quarantined()[0].attempts == 2)
    check_whole(world)


def test_the_cores_that_count_are_those_that_this_process_may_use() -> None:
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert machine()[0] == 1
    finally:
        os.sched_setaffinity(0, cores)
    assert machine()[0] == len(cores)
    assert machine()[1] > 1 << 28


@pytest.mark.parametrize(
    ("placement", "cores", "gigabytes", "apart"),
    [
        (Placement.AUTO, 3, 4, True),
        (Placement.AUTO, 2, 64, False),
        (Placement.AUTO, 64, 2, False),
        (Placement.APART, 1, 1, True),
        (Placement.TOGETHER, 64, 64, False),
    ],
)
def test_auto_is_apart_where_there_are_cores_and_memory(
    placement: Placement, cores: int, gigabytes: int, apart: bool
) -> None:
    assert is_apart(placement, cores, gigabytes << 30) is apart
