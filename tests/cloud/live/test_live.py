"""The live view: every row up to the view's offset is in tables or tail, in exactly one."""

import asyncio
import threading
import time
from pathlib import Path

import duckdb
import pytest

from cloud.errors import StorageError
from cloud.lake.consolidator import Batch, Consolidator
from cloud.lake.loop import ConsolidationLoop
from cloud.lake.names import Names
from cloud.live.feed import EVENTS_MAX, EventKind
from cloud.live.live import Live, View
from tests.cloud.lake_world import T0, Gateway, MemoryJournal


def wait_for(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


class World:
    def __init__(self, root: Path) -> None:
        self.journal = MemoryJournal()
        self.gateway = Gateway(self.journal)
        self.open(root)

    def open(self, root: Path) -> None:
        names = Names(self.journal.series)
        self.live = Live(self.journal, names)
        self.consolidator = Consolidator(root, self.journal, names, self.live)
        self.consolidator.recover()

    def send(self, count: int = 5, device: str = "pump") -> None:
        first = T0 + self.gateway.seq * 1000
        ts = [first + i for i in range(count)]
        self.gateway.send(self.gateway.numbers(device, ts, [float(t - T0) for t in ts]))

    def follow(self) -> None:
        while self.live.advance():
            pass


def held(view: View) -> list[int]:
    """Times of all readings in a view, tables and tail."""
    found: list[int] = []
    paths = view.tables["readings"].paths()
    if paths:
        rows = duckdb.connect().execute("SELECT epoch_us(ts) FROM read_parquet(?)", [paths])
        found += [row[0] for row in rows.fetchall()]
    for batch in view.tail:
        if "readings" in batch.tables:
            found += batch.tables["readings"].rows["ts"].cast("int64").to_pylist()
    return found


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.live.stop()
    world.consolidator.close()


def test_a_block_is_in_the_view_before_any_consolidation(world):
    world.send()
    world.follow()
    assert len(held(world.live.view)) == 5
    assert (world.live.view.lake, world.live.view.journal) == (0, 1)


def test_the_seam_between_tables_and_tail_neither_loses_nor_doubles(world):
    for _ in range(10):
        world.send()
        world.follow()
        world.send()
        world.consolidator.run_once()
        found = held(world.live.view)
        assert len(found) == len(set(found)) == 5 * world.live.view.journal
    world.follow()
    assert len(held(world.live.view)) == 100


def test_a_consolidation_that_ends_inside_a_batch_cuts_it_there(world):
    for _ in range(4):
        world.send()
    world.follow()
    assert len(world.live.view.tail) == 1
    world.consolidator._bytes = 1
    world.consolidator.run_once()
    assert (world.live.view.lake, world.live.view.tail[0].start) == (1, 1)
    found = held(world.live.view)
    assert len(found) == len(set(found)) == 20


def test_tables_ahead_of_the_tail_are_not_doubled_by_it(world):
    for _ in range(3):
        world.send()
    while world.consolidator.run_once().more:
        pass
    world.follow()
    assert world.live.view.tail == ()
    assert world.live.book.counts() == (1, 15, 0)


def test_counts_and_latest_are_the_same_after_a_restart(world, tmp_path):
    gateway = world.gateway
    world.send()
    gateway.send(
        gateway.texts("door", [T0 + 7], ["open"]),
        gateway.scores("pump", [T0], [0.0]),
        gateway.numbers("pump", [T0 - 50], [-50.0]),
    )
    while world.consolidator.run_once().more:
        pass
    world.send()
    world.follow()
    before = world.live.book.known()
    world.consolidator.close()
    world.open(tmp_path / "lake")
    world.follow()
    after = world.live.book.known()
    assert world.live.book.counts() == (2, 12, 1)

    def rows(known):
        columns = (known.readings, known.anomalies, known.first_ts, known.last_ts)
        return {
            name.id: (*(c[i] for c in columns), str(known.last_value[i]), known.last_text[i])
            for i, name in enumerate(known.names)
        }

    assert rows(after) == rows(before)


def test_readings_of_one_time_leave_the_last_arrived_as_latest(world):
    for value in (1.0, 2.0, 3.0):
        world.gateway.send(world.gateway.numbers("pump", [T0], [value]))
        world.follow()
    assert world.live.book.known().last_value.tolist() == [3.0]


def test_the_tail_is_bounded_and_goes_on_when_the_tables_have_moved(world):
    world.live._tail_bytes_max = 1
    for _ in range(3):
        world.send()
    world.follow()
    assert world.live.view.journal < 3 or len(world.live.view.tail) == 1
    world.send()
    world.follow()
    assert world.live.view.journal < 4
    while world.consolidator.run_once().more:
        pass
    world.follow()
    assert world.live.view.journal == 4
    assert world.live.book.counts()[1] == 20


def test_a_live_view_left_behind_by_trimming_begins_again_from_the_tables(world):
    world.send()
    world.follow()
    for _ in range(3):
        world.send()
    while world.consolidator.run_once().more:
        pass
    world.journal.trimmed = 3
    world.send()
    world.follow()
    assert world.live.book.counts() == (1, 25, 0)
    assert len(held(world.live.view)) == 25


def test_a_hole_in_the_journal_is_an_error_not_a_shorter_history(world):
    for _ in range(3):
        world.send()
    world.journal.trimmed = 2
    with pytest.raises(StorageError, match="trimmed already"):
        world.follow()


def test_files_of_a_held_view_are_in_use_until_it_is_let_go(world):
    world.send()
    while world.consolidator.run_once().more:
        pass
    view = world.live.view
    paths = set(view.tables["readings"].paths())
    world.send()
    while world.consolidator.run_once().more:
        pass
    world.live.publish(Batch(2, dict.fromkeys(view.tables, _no_files())))
    assert paths <= world.live.in_use()
    del view
    wait_for(lambda: not paths & world.live.in_use())


def _no_files():
    from cloud.lake.table.files import FileList

    return FileList("", -1, ())


def test_while_passes_run_and_blocks_arrive_every_view_is_whole(world):
    world.live.start()
    loop = ConsolidationLoop(world.consolidator, 0.01)
    loop.start()
    stop = threading.Event()
    broken: list[View] = []

    def watch() -> None:
        while not stop.is_set():
            view = world.live.view
            found = held(view)
            if not len(found) == len(set(found)) == 5 * view.journal:
                broken.append(view)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(60):
        world.send()
        time.sleep(0.005)
    assert loop.drain(60, 60)
    wait_for(lambda: world.live.view.journal == 60)
    stop.set()
    watcher.join()
    loop.stop()
    assert not broken
    assert len(held(world.live.view)) == 300


async def test_a_listener_hears_its_series_and_no_other(world):
    world.send(device="pump")
    world.send(device="fan")
    world.follow()
    ids = {name.device: name.id for name in world.live.book.known().names}
    with world.live.feed.listen(frozenset({ids["fan"]})) as listener:
        world.send(device="pump")
        world.send(2, device="fan")
        world.gateway.send(world.gateway.scores("fan", [T0], [1.0]))
        world.follow()
        events = []
        while len(events) < 2:
            events += await listener.take(10)
    assert [event.kind for event in events] == [EventKind.READINGS, EventKind.ANOMALY]
    assert events[0].data["id"] == f"{ids['fan']:016x}"
    assert len(events[0].data["t"]) == 2
    assert events[1].data["model"] == "drift-1"


async def test_a_slow_listener_loses_the_oldest_and_is_told_how_many(world):
    with world.live.feed.listen(None) as listener:
        for _ in range(EVENTS_MAX + 7):
            world.send(1)
            world.live.advance()
        events = await listener.take(10)
    assert (events[0].kind, events[0].data) == (EventKind.LAGGED, {"lost": 7})
    assert len(events) == EVENTS_MAX + 1


async def test_a_closed_feed_wakes_who_waits(world):
    with world.live.feed.listen(None) as listener:
        waiting = asyncio.create_task(listener.take(60))
        await asyncio.sleep(0)
        world.live.feed.close()
        assert await asyncio.wait_for(waiting, 10) == []
        assert listener.closed


def test_a_fault_is_told_and_the_loop_goes_on_when_it_is_gone(world, monkeypatch):
    full = threading.Event()
    full.set()
    real = Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        if full.is_set() and path.name == "attempt.json":
            raise OSError(28, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    loop = ConsolidationLoop(world.consolidator, 0.01)
    world.send()
    loop.start()
    wait_for(lambda: loop.fault is not None)
    assert "No space left" in str(loop.fault)
    full.clear()
    assert loop.drain(1, 30)
    wait_for(lambda: loop.fault is None)
    loop.stop()
    assert loop.faults >= 1
    assert world.journal.marked == 1
