"""`retention` and `vacuum`: what would go, that it goes, and what a backup knows of it."""

import errno
import json
from pathlib import Path

import pytest

from cloud.cli import console
from cloud.errors import StorageError
from cloud.lake.table.schema import READINGS, ROLLUP_1D, ROLLUP_1H
from cloud.rollup.partials import DAY_US
from cloud.verify.whole import verify
from tests.cloud.aged_world import SETTINGS, Aged, one
from tests.cloud.verify_world import T0


@pytest.fixture
def home(tmp_path: Path):
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    made = Aged(tmp_path / "cloud")
    yield made
    made.stop()


def test_a_dry_run_counts_what_leaves_and_changes_nothing(home, capsys):
    (home.root / "cloud.toml").write_text(SETTINGS)
    home.day(0)
    home.now_us = T0
    home.sender("gw").send(batch=one(T0 + 60 * DAY_US))
    home.drain()
    before = home.rows()
    capsys.readouterr()
    assert console().call(["--home", str(home.root), "retention", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rules"] == [
        {
            "name": "aged",
            "series": "*/*/metric-1",
            "series_decided": 1,
            "nearest": "",
            "readings_days": 10,
            "rollups_days": 50,
            "readings": 10,
            "rollup_rows": told["rules"][0]["rollup_rows"],
        }
    ]
    assert home.rows() == before
    rollups = home.rows(ROLLUP_1H.name) + home.rows(ROLLUP_1D.name)
    home.stop()
    assert console().call(["--home", str(home.root), "retention"]) == 0
    assert "10 readings" in capsys.readouterr().out
    home.start()
    assert home.rows() == before - 10
    left = home.rows(ROLLUP_1H.name) + home.rows(ROLLUP_1D.name)
    minutes = told["rules"][0]["rollup_rows"] - (rollups - left)
    assert minutes >= 0
    home.verdict()


def test_a_dry_run_says_of_how_many_series_a_section_decides_and_what_a_mistyped_one_meant(
    home, capsys
):
    wrong = SETTINGS.replace("[retention.aged]", "[retention.first]").replace(
        "metric-1", "mteric-1"
    )
    (home.root / "cloud.toml").write_text(f"{wrong}\n{SETTINGS}")
    home.day(0)
    capsys.readouterr()
    assert console().call(["--home", str(home.root), "retention", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "first  */*/mteric-1: decides of 0 series; 0 readings" in told.out
    assert "aged  */*/metric-1: decides of 1 series; " in told.out
    assert told.err.count("no series has a name like that; the nearest is ") == 1
    assert "/metric-1" in told.err


def test_a_backup_of_a_lake_that_forgot_is_whole_where_it_is_restored(home, tmp_path, capsys):
    home.day(0)
    home.pass_days(12)
    to, again = tmp_path / "backup", tmp_path / "again"
    assert console().call(["--home", str(home.root), "backup", str(to)]) == 0
    assert console().call(["--home", str(again), "restore", str(to)]) == 0
    found = verify(again / "journal", again / "lake")
    assert (found.faults, found.retired) == ([], 10)


def test_a_vacuum_lists_what_nobody_names_and_removes_it_when_the_cloud_is_stopped(home, capsys):
    home.day(0)
    folder = home.root / "lake" / READINGS.name / "period=2023-11-15"
    left = folder / "sorted9.9.0-0000000000000000-0000000000000001.parquet.writing"
    left.write_bytes(b"left")
    call = ["--home", str(home.root), "vacuum", "--older", "0"]
    capsys.readouterr()
    assert console().call([*call, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [file["path"] for file in told["files"]] == [str(left)]
    assert console().call(call) != 0, "the cloud is running"
    home.stop()
    assert console().call([*call[:3], "--older", "1"]) == 0
    assert left.exists()
    assert console().call(call) == 0
    assert not left.exists()
    home.start()
    home.verdict()


def test_a_disk_that_is_full_is_told_and_the_next_run_finishes(home, monkeypatch, capsys):
    (home.root / "cloud.toml").write_text(SETTINGS)
    home.day(0)
    home.now_us = T0
    home.sender("gw").send(batch=one(T0 + 60 * DAY_US))
    home.drain()
    before = home.rows()
    home.stop()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for command, step in (
        ("retention", "cloud.retention.removal.write_retired"),
        ("rebuild", "cloud.lake.table.parquet.write_durably"),
        ("vacuum", "cloud.lake.vacuum.orphans"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(step, full)
            assert console().call(["--home", str(home.root), command]) == StorageError.exit_code
        told = capsys.readouterr().err
        assert "No space left" in told, command
        assert "run this again" in told, command
    for command in ("rebuild", "retention", "vacuum"):
        assert console().call(["--home", str(home.root), command]) == 0
    home.start()
    assert home.rows() == before - 10
    home.verdict()


def test_nothing_is_removed_where_a_log_is_damaged(home, capsys):
    (home.root / "cloud.toml").write_text(SETTINGS)
    home.day(0)
    home.stop()
    folder = home.root / "lake" / READINGS.name
    newest = max((folder / "_delta_log").glob("*.json"))
    entry = newest.read_bytes()
    newest.write_bytes(entry[:-40])
    files = sorted(folder.glob("period=*/*"))
    assert files
    for command in (["vacuum", "--older", "0"], ["vacuum", "--older", "0"], ["retention"]):
        assert console().call(["--home", str(home.root), *command]) == StorageError.exit_code
        assert "is damaged" in capsys.readouterr().err
        assert sorted(folder.glob("period=*/*")) == files
    newest.write_bytes(entry)  # as a backup has it
    home.start()
    home.verdict()
