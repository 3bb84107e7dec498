"""Consolidation: every block's rows once in every table, whatever dies in between."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from cloud import lake_plan
from cloud.errors import OperatorError, StorageError
from cloud.lake import Batch, Consolidator
from cloud.lake_attempts import DEATHS_MAX
from cloud.lake_names import Names
from cloud.lake_schema import READINGS, ROLLUPS
from tests.cloud.lake_world import DAY_US, T0, Gateway, MemoryJournal


class Crash(BaseException):
    """Power went out: nothing may catch it."""


class Viewer:
    """Keeps the newest batch view; `held` are paths that some reader still has."""

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.held: frozenset[str] = frozenset()

    def publish(self, batch: Batch) -> None:
        self.batch = batch

    def in_use(self) -> frozenset[str]:
        return self.held


class World:
    """A lake that can be killed at a step and opened again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = MemoryJournal()
        self.gateway = Gateway(self.journal)
        self.viewer = Viewer()
        self.bytes_per_pass = 32 << 20
        self.steps: list[str] = []
        self.crash_at = -1
        self.consolidator: Consolidator | None = None

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self.crash_at:
            raise Crash(name)

    def start(self) -> Consolidator:
        names = Names(self.journal.series)
        self.consolidator = Consolidator(
            self.root,
            self.journal,
            names,
            self.viewer,
            bytes_per_pass=self.bytes_per_pass,
            step=self.step,
        )
        self.consolidator.recover()
        return self.consolidator

    def kill(self) -> None:
        assert self.consolidator is not None
        self.consolidator.close()

    def drain(self) -> None:
        consolidator = self.consolidator or self.start()
        while consolidator.run_once().more:
            pass

    def rows(self, table: str = "readings", columns: str = "*") -> list[tuple[object, ...]]:
        assert self.viewer.batch is not None
        paths = self.viewer.batch.tables[table].paths()
        if not paths:
            return []
        sql = f"SELECT {columns} FROM read_parquet(?, hive_partitioning=false) ORDER BY ALL"
        return duckdb.sql(sql, params=[paths]).fetchall()

    def readings(self) -> list[tuple[object, ...]]:
        return self.rows(columns="gateway, device, epoch_us(ts), coalesce(value::text, text)")

    def counts(self, table: str) -> int:
        """Readings that a rollup accounts for."""
        return int(sum(row[0] for row in self.rows(table, "count")))  # type: ignore[misc]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def _fill(world: World, blocks: int = 3, gateway: Gateway | None = None) -> None:
    gateway = gateway or world.gateway
    for _ in range(blocks):
        block = gateway.seq
        ts = [T0 + block * 60_000_000 + i * 1_000_000 for i in range(5)]
        gateway.send(
            gateway.numbers("pump", ts, [block + i / 10 for i in range(5)]),
            gateway.texts("door", ts[:2], ["open", "shut"]),
            *([gateway.scores("pump", ts[:1], [float(block)])] if block % 2 else []),
        )


def _check_whole(world: World, readings: int) -> None:
    """Every table agrees with the journal, each row once, and nothing lies about."""
    found = world.readings()
    assert len(found) == len(set(found)) == readings
    for spec in ROLLUPS:
        assert world.counts(spec.name) == readings
    batch = world.viewer.batch
    assert batch is not None
    assert batch.offset == world.journal.head() == world.journal.archived()
    named = {path for files in batch.tables.values() for path in files.paths()}
    assert {
        str(path) for path in world.root.rglob("*.parquet*") if "_delta_log" not in str(path)
    } == named


def test_all_rows_arrive_in_all_tables_and_are_then_archived(world):
    _fill(world)
    world.drain()
    _check_whole(world, 21)
    assert world.rows("anomalies", "device, value, score, model") == [("pump", 1.0, 9.0, "drift-1")]


def test_a_second_pass_over_nothing_new_commits_nothing(world):
    _fill(world)
    world.drain()
    versions = {n: f.version for n, f in world.viewer.batch.tables.items()}
    assert not world.consolidator.run_once().more
    assert {n: f.version for n, f in world.viewer.batch.tables.items()} == versions


ROUNDS = 2


