"""Consolidation: every block's rows once in every table, in few files, in order."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from cloud.errors import OperatorError, StorageError
from cloud.lake import plan as lake_plan
from cloud.lake.embedded import TEXTS_BYTES_MAX, within_rows
from cloud.lake.table.schema import ROLLUPS, is_whole
from tests.cloud.lake_runs import World, check_whole, fill
from tests.cloud.lake_world import DAY_US, T0, Gateway


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def test_all_rows_arrive_in_all_tables_and_are_then_archived(world):
    fill(world)
    world.drain()
    check_whole(world, 21)
    assert world.rows("anomalies", "device, value, score, model") == [("pump", 1.0, 9.0, "drift-1")]


def test_blocks_of_many_texts_are_taken_a_few_at_a_time(world):
    gateway = Gateway(world.journal)
    words = ["x" * 4096] * 4096
    for block in range(20):
        gateway.send(gateway.texts("pump", T0 + np.arange(4096) + 5000 * block, words))
    most = TEXTS_BYTES_MAX // (4096 * 4096)
    assert len(within_rows(world.journal.entries, 1_000_000)) == most
    assert len(within_rows(world.journal.entries[:3], 1_000_000)) == 3


def test_a_second_pass_over_nothing_new_commits_nothing(world):
    fill(world)
    world.drain()
    versions = {n: f.version for n, f in world.viewer.batch.tables.items()}
    assert not world.consolidator.run_once().more
    assert {n: f.version for n, f in world.viewer.batch.tables.items()} == versions


def test_ten_months_in_one_pass_make_a_bounded_number_of_files(world):
    ts = [T0 - day * DAY_US for day in range(300)]
    for start in range(0, 300, 50):
        part = ts[start : start + 50]
        world.gateway.send(world.gateway.numbers("old", part, [1.0] * 50))
    world.drain()
    files = world.viewer.batch.tables["readings"].files
    assert len(files) <= lake_plan.FILES_PER_PASS_MAX
    check_whole(world, 300)


def test_the_maddest_clock_makes_one_file(world):
    ends = np.iinfo(np.int64)
    ts = [ends.min, -1, 0, 1, ends.max, *(i * 40 * 366 * DAY_US for i in range(1, 60))]
    world.gateway.send(world.gateway.numbers("mad", ts, [1.0] * len(ts)))
    world.drain()
    assert len(world.viewer.batch.tables["readings"].files) == 1
    _check_whole_without_times(world, len(ts))


def _check_whole_without_times(world: World, readings: int) -> None:
    assert sum(file.rows for file in world.viewer.batch.tables["readings"].files) == readings
    for spec in filter(is_whole, ROLLUPS):
        assert world.counts(spec.name) == readings


def test_a_block_that_cannot_be_read_is_set_apart_and_the_stream_goes_on(world):
    fill(world, 1)
    data = bytearray(world.gateway.block(world.gateway.numbers("pump", [T0 + 9], [1.0])))
    data[-1] ^= 1
    world.journal.add("gw-1", 1, world.gateway.seq, bytes(data))
    fill(world, 1, Gateway(world.journal, "gw-2"))
    world.drain()
    assert [offset for offset, _ in world.journal.apart] == [2]
    check_whole(world, 14)


def test_a_block_naming_an_undeclared_series_is_set_apart(world):
    fill(world, 1)
    world.journal.tables[("gw-1", 1)].pop()
    world.drain()
    assert "names series 2, of 1 declared" in world.journal.apart[0][1]


def test_late_rows_stand_in_order_within_a_file(world):
    gateway = world.gateway
    for ts in ([T0 + 50, T0 + 60], [T0 + 10, T0 + 55], [T0 + 50]):
        gateway.send(gateway.numbers("pump", ts, [float(gateway.seq)] * len(ts)))
    world.drain()
    (path,) = world.viewer.batch.tables["readings"].paths()
    rows = duckdb.sql(
        "SELECT epoch_us(ts) - ?, value FROM read_parquet(?) ORDER BY file_row_number",
        params=[T0, [path]],
    ).fetchall()
    assert rows == [(10, 1.0), (50, 0.0), (50, 2.0), (55, 1.0), (60, 0.0)]


def test_small_files_of_a_day_become_one_with_the_same_rows(world):
    for _ in range(lake_plan.MERGE_FILES):
        fill(world, 1)
        world.drain()
    before = world.readings()
    files = world.viewer.batch.tables["readings"].files
    assert [file.path.split("/")[1][:6] for file in files] == ["merged"]
    assert len(before) == 7 * lake_plan.MERGE_FILES
    assert world.counts("rollup_1d") == 7 * lake_plan.MERGE_FILES
    assert len(world.rows("rollup_1d")) == 2


def test_a_replaced_file_stays_while_a_view_holds_it(world, monkeypatch):
    monkeypatch.setattr("cloud.lake.table.sweep.GRACE_S", 0.0)
    world.start()
    world.consolidator._upkeep.sweeper._grace_s = 0.0
    for _ in range(lake_plan.MERGE_FILES - 1):
        fill(world, 1)
        world.drain()
    held = world.viewer.batch.tables["readings"].paths()
    world.viewer.held = frozenset(held)
    fill(world, 1)
    world.drain()
    assert all(Path(path).exists() for path in held)
    world.viewer.held = frozenset()
    world.consolidator.run_once()
    assert not any(Path(path).exists() for path in held)


def test_two_consolidators_cannot_have_one_lake(world):
    world.start()
    other = World(world.root)
    with pytest.raises(OperatorError, match="another process holds"):
        other.start()


def test_the_log_of_many_commits_stays_short(world, monkeypatch):
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 4)
    monkeypatch.setattr("cloud.lake.table.table.LOG_KEPT", "interval 0 seconds")
    for _ in range(12):
        fill(world, 1)
        world.drain()
    assert len(list((world.root / "readings" / "_delta_log").glob("*.json"))) < 12
    world.kill()
    world.consolidator = None
    world.start()
    check_whole(world, 84)


def test_a_journal_that_lost_what_the_lake_lacks_is_an_error_not_a_hole(world):
    fill(world, 3)
    world.journal.trimmed = 1
    with pytest.raises(StorageError, match="read the journal from 1: it is trimmed already"):
        world.drain()


def test_the_query_in_the_format_document_gives_the_buckets(world):
    fill(world, 3)
    world.drain()
    fill(world, 3)
    world.drain()
    text = (Path(__file__).parents[3] / "docs" / "format" / "lake.md").read_text()
    sql = text[text.index("    SELECT series") :].partition("\n\n")[0]
    assert "delta_scan('lake/rollup_1h')" in sql
    sql = sql.replace("delta_scan('lake/rollup_1h')", "read_parquet(?)") + " ORDER BY series"
    paths = world.viewer.batch.tables["rollup_1h"].paths()
    rows = duckdb.sql(sql, params=[paths]).fetchall()
    assert len(paths) == 2
    found = sorted(row[2:6] for row in rows if row[4] is not None)
    assert found == [(30, pytest.approx(2.7), 0.0, 5.4)]
