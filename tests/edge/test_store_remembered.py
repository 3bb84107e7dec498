"""What detection keeps: in the transaction of its chunk, over a restart, within its bounds."""

from typing import Any

import apsw
import pytest

from edge.chunk import Chunk
from edge.store import remembered
from edge.store.limits import BufferFull
from protos.records import Batch
from tests.edge.test_store_full import fill

MIB = 1 << 20


def keep(*items: tuple[str, bytes]) -> Chunk:
    return Chunk(Batch({}), kept=items)


def test_the_newest_item_of_each_name_is_there_after_a_restart(world: Any) -> None:
    store = world.open()
    store.commit(keep(("a", b"1"), ("b", b"2"))).result()
    store.commit(keep(("a", b"3"), ("c", b"\x00\xff"))).result()
    assert store.remembered() == [("b", b"2"), ("a", b"3"), ("c", b"\x00\xff")]
    store.close()
    later = world.open()
    later.commit(keep(("b", b""), ("never", b""))).result()
    later.close()
    assert world.open().remembered() == [("a", b"3"), ("c", b"\x00\xff")], "one was let go"


def test_items_come_with_the_readings_of_their_chunk_or_not_at_all(world: Any) -> None:
    store = world.open(bytes_max=2 * MIB)
    store.commit(keep(("episode", b"open"))).result()
    fill(world, store)
    refused = Chunk(world.chunk(800).batch, kept=(("episode", b""), ("another", b"open")))
    with pytest.raises(BufferFull):
        store.commit(refused).result()
    assert store.remembered() == [("episode", b"open")]


def test_items_are_bounded_by_number_and_bytes_and_the_oldest_go(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "ITEMS_MAX", 5)
    store = world.open(bytes_max=4 * MIB)
    for n in range(8):
        store.commit(keep((f"i{n}", b"x"))).result()
    assert [name for name, _ in store.remembered()] == ["i3", "i4", "i5", "i6", "i7"]
    for n in range(6):
        store.commit(keep((f"big{n}", bytes(60_000)))).result()
    kept = [name for name, _ in store.remembered()]
    assert kept == ["big2", "big3", "big4", "big5"], "a sixteenth of the buffer is the bound"


def test_an_item_that_does_not_open_is_set_aside_and_the_rest_is_told(world: Any) -> None:
    store = world.open()
    store.commit(keep(("a", b"1"), ("b", b"2"))).result()
    store.close()
    db = apsw.Connection(str(world.path))
    db.execute("UPDATE remembered SET data = zeroblob(60) WHERE no = 1").close()
    db.close()
    later = world.open()
    assert later.remembered() == [("b", b"2")]
    assert later.stats().result().quarantined == 1
    later.commit(keep(("a", b"4"))).result()
    assert later.remembered() == [("b", b"2"), ("a", b"4")]


def test_nothing_of_an_item_lies_in_the_open(world: Any) -> None:
    store = world.open()
    store.commit(keep(("episode of the pump", b"secret vibration"))).result()
    store.close()
    raw = world.path.read_bytes()
    assert b"episode of" not in raw
    assert b"vibration" not in raw


def test_a_buffer_of_the_version_before_takes_items_after_it_was_opened(world: Any) -> None:
    store = world.open()
    store.commit(world.chunk(3)).result()
    store.close()
    db = apsw.Connection(str(world.path))
    db.execute("DROP TABLE remembered").close()
    db.execute("DROP INDEX urgent").close()
    db.pragma("user_version", 3)
    db.close()
    later = world.open()
    assert later.remembered() == []
    later.commit(keep(("a", b"1"))).result()
    assert later.remembered() == [("a", b"1")]


def test_a_name_that_is_too_long_is_the_callers_fault(world: Any) -> None:
    with pytest.raises(ValueError, match="name"):
        world.open().commit(keep(("n" * 256, b"1")))
