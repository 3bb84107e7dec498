"""A full buffer that drops its oldest: every reading is in a block, in the buffer, or in a Gap."""

import random
from typing import Any

import apsw
import pytest

from edge.chunk import Chunk
from edge.store.limits import BufferFull
from edge.when_full import WhenFull
from protos.block import Block, read_block
from protos.records import GapReason, Kind, concat, scores, texts

MIB = 1 << 20
DROP = {"bytes_max": 4 * MIB, "when_full": WhenFull.DROP_OLDEST}


def noise(world: Any, size: int = 20_000, *, anomaly: bool = False) -> Chunk:
    """A chunk of text that does not compress, with an anomaly on demand."""
    words = [world.random.randbytes(1000).hex() for _ in range(size // 1000)]
    new = () if world.entries else (world.entry(),)
    ts = [world.told + n for n in range(len(words))]
    world.told += len(words)
    batch = texts([1] * len(words), ts, words, 0, 0)
    if anomaly:
        batch = concat([batch, scores([1], [ts[0]], [9.0], [9.0], [1.0], ["m"])])
    return Chunk(batch, new)


def gap_rows(blocks: list[Block]) -> list[tuple[int, int, int, GapReason]]:
    found = []
    for block in blocks:
        rows = read_block(block.data)[2].kind(Kind.GAPS)
        columns = (rows[name].tolist() for name in ("ts", "to", "count", "reason"))
        found += [(a, b, n, GapReason(why)) for a, b, n, why in zip(*columns, strict=True)]
    return found


def test_the_oldest_go_no_more_than_needed_and_a_gap_tells_of_them_first(world: Any) -> None:
    store = world.open(**DROP)
    kept: list[list[Any]] = []
    while not store.stats().result().counters.get("evicted"):
        chunk = noise(world)
        store.commit(chunk).result()
        kept.append(world.values_of(chunk.batch))
    evicted = store.stats().result().counters["evicted"]
    assert evicted <= 80, "the room of a chunk, six pages, and of the note, twelve"
    blocks = world.drain(store)
    lost = [value for values in kept[: evicted // 20] for value in values]
    times = [ts for _, ts, _ in lost]
    assert gap_rows(blocks[:1]) == [(min(times), max(times), evicted, GapReason.EVICTED)]
    assert gap_rows(blocks[1:]) == []
    found = [v for block in blocks for v in world.values_of(read_block(block.data)[2])]
    assert sorted(found) == sorted(v for values in kept[evicted // 20 :] for v in values)


def test_a_buffer_that_evicts_stays_full(world: Any) -> None:
    store = world.open(**DROP)
    used = []
    for _ in range(250):
        store.commit(noise(world)).result()
        used.append(store.stats().result().used_bytes)
    full = store._limits.chunk_pages_max * 4096
    assert all(full * 0.94 < after <= full for after in used[-80:])


def test_anomalies_and_what_was_taken_in_with_them_go_last(world: Any) -> None:
    store = world.open(**DROP)
    precious = []
    for _ in range(10):
        chunk = noise(world, anomaly=True)
        precious += world.values_of(chunk.batch)
        store.commit(chunk).result()
    for _ in range(300):
        store.commit(noise(world)).result()
    blocks = world.drain(store)
    found = {v for block in blocks for v in world.values_of(read_block(block.data)[2])}
    assert found >= set(precious)
    assert sum(block.header.rows.get(Kind.SCORES, 0) for block in blocks) == 10


def test_when_nothing_but_anomalies_is_left_the_oldest_of_them_go(world: Any) -> None:
    store = world.open(**DROP)
    for _ in range(200):
        store.commit(noise(world, anomaly=True)).result()
    store.commit(noise(world)).result()
    blocks = world.drain(store)
    rows = sum(sum(block.header.rows.values()) for block in blocks)
    gaps = gap_rows(blocks)
    assert rows - len(gaps) + sum(count for _, _, count, _ in gaps) == 200 * 21 + 20


def test_what_is_sealed_and_not_stored_never_goes(world: Any) -> None:
    store = world.open(**DROP)
    for _ in range(80):
        store.commit(noise(world)).result()
    blocks = world.drain(store)
    refusal = None
    while refusal is None:
        refusal = store.commit(noise(world, 100_000)).exception()
        world.drain(store)
    assert isinstance(refusal, BufferFull)
    assert [b.hash for b in store.blocks_from(1, 1 << 40).result()][: len(blocks)] == [
        block.hash for block in blocks
    ]
    assert store.stats().result().counters.get("evicted", 0) == 0
    head = store.sync_state().result().head
    store.mark(head, 0).result()
    store.commit(noise(world)).result()  # what is stored goes then, without a restart


@pytest.mark.parametrize("policy", WhenFull)
def test_stored_blocks_go_before_anything_is_refused_or_evicted(world: Any, policy: Any) -> None:
    store = world.open(bytes_max=4 * MIB, when_full=policy)
    for _ in range(120):
        store.commit(noise(world)).result()
    blocks = world.drain(store)
    store.mark(len(blocks), 0).result()
    for _ in range(120):
        store.commit(noise(world)).result()
    state, counters = store.sync_state().result(), store.stats().result().counters
    assert 1 < state.oldest_kept <= len(blocks) + 1
    assert counters["released"] == sum(
        sum(block.header.rows.values()) for block in blocks[: state.oldest_kept - 1]
    )
    assert "evicted" not in counters


def test_a_cloud_that_lost_its_journal_is_told_which_stored_blocks_are_gone(world: Any) -> None:
    store = world.open(bytes_max=4 * MIB)
    for _ in range(120):
        store.commit(noise(world)).result()
    blocks = world.drain(store)
    store.mark(len(blocks), 0).result()
    for _ in range(60):
        store.commit(noise(world)).result()
    gone = blocks[: store.sync_state().result().oldest_kept - 1]
    store.close()
    store = world.open(bytes_max=4 * MIB)
    assert store.sync_state().result().oldest_kept == len(gone) + 1
    store.begin_epoch(2, (), kept=(1, 0)).result()
    again = world.drain(store)
    rows = read_block(again[0].data)[2].kind(Kind.GAPS)
    assert rows["reason"].tolist() == [GapReason.DELETED_BEFORE_LOSS]
    assert (rows["seq_from"].tolist(), rows["seq_to"].tolist()) == ([1], [len(gone)])
    assert rows["count"].tolist() == [sum(sum(b.header.rows.values()) for b in gone)]
    assert rows["ts"].tolist() == [min(block.header.ts_min_us for block in gone)]
    assert rows["to"].tolist() == [max(block.header.ts_max_us for block in gone)]


def test_a_month_of_losses_is_one_note_of_a_few_rows(world: Any) -> None:
    store = world.open(**DROP)
    for n in range(400):
        chunk = noise(world)
        world.told += 100_000_000 * (n % 7 == 0)
        store.commit(chunk).result()
    blocks = world.drain(store)
    assert [block.header.seq for block in blocks if gap_rows([block])] == [1]
    assert 1 < len(gap_rows(blocks)) <= 64


class Life:
    """The naive model: values by commit, and what is known to have left."""

    def __init__(self, world: Any, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.store = world.open(**DROP)
        self.store.begin_epoch(1, ()).result()
        self.all: list[Any] = []
        self.blocks: list[Block] = []
        self.shown: list[Block] = []
        self.stored = self.archived = 0
        self.epoch = 1
        self.rows = 0

    def commit(self) -> None:
        for _ in range(self.chance.randint(1, 30)):
            chunk = noise(self.world, 20_000, anomaly=self.chance.random() < 0.1)
            self.store.commit(chunk).result()
            self.all += self.world.values_of(chunk.batch)
            self.rows += chunk.batch.rows

    def seal(self) -> None:
        for _ in range(self.chance.randint(1, 5)):
            block = self.store.seal_next(
                bytes_target=65536,
                mono_us=0,
                wall_us=0,
                newest_first=self.chance.random() < 0.5,
            ).result()
            if block is None:
                return
            previous = self.blocks[-1].hash if self.blocks else bytes(32)
            assert (block.header.seq, block.header.prev_hash) == (len(self.blocks) + 1, previous)
            self.blocks.append(block)
        if len(self.blocks) - self.stored > 12:
            self.ack()

    def ack(self) -> None:
        self.stored = len(self.blocks)
        self.archived = self.chance.randint(self.archived, self.stored)
        self.store.mark(self.stored, self.archived).result()

    def look(self) -> None:
        kept = self.store.sync_state().result().oldest_kept
        found = self.store.blocks_from(kept, 1 << 40).result()
        assert [b.data for b in found] == [b.data for b in self.blocks[kept - 1 :]]
        assert kept <= self.stored + 1

    def reopen(self) -> None:
        self.store.close()
        self.store = self.world.open(**DROP)
        self.store.mark(self.stored, self.archived).result()

    def new_epoch(self) -> None:
        self.ack()
        self.stored = self.chance.randint(max(self.archived, self.stored - 3), self.stored)
        kept = max(self.stored, self.store.sync_state().result().oldest_kept - 1)
        self.epoch += 1
        self.store.begin_epoch(self.epoch, (), kept=(self.epoch - 1, kept)).result()
        self.shown += self.blocks[:kept]
        self.blocks, self.stored, self.archived = [], 0, 0

    def finish(self) -> None:
        before = -1
        while before != len(self.blocks):
            before = len(self.blocks)
            self.seal()
        self.look()
        batches = [read_block(block.data)[2] for block in [*self.shown, *self.blocks]]
        found = [value for batch in batches for value in self.world.values_of(batch)]
        anomalies = sum(batch.count(Kind.SCORES) for batch in batches)
        gaps = sum(int(batch.kind(Kind.GAPS)["count"].sum()) for batch in batches)
        assert len(found) == len(set(found)), "none twice"
        assert set(found) <= set(self.all)
        told = self.store.stats().result()
        assert gaps == told.counters.get("evicted", 0)
        assert anomalies + len(found) + gaps == self.rows
        assert (told.unsealed_rows, told.unsealed_bytes) == (0, 0)


@pytest.mark.parametrize("seed", range(6))
def test_every_reading_is_in_a_block_or_in_a_gap_through_any_life(world: Any, seed: int) -> None:
    chance = random.Random(seed)
    life = Life(world, chance)
    steps = [life.commit, life.seal, life.ack, life.look, life.reopen, life.new_epoch]
    for _ in range(60):
        chance.choices(steps, weights=[10, 6, 2, 3, 1, 1])[0]()
    life.finish()


def test_the_newest_are_sealed_first_on_demand_and_the_rest_follows_in_order(world: Any) -> None:
    store = world.open()
    store.begin_epoch(1, ()).result()
    made = [world.chunk(20) for _ in range(9)]
    for chunk in made:
        store.commit(chunk).result()

    def seal(*, newest_first: bool, size: int = 1) -> list[Any]:
        block = store.seal_next(
            bytes_target=size, mono_us=0, wall_us=0, newest_first=newest_first
        ).result()
        return [] if block is None else world.values_of(read_block(block.data)[2])

    order = [seal(newest_first=True), seal(newest_first=False), seal(newest_first=True)]
    late = world.chunk(20)
    store.commit(late).result()
    order.append(seal(newest_first=True))
    store.close()
    store = world.open()
    order.append(seal(newest_first=False, size=1 << 16))
    expected = [[made[8]], [made[0]], [made[7]], [late], made[1:7]]
    for found, chunks in zip(order, expected, strict=True):
        assert sorted(found, key=repr) == sorted(
            (v for chunk in chunks for v in world.values_of(chunk.batch)), key=repr
        )
    assert seal(newest_first=True) == []
    assert [b.header.seq for b in store.blocks_from(1, 1 << 40).result()] == [1, 2, 3, 4, 5]


def test_damage_is_told_to_the_cloud_as_a_gap_of_its_time(world: Any) -> None:
    store = world.open()
    chunks = [world.chunk(20) for _ in range(3)]
    for chunk in chunks:
        store.commit(chunk).result()
    store.close()
    db = apsw.Connection(str(world.path))
    db.execute("UPDATE chunks SET data = zeroblob(length(data)) WHERE no = 2")
    db.close()
    times = [ts for _, ts, _ in world.values_of(chunks[1].batch)]
    told = gap_rows(world.drain(world.open()))
    assert told == [(min(times), max(times), 20, GapReason.DAMAGED)]
