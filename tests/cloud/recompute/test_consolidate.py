"""`consolidate`: days once more from the journal; what differs is told, and put right exactly."""

import json
import shutil
from pathlib import Path

import pytest

from cloud.errors import StorageError
from cloud.lake.rebuild import rebuild
from cloud.lake.table.schema import ANOMALIES, CORRECTIONS, GAPS, READINGS, ROLLUPS
from cloud.lake.table.state import look
from cloud.recompute.days import recompute
from tests.cloud.aged_world import Aged
from tests.cloud.commands.test_quarantine import Blind
from tests.cloud.consolidate_world import DAY, EVER, NEXT, Spoilt, otherwise, twice, without


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Spoilt.made(tmp_path_factory.mktemp("filled") / "cloud").root


@pytest.fixture
def home(tmp_path: Path, filled: Path):
    shutil.copytree(filled, tmp_path / "cloud")
    made = Spoilt(tmp_path / "cloud")
    yield made
    made.stop()


def told(home: Spoilt, capsys, *arguments: str) -> tuple[int, dict]:
    capsys.readouterr()
    code = home.call("--json", *arguments)
    return code, json.loads(capsys.readouterr().out)


def changes(found: dict) -> dict[str, tuple[int, int, int]]:
    """Missing, doubled, different rows of the tables where there are any."""
    tables = found["recomputed"]["tables"]
    counts = {
        name: (one["missing"], one["doubled"], one["different"]) for name, one in tables.items()
    }
    return {name: each for name, each in counts.items() if any(each)}


def test_what_the_journal_has_and_the_tables_lack_comes_in(home, capsys):
    home.start()
    home.send("c", 30)
    home.stop()
    assert told(home, capsys, "--dry-run") == (
        0, {"dry_run": True, "blocks": 1, "readings": 30, "quarantined": 0, "recomputed": None}
    )  # fmt: skip
    assert told(home, capsys, "--dry-run")[1]["blocks"] == 1, "a dry run took it in"
    assert home.call() == 0
    assert "1 blocks, 30 readings were consolidated" in capsys.readouterr().out
    assert told(home, capsys)[1]["blocks"] == 0
    home.check_whole()
    home.start()
    assert home.batch().offset == home.journal.head() == home.journal.archived()


def test_days_that_are_whole_are_the_same_and_nothing_is_written(home, capsys):
    before = home.versions()
    code, found = told(home, capsys, "--from", DAY, "--to", NEXT, "--dry-run")
    assert (code, found["recomputed"]["same"]) == (0, True)
    assert found["recomputed"]["blocks"] == 8
    assert home.call("--from", "1970-01-01") == 0
    assert "the tables hold what the journal gives" in capsys.readouterr().out
    assert home.versions() == before


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (without(0, 3, 7), (3, 0, 0)),
        (twice(1, 5, 5), (0, 3, 0)),
        (otherwise(4), (0, 0, 1)),
        (lambda rows: without(30)(twice(1)(otherwise(2)(rows))), (1, 1, 1)),
    ],
)
def test_rows_lost_doubled_and_changed_are_told_and_put_right(home, capsys, change, found):
    before = home.held()
    home.spoil(change)
    spoilt, versions = home.held(), home.versions()
    assert spoilt != before
    code, dry = told(home, capsys, "--from", DAY, "--dry-run")
    assert (code, changes(dry)) == (5, {READINGS.name: found})
    assert dry["recomputed"]["tables"][READINGS.name]["bytes"] > 0 or not any(found[1:])
    assert (home.held(), home.versions()) == (spoilt, versions), "a dry run changed something"
    code, done = told(home, capsys, "--from", DAY)
    assert (code, changes(done)) == (0, {READINGS.name: found})
    assert home.held() == before
    home.check_whole()
    assert told(home, capsys, "--from", DAY, "--dry-run")[0] == 0


@pytest.mark.parametrize(
    "table", [READINGS, ANOMALIES, GAPS, CORRECTIONS], ids=lambda one: one.name
)
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_is_lost_or_damaged_is_made_again_of_the_journal(home, capsys, table, is_gone):
    before = home.held()
    path = Path(max(look(home.root / "lake", table).files.paths()))
    path.unlink() if is_gone else path.write_bytes(b"no")
    code, dry = told(home, capsys, "--from", "1970-01-01", "--dry-run")
    assert (code, dry["recomputed"]["lost"]) == (5, 1)
    assert told(home, capsys, "--from", "1970-01-01")[0] == 0
    assert home.held() == before
    home.check_whole()


