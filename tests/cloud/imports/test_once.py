"""Importing is idempotent: whatever is run, cut short and run again, each reading is there once."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import OperatorError, StorageError
from cloud.imports import csv_file, ledger_file, run
from cloud.imports import ledger as ledger_module
from cloud.imports.ledger import Ledger
from cloud.journal.sqlite.rebirth import begin_generation
from tests.cloud.imports.import_world import Crash, World, write

S = 1_000_000
T0 = 1_700_000_000

Row = tuple[int, int, str]
"""Seconds, device, and the value as it stands in the file."""

rows = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 2), st.sampled_from(["1", "2.5", "-0", "0", "on"])),
    max_size=24,
)
plans = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), max_size=5)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces and blocks of a few rows each."""
    monkeypatch.setattr(csv_file, "LINE_BYTES_MAX", 96)
    monkeypatch.setattr(run, "BLOCK_READINGS", 3)
    monkeypatch.setattr(run, "BLOCK_TEXTS", 2)


def text_of(table: list[Row]) -> str:
    lines = [f"{T0 + at},d{device},m,{value}\n" for at, device, value in table]
    return "time,device,metric,value\n" + "".join(lines)


def readings_of(*tables: list[Row]) -> Counter:
    """What must be there, once each: a number and a text are two series."""
    found = {
        (f"d{device}", "m", "", (T0 + at) * S, value if value == "on" else float(value))
        for table in tables
        for at, device, value in table
    }
    return Counter(dict.fromkeys(found, 1))


@settings(max_examples=25)
@given(tables=st.tuples(rows, rows, rows), plan=plans)
def test_any_runs_cut_short_anywhere_and_run_again_leave_every_reading_once(tables, plan) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        files = [write(world.root / f"{n}.csv", text_of(t)) for n, t in enumerate(tables)]
        for number, crash_at in plan:
            try:
                world.bring(files[number], crash_at=crash_at)
            except Crash:
                held = world.held()
                assert all(count == 1 for count in held.values())
                assert held <= readings_of(*tables)
        world.bring(*files)
        assert world.held() == readings_of(*tables)
        again = world.bring(*files)
        assert all(outcome.was_done_us for outcome in again)
        assert world.held() == readings_of(*tables)


def test_a_crash_at_every_single_step_is_made_good_by_the_next_run(tmp_path: Path) -> None:
    table = [(at, at % 3, f"{at}.5") for at in range(12)] + [(3, 1, "on")]
    for crash_at in range(1, 200):
        world = World(tmp_path / str(crash_at))
        world.root.mkdir()
        file = write(world.root / "a.csv", text_of(table))
        try:
            world.bring(file, crash_at=crash_at)
        except Crash:
            world.bring(file)
            assert world.held() == readings_of(table)
            shutil.rmtree(world.root)
        else:
            break
    assert 20 < crash_at < 199, "every step was reached"


