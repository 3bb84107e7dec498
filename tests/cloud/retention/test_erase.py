"""History erased by order: gone from everything, accounted for, and it does not come back."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from cloud.cli import console
from cloud.config import load
from cloud.journal.sqlite.snapshot import take_snapshot
from cloud.lake.table.schema import ANOMALIES, READINGS
from cloud.recompute.days import look_at as compare
from cloud.registry.registry import Registry
from cloud.retention import erasure
from cloud.retention.erasure import erase, orders_of
from cloud.retention.order import ALWAYS_US
from cloud.rollup.partials import HOUR_US
from tests.cloud.consolidate_world import EVER, Spoilt
from tests.cloud.lake_world import T0
from tests.cloud.retention.erase_world import call, check, wish, without


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Spoilt.made(tmp_path_factory.mktemp("filled") / "cloud").root


@pytest.fixture
def home(tmp_path: Path, filled: Path):
    shutil.copytree(filled, tmp_path / "cloud")
    made = Spoilt(tmp_path / "cloud")
    yield made
    made.stop()


def test_a_device_goes_from_every_table_and_from_the_journal(home, capsys):
    before = home.held()
    gone = sum("'door'" in row for row in before[READINGS.name])
    assert gone == 8
    assert call(home, "gw-1/door", "--yes", "--why", "asked for", "--by", "ann") == 0
    assert "8 rows are gone" in capsys.readouterr().out
    after = home.held()
    assert without(after) == without(before, "door")
    assert not any("door" in row for rows in after.values() for row in rows)
    check(home, gone)
    snapshot = take_snapshot(home.root / "journal")
    assert snapshot.oldest == snapshot.head + 1
    (order,) = orders_of(load(home.root))
    assert (order.by, order.why, order.readings, order.is_done) == ("ann", "asked for", 8, True)


def test_anomalies_and_minutes_go_with_the_readings_of_their_times_alone(home):
    before = home.held()
    erase(load(home.root), wish("gw-1/pump/temperature", T0, T0 + HOUR_US - 1))
    after = home.held()
    for name in (READINGS.name, ANOMALIES.name):
        ours = [row for row in before[name] if "'pump'" in row]
        left = [row for row in after[name] if "'pump'" in row]
        assert 0 < len(left) < len(ours)
        assert not any("datetime.datetime(2023, 11, 15, 0, " in row for row in left)
    assert [row for row in after[READINGS.name] if "'pump'" not in row] == [
        row for row in before[READINGS.name] if "'pump'" not in row
    ]
    check(home, len(before[READINGS.name]) - len(after[READINGS.name]))


def test_a_dry_run_counts_what_goes_beside_a_running_cloud_and_changes_nothing(home, capsys):
    home.start()
    before, versions = home.held(), home.versions()
    assert call(home, "gw-1", "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"][READINGS.name] == sum("'gw-1'" in row for row in before[READINGS.name])
    assert "gw-1/door/state" in told["series"]
    assert (home.held(), home.versions()) == (before, versions)
    home.stop()
    assert call(home, "gw-1", "--yes", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert done["rows"] == told["rows"]
    assert done["readings"] == told["rows"][READINGS.name]
    check(home, done["readings"])


def test_nothing_is_erased_while_the_cloud_runs_or_nobody_agrees(home, capsys):
    before = home.held()
    home.start()
    assert call(home, "gw-1", "--yes") == 2
    assert "stop `tidegate-cloud serve`" in capsys.readouterr().err
    home.stop()
    assert call(home, "gw-1") != 0  # asked, nobody answers
    assert home.held() == before
    assert not orders_of(load(home.root))


@pytest.mark.parametrize("target", ["nobody", "gw-1/none", "gw-1/pump/none", "/pump", "gw-1/"])
def test_a_name_that_the_tables_do_not_have_is_refused(home, target, capsys):
    assert call(home, target, "--yes") == 2
    assert "nothing of that name" in capsys.readouterr().err
    assert not orders_of(load(home.root))


def test_what_comes_later_is_kept_also_of_the_erased_times(home):
    erase(load(home.root), wish("b"))
    home.start()
    home.send("b", 9)
    home.drain()
    home.stop()
    held = home.held()[READINGS.name]
    assert sum("'b'" in row for row in held) == 9
    check(home, 20)


def test_what_the_journal_has_and_the_tables_lack_goes_too(home):
    home.start()
    home.send("b", 7)
    home.stop()
    erase(load(home.root), wish("b"))
    assert not any("'b'" in row for row in home.held()[READINGS.name])
    check(home, 27)


def test_blocks_that_a_journal_keeps_do_not_bring_it_back(home, monkeypatch):
    monkeypatch.setattr(erasure, "empty_journal", lambda _: None)
    erase(load(home.root), wish("gw-1/pump", T0, T0 + HOUR_US))
    erase(load(home.root), wish("gw-1/door"))
    before = home.held()
    snapshot = take_snapshot(home.root / "journal")
    assert snapshot.oldest < snapshot.head
    found = compare(home.root / "journal", home.root / "lake", EVER)
    assert found.is_same
    assert found.retired > 0
    assert home.call("--from", "2023-11-15") == 0
    assert home.held() == before
    home.check_whole()


def test_a_correction_of_times_that_comes_later_does_not_bring_it_back(home, monkeypatch):
    from tests.cloud.correction_world import STRETCHES, unsynced
    from tests.cloud.lake.test_over_journal import Line
    from tests.cloud.lake_world import Gateway

    monkeypatch.setattr(erasure, "empty_journal", lambda _: None)
    home.start()
    line, wrong = Line(home.journal, "gw-9"), STRETCHES[1]
    gateway = Gateway(line, "gw-9", epoch=line.epoch)  # type: ignore[arg-type]
    gateway.send(unsynced(gateway, "fan", wrong, [7, 9], [1.0, 2.0]))
    gateway.send(gateway.numbers("fan", [T0], [3.0]))
    home.stop()
    found = erase(load(home.root), wish("gw-9/fan", ALWAYS_US, T0 - 1))
    assert found.rows[READINGS.name] == 2
    home.start()
    line.journal = home.journal
    gateway.send(wrong.correction())
    home.drain()
    home.stop()
    before = home.held()
    assert sum("'fan'" in row for row in before[READINGS.name]) == 1
    assert home.call("--from", "2023-11-15") == 0
    assert home.held() == before
    home.check_whole()


def test_a_backup_taken_before_brings_it_back_and_one_taken_after_does_not(home, tmp_path):
    def copied(name: str) -> Spoilt:
        backup, to = tmp_path / f"{name}-backup", tmp_path / name
        assert console().call(["--home", str(home.root), "backup", str(backup)]) == 0
        assert console().call(["--home", str(to), "restore", str(backup)]) == 0
        return Spoilt(to)

    before = copied("before")
    erase(load(home.root), wish("b"))
    after = copied("after")
    assert any("'b'" in row for row in before.held()[READINGS.name])
    assert not any("'b'" in row for row in after.held()[READINGS.name])
    check(after, 20)
    assert len(orders_of(load(after.root))) == 1


def test_an_order_is_told_with_its_author_in_the_audit_trail_and_by_list(home, capsys):
    assert call(home, "b", "--to", "2023-11-15", "--yes", "--by", "ann", "--why", "wet") == 0
    with closing(Registry.open(load(home.root).registry_path)) as registry:
        rows = [row for row in registry.audit_rows() if row["action"] == "erase"]
    assert [(row["subject"], row["actor"], row["outcome"]) for row in rows[::-1]] == [
        ("b order 1", "ann", "ordered: wet"),
        ("b order 1", "ann", "20 readings erased: wet"),
    ]
    capsys.readouterr()
    assert call(home, "--list") == 0
    told = capsys.readouterr().out
    assert "by ann (wet): b, from the beginning to 2023-11-16T00:00:00Z: 20 readings" in told
    assert call(home, "b", "--yes") == 2  # nothing of that name is left
    assert console().call(["--home", str(home.root), "ledger"]) == 0
    assert "erased: 20 readings" in capsys.readouterr().out


@pytest.mark.parametrize("first", ["2023-13-01", "yesterday", ""])
def test_a_time_that_is_none_is_refused(home, first):
    assert call(home, "b", "--from", first, "--yes") == 2


def test_times_the_wrong_way_round_are_refused(home):
    assert call(home, "b", "--from", "2023-11-16", "--to", "2023-11-15", "--yes") == 2
