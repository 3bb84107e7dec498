"""A process that dies while a day is sorted: tables readable, each row once, nothing left over."""

from pathlib import Path

import pytest

from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.lake.sorter import Sorter
from cloud.lake.table.schema import READINGS
from cloud.lake.upkeep import Upkeep
from tests.cloud.lake.sort_world import small
from tests.cloud.lake_runs import Crash, World, check_whole, fill

READINGS_SENT = 7 * 4


class Sorted(World):
    """Passes of one block, and a day that is quiet as soon as nothing comes."""

    def start(self) -> Consolidator:
        self.now_s = 0.0
        sorter = Sorter(
            quiet_s=1.0, rows_a_slice=5, clock=lambda: self.now_s, free=lambda _: 1 << 40
        )
        self.consolidator = Consolidator(
            self.root,
            self.journal,
            Names(self.journal.series),
            self.viewer,
            upkeep=Upkeep(sorter),
            bytes_per_pass=1,
            step=self.step,
        )
        self.consolidator.recover()
        return self.consolidator

    def story(self) -> None:
        """Four blocks, in two sortings, of which the second has files of the first; restartable."""
        consolidator = self.consolidator or self.start()
        for head in (3, 4):
            if self.journal.head() < head:
                fill(self, head - self.journal.head())
            self.drain()
            self.now_s += 2.0
            while consolidator.run_once().is_upkeep_behind:
                pass

    def sorted_files(self) -> list[int]:
        assert self.viewer.batch is not None
        return [file.run for file in self.viewer.batch.tables[READINGS.name].files]


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    small(monkeypatch, 5)
    monkeypatch.setattr("cloud.lake.sort.BYTES_HELD", 100)
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 4)
    dry = Sorted(tmp_path / "dry")
    dry.story()
    runs = dry.sorted_files()
    assert all(runs)
    assert len(runs) > 3
    dry.kill()
    return dry.steps


def _crash_and_go_on(world: Sorted, crash_at: int) -> None:
    world.crash_at = crash_at
    while True:
        try:
            world.story()
            break
        except Crash:
            world.journal.trimmed = world.journal.marked  # archived is gone from the journal
            world.kill()
            world.consolidator = None
    world.kill()
    world.start()
    check_whole(world, READINGS_SENT)
    assert all(world.sorted_files())
    world.kill()


def test_a_crash_in_a_sorting_loses_and_doubles_nothing_and_leaves_no_file(tmp_path, steps):
    for step in range(len(steps) - 14, len(steps), 2):
        _crash_and_go_on(Sorted(tmp_path / f"crash-{step}"), step + 1)


@pytest.mark.campaign
def test_a_crash_at_any_step_with_sorting_loses_and_doubles_nothing(tmp_path, steps):
    for step in range(len(steps)):
        _crash_and_go_on(Sorted(tmp_path / f"crash-{step}"), step + 1)
