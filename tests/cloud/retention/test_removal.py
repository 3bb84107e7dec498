"""History past its age leaves by itself, accounted for to the last reading, through any crash."""

import time
from pathlib import Path

import numpy as np
import pytest

from cloud.cli import console
from cloud.errors import StorageError
from cloud.lake.rebuild import rebuild
from cloud.lake.table.parquet import no_step
from cloud.lake.table.schema import READINGS, ROLLUP_1D, ROLLUP_1H
from cloud.lake.vacuum import orphans
from cloud.ledger.of_files import read_ledger
from cloud.query.history import Ask
from cloud.retention.removal import Retention
from cloud.retention.retired import FOLDER
from cloud.retention.rules import Rule, Rules
from cloud.rollup.partials import DAY_US
from protos.records import Quality
from tests.cloud.aged_world import Aged, one
from tests.cloud.lake.sort_world import SortWorld
from tests.cloud.lake_runs import Crash
from tests.cloud.lake_world import T0 as OTHER_T0
from tests.cloud.verify_world import T0


@pytest.fixture
def home(tmp_path: Path):
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    made = Aged(tmp_path / "cloud")
    yield made
    made.stop()


def test_readings_past_their_age_leave_and_history_is_whole(home):
    home.day(0)
    home.day(1)
    days = home.rows(ROLLUP_1D.name)
    home.pass_days(11)
    assert home.rows() == 41 - 10
    home.pass_days(12)
    assert home.rows() == 42 - 20
    assert home.rows(ROLLUP_1D.name) == days + 2
    found = home.verdict()
    assert (found.retired, found.in_lake, found.archived) == (20, 22, 42)
    assert "− 20 removed by retention" in found.line()
    (row,) = read_ledger(home.root / "journal", home.root / "lake")
    assert (row.retired, row.in_lake) == (20, 22)


def test_rollups_leave_when_they_are_past_their_own_age(home):
    home.day(0)
    home.pass_days(30)
    before = home.rows(ROLLUP_1D.name)
    home.pass_days(51)
    assert home.rows(ROLLUP_1D.name) == before + 1 - 1
    home.verdict()


def test_what_came_late_to_its_gateway_stays_as_long_as_from_its_arrival(home):
    home.day(0, late=8)
    home.pass_days(12)
    assert home.rows() == 21
    home.pass_days(19)
    assert home.rows() == 12


def test_a_reading_without_a_clock_is_never_removed_by_its_age(home):
    home.day(-19_000, quality=Quality.GATEWAY_UNSYNCED)
    home.pass_days(60)
    assert home.rows() == 21
    home.verdict()


def test_a_clock_that_jumped_ahead_removes_nothing(home):
    home.day(0)
    home.now_us = T0 + 30_000 * DAY_US
    home.settle()
    assert home.rows() == 20


def test_late_readings_of_a_day_that_left_are_counted_and_leave_again(home):
    home.day(0)
    home.pass_days(12)
    home.day(0)
    home.settle()
    assert home.rows() == 10 + 1 + 10
    assert home.verdict().retired == 20


def test_a_rebuild_leaves_the_rollups_of_days_whose_readings_left(home):
    home.day(0)
    home.pass_days(12)
    before = home.rows(ROLLUP_1H.name)
    home.stop()
    done = rebuild(home.root / "lake")
    home.start()
    assert done.aged
    assert home.rows(ROLLUP_1H.name) == before
    home.verdict()


def test_a_day_that_is_sorted_and_aged_is_still_one_run(home):
    for _ in range(3):
        home.day(0, 10)
    home.stop()
    home.is_quiet = True
    home.start()
    home.settle()
    assert home.rows() == 30
    home.pass_days(12)
    (file,) = (one for one in home.batch().tables[READINGS.name].files if one.ts_min < T0 + DAY_US)
    assert (file.run > 0, file.rows) == (True, 15)
    home.verdict()


def _grown_old(root: Path) -> Aged:
    """A lake of three days, closed, of which all but the last will be past their age."""
    home = Aged(root)
    home.day(0)
    home.day(1)
    home.now_us = T0 + 55 * DAY_US
    home.sender("gw").send(batch=one(home.now_us))
    while home.lake._pass_to(home.journal.head()):  # no upkeep yet
        pass
    home.stop()
    return home


