"""Blocks decoded for the view in a process of its own: what it promises, whoever of both dies."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloud.errors import StorageError
from cloud.lake.attempts import DEATHS_MAX, KILLS
from cloud.memory import resident_bytes
from tests.cloud.live.test_live import held
from tests.cloud.roles.decoder_world import PER_BLOCK, World
from tests.cloud.roles.role_world import ROOT, every_view_whole, is_alive, wait_for


@pytest.fixture
def make(tmp_path: Path):
    worlds: list[World] = []

    def made(*faults: str, answer_s: float = 60.0) -> World:
        worlds.append(World(tmp_path, *faults, answer_s=answer_s))
        return worlds[-1]

    yield made
    for world in worlds:
        world.close()


def check_whole(world: World, lacking: int = 0) -> None:
    """Every reading that was sent is in the view once, and counted once."""
    found = held(world.live.view)
    assert len(found) == len(set(found)) == PER_BLOCK * (world.blocks - lacking)
    assert world.live.view.journal == world.blocks
    assert world.live.book.counts()[1] == len(found)


def test_blocks_are_decoded_in_another_process_and_shown_in_this_one(make) -> None:
    world = make()
    world.send(20)
    world.follow()
    check_whole(world)
    pid = world.decoder.pid
    assert pid is not None
    assert pid != os.getpid()
    assert (world.decoder.fault, world.decoder.restarts, world.decoder.together) == (None, 0, 0)
    assert 40 << 20 < resident_bytes(pid) < 200 << 20
    world.live.stop()
    assert not is_alive(pid)
    assert world.decoder.pid is None
    assert not (world.root / "lake" / "attempt-live.json").exists(), "its end is no death"


def test_killed_while_idle_it_is_started_anew_and_nothing_is_lost_or_shown_twice(make) -> None:
    world = make()
    for kills in range(3):
        world.send(7)
        world.follow()
        check_whole(world)
        pid = world.decoder.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        world.send(2)
        world.follow()
        check_whole(world)
        assert world.decoder.restarts == kills + 1
    assert world.decoder.fault is None


def test_killed_in_a_step_that_step_is_made_again_and_shown_once(make, tmp_path: Path) -> None:
    world = make(f"once:{tmp_path / 'died'}")
    world.send(6)
    world.follow()
    check_whole(world)
    assert (world.decoder.restarts, world.decoder.together) == (1, 0)


def test_killed_again_and_again_while_blocks_come_every_view_is_whole(make) -> None:
    world = make()
    world.live.start()
    with every_view_whole(world.live, PER_BLOCK):
        for kills in range(4):
            world.send(15)
            pid = world.decoder.pid
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            world.send()
            wait_for(lambda kills=kills: world.live.view.journal == 16 * (kills + 1))
            world.consolidator.run_once()
    wait_for(lambda: world.live.book.counts()[1] == PER_BLOCK * world.blocks)
    check_whole(world)


def errors_of(world: World, until: int) -> list[str]:
    """Follow as the view's thread does, which tells what failed and tries again."""
    errors, told = list[str](), list[str]()
    while world.live.view.journal < until:
        assert len(errors) < DEATHS_MAX
        try:
            world.follow()
        except StorageError as error:
            errors.append(str(error))
            told.append(str(world.decoder.fault))
    assert told == errors, "as /healthz says"
    return errors


def test_a_block_that_kills_it_is_set_apart_and_the_others_are_shown(make) -> None:
    world = make("block:3")
    world.send(5)
    errors = errors_of(world, 5)
    assert errors
    assert all("its process ended: killed by signal 9" in one for one in errors)
    check_whole(world, lacking=1)
    (apart,) = world.journal.quarantined()
    assert (apart.offset, apart.reason) == (3, KILLS)
    assert world.decoder.restarts == DEATHS_MAX + 1
    assert world.decoder.fault is None
    world.consolidator.run_once()
    assert len(held(world.live.view)) == PER_BLOCK * 4


def test_one_that_hangs_is_killed_and_that_counts_as_a_death(make) -> None:
    world = make("hang:2", answer_s=8.0)  # a loaded machine takes some of it to start one
    world.send(3)
    errors = errors_of(world, 3)
    assert errors
    assert all("no answer within 8 s" in one for one in errors)
    check_whole(world, lacking=1)
    assert [one.offset for one in world.journal.quarantined()] == [2]


def test_where_none_can_be_started_blocks_are_decoded_in_this_process(make) -> None:
    world = make()
    spawn, refused = world.decoder._spawn, [True]

    def started():
        if refused:
            raise OSError(11, "no process more")
        return spawn()

    world.decoder._spawn = started
    world.send(3)
    world.follow()
    check_whole(world)
    assert "no process more" in str(world.decoder.fault)
    assert world.decoder.together > 0
    assert world.decoder.pid is None
    refused.clear()
    world.decoder._not_before = 0.0
    world.send(3)
    world.follow()
    check_whole(world)
    assert world.decoder.pid is not None
    assert world.decoder.fault is None


def test_one_that_dies_before_its_first_word_is_none(make) -> None:
    world = make("early", "")
    world.send(3)
    world.follow()
    check_whole(world)
    assert "it ended at once: killed by signal 9" in str(world.decoder.fault)
    assert (world.decoder.pid, world.decoder.restarts) == (None, 0)


def test_a_step_too_long_to_be_told_is_made_in_this_process(make) -> None:
    world = make("long")
    world.send(4)
    world.follow()
    check_whole(world)
    assert (world.decoder.together, world.decoder.restarts) == (1, 0)


def test_a_step_under_way_is_finished_before_the_end(make, tmp_path: Path) -> None:
    world = make(f"slow:{tmp_path}")
    world.send(3)
    world.live.start()
    wait_for((tmp_path / "asked").exists)
    ending = threading.Thread(target=world.live.stop)
    ending.start()
    wait_for(lambda: world.decoder._is_ending)
    (tmp_path / "go").touch()
    ending.join()
    check_whole(world)
    assert world.decoder.restarts == 0
    assert not (world.root / "lake" / "attempt-live.json").exists()


def test_a_view_left_behind_by_trimming_begins_again_from_the_tables(make) -> None:
    world = make()
    world.send(4)
    world.follow()
    for _ in range(6):
        world.send(1, rows=8000)
    while world.consolidator.run_once().more:
        pass
    world.live._seen = 4  # the view has not got further
    assert world.journal.trim() > 0
    world.send()
    world.follow()
    assert world.live.view.journal == world.blocks
    assert len(held(world.live.view)) == world.live.book.counts()[1] == 4 * 5 + 6 * 8000 + 5


def test_its_marker_of_a_death_is_what_any_decoding_process_leaves(make) -> None:
    world = make("block:2")
    world.send(3)
    with pytest.raises(StorageError):
        world.follow()
    marker = json.loads((world.root / "lake" / "attempt-live.json").read_bytes())
    assert marker == {"start": 1, "deaths": 2, "until": 3}


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.cloud.roles.decoder_world import World\n"
        "world = World(Path(sys.argv[1]))\nworld.send(3)\nworld.follow()\n"
        "print(world.decoder.pid, flush=True)\nsys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    wait_for(lambda: not is_alive(child))


def test_it_loads_no_engine_and_no_server() -> None:
    code = "import cloud.roles.decoder, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {"duckdb", "deltalake", "grpc", "starlette", "uvicorn"} & set(done.stdout.split())
    assert not loaded
