"""`consolidate` cut short anywhere, in parts, over any damage: the next run finishes."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cloud.lake.table.schema import ANOMALIES, GAPS, READINGS
from cloud.lake.table.state import look
from cloud.recompute.days import look_at, recompute
from cloud.recompute.write import FILE
from cloud.rollup.partials import DAY_US
from tests.cloud.consolidate_world import DAY, EVER, Spoilt, otherwise, twice, without
from tests.cloud.lake_runs import Crash
from tests.cloud.verify_world import T0


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Spoilt.made(tmp_path_factory.mktemp("filled") / "cloud").root


@pytest.fixture
def home(tmp_path: Path, filled: Path):
    shutil.copytree(filled, tmp_path / "cloud")
    made = Spoilt(tmp_path / "cloud")
    yield made
    made.stop()


@pytest.mark.parametrize("crash_at", range(1, 30, 3))
def test_a_crash_at_any_step_is_finished_by_the_next(home, crash_at):
    before = home.held()
    home.spoil(lambda rows: without(0, 9)(twice(1, 4)(otherwise(2)(rows))))
    home.spoil(without(0), ANOMALIES.name)
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == crash_at:
            raise Crash(name)

    folders = (home.root / "journal", home.root / "lake")
    try:
        recompute(*folders, EVER, step=step)
    except Crash:
        assert look_at(*folders, EVER).is_same is False or not (folders[1] / FILE).exists()
    recompute(*folders, EVER)
    assert home.held() == before
    assert look_at(*folders, EVER).is_same
    home.check_whole()
    lying = {str(path) for path in (folders[1] / READINGS.name).glob("period=*/*")}
    assert lying == set(look(folders[1], READINGS).files.paths())


def test_rollups_that_a_crash_left_are_made_whatever_days_are_asked_next(home, monkeypatch):
    before = home.held()
    home.spoil(without(0, 9))
    folders = (home.root / "journal", home.root / "lake")

    def die(*_: object, **__: object) -> None:
        raise Crash("rollups")

    with monkeypatch.context() as patched:
        patched.setattr("cloud.recompute.days.make_rollups_anew", die)
        with pytest.raises(Crash):
            recompute(*folders, EVER)
    far = (T0 + 100 * DAY_US, T0 + 101 * DAY_US)
    assert not look_at(*folders, far).is_same
    recompute(*folders, far)
    assert home.held() == before
    assert look_at(*folders, EVER).is_same


def test_it_goes_on_as_before_and_the_next_start_finds_nothing_to_do(home):
    home.spoil(without(0, 9))
    assert home.call("--from", DAY) == 0
    home.start()
    home.send("c", 20)
    home.drain()
    home.check_whole()


def test_a_crash_of_the_pass_is_finished_by_the_next(home, monkeypatch, capsys):
    from cloud.lake.table.table import LakeTable

    home.start()
    home.send("c", 30)
    home.stop()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LakeTable, "append", die)
        assert home.call() == 130
    assert home.call() == 0
    home.check_whole()


@pytest.mark.parametrize("parts", [1, 50])
def test_many_rows_are_put_right_in_bounded_parts(home, monkeypatch, parts):
    monkeypatch.setattr("cloud.recompute.rows.ROWS_AT_ONCE", parts)
    before = home.held()
    for which in (0, 1):
        home.spoil(lambda rows: twice(*range(5))(rows.slice(rows.num_rows // 2)), which=which)
    found = recompute(home.root / "journal", home.root / "lake", EVER)
    assert found.tables[READINGS.name].missing > 10
    assert home.held() == before
    home.check_whole()


def test_any_spoilt_rows_come_out_as_the_journal_gives_them(home):
    before = home.held()
    for seed in range(6):
        drawn = np.random.default_rng(seed)

        def change(rows: pa.Table, drawn: np.random.Generator = drawn) -> pa.Table:
            return rows.take(pa.array(drawn.integers(0, rows.num_rows, drawn.integers(1, 60))))

        for table in (READINGS.name, ANOMALIES.name, GAPS.name):
            home.spoil(change, table)
        found = recompute(home.root / "journal", home.root / "lake", EVER)
        assert not found.is_same, seed
        assert home.held() == before, seed
    home.check_whole()


def test_a_disk_that_is_full_is_told_and_the_next_run_finishes(home, monkeypatch, capsys):
    before = home.held()
    home.spoil(without(0, 9))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("cloud.lake.table.parquet.write_durably", full)
        assert home.call("--from", DAY) == 5
    assert "No space left" in capsys.readouterr().err
    assert home.call("--from", DAY) == 0
    assert home.held() == before
