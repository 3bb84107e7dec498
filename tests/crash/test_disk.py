"""The campaign's disk: a power cut takes what was not synced and nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.disk import Disk, InMemory


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "home", 16)
    if not made.mount():
        pytest.skip("a disk can be mounted by root alone")
    yield made
    made.remove(None)


def written(path: Path, *, sync: bool) -> None:
    with path.open("wb") as file:
        file.write(b"x" * 10_000)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def test_a_power_cut_takes_what_was_not_synced_and_leaves_what_was(disk: Disk) -> None:
    written(disk.folder / "synced", sync=True)
    written(disk.folder / "not synced", sync=False)
    disk.cut()
    with pytest.raises(OSError, match="Input/output error"):
        written(disk.folder / "later", sync=True)
    disk.restore()
    assert [path.name for path in disk.folder.iterdir()] == ["synced"]
    assert (disk.folder / "synced").stat().st_size == 10_000


def test_a_full_disk_takes_nothing_until_it_is_relieved(disk: Disk) -> None:
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        written(disk.folder / "file", sync=True)
    disk.relieve()
    written(disk.folder / "file", sync=True)


def test_a_home_in_memory_keeps_its_files_there_and_back(disk: Disk, tmp_path: Path) -> None:
    written(disk.folder / "before", sync=True)
    memory = InMemory(disk.folder, tmp_path / "aside", 8)
    memory.enter()
    written(disk.folder / "there", sync=False)
    memory.leave()
    disk.cut()
    disk.restore()
    assert sorted(path.name for path in disk.folder.iterdir()) == ["before", "there"]


def test_a_removed_disk_leaves_its_files_where_they_were_asked_for(
    disk: Disk, tmp_path: Path
) -> None:
    written(disk.folder / "file", sync=True)
    disk.remove(tmp_path / "kept")
    assert (tmp_path / "kept" / "file").exists()
    assert not disk.image.exists()
