"""`rebuild` makes the rollups anew from the readings: the same as before, also after damage."""

from pathlib import Path

import duckdb
import pytest

from cloud.cli import console
from cloud.errors import OperatorError, StorageError
from cloud.lake.rebuild import rebuild
from cloud.lake.table.schema import ROLLUPS
from cloud.lake.table.table import look
from cloud.verify.whole import verify
from tests.cloud.verify_world import Home


@pytest.fixture
def home(tmp_path: Path):
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    made = Home(tmp_path / "cloud")
    for round_ in range(4):
        made.send("a", 300 + round_)
        made.send("b", 50)
        made.drain()
    made.stop()
    yield made
    made.stop()


def rollup(home: Home, name: str) -> list[tuple[object, ...]]:
    (spec,) = (one for one in ROLLUPS if one.name == name)
    paths = list(look(home.root / "lake", spec).files.paths())
    sql = (
        "SELECT gateway, series, epoch_us(ts), sum(count), round(sum(sum), 6), min(min), max(max), "
        "arg_min(first, (first_ts, part)), arg_max(last, (last_ts, part)) "
        "FROM read_parquet(?) GROUP BY ALL ORDER BY ALL"
    )
    return duckdb.sql(sql, params=[paths]).fetchall()


def all_rollups(home: Home) -> dict[str, list[tuple[object, ...]]]:
    return {spec.name: rollup(home, spec.name) for spec in ROLLUPS}


def check_whole(home: Home) -> None:
    found = verify(home.root / "journal", home.root / "lake")
    assert (found.faults, found.notes) == ([], [])


def test_a_rebuild_changes_nothing_of_what_is_whole(home, capsys) -> None:
    before = all_rollups(home)
    assert console().call(["--home", str(home.root), "rebuild"]) == 0
    assert "rows in the rollups" in capsys.readouterr().out
    assert all_rollups(home) == before
    check_whole(home)


def test_a_lost_or_damaged_rollup_is_made_again(home) -> None:
    before = all_rollups(home)
    for name, spoil in (("rollup_1m", Path.unlink), ("rollup_1h", lambda p: p.write_bytes(b"no"))):
        spoil(next((home.root / "lake" / name).rglob("period=*/*.parquet")))
    assert not verify(home.root / "journal", home.root / "lake").is_whole
    assert rebuild(home.root / "lake").unreadable == 2
    assert all_rollups(home) == before
    check_whole(home)


def test_it_goes_on_as_before_after_a_rebuild(home) -> None:
    rebuild(home.root / "lake")
    home.start()
    home.senders["a"].hello()
    home.send("a", 20)
    home.drain()
    check_whole(home)


def test_a_rebuild_cut_short_is_done_by_the_next(home, monkeypatch) -> None:
    from cloud.lake.table.table import LakeTable

    before, replace, calls = all_rollups(home), LakeTable.replace, []

    def die(table, files, pieces):
        calls.append(table)
        if len(calls) == 3:
            raise KeyboardInterrupt
        replace(table, files, pieces)

    monkeypatch.setattr(LakeTable, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        rebuild(home.root / "lake")
    monkeypatch.undo()
    check_whole(home)
    rebuild(home.root / "lake")
    assert all_rollups(home) == before
    check_whole(home)


def test_a_running_cloud_and_a_home_without_a_lake_are_refused(home, tmp_path) -> None:
    home.start()
    with pytest.raises(OperatorError, match="the cloud is running"):
        rebuild(home.root / "lake")
    with pytest.raises(OperatorError, match="there is none"):
        rebuild(tmp_path / "nowhere")


def test_readings_that_are_damaged_are_no_ground_to_rebuild_from(home) -> None:
    next((home.root / "lake" / "readings").rglob("period=*/*.parquet")).write_bytes(b"no")
    with pytest.raises(StorageError):
        rebuild(home.root / "lake")
