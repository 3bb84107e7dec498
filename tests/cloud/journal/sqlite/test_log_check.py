"""Where a write-ahead log ends, by its checksums, and what lies behind."""

import shutil
from pathlib import Path

import apsw
import pytest

from cloud.journal.sqlite.log_check import LogEnd, read_end

PAGE = 16384
FRAME = PAGE + 24
HEAD = 32


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log of several commits, one of them of many pages."""
    path = tmp_path_factory.mktemp("log") / "one.db"
    db = apsw.Connection(str(path))
    db.pragma("page_size", PAGE)
    db.pragma("journal_mode", "wal")
    db.pragma("wal_autocheckpoint", 0)
    db.execute("CREATE TABLE t (no INTEGER PRIMARY KEY, data BLOB)")
    for no in range(4):
        db.execute("INSERT INTO t VALUES (?, randomblob(40000))", (no,))
    data = path.with_name("one.db-wal").read_bytes()
    shutil.rmtree(path.parent)
    return data


def end_of(tmp_path: Path, data: bytes) -> LogEnd:
    (tmp_path / "log").write_bytes(data)
    return read_end(tmp_path / "log")


def flipped(data: bytes, byte: int) -> bytes:
    return data[:byte] + bytes([data[byte] ^ 1]) + data[byte + 1 :]


def test_a_whole_log_ends_where_sqlite_says(tmp_path: Path, whole: bytes) -> None:
    assert end_of(tmp_path, whole) == LogEnd((len(whole) - HEAD) // FRAME, 0)


@pytest.mark.parametrize("cut", [1, FRAME - 1, FRAME, FRAME + 100])
def test_what_a_kill_leaves_is_not_wrong(tmp_path: Path, whole: bytes, cut: int) -> None:
    found = end_of(tmp_path, whole[:-cut])
    assert found.wrong == 0
    assert 0 < found.frames < (len(whole) - HEAD) // FRAME


def test_an_empty_log_is_none(tmp_path: Path) -> None:
    assert end_of(tmp_path, b"") == end_of(tmp_path, bytes(20)) == LogEnd()


@pytest.mark.parametrize("byte", [0, 4, 11, 12, 15, 16, 23, 24, 5000, FRAME - 1])
def test_a_flipped_bit_of_the_last_frame_is_told(tmp_path: Path, whole: bytes, byte: int) -> None:
    last = len(whole) - FRAME
    assert end_of(tmp_path, flipped(whole, last + byte)).wrong == 1


@pytest.mark.parametrize("byte", [0, 3, 8, 16, 20, 24, 31])
def test_a_flipped_bit_of_the_header_is_told(tmp_path: Path, whole: bytes, byte: int) -> None:
    assert end_of(tmp_path, flipped(whole, byte)) == LogEnd(0, 1)


def test_all_behind_a_damaged_frame_counts(tmp_path: Path, whole: bytes) -> None:
    frames = (len(whole) - HEAD) // FRAME
    found = end_of(tmp_path, flipped(whole, HEAD + 2 * FRAME + 77))
    assert found.frames <= 2
    assert found.wrong == frames - 2
