import threading
import time
from concurrent.futures import wait
from typing import Any

import apsw
import numpy as np
import pytest

from edge.chunk import Chunk, Reject
from edge.errors import OperatorError, StorageError
from edge.store.limits import BufferFull, StoreBusy, StoreLimits
from protos.records import Batch, Kind, texts
from protos.series import SeriesKey, make_entry
from tests.edge.conftest import MIB, TIME_0

EMPTY = Batch({})


def until(condition: Any, deadline_s: float = 20.0) -> None:
    """Wait for a condition that another thread brings about."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


def test_a_chunk_is_kept_whole_with_series_marks_rejects_and_counters(world: Any) -> None:
    store = world.open()
    reject = Reject(7, "plant/1", b"\xff\x00", "not a number")
    chunk = world.chunk(
        5, new_series=2, marks=b"m" * 32, rejects=(reject,), counters={"ignored": 3}
    )
    run = store.commit(chunk).result()
    assert (run.first, run.count, len(run.prefix)) == (0, 1, 12)
    store.commit(Chunk(EMPTY, counters={"ignored": 4, "collapsed": 1})).result()
    store.close()
    later = world.open()
    loaded = later.load()
    assert list(loaded.entries) == world.entries
    assert loaded.marks == b"m" * 32
    assert {"ignored": 7, "collapsed": 1}.items() <= loaded.counters.items()
    assert later.rejects(10).result() == [reject]
    assert sorted(world.drained(later)) == sorted(world.values_of(chunk.batch))


def test_chunk_ids_go_on_in_an_opening_and_change_their_prefix_with_it(world: Any) -> None:
    store = world.open()
    runs = [store.commit(world.chunk()).result() for _ in range(3)]
    assert [(run.prefix, run.first) for run in runs] == [(runs[0].prefix, n) for n in range(3)]
    store.close()
    other = world.open().commit(world.chunk()).result()
    assert other.prefix != runs[0].prefix
    assert other.first == 0


def test_waiting_chunks_share_a_transaction(world: Any) -> None:
    store = world.open()
    gate = threading.Event()
    store._call(gate.wait)  # holds the writer while chunks pile up
    futures = [store.commit(world.chunk()) for _ in range(20)]
    gate.set()
    assert len({future.result().first for future in futures}) == 20
    assert store.stats().result().commits == 1


def test_an_empty_chunk_has_an_empty_run_and_seals_to_nothing(world: Any) -> None:
    store = world.open()
    assert store.commit(Chunk(EMPTY, marks=b"x" * 16)).result().count == 0
    store.begin_epoch(1, ()).result()
    assert store.seal_next(bytes_target=1000, mono_us=0, wall_us=0).result() is None
    assert store.load().entries == ()


def test_nothing_is_sealed_before_the_cloud_granted_an_epoch(world: Any) -> None:
    store = world.open()
    store.commit(world.chunk()).result()
    assert store.seal_next(bytes_target=1000, mono_us=0, wall_us=0).result() is None
    assert store.begin_epoch(5, ()).result().unsealed_rows == 20
    block = store.seal_next(bytes_target=1000, mono_us=3, wall_us=4).result()
    header = block.header
    assert (header.gateway, header.epoch, header.seq) == ("gw-1", 5, 1)
    assert (header.sealed_mono_us, header.sealed_wall_us, header.boot_id) == (3, 4, b"boot" * 4)


def test_one_long_text_said_in_many_chunks_makes_blocks_that_are_small_written_out(
    world: Any,
) -> None:
    store = world.open()
    entry = world.entry()
    word = "x" * 4096
    for n in range(30):
        times = TIME_0 + 100 * n + np.arange(100)
        rows = texts(np.full(100, entry.entry), times, [word] * 100, 0, times)
        store.commit(Chunk(rows, () if n else (entry,))).result()
    blocks = world.drain(store)
    said = [block.header.rows[Kind.TEXTS] for block in blocks]
    assert sum(said) == 3000
    assert max(said) * len(word) <= 4 * MIB, "a few bytes sealed, yet each is read as its length"
    assert len(said) == 3


def test_many_small_chunks_make_full_blocks(world: Any) -> None:
    store = world.open(queue_commits_max=2000)
    wait([store.commit(world.chunk(4)) for _ in range(2000)])
    blocks = world.drain(store)
    sizes = [len(block.data) for block in blocks]
    chunks = [sum(run.count for run in block.header.chunks) for block in blocks]
    assert chunks[1:-1] == [512] * (len(blocks) - 2), "bounded, so that commits do not wait long"
    assert all(10_000 < size < 140_000 for size in sizes[1:-1]), sizes


def test_an_epoch_only_rises(world: Any) -> None:
    store = world.open()
    store.begin_epoch(4, ()).result()
    for epoch in (4, 3, 0):
        with pytest.raises(ValueError, match="does not follow"):
            store.begin_epoch(epoch, ()).result()
    assert store.sync_state().result().epoch == 4


def test_blocks_of_a_closed_epoch_stay_until_the_new_one_is_archived(world: Any) -> None:
    store = world.open()
    store.commit(world.chunk()).result()
    assert len(world.drain(store)) == 1
    store.mark(1, 0).result()
    store.begin_epoch(2, ()).result()
    assert store.stats().result().blocks == 1
    store.commit(world.chunk()).result()
    assert [b.header.seq for b in world.drain(store)] == [1]
    store.mark(1, 0).result()
    assert store.stats().result().blocks == 2
    store.mark(1, 1).result()
    until(lambda: store.stats().result().blocks == 0)


def test_acks_may_fall_when_the_cloud_lost_its_journal(world: Any) -> None:
    store = world.open()
    for _ in range(3):
        store.commit(world.chunk(200)).result()
        store.begin_epoch(1, ()).result() if not store.sync_state().result().epoch else None
        store.seal_next(bytes_target=1, mono_us=0, wall_us=0).result()
    store.mark(3, 1, 1).result()
    store.mark(2, 1, 2).result()
    state = store.sync_state().result()
    assert (state.stored, state.archived, state.generation, state.oldest_kept) == (2, 1, 2, 2)
    store.mark(99, 99, 0).result()
    state = store.sync_state().result()
    assert (state.stored, state.archived, state.generation) == (3, 3, 2), "not above head"


def test_marks_are_kept_up_to_their_bound_newest_last(world: Any) -> None:
    store = world.open(dedup_messages_max=10)
    for n in range(9):
        store.commit(Chunk(EMPTY, marks=bytes([n]) * 16 * 3)).result()
    store.close()
    marks = world.open().load().marks
    assert marks == b"".join(bytes([n]) * 16 * 3 for n in range(5, 9)), "12: whole chunks"


def test_rejects_are_bounded_by_number_and_bytes_and_their_leaving_is_counted(world: Any) -> None:
    store = world.open(rejects_max=5, reject_bytes_max=400)
    small = [Reject(n, "t", b"x", "bad") for n in range(8)]
    store.commit(Chunk(EMPTY, rejects=tuple(small))).result()
    assert store.rejects(99).result() == small[:2:-1]
    big = Reject(9, "t", b"y" * 350, "bad")
    store.commit(Chunk(EMPTY, rejects=(big,))).result()
    assert store.rejects(99).result()[0] == big
    kept = store.stats().result()
    assert kept.counters["rejects_kept"] == 9
    assert kept.counters["rejects_evicted"] == 9 - kept.rejects


def test_entries_are_given_in_pieces(world: Any) -> None:
    store = world.open()
    store.commit(world.chunk(new_series=7)).result()
    assert store.entries_from(1, 3).result() == world.entries[:3]
    assert store.entries_from(6, 9).result() == world.entries[5:]
    assert store.entries_from(8, 9).result() == []


def test_a_hole_in_the_series_table_is_the_callers_fault_and_nothing_is_kept(world: Any) -> None:
    store = world.open()
    hole = make_entry(2, 1, SeriesKey("a", "b"), bytes(16))
    with pytest.raises(ValueError, match="series table ends at 0"):
        store.commit(Chunk(EMPTY, (hole,))).result()
    chunk = world.chunk(3)
    with pytest.raises(ValueError, match="names series up to 1"):
        store.commit(Chunk(chunk.batch)).result()
    store.commit(chunk).result()
    assert store.stats().result().unsealed_rows == 3


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk(EMPTY, marks=b"short"),
        Chunk(EMPTY, counters={"Not a word": 1}),
        Chunk(EMPTY, rejects=(Reject(0, "t", bytes(1 << 20), "too big"),)),
    ],
)
def test_a_malformed_chunk_is_refused_before_it_is_queued(world: Any, chunk: Chunk) -> None:
    with pytest.raises(ValueError, match=r"marks|counter|split it"):
        world.open().commit(chunk)


def test_a_full_queue_blocks_a_commit_until_its_deadline_and_a_call_not_at_all(world: Any) -> None:
    store = world.open(queue_commits_max=1, queue_calls_max=1, queue_wait_s=0.05)
    gate = threading.Event()
    store._call(gate.wait)
    until(lambda: not store._writer.queue._jobs)
    store.sync_state()
    first = store.commit(world.chunk())
    with pytest.raises(StoreBusy, match="queue is full"):
        store.commit(Chunk(EMPTY)).result(1)
    with pytest.raises(StoreBusy):
        store.sync_state().result(1)
    gate.set()
    assert first.result().count == 1


def test_a_cancelled_commit_that_has_not_begun_leaves_nothing(world: Any) -> None:
    store = world.open()
    gate = threading.Event()
    store._call(gate.wait)
    future = store.commit(Chunk(EMPTY, counters={"ignored": 1}))
    assert future.cancel()
    gate.set()
    assert "ignored" not in store.stats().result().counters


def test_closing_finishes_what_is_queued_and_refuses_what_comes(world: Any) -> None:
    store = world.open()
    futures = [store.commit(world.chunk()) for _ in range(10)]
    store.close()
    assert all(future.result().count == 1 for future in futures)
    with pytest.raises(StorageError, match="it is closed"):
        store.commit(Chunk(EMPTY)).result()


def test_two_agents_cannot_have_one_buffer(world: Any) -> None:
    world.open()
    with pytest.raises(StorageError, match="stop that one first"):
        world.open()


def test_a_wrong_key_is_one_clear_error_with_the_way_out(world: Any) -> None:
    store = world.open()
    store.commit(world.chunk()).result()
    store.close()
    right = world.keys.path.read_text()
    world.keys.path.write_text("ab" * 32)
    with pytest.raises(StorageError, match=r"sealed with another key.*bring back the key"):
        world.open()
    world.keys.path.write_text(right)
    world.gateway = "gw-2"
    with pytest.raises(StorageError, match="of another gateway"):
        world.open()
    world.gateway = "gw-1"
    assert len(world.drained(world.open())) == 20


def test_without_a_key_no_file_is_made(world: Any) -> None:
    world.keys.path.unlink()
    with pytest.raises(OperatorError, match="tidegate-edge init"):
        world.open()
    assert not world.path.exists()


def test_the_file_is_as_durable_as_was_promised(world: Any) -> None:
    store = world.open()
    file = store._buffer._file
    asked = {name: file._db.pragma(name) for name in ("journal_mode", "synchronous", "auto_vacuum")}
    assert asked == {"journal_mode": "wal", "synchronous": 2, "auto_vacuum": 2}
    assert file._db.pragma("max_page_count") == StoreLimits(bytes_max=64 << 20).pages_max
    assert not world.path.with_name("buffer.db-shm").exists(), "locked for one process"
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


def test_no_limits_contradict_each_other() -> None:
    for size in (1 << 20, 16 << 20, 1 << 29, 1 << 40):
        limits = StoreLimits(bytes_max=size)
        assert limits.chunk_bytes_max <= limits.group_bytes_max
        assert limits.pages_max * 4096 + limits.wal_bytes_max <= size
        assert 0 < limits.chunk_pages_max < limits.pages_max
    for wrong in ({"bytes_max": 1000}, {"rejects_max": -1}, {"queue_commits_max": 0},
                  {"queue_bytes_max": 10}):  # fmt: skip
        with pytest.raises(ValueError, match=r"max|queue|negative"):
            StoreLimits(**wrong)
    assert issubclass(BufferFull, StorageError)
