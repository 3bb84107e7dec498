"""The lake on a disk that refuses: an fsync is never tried again, a full disk is waited for."""

import errno
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from cloud.journal.contract import Entry
from cloud.lake.loop import ConsolidationLoop
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import SyncFailedError
from tests.cloud.lake_runs import World, check_whole, fill

WAIT_S = 30


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    world.start()
    yield world
    world.kill()


class BadDisk:
    """fsync as the kernel does it: the n-th call fails, the pages count as clean ever after."""

    def __init__(self, fail_at: int) -> None:
        self.calls, self.fail_at = 0, fail_at

    def __call__(self, handle: int) -> None:
        self.calls += 1
        if self.calls == self.fail_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def fail_at(world: World, monkeypatch, number: int) -> BadDisk:
    disk = BadDisk(number)
    monkeypatch.setattr(lake_parquet.os, "fsync", disk)
    return disk


def test_a_failed_fsync_ends_consolidation_for_good_and_archives_nothing(world, monkeypatch):
    fill(world)
    disk = fail_at(world, monkeypatch, 1)
    loop = ConsolidationLoop(world.consolidator, interval_s=0.01)
    loop.start()
    loop._thread.join(WAIT_S)
    assert not loop._thread.is_alive()
    assert isinstance(loop.failure, SyncFailedError)
    assert "to the disk" in str(loop.failure)
    assert loop.fault is loop.failure
    assert disk.calls == 1, "tried again, the kernel would have lied"
    assert world.journal.archived() == 0


@pytest.mark.parametrize("number", range(1, 12))
def test_whichever_fsync_fails_nothing_rests_on_it_after_a_restart(world, monkeypatch, number):
    fill(world)
    fail_at(world, monkeypatch, number)
    with pytest.raises(SyncFailedError):
        world.consolidator.run_once()
    assert world.journal.archived() == 0
    monkeypatch.undo()
    world.kill()
    world.start()
    world.drain()
    check_whole(world, 21)


def test_a_pass_that_failed_is_tried_with_less_and_then_with_all_again(world, monkeypatch):
    asked = []
    read = world.journal.read

    def reading(after: int, bytes_max: int) -> list[Entry]:
        asked.append(bytes_max)
        return read(after, bytes_max)

    monkeypatch.setattr(world.journal, "read", reading)
    fill(world)
    for _ in range(5):
        with monkeypatch.context() as patch:
            patch.setattr(lake_parquet, "open_writer", Mock(side_effect=OSError("full")))
            with pytest.raises(OSError, match="full"):
                world.consolidator.run_once()
        world.consolidator.recover()
    world.consolidator.run_once()
    fill(world)
    world.consolidator.run_once()
    assert asked == [32 << 20, 8 << 20, 2 << 20, 1 << 20, 1 << 20, 1 << 20, 4 << 20]


def test_a_pass_that_took_longer_than_the_interval_is_followed_by_the_next(world, monkeypatch):
    clock = [0.0]
    passes = threading.Semaphore(0)
    run_once = world.consolidator.run_once

    def slowly():
        clock[0] += 3600.5
        passes.release()
        return run_once()

    monkeypatch.setattr("cloud.lake.loop.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(world.consolidator, "run_once", slowly)
    loop = ConsolidationLoop(world.consolidator, interval_s=3600.0)
    loop.start()
    assert all(passes.acquire(timeout=WAIT_S) for _ in range(3))
    loop.stop()


def test_a_full_disk_is_waited_for(world, monkeypatch):
    fill(world)
    full = threading.Event()
    full.set()
    write = lake_parquet.open_writer

    def writer(*args, **kwargs):
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*args, **kwargs)

    monkeypatch.setattr(lake_parquet, "open_writer", writer)
    monkeypatch.setattr("cloud.lake.loop.RETRY_S", (0.01,))
    loop = ConsolidationLoop(world.consolidator, interval_s=0.01)
    loop.start()
    assert not loop.drain(1, 0.2)
    assert "No space left" in str(loop.fault)
    assert loop.failure is None
    assert world.journal.archived() == 0
    full.clear()
    assert loop.drain(world.journal.head(), WAIT_S)
    loop.stop()
    check_whole(world, 21)
