"""Periods end in files that do not overlap, every answer as before, whatever comes between."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cloud.lake.sorter import PATIENCE_S
from cloud.lake.table.parquet import SyncFailedError
from cloud.lake.table.schema import READINGS
from cloud.query.history import Ask
from cloud.query.plan import Resolution
from tests.cloud.lake.sort_world import QUIET_S, SortWorld, check_sorted, keys_in, small
from tests.cloud.lake_world import DAY_US, T0
from tests.cloud.query_world import expected, same

DEVICES = ("a", "b", "c", "d")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small(monkeypatch)
    made = SortWorld(tmp_path / "lake")
    yield made
    made.close()


def fill(world: SortWorld, passes: int = 5, rows: int = 4, devices=DEVICES, day: int = 0) -> None:
    """Passes that each hold some of every device, in one day."""
    first = max((len(sent) for sent in world.sent.values()), default=0)
    for number in range(passes):
        for device in devices:
            at = T0 + day * DAY_US + (first + number * rows) * 1_000_000
            world.send(device, [(at + i * 1_000_000, float(i)) for i in range(rows)])
        world.follow()
        world.consolidate()


def check_answers(world: SortWorld) -> None:
    for device in world.sent:
        asked = (device, T0 - 400 * DAY_US, T0 + 400 * DAY_US)
        assert same(world.raw(*asked), expected(world, *asked))


def buckets(world: SortWorld, device: str, points: int = 500) -> list[tuple[float, ...]]:
    """First and last of each bucket that is made from readings."""
    ask = Ask((world.id(device),), T0 - DAY_US, T0 + DAY_US, points, Resolution.MINUTE)
    (series,) = world.query.history(ask).series
    found = series.partials
    return list(zip(found.bucket, found.count, found.first, found.last, strict=True))


def test_a_quiet_day_ends_in_files_that_do_not_overlap(world):
    fill(world)
    assert len(world.files()) == 5
    world.quiet()
    check_sorted(world)
    assert max(file.rows for file in world.files()) <= 12
    assert len(world.files()) <= 80 // 8
    assert world.sorter.progress.unsorted == 0
    check_answers(world)


def test_a_series_of_a_day_lies_in_one_file_unless_it_is_longer_than_one(world):
    fill(world, passes=2)
    world.quiet()
    for device in DEVICES:
        name = next(n for n in world.live.book.known().names if n.device == device)
        files = world.live.view.tables[READINGS.name].pick(T0, T0 + DAY_US, ("gw-1", device))
        holding = [path for path in files if any(key[1] == device for key in keys_in(Path(path)))]
        assert len(holding) == 1, name


def test_a_day_that_still_grows_is_not_sorted(world):
    for _ in range(4):
        fill(world, passes=1)
        world.now_s += QUIET_S / 2
        world.consolidate()
    assert world.sorter.progress.unsorted == 1
    assert not any(file.run for file in world.files())


def test_a_day_into_which_something_always_comes_is_sorted_in_the_end(world):
    while world.now_s <= PATIENCE_S:
        fill(world, passes=1, rows=1, devices=("a",))
        world.now_s += PATIENCE_S / 6
        world.sorter._quiet_s = PATIENCE_S
    world.consolidate()
    assert any(file.run for file in world.files())


def test_late_data_rewrites_only_the_files_that_it_falls_into(world):
    fill(world)
    world.quiet()
    before = set(world.paths())
    world.send("c", [(T0 + 7, 1.0), (T0 + 3_500_000, 2.0)])
    world.follow()
    world.consolidate()
    world.quiet()
    check_sorted(world)
    check_answers(world)
    kept = before & set(world.paths())
    assert len(kept) >= len(before) // 2
    assert len({file.run for file in world.files()}) == 1


def test_a_series_that_was_never_there_finds_its_place_between_files(world):
    fill(world, devices=("b", "d"))
    world.quiet()
    for device in ("a", "c", "e"):
        world.send(device, [(T0 + 7, 1.0)])
        world.follow()
        world.consolidate()
        world.quiet()
        check_sorted(world)
    check_answers(world)


def test_readings_of_one_time_keep_the_order_in_which_they_came(world):
    for value in range(10):
        world.send("a", [(T0, float(value)), (T0, value + 0.5)])
        world.send("b", [(T0 + value, float(value))])
        world.follow()
        world.consolidate()
    before = buckets(world, "a")
    world.quiet()
    check_sorted(world)
    check_answers(world)
    assert buckets(world, "a") == before
    assert before[0][2:] == (0.0, 9.5)


def test_a_day_is_sorted_in_slices_between_which_passes_go_on(world, monkeypatch):
    monkeypatch.setattr("cloud.lake.sort.BYTES_HELD", 600)
    fill(world)
    world.sorter._rows_a_slice = 10
    world.consolidate()
    world.now_s += QUIET_S
    done = [0]
    while (passed := world.consolidator.run_once()).is_upkeep_behind:
        assert passed.sorting.period == "2023-11-15"
        assert done[-1] < passed.sorting.done < passed.sorting.rows == 80
        done.append(passed.sorting.done)
        world.send("a", [(T0 + 900_000_000 + len(done), 1.0)])
        world.follow()
    assert len(done) > 3
    world.quiet()
    check_sorted(world)
    check_answers(world)


def test_without_room_for_the_new_files_nothing_is_sorted_and_it_is_told(world, caplog):
    fill(world)
    world.free = (256 << 20) + 1
    world.quiet()
    assert world.sorter.progress.waits_for_bytes > 0
    assert "lacks" in caplog.text
    assert not any(file.run for file in world.files())
    world.free = 1 << 40
    world.quiet()
    check_sorted(world)


def test_a_disk_that_fills_meanwhile_ends_the_sorting_and_gets_its_room_back(world):
    fill(world)
    world.sorter._rows_a_slice = 30
    world.consolidate()
    world.now_s += QUIET_S
    assert world.consolidator.run_once().is_upkeep_behind
    world.free = 0
    world.consolidator.run_once()
    folder = world.root / READINGS.name
    assert {str(p.relative_to(folder)) for p in folder.glob("period=*/*")} == set(world.paths())
    check_answers(world)


def test_a_write_that_fails_leaves_consolidation_running(world, monkeypatch):
    fill(world)
    world.consolidate()
    world.now_s += QUIET_S

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cloud.lake.table.growing.settle", full)
        world.quiet()
    assert not any(file.run for file in world.files())
    fill(world, passes=1)
    check_answers(world)


def test_an_fsync_that_fails_is_the_end_also_while_sorting(world, monkeypatch):
    fill(world)
    world.consolidate()
    world.now_s += QUIET_S

    def refuse(path, *_):
        raise SyncFailedError(f"bring {path} to the disk", "it failed")

    monkeypatch.setattr("cloud.lake.table.growing.settle", refuse)
    with pytest.raises(SyncFailedError):
        world.consolidator.run_once()


def test_more_readings_of_one_time_than_memory_holds_stay_as_they_are(world, monkeypatch):
    monkeypatch.setattr("cloud.lake.sort.PLACE_BYTES_MAX", 600)
    for _ in range(4):
        world.send("a", [(T0, 1.0)] * 40)
        world.follow()
        world.consolidate()
    world.quiet()
    assert not any(file.run for file in world.files())
    assert not world.consolidator.run_once().is_upkeep_behind
    check_answers(world)


def test_whole_milliseconds_stay_milliseconds_and_others_make_the_day_microseconds(world):
    fill(world)
    world.quiet()
    unit = {str(pq.read_schema(path).field("ts").type) for path in _absolute(world)}
    assert unit == {"timestamp[ms, tz=UTC]"}
    world.send("a", [(T0 + 1, 1.0)])
    world.send("d", [(T0 + 1, 1.0)])
    world.follow()
    world.consolidate()
    world.quiet()
    unit = {str(pq.read_schema(path).field("ts").type) for path in _absolute(world)}
    assert unit == {"timestamp[us, tz=UTC]"}
    check_answers(world)


def _absolute(world: SortWorld) -> list[str]:
    return world.live.view.tables[READINGS.name].paths()


def test_a_page_that_is_damaged_is_told_and_no_day_is_made_of_it(world, caplog):
    fill(world)
    path = Path(_absolute(world)[2])
    data = bytearray(path.read_bytes())
    data[200:260] = bytes(60)
    path.write_bytes(data)
    world.quiet()
    assert not any(file.run for file in world.files())
    assert "stay as they are" in caplog.text
