"""A folder whose maker was killed before it synced the name: the next process does, or all is lost.

Such a folder is there for whoever looks, and gone with all in it when the power is cut.
"""

import os
from pathlib import Path

import pytest

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.lock import take_lock
from cloud.lake.table.parquet import SyncFailedError
from cloud.lake.table.schema import READINGS
from cloud.lake.table.table import LakeTable


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files and folders that were synced, in order."""
    found: list[Path] = []
    fsync = os.fsync

    def told(handle: int) -> None:
        fsync(handle)
        found.append(Path(os.readlink(f"/proc/self/fd/{handle}")))

    monkeypatch.setattr(os, "fsync", told)
    return found


def test_a_period_that_a_killed_process_made_is_on_the_disk_before_anything_is_built_on_it(
    tmp_path, synced
):
    folder = LakeTable.open(tmp_path, READINGS).folder
    (folder / "period=2023-11").mkdir()
    synced.clear()
    LakeTable.open(tmp_path, READINGS)
    assert folder in synced


@pytest.mark.parametrize("made", ["lake", "lake/retired"])
def test_a_folder_of_the_lake_that_a_killed_process_made_is_on_the_disk_once_it_is_locked(
    tmp_path, synced, made
):
    (tmp_path / made).mkdir(parents=True)
    os.close(take_lock(tmp_path / "lake", "open the lake"))
    assert (tmp_path / made).parent in synced


def test_a_lake_whose_names_the_disk_refuses_is_not_left_locked(tmp_path, monkeypatch):
    def refuse(handle: int) -> None:
        raise OSError(5, "Input/output error")

    (tmp_path / "lake").mkdir()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(SyncFailedError):
            take_lock(tmp_path / "lake", "open the lake")
    os.close(take_lock(tmp_path / "lake", "open the lake"))


def test_a_journal_whose_folder_a_killed_process_made_is_on_the_disk_once_it_is_open(
    tmp_path, synced
):
    (tmp_path / "journal").mkdir()
    SqliteJournal.open(tmp_path / "journal", now_us=lambda: 0).close()
    assert synced.index(tmp_path) == 0
