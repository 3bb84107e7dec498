"""Whatever times are sent, a table keeps a bounded number of files, and every answer is exact."""

from pathlib import Path

import numpy as np
import pytest

from cloud.lake import plan as lake_plan
from cloud.lake.table.schema import READINGS, ROLLUPS
from cloud.query.history import Ask
from cloud.query.plan import Resolution
from tests.cloud.lake_world import DAY_US, T0
from tests.cloud.query_world import World, expected, same

DAYS_PER_PASS = 40
FIRST_US = T0 - 2_000 * 365 * DAY_US
LAST_US = T0 + 1_000 * 365 * DAY_US


def _files(world: World) -> dict[str, int]:
    return {name: len(files.files) for name, files in world.live.view.tables.items()}


def _send_stray_days(world: World, count: int) -> None:
    chance = np.random.default_rng(5_000)
    days = chance.integers(FIRST_US // DAY_US, LAST_US // DAY_US, count)
    times = days * DAY_US + chance.integers(0, DAY_US, count)
    for start in range(0, count, DAYS_PER_PASS):
        part = times[start : start + DAYS_PER_PASS].tolist()
        world.send("stray", [(ts, float(start + i)) for i, ts in enumerate(part)])
        world.send("pump", [(T0 + start * 1_000_000, float(start))])
        world.follow()
        world.consolidate()


@pytest.mark.parametrize(
    ("days", "periods_max", "files_max"),
    [
        (240, 40, 80),
        pytest.param(
            5_000,
            lake_plan.SPARSE_PERIODS_MAX,
            lake_plan.SPARSE_FILES_MAX,
            marks=[pytest.mark.campaign, pytest.mark.timeout(1_200)],
        ),
    ],
)
def test_readings_on_random_days_of_three_thousand_years_end_in_a_bounded_number_of_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    periods_max: int,
    files_max: int,
) -> None:
    monkeypatch.setattr(lake_plan, "SPARSE_PERIODS_MAX", periods_max)
    monkeypatch.setattr(lake_plan, "SPARSE_FILES_MAX", files_max)
    monkeypatch.setattr("cloud.lake.table.parquet.fsync", lambda _: None)  # its time, not its law
    world = World(tmp_path / "lake")
    _send_stray_days(world, days)
    for name, count in _files(world).items():
        assert count <= files_max + 4 * lake_plan.MERGE_FILES, name
    assert same(world.raw("stray", FIRST_US, LAST_US), expected(world, "stray", FIRST_US, LAST_US))
    assert same(world.raw("pump", T0, T0 + DAY_US), expected(world, "pump", T0, T0 + DAY_US))
    for spec in ROLLUPS:
        kind = Resolution(spec.name.removeprefix("rollup_"))
        ask = Ask((world.id("stray"),), FIRST_US, LAST_US, points=20_000, resolution=kind)
        (series,) = world.query.history(ask).series
        assert series.partials.count.sum() == days
    world.close()


def test_a_stray_day_is_answered_as_it_was_sent_whichever_period_it_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_plan, "SPARSE_PERIODS_MAX", 16)
    world = World(tmp_path / "lake")
    _send_stray_days(world, 160)
    twice = world.sent["stray"][7][0]
    for value in range(20):  # the same instant again and again, between merges
        world.send("stray", [(twice, float(value))])
        world.send("other", [(T0 - value * 3_000 * DAY_US, 0.0)])
        world.follow()
        world.consolidate()
    day = (twice - twice % DAY_US, twice - twice % DAY_US + DAY_US)
    assert same(world.raw("stray", *day), expected(world, "stray", *day))
    ask = Ask((world.id("stray"),), *day, points=20_000, resolution=Resolution.DAY)
    (series,) = world.query.history(ask).series
    assert series.partials.first.tolist() == [world.sent["stray"][7][1]]
    assert series.partials.last.tolist() == [19.0]
    assert len(world.live.view.tables[READINGS.name].files) <= 16 * lake_plan.MERGE_FILES
    world.close()


def test_a_period_that_was_merged_away_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_plan, "SPARSE_PERIODS_MAX", 16)
    world = World(tmp_path / "lake")
    _send_stray_days(world, 80)
    world.reopen()
    folder = tmp_path / "lake" / READINGS.name
    named = {file.period for file in world.live.view.tables[READINGS.name].files}
    assert {path.name.removeprefix("period=") for path in folder.glob("period=*")} == named
    world.close()