def test_rows_that_are_twice_in_a_file_come_once_and_other_values_of_one_time_all(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    file = write(tmp_path / "a.csv", text_of([(0, 0, "1"), (0, 0, "1"), (0, 0, "2"), (0, 0, "-0")]))
    (outcome,) = world.bring(file)
    assert (outcome.readings, outcome.duplicates, outcome.rows) == (3, 1, 4)
    assert world.held() == readings_of([(0, 0, "1"), (0, 0, "2"), (0, 0, "0")])


def test_another_gateway_name_is_another_past(tmp_path: Path) -> None:
    world = World(tmp_path)
    file = write(tmp_path / "a.csv", text_of([(0, 0, "1")]))
    world.bring(file)
    world.bring(file, gateway="other")
    assert sum(world.held().values()) == 2


def test_a_journal_that_was_lost_gets_everything_again_from_the_ledger(tmp_path: Path) -> None:
    world = World(tmp_path)
    table = [(at, 0, "1") for at in range(10)]
    file = write(tmp_path / "a.csv", text_of(table))
    world.bring(file)
    shutil.rmtree(tmp_path / "journal")
    assert not world.held()
    world.bring(file)
    assert world.held() == readings_of(table)


def test_an_older_journal_gets_what_it_lacks_and_nothing_twice(tmp_path: Path) -> None:
    world = World(tmp_path)
    one, two = [(at, 0, "1") for at in range(10)], [(at, 1, "2") for at in range(5, 15)]
    world.bring(write(tmp_path / "a.csv", text_of(one)))
    shutil.copytree(tmp_path / "journal", tmp_path / "backup")
    world.bring(write(tmp_path / "b.csv", text_of(two)))
    shutil.rmtree(tmp_path / "journal")
    shutil.move(tmp_path / "backup", tmp_path / "journal")
    begin_generation(tmp_path / "journal", 0, (T0 + 60) * S)
    world.bring(tmp_path / "b.csv")
    assert world.held() == readings_of(one, two)
    world.bring(write(tmp_path / "c.csv", text_of([(0, 2, "3"), *two])))
    assert world.held() == readings_of(one, two, [(0, 2, "3")])


def test_an_older_ledger_is_refused_before_it_could_double_anything(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.bring(write(tmp_path / "a.csv", text_of([(0, 0, "1")])))
    shutil.copytree(tmp_path / "imports", tmp_path / "old")
    later = write(tmp_path / "b.csv", text_of([(1, 0, "1")]))
    world.bring(later)
    shutil.rmtree(tmp_path / "imports")
    shutil.move(tmp_path / "old", tmp_path / "imports")
    for _ in range(2):
        with pytest.raises(OperatorError, match="does not know"):
            world.bring(later)
    assert sum(world.held().values()) == 2


def test_a_ledger_from_before_an_epoch_is_refused_by_the_blocks_that_the_cloud_names(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.bring(write(tmp_path / "a.csv", text_of([(0, 0, "1")])))
    shutil.copytree(tmp_path / "imports", tmp_path / "old")
    with closing(world.journal()) as journal:
        journal.forgive("import").result(10)
    later = write(tmp_path / "b.csv", text_of([(1, 0, "1")]))
    world.bring(later)
    shutil.rmtree(tmp_path / "imports")
    shutil.move(tmp_path / "old", tmp_path / "imports")
    for _ in range(2):
        with pytest.raises(OperatorError, match="does not know"):
            world.bring(later)
    assert sum(world.held().values()) == 2


def test_a_full_disk_is_told_and_with_room_the_next_run_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    table = [(at, at % 3, f"{at}.25") for at in range(200)]
    file = write(tmp_path / "a.csv", text_of(table))
    with closing(Ledger.open(tmp_path / "imports", "import")) as ledger:
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    before = ledger_file.connected

    def small(path: Path, gateway: str) -> sqlite3.Connection:
        connection = before(path, gateway)
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        return connection

    with pytest.MonkeyPatch.context() as full:
        full.setattr(ledger_module, "connected", small)
        with pytest.raises(StorageError, match=r"full.*goes on where it stopped"):
            world.bring(file)
    held = world.held()
    assert set(held.values()) == {1}
    assert held < readings_of(table)
    world.bring(file)
    assert world.held() == readings_of(table)


def test_two_imports_of_one_gateway_at_a_time_are_refused(tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path, "import")):
        with pytest.raises(OperatorError, match="another import is using it"):
            Ledger.open(tmp_path, "import")
        Ledger.open(tmp_path, "other").close()
    Ledger.open(tmp_path, "import").close()


def test_a_damaged_ledger_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "import.db").write_bytes(b"no database, whatever its name says" * 100)
    with pytest.raises(StorageError, match="restore the file from a backup"):
        Ledger.open(tmp_path, "import")


def test_a_file_that_grew_meanwhile_is_not_taken_for_done(tmp_path: Path, monkeypatch) -> None:
    world = World(tmp_path)
    file = write(tmp_path / "a.csv", text_of([(0, 0, "1")]))
    stamps = iter([(1, 1), (2, 2), (3, 3), (3, 3)])
    monkeypatch.setattr(run, "_stamp", lambda path: next(stamps))
    assert world.bring(file)[0].changed
    second = world.bring(file)[0]
    assert (second.changed, second.was_done_us, second.duplicates) == (False, 0, 1)