def _story(world: World) -> None:
    """Rounds of sending and consolidating, with merges and checkpoints in the last; restartable."""
    if world.consolidator is None:
        world.start()
    for done in range(1, ROUNDS + 1):
        if world.journal.head() < 2 * done:
            _fill(world, 2)
        world.drain()


def _crash_and_go_on(world: World, crash_at: int) -> None:
    world.crash_at = crash_at
    while True:
        try:
            _story(world)
            break
        except Crash:
            world.journal.trimmed = world.journal.marked  # archived is gone from the journal
            world.kill()
            world.consolidator = None
    world.kill()
    world.consolidator = None
    world.start()
    _check_whole(world, 14 * ROUNDS)
    world.kill()


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Steps of the story, made short in passes and rich in merges and checkpoints."""
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 3)
    monkeypatch.setattr("cloud.lake_table.CHECKPOINT_EVERY", 4)
    dry = World(tmp_path / "dry")
    dry.bytes_per_pass = 1
    _story(dry)
    dry.kill()
    return dry.steps


def test_a_crash_at_one_step_of_each_name_loses_and_doubles_nothing(tmp_path, steps):
    firsts = {steps.index(name) for name in set(steps)}
    lasts = {len(steps) - 1 - steps[::-1].index(name) for name in set(steps)}
    assert len(set(steps)) >= 9
    for step in sorted(firsts | lasts):
        world = World(tmp_path / f"crash-{step}")
        world.bytes_per_pass = 1
        _crash_and_go_on(world, step + 1)


@pytest.mark.slow
def test_a_crash_at_any_step_loses_and_doubles_nothing(tmp_path, steps):
    for step in range(len(steps)):
        world = World(tmp_path / f"crash-{step}")
        world.bytes_per_pass = 1
        _crash_and_go_on(world, step + 1)


def test_a_table_that_is_behind_catches_up_alone_before_anything_new(world):
    _fill(world, 2)
    world.crash_at = -1
    consolidator = world.start()
    world.steps.clear()
    original = world.step

    def die(name: str) -> None:
        original(name)
        if name == "readings committed":
            raise Crash(name)

    consolidator._step = die
    with pytest.raises(Crash):
        consolidator.run_once()
    world.kill()
    world.consolidator = None
    world.steps.clear()
    _fill(world, 1)
    world.start()
    assert world.viewer.batch.offset == 2
    assert "readings committed" in world.steps
    world.drain()
    _check_whole(world, 21)


def test_ten_months_in_one_pass_make_a_bounded_number_of_files(world):
    ts = [T0 - day * DAY_US for day in range(300)]
    for start in range(0, 300, 50):
        part = ts[start : start + 50]
        world.gateway.send(world.gateway.numbers("old", part, [1.0] * 50))
    world.drain()
    files = world.viewer.batch.tables["readings"].files
    assert len(files) <= lake_plan.FILES_PER_PASS_MAX
    _check_whole(world, 300)


def test_the_maddest_clock_makes_one_file(world):
    ends = np.iinfo(np.int64)
    ts = [ends.min, -1, 0, 1, ends.max, *(i * 40 * 366 * DAY_US for i in range(1, 60))]
    world.gateway.send(world.gateway.numbers("mad", ts, [1.0] * len(ts)))
    world.drain()
    assert len(world.viewer.batch.tables["readings"].files) == 1
    _check_whole_without_times(world, len(ts))


def _check_whole_without_times(world: World, readings: int) -> None:
    assert sum(file.rows for file in world.viewer.batch.tables["readings"].files) == readings
    for spec in ROLLUPS:
        assert world.counts(spec.name) == readings


def test_a_block_that_cannot_be_read_is_set_apart_and_the_stream_goes_on(world):
    _fill(world, 1)
    data = bytearray(world.gateway.block(world.gateway.numbers("pump", [T0 + 9], [1.0])))
    data[-1] ^= 1
    world.journal.add("gw-1", 1, world.gateway.seq, bytes(data))
    _fill(world, 1, Gateway(world.journal, "gw-2"))
    world.drain()
    assert [offset for offset, _ in world.journal.apart] == [2]
    _check_whole(world, 14)


def test_a_block_naming_an_undeclared_series_is_set_apart(world):
    _fill(world, 1)
    world.journal.tables[("gw-1", 1)].pop()
    world.drain()
    assert "names series 2, of 1 declared" in world.journal.apart[0][1]


def test_a_block_that_kills_the_process_again_and_again_is_set_apart(world, monkeypatch):
    _fill(world, 3)
    real = __import__("cloud.lake_embedded", fromlist=["read_block"]).read_block
    killer = world.journal.entries[1].data

    def read(data: bytes):
        if data == killer:
            raise Crash("killed by a bug in a library")
        return real(data)

    monkeypatch.setattr("cloud.lake_embedded.read_block", read)
    deaths = 0
    while True:
        try:
            world.start()
            world.drain()
            break
        except Crash:
            deaths += 1
            world.kill()
            world.consolidator = None
    assert deaths <= 3 * DEATHS_MAX
    assert [offset for offset, _ in world.journal.apart] == [2]
    _check_whole(world, 14)


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
        _fill(world, 1)
        world.drain()
    before = world.readings()
    files = world.viewer.batch.tables["readings"].files
    assert [file.path.split("/")[1][:6] for file in files] == ["merged"]
    assert len(before) == 7 * lake_plan.MERGE_FILES
    assert world.counts("rollup_1d") == 7 * lake_plan.MERGE_FILES
    assert len(world.rows("rollup_1d")) == 2


def test_a_replaced_file_stays_while_a_view_holds_it(world, monkeypatch):
    monkeypatch.setattr("cloud.lake_sweep.GRACE_S", 0.0)
    world.start()
    world.consolidator._sweeper._grace_s = 0.0
    for _ in range(lake_plan.MERGE_FILES - 1):
        _fill(world, 1)
        world.drain()
    held = world.viewer.batch.tables["readings"].paths()
    world.viewer.held = frozenset(held)
    _fill(world, 1)
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


def test_a_lake_that_lost_what_it_promised_says_so_and_touches_nothing(world):
    _fill(world, 2)
    world.drain()
    world.kill()
    world.consolidator = None
    log = sorted((world.root / "readings" / "_delta_log").glob("*.json"))[-1]
    log.write_bytes(log.read_bytes()[:100])
    for _ in range(2):
        with pytest.raises(StorageError, match="2 were archived"):
            world.start()
        world.kill()
    assert list(log.parent.glob("*.torn"))


@pytest.mark.parametrize("kept", [0, 40, -5])
def test_a_torn_log_entry_above_archived_is_removed_and_done_again(world, kept):
    _fill(world, 2)
    world.drain()
    world.kill()
    world.consolidator = None
    world.journal.marked = 0
    for table in ("readings", "rollup_1h", "anomalies"):
        log = sorted((world.root / table / "_delta_log").glob("*.json"))[-1]
        log.write_bytes(log.read_bytes()[:kept])
    world.drain()
    _check_whole(world, 14)
    assert not list(world.root.rglob("*.torn"))


def test_a_torn_checkpoint_is_not_believed(world, monkeypatch):
    monkeypatch.setattr("cloud.lake_table.CHECKPOINT_EVERY", 2)
    _fill(world, 1)
    world.drain()
    _fill(world, 1)
    world.drain()
    world.kill()
    world.consolidator = None
    log = world.root / READINGS.name / "_delta_log"
    checkpoint = next(log.glob("*.checkpoint.parquet"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:200])
    world.drain()
    _check_whole(world, 14)


def test_the_log_of_many_commits_stays_short(world, monkeypatch):
    monkeypatch.setattr("cloud.lake_table.CHECKPOINT_EVERY", 4)
    monkeypatch.setattr("cloud.lake_table.LOG_KEPT", "interval 0 seconds")
    for _ in range(12):
        _fill(world, 1)
        world.drain()
    assert len(list((world.root / "readings" / "_delta_log").glob("*.json"))) < 12
    world.kill()
    world.consolidator = None
    world.start()
    _check_whole(world, 84)


def test_a_journal_that_lost_what_the_lake_lacks_is_an_error_not_a_hole(world):
    _fill(world, 3)
    world.journal.trimmed = 1
    with pytest.raises(StorageError, match="no longer holds offset 1"):
        world.drain()
