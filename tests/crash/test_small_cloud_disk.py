"""The journal fills the cloud's disk: it stops in time, the lake empties it, and all goes on."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cloud.errors import StorageError
from cloud.journal.contract import JournalOverloadedError
from cloud.journal.sqlite.writer import JournalLimits
from protos import records
from tests.cloud.verify_world import T0, Home
from tests.contract.sender import WAIT_S

MIB = 1 << 20
RESERVE = 44 * MIB


def limits(reserve: int) -> JournalLimits:
    return JournalLimits(
        bytes_max=256 * MIB, segment_bytes_max=4 * MIB, commit_bytes_max=MIB, free_bytes_min=reserve
    )


@pytest.fixture
def small(tmp_path: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "mode=0700,size=64m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(home: Home) -> int:
    """Send blocks until they are refused; how many were taken."""
    sender, chance, taken = home.sender("gw"), np.random.default_rng(1), 0
    while True:
        times = T0 + taken * 60_000_000 + np.arange(16_000, dtype=np.int64)
        values = chance.random(16_000)
        batch = records.numbers(1 + np.arange(16_000) % 2, times, values, np.zeros(16_000), times)
        sender.make(batch=batch)
        try:
            sender.post(len(sender.blocks)).result(WAIT_S)
        except JournalOverloadedError:
            sender.blocks.pop()
            return taken
        taken += 1


def test_a_journal_that_fills_the_disk_leaves_the_lake_its_room(small: Path) -> None:
    home = Home(small / "cloud", limits(RESERVE))
    taken = fill(home)
    assert taken > 20
    assert free(small) > RESERVE - 6 * MIB, "but for a segment that is being settled"
    home.drain()
    home.journal.trim()
    assert home.journal.archived() == home.journal.head() == taken
    subprocess.run(["mount", "-o", "remount,size=96m", str(small)], check=True)
    assert fill(home) > 20, "it goes on where there is room again"
    home.stop()


def test_without_a_reserve_the_full_disk_stands_still(small: Path) -> None:
    """The same disk and the same blocks: what the reserve is for."""
    home = Home(small / "cloud", limits(0))
    assert fill(home) > 20
    with pytest.raises((StorageError, OSError)):
        home.drain()
    home.stop()
