"""One table: what other engines read, what a foreign commit does, which files a query opens."""

import subprocess
import sys
from pathlib import Path

import polars
import pytest
from deltalake import DeltaTable

from cloud.errors import StorageError
from cloud.lake.table.parquet import no_step
from cloud.lake.table.schema import READINGS
from cloud.lake.table.table import LakeTable
from cloud.rollup.partials import DAY_US
from tests.cloud.lake.table.test_parquet import rows_of
from tests.cloud.lake_world import T0


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    return LakeTable.open(tmp_path, READINGS)


def test_other_engines_open_the_table_as_it_is(table):
    table.append(rows_of(("d", T0, 1.5), ("e", T0 + DAY_US, 2.5)), 3)
    frame = polars.read_delta(str(table.folder)).sort("ts")
    assert frame["value"].to_list() == [1.5, 2.5]
    assert frame["ts"].dtype == polars.Datetime("us", "UTC")
    assert DeltaTable(str(table.folder)).to_pyarrow_table().num_rows == 2


def test_the_offset_is_in_the_commit_that_holds_the_rows(table):
    table.append(rows_of(("d", T0, 1.0)), 7, {"gaps": 7})
    assert DeltaTable(str(table.folder)).transaction_version("tidegate") == 7
    again = LakeTable.open(table.folder.parent, READINGS, no_step, ["gaps"])
    assert (again.state.offset, again.state.says) == (7, {"gaps": 7})


def test_a_commit_by_another_process_is_noticed_and_nothing_is_written(table):
    other = LakeTable.open(table.folder.parent, READINGS)
    other.append(rows_of(("d", T0, 1.0)), 4)
    with pytest.raises(StorageError, match="another process did"):
        table.append(rows_of(("d", T0, 1.0)), 4)
    assert polars.read_delta(str(table.folder)).height == 1


def test_a_query_opens_only_files_near_its_time_and_device(table):
    table.append(rows_of(("a", T0, 1.0), ("b", T0 + 5, 1.0)), 1)
    table.append(rows_of(("c", T0 + 3, 1.0), ("c", T0 + 2 * DAY_US, 1.0)), 2)
    files = table.state.files

    def picked(*asked) -> list[str]:
        return sorted(path.split("period=")[1] for path in files.pick(*asked))

    first = "2023-11-15/pass-0000000000000000-0000000000000001.parquet"
    second = "2023-11-15/pass-0000000000000001-0000000000000002.parquet"
    assert picked(T0, T0 + 10, ("gw", "a")) == [first]
    assert picked(T0, T0 + 10, ("gw", "c")) == [second]
    assert picked(T0, T0 + 10) == [first, second]
    assert picked(T0 + 5, T0 + 6, ("gw", "b")) == [first]
    assert picked(T0 + 6, T0 + DAY_US) == []
    assert picked(T0, T0 + 10, ("other", "a")) == []


def test_rows_of_times_beyond_the_calendar_are_kept_and_counted(table):
    table.append(rows_of(("d", (1 << 63) - 1, 1.0), ("d", -(1 << 62), 2.0)), 1)
    assert sum(file.rows for file in table.state.files.files) == 2
    assert len(table.state.files.pick(-(1 << 63), (1 << 63) - 1)) >= 1


_CHILD = """
import os, sys
from pathlib import Path
from cloud.lake.table.schema import READINGS
from cloud.lake.table.table import LakeTable
from tests.cloud.lake_world import T0
from tests.cloud.lake.table.test_parquet import rows_of

steps = 0

def step(name):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), 9)

table = LakeTable.open(Path(sys.argv[1]), READINGS, step)
table.accept()
for offset in range(table.state.offset + 1, 3):
    table.append(rows_of(("d", T0 + offset, float(offset))), offset)
print("whole")
"""


@pytest.mark.parametrize("step", range(1, 11))
def test_a_process_killed_at_any_step_is_finished_by_the_next(tmp_path, step):
    for kill_at in (step, 0):
        command = [sys.executable, "-c", _CHILD, str(tmp_path), str(kill_at)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "whole\n", done.stderr
    assert sorted(polars.read_delta(str(tmp_path / "readings"))["value"]) == [1.0, 2.0]
    table = LakeTable.open(tmp_path, READINGS)
    named = {file.path for file in table.state.files.files}
    found = {str(p.relative_to(table.folder)) for p in table.folder.glob("period=*/*")}
    assert found == named


def test_a_damaged_entry_that_replaced_files_costs_no_file(table):
    for offset in (1, 2):
        table.append(rows_of(("d", T0 + offset, 1.0)), offset)
    old = list(table.state.files.files)
    table.append(rows_of(("d", T0 + DAY_US, 1.0)), 3)
    table.merge(old, lambda rows: rows, old[0].period)
    table.remove([file.path for file in old])
    merged = next(file for file in table.state.files.files if file.period == old[0].period)
    newest = max((table.folder / "_delta_log").glob("*.json"))
    entry = newest.read_bytes()
    newest.write_bytes(entry[:-40])
    again = LakeTable.open(table.folder.parent, READINGS)
    with pytest.raises(StorageError, match="newest log entry is damaged"):
        again.accept()
    assert (table.folder / merged.path).exists()
    newest.write_bytes(entry)
    again = LakeTable.open(table.folder.parent, READINGS)
    again.accept()
    assert again.state.files == table.state.files
