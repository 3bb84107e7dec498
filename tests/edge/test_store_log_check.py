"""What lies behind the end of a write-ahead log: nothing, a commit cut short, or damage."""

import shutil
from pathlib import Path

import apsw
import pytest

from edge.store.limits import PAGE_BYTES
from edge.store.log_check import BehindTheEnd, behind_the_end

FRAME = PAGE_BYTES + 24
HEAD = 32


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of five commits of a page each, as a kill leaves it; the last is the fifth's end."""
    db = apsw.Connection(str(tmp_path / "one.db"))
    db.pragma("page_size", PAGE_BYTES)
    db.pragma("journal_mode", "wal")
    db.execute("CREATE TABLE t (no INTEGER PRIMARY KEY)")
    for no in range(4):
        db.execute("INSERT INTO t VALUES (?)", (no,))
    shutil.copy(tmp_path / "one.db-wal", tmp_path / "log")
    db.close()
    return tmp_path / "log"


def frames(log: Path) -> int:
    return (log.stat().st_size - HEAD) // FRAME


def flip(log: Path, byte: int, mask: int = 1) -> None:
    data = bytearray(log.read_bytes())
    data[byte] ^= mask
    log.write_bytes(data)


def test_behind_a_whole_log_is_nothing(log: Path) -> None:
    assert behind_the_end(log, frames(log)) == BehindTheEnd()


def test_a_log_without_a_header_has_nothing_behind_it(log: Path) -> None:
    log.write_bytes(b"")
    assert behind_the_end(log, 0) == BehindTheEnd()


def test_one_commit_behind_the_end_may_be_a_power_cut(log: Path) -> None:
    found = behind_the_end(log, frames(log) - 1)
    assert found == BehindTheEnd(1, 1)
    assert not found.is_damage


def test_two_commits_behind_the_end_are_damage(log: Path) -> None:
    found = behind_the_end(log, frames(log) - 2)
    assert found == BehindTheEnd(2, 2)
    assert found.is_damage


@pytest.mark.parametrize("byte", range(8, 16))
def test_a_frame_whose_salt_is_damaged_still_counts(log: Path, byte: int) -> None:
    last = frames(log) - 1
    flip(log, HEAD + last * FRAME + byte)
    assert behind_the_end(log, last).frames == 1


def test_frames_of_an_earlier_use_of_the_log_do_not_count(log: Path) -> None:
    last = frames(log) - 1
    for byte in (11, 15):
        flip(log, HEAD + last * FRAME + byte)
    assert behind_the_end(log, last) == BehindTheEnd()


@pytest.mark.parametrize("byte", [8, 16, 24, 31])
def test_a_damaged_header_leaves_every_commit_behind_the_end(log: Path, byte: int) -> None:
    flip(log, byte)
    found = behind_the_end(log, 0)
    assert found.frames == frames(log)
    assert found.is_damage
