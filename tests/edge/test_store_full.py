import os
import random
import threading
import time
from typing import Any

import apsw
import pytest

from edge.chunk import Chunk
from edge.errors import StorageError
from edge.store.file import BufferFile
from edge.store.limits import BufferFull
from protos.records import Batch, texts

MIB = 1 << 20


def until(condition: Any, deadline_s: float = 20.0) -> None:
    """Wait for a condition that another thread brings about."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


def noise(world: Any, size: int) -> Chunk:
    """A chunk of text that does not compress."""
    words = [world.random.randbytes(1000).hex() for _ in range(size // 1000)]
    new = () if world.entries else (world.entry(),)
    first = world.told
    world.told += len(words)
    return Chunk(texts([1] * len(words), [first + n for n in range(len(words))], words, 0, 0), new)


def fill(world: Any, store: Any, size: int = 20_000) -> int:
    """Commit until it is full; the number of rows that were kept."""
    kept = 0
    while True:
        chunk = noise(world, size)
        try:
            store.commit(chunk).result()
        except BufferFull:
            return kept
        kept += chunk.batch.rows


def disk_bytes(world: Any) -> int:
    return sum(p.stat().st_size for p in world.folder.iterdir() if p.name.startswith("buffer.db"))


def test_a_full_buffer_refuses_stays_in_its_bound_and_recovers_without_a_restart(
    world: Any,
) -> None:
    """Pain 4: the buffer filled and never recovered without a restart."""
    store = world.open(bytes_max=4 * MIB)
    rows = fill(world, store)
    assert disk_bytes(world) <= 4 * MIB
    with pytest.raises(BufferFull, match=r"bytes_max is reached.*goes on by itself"):
        store.commit(noise(world, 20_000)).result()
    assert store.stats().result().refused >= 2
    for _ in range(3):
        store.commit(Chunk(Batch({}), counters={"ignored": 1})).result()  # small things still fit
    blocks = world.drain(store)  # numbering blocks takes room too, and has it
    assert sum(sum(block.header.rows.values()) for block in blocks) == rows
    half = len(blocks) // 2
    store.mark(half, half).result()
    until(lambda: store.stats().result().blocks == len(blocks) - half)
    again = fill(world, store)
    assert rows * 0.3 < again < rows * 0.7, "as much as was let go"
    assert disk_bytes(world) <= 4 * MIB


def test_space_returns_to_the_disk_when_all_is_archived(world: Any) -> None:
    """Pain 3: disk not given back after delivery."""
    store = world.open(bytes_max=8 * MIB)
    fill(world, store)
    full = store.stats().result().file_bytes
    head = len(world.drain(store))
    store.mark(head, head).result()
    until(lambda: store.stats().result().free_bytes < full // 16)
    store.close()
    assert world.path.stat().st_size < full // 8
    assert world.open().sync_state().result().head == head


def test_a_slice_of_giving_back_frees_all_its_pages_not_one(world: Any) -> None:
    store = world.open(bytes_max=8 * MIB)
    fill(world, store)
    store.close()
    file = BufferFile(world.path, store._limits)
    with file.transaction():
        file.write("DELETE FROM chunks")
    before = file.free_pages
    assert file.give_back()
    assert before - file.free_pages == 128
    file.close()


def test_a_full_buffer_has_room_to_number_many_blocks(world: Any) -> None:
    store = world.open(bytes_max=4 * MIB)
    fill(world, store, 1000)
    store.begin_epoch(1, ()).result()
    for seq in range(1, 200):
        block = store.seal_next(bytes_target=1, mono_us=0, wall_us=0).result()
        assert block.header.seq == seq


def test_the_log_stays_bounded_whatever_is_written(world: Any) -> None:
    store = world.open(bytes_max=4 * MIB)
    largest = 0
    for _ in range(30):
        for _ in range(20):
            store.commit(noise(world, 5000))
        world.drain(store)
        head = store.sync_state().result().head
        largest = max(largest, store.stats().result().wal_bytes)
        store.mark(head, head).result()
    assert 0 < largest <= MIB


def test_chunks_behind_a_refused_one_wait_for_the_series_it_brings(world: Any) -> None:
    store = world.open(bytes_max=4 * MIB)
    fill(world, store)
    bringing = noise(world, 20_000)
    entry = world.entry()
    bringing = Chunk(bringing.batch, (entry,))
    leaning = Chunk(texts([entry.entry], [5], ["small enough to fit"], 0, 0))
    following = Chunk(Batch({}), (world.entry(),))
    for chunk in (bringing, leaning, following):
        with pytest.raises(BufferFull):
            store.commit(chunk).result()
    head = len(world.drain(store))
    store.mark(head, head).result()
    until(lambda: store.stats().result().blocks == 0)
    for chunk in (bringing, leaning, following):
        store.commit(chunk).result()
    assert store.sync_state().result().series_high == 3


class Disk(apsw.VFS):
    """The real disk until told otherwise; counts what it was asked after it failed."""

    def __init__(self) -> None:
        self.name = f"disk-{os.urandom(4).hex()}"
        self.fault = ""
        self.asked_after = 0
        super().__init__(self.name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's name
        return DiskFile(self, name, flags)


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.is_file = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.disk.fault == "fsync":
            self.disk.asked_after += 1
            raise apsw.IOError("EIO")
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self.disk.fault == "full" or (self.disk.fault == "file full" and self.is_file):
            raise apsw.FullError("ENOSPC")
        super().xWrite(data, offset)


@pytest.fixture
def disk(world: Any) -> Any:
    made = Disk()
    world.open().close()  # with the real one, as the child process has no other
    apsw.set_default_vfs(made.name)
    yield made
    apsw.set_default_vfs("unix")
    for store in world.stores:
        if store._writer._failed is None:
            store.close()
    world.stores.clear()
    made.unregister()


def test_a_failed_fsync_ends_the_store_and_is_never_tried_again(world: Any, disk: Disk) -> None:
    store = world.open()
    kept = world.chunk()
    store.commit(kept).result()
    disk.fault = "fsync"
    with pytest.raises(StorageError, match="open the buffer anew"):
        store.commit(world.chunk()).result()
    for late in (store.commit(world.chunk()), store.sync_state(), store.mark(0, 0)):
        with pytest.raises(StorageError, match="open the buffer anew"):
            late.result()
    with pytest.raises(StorageError):
        store.close()
    assert disk.asked_after == 1, "not even on closing"
    disk.fault = ""
    survivors = set(world.drained(world.open()))
    assert survivors >= set(world.values_of(kept.batch)), "what was acknowledged is there"


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(world: Any, disk: Disk) -> None:
    store = world.open()
    first, refused, last = (world.chunk() for _ in range(3))
    store.commit(first).result()
    disk.fault = "full"
    for _ in range(3):
        with pytest.raises(BufferFull, match="no room"):
            store.commit(refused).result()
    assert store.stats().result().unsealed_rows == 20
    disk.fault = ""
    store.commit(refused).result()
    store.commit(last).result()
    expected = [v for chunk in (first, refused, last) for v in world.values_of(chunk.batch)]
    assert sorted(world.drained(store), key=repr) == sorted(expected, key=repr)


def test_every_chunk_of_a_group_that_met_a_full_disk_is_answered(world: Any, disk: Disk) -> None:
    store = world.open()
    gate = threading.Event()
    store._call(gate.wait)
    futures = [store.commit(world.chunk()) for _ in range(5)]
    disk.fault = "full"
    gate.set()
    assert [type(future.exception(20)) for future in futures] == [BufferFull] * 5
    disk.fault = ""
    assert store.stats().result().refused == 5
    assert store.stats().result().unsealed_rows == 0


def test_a_log_that_cannot_be_written_back_stays_bounded(world: Any, disk: Disk) -> None:
    store = world.open(bytes_max=4 * MIB)
    disk.fault = "file full"
    kept = fill(world, store)
    with pytest.raises(BufferFull, match="the disk is full"):
        store.commit(world.chunk()).result()
    assert store.stats().result().wal_bytes <= 1.5 * MIB
    disk.fault = ""
    store.sync_state().result()
    assert fill(world, store) > kept
    assert disk_bytes(world) <= 4 * MIB


def test_random_refusals_keep_memory_and_file_of_one_mind(world: Any, disk: Disk) -> None:
    chance = random.Random(3)
    store = world.open()
    expected = []
    pending = world.chunk()
    for _ in range(150):
        disk.fault = chance.choice(["", "", "full"])
        try:
            run = store.commit(pending).result()
        except BufferFull:
            continue
        expected += world.values_of(pending.batch)
        assert run.count == 1
        pending = world.chunk(new_series=chance.randint(0, 1), marks=bytes(16))
    disk.fault = ""
    store.close()
    reopened = world.open()
    loaded = reopened.load()
    brought = len(pending.new_entries)
    assert list(loaded.entries) == world.entries[: len(world.entries) - brought]
    assert sorted(world.drained(reopened), key=repr) == sorted(expected, key=repr)
