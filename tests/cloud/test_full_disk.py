"""Journal and lake on a disk that is really full: refused, nothing lost, and on again with room."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cloud.errors import StorageError
from cloud.journal.contract import JournalOverloadedError
from cloud.journal.sqlite.writer import JournalLimits
from cloud.verify.whole import verify
from tests.cloud.verify_world import Home
from tests.contract.sender import WAIT_S

DISK_BYTES = 12 << 20
BALLAST_BYTES = 8 << 20


@pytest.fixture
def disk(tmp_path: Path):
    """A file system of DISK_BYTES, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    asked = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tidegate-test", str(folder)]
    if mount is None or subprocess.run([mount, *asked], capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here: only root may")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_blocks_as_overload_and_takes_them_once_there_is_room(disk):
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    home = Home(disk / "cloud", JournalLimits(bytes_max=1 << 30, segment_bytes_max=256 << 10))
    sender = home.sender("gw")
    home.send("gw", 50)
    home.drain()
    refusal: BaseException | None = None
    while refusal is None:
        sender.make(batch=home.rows("gw", 8192))
        refusal = sender.post(len(sender.blocks)).exception(WAIT_S)
    assert isinstance(refusal, JournalOverloadedError)
    assert home.journal.failure is None, "a full disk is no broken disk"
    stored = home.journal.head()
    assert stored == len(sender.blocks) - 1
    with pytest.raises((OSError, StorageError)):
        home.lake.run_once()
    ballast.unlink()
    assert sender.post(len(sender.blocks)).result(WAIT_S).replies[0].ack.stored == stored + 1
    home.lake.recover()
    home.drain()
    assert home.journal.archived() == stored + 1
    home.stop()
    found = verify(disk / "cloud" / "journal", disk / "cloud" / "lake")
    assert found.is_whole, found.faults
