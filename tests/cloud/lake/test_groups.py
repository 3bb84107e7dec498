"""Large passes: gateways in groups, files that do not overlap, all of it whole through a crash."""

from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.lake import made as lake_made
from cloud.lake import plan as lake_plan
from cloud.lake.consolidator import Consolidator
from cloud.lake.embedded import within_rows
from cloud.lake.floors import FloorKeeper
from cloud.lake.groups import in_groups
from cloud.lake.names import Names
from cloud.lake.sort_plan import runs_of
from cloud.lake.table.schema import READINGS
from tests.cloud.lake_runs import Crash, World, check_whole, fill
from tests.cloud.lake_world import Gateway, MemoryJournal

GATEWAYS = ("gw-2", "gw-1", "gw-10", "gw-3")
SENT = 7 * 2 * len(GATEWAYS)


class Large(World):
    """Passes of all there is, of which few rows are in memory at once."""

    rows_at_once = 20

    def start(self) -> Consolidator:
        self.consolidator = Consolidator(
            self.root,
            self.journal,
            Names(self.journal.series),
            self.viewer,
            rows_at_once=self.rows_at_once,
            step=self.step,
            floors=FloorKeeper(self.root, self.journal) if self.has_floors else None,
        )
        self.consolidator.recover()
        return self.consolidator


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_made, "HELD_ROWS_MAX", 1)
    monkeypatch.setattr(lake_plan, "DENSE_ROWS", 1)


def sent(world: World) -> None:
    """Two blocks of each gateway, in turn."""
    gateways = [Gateway(world.journal, name) for name in GATEWAYS]
    for _ in range(2):
        for gateway in gateways:
            fill(world, 1, gateway)


def said(world: World) -> list[object]:
    """Readings, and what hours and days say of them."""
    rolled = "series, ts, count, sum, min::text, max::text, first_ts, last_ts"
    return [world.readings(), *(world.rows(name, rolled) for name in ("rollup_1h", "rollup_1d"))]


def test_a_large_pass_makes_files_that_do_not_overlap_in_one_commit(tmp_path: Path) -> None:
    world = Large(tmp_path)
    sent(world)
    consolidator = world.start()
    assert not consolidator.run_once().more
    check_whole(world, SENT)
    assert world.viewer.batch is not None
    files = world.viewer.batch.tables[READINGS.name]
    assert files.version == 1
    assert len(files.files) == len(GATEWAYS)
    (runs,) = runs_of(files.files).values()
    (run,) = runs
    bounds = sorted(file.devices for file in run.files if file.devices is not None)
    assert all(one[1] < other[0] for one, other in pairwise(bounds))
    world.kill()


def test_parts_that_are_small_may_be_merged_with_their_neighbours(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lake_plan, "DENSE_ROWS", 1000)
    monkeypatch.setattr(lake_plan, "MERGE_FILES", len(GATEWAYS))
    world = Large(tmp_path)
    sent(world)
    world.drain()
    assert world.viewer.batch is not None
    assert len(world.viewer.batch.tables[READINGS.name].files) == 1
    world.kill()
    world.start()
    check_whole(world, SENT)
    world.kill()


@pytest.mark.parametrize("has_floors", [False, True], ids=["journal alone", "floors"])
def test_a_crash_at_any_step_of_a_large_pass_loses_and_doubles_nothing(
    tmp_path: Path, has_floors: bool
) -> None:
    dry = Large(tmp_path / "dry")
    dry.has_floors = has_floors
    sent(dry)
    dry.drain()
    dry.kill()
    whole = said(dry)
    steps = {dry.steps.index(name) for name in dry.steps} | {*range(0, len(dry.steps), 25)}
    for step in sorted(steps):
        world = Large(tmp_path / f"crash-{step}")
        world.has_floors, world.crash_at = has_floors, step + 1
        sent(world)
        with pytest.raises(Crash):
            world.drain()
        if world.consolidator is not None:
            world.kill()
        world.crash_at, world.consolidator = -1, None
        world.drain()
        world.kill()
        world.start()  # which removes what nobody needs
        check_whole(world, SENT)
        assert said(world) == whole
        world.kill()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_groups_hold_the_first_blocks_each_once_and_no_gateway_is_in_two(sizes):
    journal = MemoryJournal()
    gateways = {name: Gateway(journal, name) for name in "abcd"}
    for name, rows in sizes:
        gateway = gateways[name]
        gateway.send(gateway.numbers("pump", [*range(rows)], [1.0] * rows))
    groups, count = in_groups(journal.entries, 20)
    taken = journal.entries[:count]
    assert sorted((one for group in groups for one in group), key=lambda one: one.offset) == taken
    names = [sorted({one.gateway for one in group}) for group in groups]
    assert list(chain.from_iterable(names)) == sorted({one.gateway for one in taken})
    rows_of = [len(within_rows(group, 20)) == len(group) for group in groups]
    assert all(rows_of)
    assert count >= len(within_rows(journal.entries, 20))