def test_a_lost_file_takes_the_days_beside_the_asked_one_with_it(home, capsys):
    before = home.held()
    for path in look(home.root / "lake", READINGS).files.paths():
        Path(path).write_bytes(b"no")
    assert told(home, capsys, "--from", NEXT, "--to", NEXT)[0] == 0
    assert told(home, capsys, "--from", DAY, "--to", DAY)[0] == 0
    assert told(home, capsys, "--from", "1970-01-01")[0] == 0
    assert home.held() == before
    home.check_whole()


def test_only_the_asked_days_are_recomputed(home, capsys):
    home.spoil(without(0), which=0)
    day = min(look(home.root / "lake", READINGS).files.files, key=lambda one: -one.rows).period
    other = NEXT if day == DAY else DAY
    assert told(home, capsys, "--from", other, "--to", other, "--dry-run")[0] == 0
    assert told(home, capsys, "--from", "2024-01-01", "--dry-run")[1]["recomputed"]["blocks"] == 0


def test_rollups_that_count_other_readings_are_made_anew(home, capsys):
    before = home.held()
    for spec in ROLLUPS[1:]:
        home.spoil(twice(0), spec.name)
    code, dry = told(home, capsys, "--from", DAY, "--dry-run")
    assert (code, changes(dry)) == (5, {})
    assert all(dry["recomputed"]["tables"][spec.name]["anew"] for spec in ROLLUPS[1:])
    assert told(home, capsys, "--from", DAY)[0] == 0
    assert home.held() == before
    home.check_whole()


def test_what_the_journal_does_not_keep_is_never_touched(home, capsys):
    home.start()
    for _ in range(8):
        home.sender("big").send(60 << 10)
    home.drain()
    assert home.journal.trim() > 0
    oldest = home.journal.stats().oldest
    assert 1 < oldest <= home.journal.head()
    home.stop()
    home.spoil(lambda rows: rows.slice(0, 0), which=-1)
    before = home.held()
    code, found = told(home, capsys, "--from", DAY)
    assert (code, found["recomputed"]["beyond"] > 0) == (0, True)
    assert home.held()[READINGS.name] == before[READINGS.name]
    kept = look(home.root / "lake", READINGS)
    (file,) = [one for one in kept.files.files if one.start + 1 < oldest][:1]
    Path(kept.files.path(file)).write_bytes(b"no")
    assert home.call("--from", DAY) == 5
    assert "does not keep all of its blocks" in capsys.readouterr().err
    assert look(home.root / "lake", READINGS).files == kept.files


def test_readings_that_retention_removed_do_not_come_back(tmp_path, capsys):
    home = Aged(tmp_path / "cloud")
    try:
        home.day(0)
        home.day(1)
        home.pass_days(12)
        rows, days = home.rows(), home.rows(ROLLUPS[-1].name)
        assert home.verdict().retired == 20
        home.stop()
        found = recompute(home.root / "journal", home.root / "lake", EVER)
        assert (found.is_same, found.retired) == (True, 20)
        rebuild(home.root / "lake")
        home.start()
        assert (home.rows(), home.rows(ROLLUPS[-1].name)) == (rows, days)
        assert home.verdict().retired == 20
    finally:
        home.stop()


def test_a_file_of_days_that_retention_cleared_is_not_made_again(tmp_path):
    home = Aged(tmp_path / "cloud")
    try:
        home.day(0)
        home.pass_days(11)
        home.day(11)  # the newest commit would be taken for torn with its file
        home.stop()
        files = look(home.root / "lake", READINGS).files
        file = min(files.files, key=lambda one: one.ts_min)
        Path(files.path(file)).write_bytes(b"no")
        with pytest.raises(StorageError, match="retention removed"):
            recompute(home.root / "journal", home.root / "lake", EVER)
    finally:
        home.stop()


def test_blocks_set_apart_stay_apart_be_they_sound_or_not(home, monkeypatch, capsys):
    home.start()
    home.poison("c")
    home.send("c", 9)
    Blind(monkeypatch).drain(home, home.journal.head())
    home.stop()
    before = home.held()
    assert told(home, capsys, "--from", "1970-01-01")[1]["recomputed"]["same"]
    home.spoil(without(0))
    assert told(home, capsys, "--from", "1970-01-01")[0] == 0
    assert home.held() == before
    home.check_whole()


def test_days_the_wrong_way_round_and_a_home_without_a_journal_are_refused(home, tmp_path, capsys):
    assert home.call("--from", NEXT, "--to", DAY) == 2
    assert "is before" in capsys.readouterr().err
    assert home.call("--from", "yesterday") == 2
    new = tmp_path / "new"
    from cloud.cli import console

    assert console().call(["--home", str(new), "init"]) == 0
    assert console().call(["--home", str(new), "consolidate"]) == 5