def _killed_at(root: Path, crash_at: int) -> list[str]:
    """Killed at a step of its removals and started again; the steps that were gone."""
    home, steps = _grown_old(root), list[str]()

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == crash_at:
            raise Crash(name)

    home.step = step
    try:
        home.start()
        home.settle()
    except Crash:
        home.stop()
        home.step = no_step
        home.start()
        home.settle()
    found = home.verdict()
    assert (found.retired, home.rows(), found.in_lake) == (20, 21, 21)
    home.stop()
    home.start()
    assert orphans(root / "lake", 0.0, time.time()) == []
    home.stop()
    return steps


def test_a_crash_at_any_step_of_the_first_removal_is_finished_by_the_next_start(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("cloud.lake.table.parquet.fsync", lambda _: None)  # its time, not its law
    steps = _killed_at(tmp_path / "whole", -1)
    told = steps.index("retirement told")
    assert steps[told - 2 : told + 3] == [
        "data file written", "data file durable", "retirement told", "committed", "commit durable",
    ]  # fmt: skip
    for at in range(told - 1, told + 5):
        _killed_at(tmp_path / f"crash-{at}", at)


@pytest.mark.campaign
def test_a_crash_at_any_step_of_all_removals_is_finished_by_the_next_start(tmp_path):
    for at in range(1, len(_killed_at(tmp_path / "whole", -1)) + 1):
        _killed_at(tmp_path / f"crash-{at}", at)


def test_a_lake_that_does_not_know_what_it_removed_does_not_open(home):
    home.day(0)
    home.pass_days(12)
    home.stop()
    (path,) = (home.root / "lake" / FOLDER).iterdir()
    whole = path.read_bytes()
    for spoil, cause in ((lambda: path.write_bytes(whole[:-1]), "damaged"), (path.unlink, "there")):
        spoil()
        with pytest.raises(StorageError, match=cause):
            home.start()
        home.stop()
    path.write_bytes(whole)
    home.start()
    home.verdict()


@pytest.mark.parametrize("seed", range(2))
def test_any_days_delays_clocks_and_restarts_leave_what_the_rule_says(home, seed):
    chance = np.random.default_rng(seed)
    sent: list[tuple[int, int, int, int]] = []
    today = 0
    for _ in range(12):
        match chance.integers(5):
            case 0:
                home.stop()
                home.is_quiet = bool(chance.integers(2))
                home.start()
            case 1:
                today += int(chance.integers(1, 9))
                home.pass_days(today)
                sent.append((1, today, 0, 0))
            case _:
                day, late = today - int(chance.integers(30)), int(chance.integers(12))
                quality = int(chance.choice([0, 1, Quality.GATEWAY_UNSYNCED]))
                home.day(day, 6, late=late, quality=quality)
                sent += [(i % 2, day, late, quality) for i in range(6)]
    home.pass_days(today + 5)
    sent.append((1, today + 5, 0, 0))
    left = [
        (metric, day)
        for metric, day, late, quality in sent
        if metric or quality == Quality.GATEWAY_UNSYNCED or day + late + 1 + 10 > today + 5
    ]
    found = home.verdict()
    assert (home.rows(), found.retired) == (len(left), len(sent) - len(left))


def test_history_of_days_whose_readings_left_is_answered_from_the_hours(tmp_path, monkeypatch):
    world = SortWorld(tmp_path / "lake")
    for day in (0, 40):
        world.send("pump", [(OTHER_T0 + day * DAY_US + i * 1_000_000, float(i)) for i in range(30)])
        world.follow()
        world.consolidate()
    asked = Ask((world.id("pump"),), OTHER_T0, OTHER_T0 + DAY_US, points=500)
    assert world.query.history(asked).buckets is None, "they are few: as they were sent"
    now_us = OTHER_T0 + 40 * DAY_US + 29_000_000
    rules = Rules([Rule("all", "*", 10 * DAY_US, 0)])
    world.consolidator._upkeep._retention = Retention(rules, lambda: now_us)
    world.consolidate()
    answer = world.query.history(asked)
    assert answer.buckets is not None
    assert answer.buckets.name == "1h"
    (series,) = answer.series
    assert series.partials.count.tolist() == [30]
    assert series.partials.max.tolist() == [29.0]
    later = Ask(asked.series, OTHER_T0 + 40 * DAY_US, OTHER_T0 + 41 * DAY_US, points=500)
    assert world.query.history(later).buckets is None
    world.reopen()
    assert world.query.history(asked).buckets is not None
    world.close()
