"""A damaged buffer: found, named, set aside, and the rest goes on."""

import random
from typing import Any

import apsw
import pytest

from edge.store.limits import BlockUnreadable
from protos.block import read_block


def sql(world: Any, *statements: str) -> list[Any]:
    """Run statements on the closed file as a thief or a bad card would; rows of the last."""
    db = apsw.Connection(str(world.path))
    rows = [db.execute(statement).fetchall() for statement in statements][-1]
    db.close()
    return rows


def flip(world: Any, table: str, where: str, bit: int) -> None:
    ((data,),) = sql(world, f"SELECT data FROM {table} WHERE {where}")
    flipped = bytearray(data)
    flipped[bit // 8 % len(data)] ^= 1 << bit % 8
    db = apsw.Connection(str(world.path))
    db.execute(f"UPDATE {table} SET data = ? WHERE {where}", (bytes(flipped),))
    db.close()


def filled(world: Any, chunks: int = 6) -> list[list[Any]]:
    """A closed buffer with that many chunks; the values of each."""
    store = world.open()
    made = [world.chunk(marks=bytes([n]) * 16, new_series=1) for n in range(chunks)]
    for chunk in made:
        store.commit(chunk).result()
    store.close()
    return [world.values_of(chunk.batch) for chunk in made]


def flat(chunks: list[list[Any]]) -> list[Any]:
    return sorted((value for values in chunks for value in values), key=repr)


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_bit_in_a_chunk_is_found_named_and_set_aside(world: Any, seed: int) -> None:
    chunks = filled(world)
    flip(world, "chunks", "no = 3", random.Random(seed).getrandbits(20))
    store = world.open()
    assert sorted(world.drained(store), key=repr) == flat(chunks[:2] + chunks[3:])
    told = store.stats().result()
    assert (told.quarantined, told.unsealed_rows) == (1, 0)
    assert told.counters["quarantined_rows"] == 20
    store.close()
    rows = sql(world, "SELECT kind, name, rows, reason FROM quarantine")
    assert [row[:3] for row in rows] == [("chunk", "chunk 3", 20)]
    assert "authentication failed" in rows[0][3] or "header" in rows[0][3]


def test_the_only_chunk_being_damaged_does_not_stop_what_comes(world: Any) -> None:
    filled(world, 1)
    flip(world, "chunks", "no = 1", 300)
    store = world.open()
    assert world.drained(store) == []
    chunk = world.chunk()
    store.commit(chunk).result()
    assert sorted(world.drained(store), key=repr) == flat([world.values_of(chunk.batch)])


def test_swapped_chunks_are_refused(world: Any) -> None:
    chunks = filled(world)
    sql(
        world,
        "UPDATE chunks SET no = 100 WHERE no = 2",
        "UPDATE chunks SET no = 2 WHERE no = 3",
        "UPDATE chunks SET no = 3 WHERE no = 100",
    )
    store = world.open()
    assert sorted(world.drained(store), key=repr) == flat([chunks[0], *chunks[3:]])
    assert store.stats().result().quarantined == 2


def test_a_chunk_replayed_under_another_number_is_refused(world: Any) -> None:
    chunks = filled(world)
    sql(
        world,
        "INSERT INTO chunks SELECT no + 50, rows, bytes, data, 0, 0, 0 FROM chunks WHERE no = 2",
    )
    store = world.open()
    assert sorted(world.drained(store), key=repr) == flat(chunks)
    assert store.stats().result().quarantined == 1


def test_a_chunk_with_other_rows_or_of_another_buffer_is_refused(world: Any) -> None:
    chunks = filled(world)
    sql(world, "UPDATE chunks SET rows = 19 WHERE no = 1")
    sql(world, "UPDATE chunks SET data = (SELECT data FROM marks WHERE no = 2) WHERE no = 2")
    store = world.open()
    assert sorted(world.drained(store), key=repr) == flat(chunks[2:])


def test_a_sealed_block_with_a_damaged_chunk_is_named_and_a_new_epoch_saves_the_rest(
    world: Any,
) -> None:
    chunks = filled(world)
    store = world.open()
    assert len(world.drain(store)) == 1
    store.close()
    flip(world, "chunks", "no = 4", 777)
    store = world.open()
    with pytest.raises(BlockUnreadable, match="1/1"):
        store.blocks_from(1, 1 << 20).result()
    with pytest.raises(BlockUnreadable):
        store.blocks_from(1, 1 << 20).result()
    store.begin_epoch(2, ()).result()
    assert sorted(world.drained(store), key=repr) == flat(chunks[:3] + chunks[4:])
    assert store.stats().result().quarantined == 1


def test_whole_blocks_before_a_damaged_one_are_still_given(world: Any) -> None:
    chunks = filled(world)
    store = world.open()
    store.begin_epoch(1, ()).result()
    for _ in range(3):
        store.seal_next(bytes_target=1, mono_us=0, wall_us=0).result()
    store.close()
    flip(world, "blocks", "seq = 2", 400)
    store = world.open()
    assert [b.header.seq for b in store.blocks_from(1, 1 << 20).result()] == [1]
    with pytest.raises(BlockUnreadable, match="1/2"):
        store.blocks_from(2, 1 << 20).result()
    assert [b.header.seq for b in store.blocks_from(3, 1 << 20).result()] == [3]
    store.mark(1, 0).result()
    (first,) = store.blocks_from(1, 1).result()
    store.begin_epoch(2, ()).result()
    rest = world.drained(store)
    assert sorted(rest + world.values_of(read_block(first.data)[2]), key=repr) == flat(chunks)


def test_a_forged_span_cannot_make_unsealed_chunks_go(world: Any) -> None:
    chunks = filled(world)
    store = world.open()
    store.begin_epoch(1, ()).result()
    (first,) = (store.seal_next(bytes_target=1, mono_us=0, wall_us=0).result(),)
    store.close()
    sql(world, "UPDATE blocks SET last = 6")
    store = world.open()
    store.mark(1, 1).result()
    rest = world.drained(store)
    assert sorted(rest + world.values_of(read_block(first.data)[2]), key=repr) == flat(chunks)


def test_a_damaged_series_entry_costs_its_name_and_nothing_else(world: Any) -> None:
    chunks = filled(world)
    flip(world, "entries", "entry = 2", 500)
    for _ in range(2):
        store = world.open()
        entries = store.load().entries
        assert [e.key is None for e in entries] == [n == 1 for n in range(len(entries))]
        assert [e.leaf for e in entries] == [e.leaf for e in world.entries]
        assert store.stats().result().quarantined == 1, "told once"
        assert store.entries_from(2, 1).result()[0].key is None
        store.close()
    assert sorted(world.drained(world.open()), key=repr) == flat(chunks)


def test_damaged_marks_leave_the_others(world: Any) -> None:
    filled(world)
    flip(world, "marks", "no = 2", 99)
    store = world.open()
    assert store.load().marks == b"".join(bytes([n]) * 16 for n in (0, 2, 3, 4, 5))
    assert store.stats().result().quarantined == 1


def test_a_damaged_state_is_told_again_by_the_blocks(world: Any) -> None:
    chunks = filled(world)
    store = world.open()
    blocks = world.drain(store)
    before = store.sync_state().result()
    store.close()
    flip(world, "state", "no = 1", 70)
    store = world.open()
    after = store.sync_state().result()
    assert (after.epoch, after.head, after.head_hash) == (1, 1, blocks[0].hash)
    assert (after.series_high, after.series_root) == (before.series_high, before.series_root)
    assert sorted(world.drained(store), key=repr) == flat(chunks)


def test_a_damaged_state_without_blocks_asks_for_a_new_epoch(world: Any) -> None:
    chunks = filled(world)
    store = world.open()
    store.begin_epoch(9, ()).result()
    store.close()
    flip(world, "state", "no = 1", 200)
    store = world.open()
    assert store.sync_state().result().epoch == 0
    assert store.seal_next(bytes_target=1000, mono_us=0, wall_us=0).result() is None
    store.begin_epoch(10, ()).result()
    assert sorted(world.drained(store), key=repr) == flat(chunks)


@pytest.mark.parametrize("column", ["kek_id", "salt", "sealed"])
def test_one_damaged_copy_of_the_data_key_is_borne(world: Any, column: str) -> None:
    chunks = filled(world)
    sql(world, f"UPDATE keys SET {column} = zeroblob(length({column})) WHERE no = 1")
    assert sorted(world.drained(world.open()), key=repr) == flat(chunks)


def test_openings_that_nothing_needs_are_forgotten(world: Any) -> None:
    for _ in range(5):
        store = world.open(dedup_messages_max=1)
        store.commit(world.chunk(marks=bytes(16))).result()
        world.drain(store)
        head = store.sync_state().result().head
        store.mark(head, head).result()
        store.close()
    for _ in range(5):  # a crash loop that keeps nothing writes nothing
        world.open().close()
    assert len(sql(world, "SELECT no FROM openings")) <= 3
    assert len(sql(world, "SELECT DISTINCT salt FROM openings")) == len(
        sql(world, "SELECT no FROM openings")
    )
