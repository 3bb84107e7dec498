"""A day that is in one order, but not as small as it could be, is written anew, once."""

from pathlib import Path

import pytest

from cloud.lake import made as lake_made
from cloud.lake import plan as lake_plan
from cloud.lake import sort_plan as lake_sort_plan
from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.lake.sort_plan import pick, runs_of
from cloud.lake.sorter import Sorter
from cloud.lake.table import growing
from cloud.lake.table.files import DataFile
from cloud.lake.table.schema import READINGS
from cloud.lake.upkeep import Upkeep
from tests.cloud.lake.sort_world import QUIET_S, SortWorld, check_sorted, small
from tests.cloud.lake.test_groups import GATEWAYS, SENT, said, sent
from tests.cloud.lake.test_sort import check_answers, fill
from tests.cloud.lake.test_sort_plan import runs
from tests.cloud.lake_runs import Crash, World, check_whole

ROWS_MIN = 10


@pytest.fixture(autouse=True)
def loose(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    monkeypatch.setattr(lake_sort_plan, "LOOSE_ROWS_MIN", ROWS_MIN)


@pytest.fixture
def world(tmp_path: Path):
    made = SortWorld(tmp_path / "lake")
    yield made
    made.close()


def test_a_day_of_a_single_pass_is_written_anew_once(world):
    fill(world, passes=1)
    world.consolidate()
    assert world.sorter.progress.unsorted == 1
    world.quiet()
    check_sorted(world)
    check_answers(world)
    assert all(file.is_sorted for file in world.files())
    assert world.sorter.progress.unsorted == 0
    before = world.paths()
    world.quiet()
    assert world.paths() == before


def test_a_day_that_grows_is_not_written_anew(world):
    fill(world, passes=1)
    world.now_s += QUIET_S / 2
    world.consolidate()
    assert not any(file.is_sorted for file in world.files())


def test_a_few_rows_are_not_worth_it(world):
    world.send("a", [(1_700_000_000_000_000 + at, 1.0) for at in range(ROWS_MIN - 1)])
    world.follow()
    world.consolidate()
    assert world.sorter.progress.unsorted == 0
    world.quiet()
    assert not any(file.is_sorted for file in world.files())


def test_it_is_done_in_slices_and_counted(world, monkeypatch):
    monkeypatch.setattr("cloud.lake.sort.BYTES_HELD", 600)
    fill(world, passes=1)
    world.sorter._rows_a_slice = 5
    world.consolidate()
    world.now_s += QUIET_S
    done = []
    while (passed := world.consolidator.run_once()).is_upkeep_behind:
        done.append(passed.sorting.done)
        assert passed.sorting.rows == 16
    assert done == sorted(set(done))
    assert len(done) > 1
    check_sorted(world)
    check_answers(world)


def test_without_room_it_waits_and_tells(world, caplog):
    fill(world, passes=1)
    world.free = (256 << 20) + 1
    world.quiet()
    assert world.sorter.progress.waits_for_bytes > 0
    assert "lacks" in caplog.text
    world.free = 1 << 40
    world.quiet()
    assert all(file.is_sorted for file in world.files())


def test_of_a_quiet_period_a_single_run_is_picked_unless_sorting_wrote_it():
    (run,) = runs(ROWS_MIN)
    assert pick([run], 1 << 40, is_quiet=True) == (run,)
    assert pick([run], 1 << 40, is_quiet=False) == ()
    assert pick([run], run.bytes - 1, is_quiet=True) == ()
    name = "period=2023-11-15/sorted7.7.0-0-1.parquet"
    dense = runs_of([DataFile(name, "2023-11-15", ROWS_MIN, 9, 0, 1, 0, 1, None)])
    assert pick(dense["2023-11-15"], 1 << 40, is_quiet=True) == ()


class Large(World):
    """Large passes, whose files are written anew as soon as nothing comes."""

    has_floors = True

    def start(self) -> Consolidator:
        self.now_s = 0.0
        sorter = Sorter(
            quiet_s=1.0, rows_a_slice=20, clock=lambda: self.now_s, free=lambda _: 1 << 40
        )
        self.consolidator = Consolidator(
            self.root,
            self.journal,
            Names(self.journal.series),
            self.viewer,
            upkeep=Upkeep(sorter),
            rows_at_once=20,
            step=self.step,
        )
        self.consolidator.recover()
        return self.consolidator

    def story(self) -> None:
        """All there is in one pass, and then it is quiet."""
        consolidator = self.consolidator or self.start()
        self.drain()
        self.now_s += 2.0
        while consolidator.run_once().is_upkeep_behind:
            pass

    def files(self) -> tuple[DataFile, ...]:
        assert self.viewer.batch is not None
        return self.viewer.batch.tables[READINGS.name].files


def test_a_crash_while_a_large_pass_is_written_anew_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_made, "HELD_ROWS_MAX", 1)
    monkeypatch.setattr(lake_plan, "DENSE_ROWS", 1)
    monkeypatch.setattr(growing, "DENSE_GROUP", 5)
    dry = Large(tmp_path / "dry")
    sent(dry)
    dry.drain()
    begun = len(dry.steps)
    assert len(dry.files()) == len(GATEWAYS)
    dry.story()
    assert all(file.is_sorted for file in dry.files())
    dry.kill()
    whole = said(dry)
    for step in range(begun, len(dry.steps)):
        world = Large(tmp_path / f"crash-{step}")
        world.crash_at = step + 1
        sent(world)
        with pytest.raises(Crash):
            world.story()
        world.kill()
        world.crash_at, world.consolidator = -1, None
        world.story()
        assert all(file.is_sorted for file in world.files())
        world.kill()
        world.start()  # which removes what nobody needs
        check_whole(world, SENT)
        assert said(world) == whole
        world.kill()
