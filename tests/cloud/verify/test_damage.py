"""`verify` sees what a disk has done to the files of journal and lake."""

import json
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


@pytest.mark.parametrize("table", ["readings", "rollup_1h", "gaps"])
@pytest.mark.parametrize(
    ("bound", "column", "said"),
    [
        ("minValues", "ts", "2023-11-15T00:00:00.000001Z"),
        ("maxValues", "ts", "2023-11-14T23:59:59.999999Z"),
        ("minValues", "gateway", "b"),
        ("maxValues", "gateway", ""),
        ("minValues", "device", "zone"),
    ],
)
def test_a_log_of_the_lake_that_tells_other_bounds_than_its_files_have_is_told(
    home, table, bound, column, said
):
    home.send("a", 900, lost=3)
    home.drain()
    home.stop()
    stats(home, table, bound, column, said)
    found = verdict(home)
    assert [fault.split(":")[0] for fault in found.faults] == [table]
    assert "its log tells" in found.line()
    home.start()


def test_a_log_of_the_lake_with_wider_bounds_than_its_files_hides_nothing(home):
    home.send("a", 900, lost=3)
    home.drain()
    home.stop()
    stats(home, "readings", "minValues", "gateway", "A")
    stats(home, "gaps", "maxValues", "ts", "2024-01-01T00:00:00Z")
    assert verdict(home).is_whole
    home.start()


def test_a_rollup_whose_log_counts_other_rows_than_it_has_is_told(home):
    home.send("a", 900)
    home.drain()
    home.stop()
    stats(home, "rollup_1d", "numRecords", "", 3)
    (fault,) = verdict(home).faults
    assert "its log tells 3 rows, it has 2" in fault
    home.start()


def test_a_lost_file_of_a_rare_table_is_told(home):
    home.send("a", 5, lost=3)
    home.drain()
    home.stop()
    (path,) = (home.root / "lake" / "gaps").rglob("period=*/*.parquet")
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    assert "gaps: read " in verdict(home).line()
    path.unlink()
    assert verdict(home).faults == [f"the lake's file {path} is missing"]
    path.write_bytes(data)
    home.start()


def stats(home: Home, table: str, part: str, column: str, said: object) -> None:
    """Have the newest commit that adds files to a table tell something else of them."""
    for log in sorted((home.root / "lake" / table / "_delta_log").glob("*.json"), reverse=True):
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        adds = [action["add"] for action in actions if "add" in action]
        for add in adds:
            told = json.loads(add["stats"])
            (told[part] if column else told)[column or part] = said
            add["stats"] = json.dumps(told)
        log.write_text("".join(f"{json.dumps(action)}\n" for action in actions))
        if adds:
            return
    raise AssertionError(f"{table} has no files")


def is_whole(home: Home) -> bool:
    try:
        return verdict(home).is_whole
    except StorageError:
        return False
