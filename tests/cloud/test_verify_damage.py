"""`verify` sees what a disk has done to the files of journal and lake."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cloud.errors import StorageError
from cloud.journal.sqlite.segment import list_segments
from cloud.verify.whole import Verdict, verify
from tests.cloud.verify_world import Home


@pytest.fixture
def home(tmp_path: Path):
    made = Home(tmp_path)
    yield made
    made.stop()


def verdict(home: Home) -> Verdict:
    return verify(home.root / "journal", home.root / "lake")


def test_a_log_that_is_damaged_at_its_end_is_not_whole_until_it_is_healed(home):
    home.send("a")
    home.drain()
    home.send("a", 3)
    home.stop()
    log = list_segments(home.root / "journal")[-1].wal
    data = bytearray(log.read_bytes())
    data[-100] ^= 1
    log.write_bytes(data)
    found = verdict(home)
    assert not found.is_whole
    assert "asks the gateways for them" in found.line()
    home.start()
    assert verdict(home).is_whole
    assert "begun anew at offset 2" in verdict(home).line()


@pytest.mark.parametrize("table", ["readings", "rollup_1h"])
def test_a_flipped_bit_in_a_page_of_the_lake_is_told_or_touches_nothing(home, table):
    home.send("a", 900)
    home.drain()
    home.stop()
    (path,) = (home.root / "lake" / table).rglob("period=*/*.parquet")
    whole, rows = path.read_bytes(), pq.read_table(path)
    said = set()
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for bit in np.random.default_rng(3).integers(32, pages * 8, 25).tolist():
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        found = is_whole(home)
        assert not found or pq.read_table(path).equals(rows), "a changed reading is not told"
        said.add(found)
        path.write_bytes(whole)
    assert False in said
    home.start()


def test_a_torn_log_of_the_lake_is_told(home):
    home.send("a", 900)
    home.drain()
    home.stop()
    log = sorted((home.root / "lake" / "readings" / "_delta_log").glob("*.json"))[-1]
    whole = log.read_bytes()
    for kept in (0, len(whole) // 3, len(whole) // 2):
        log.write_bytes(whole[:kept])
        assert not is_whole(home)
    log.write_bytes(whole)
    home.start()


def is_whole(home: Home) -> bool:
    try:
        return verdict(home).is_whole
    except StorageError:
        return False
