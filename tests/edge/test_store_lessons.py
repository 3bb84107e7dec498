"""What devices told of themselves outlives the agent, within its bounds."""

from typing import Any

import apsw
import pytest

from edge.store.lessons import LESSONS_MAX
from edge.store.limits import BufferFull
from tests.edge.test_store_full import fill

MIB = 1 << 20


def test_the_newest_lesson_of_each_topic_is_there_after_a_restart(world: Any) -> None:
    store = world.open()
    store.keep_lessons([("a", b"1"), ("b", b"2"), ("a", b"3")]).result()
    store.keep_lessons([("b", b"4"), ("c", "°".encode())]).result()
    store.close()
    later = world.open()
    assert later.lessons() == [("a", b"3"), ("b", b"4"), ("c", "°".encode())]
    later.keep_lessons([("a", b"")]).result()
    later.close()
    assert world.open().lessons() == [("b", b"4"), ("c", "°".encode())], "one was taken back"


def test_lessons_are_bounded_by_number_and_bytes_and_the_oldest_go(world: Any) -> None:
    store = world.open(bytes_max=4 * MIB)
    for first in range(0, LESSONS_MAX + 500, 500):
        store.keep_lessons([(f"t/{n}", b"x") for n in range(first, first + 500)]).result()
    kept = store.lessons()
    assert len(kept) == LESSONS_MAX
    assert kept[-1][0] == "t/4999"
    noise = [(f"n/{n}", world.random.randbytes(50_000)) for n in range(20)]
    store.keep_lessons(noise).result()
    left = [topic for topic, _ in store.lessons()]
    assert left == [f"n/{n}" for n in range(15, 20)], "a sixteenth of the buffer is the bound"


def test_a_lesson_beyond_one_transaction_is_left_out_and_the_others_stay(world: Any) -> None:
    store = world.open(bytes_max=4 * MIB)
    store.keep_lessons([("big", world.random.randbytes(MIB)), ("small", b"s")]).result()
    assert store.lessons() == [("small", b"s")]


def test_a_full_buffer_takes_no_lessons_and_says_so(world: Any) -> None:
    store = world.open(bytes_max=2 * MIB)
    fill(world, store)
    with pytest.raises(BufferFull, match="no room"):
        store.keep_lessons([("a", world.random.randbytes(40_000))]).result()
    assert store.lessons() == []


def test_a_lesson_that_does_not_open_is_set_aside_and_the_rest_is_told(world: Any) -> None:
    store = world.open()
    store.keep_lessons([("a", b"1"), ("b", b"2")]).result()
    store.close()
    db = apsw.Connection(str(world.path))
    db.execute("UPDATE lessons SET data = zeroblob(60) WHERE no = 1").close()
    db.close()
    later = world.open()
    assert later.lessons() == [("b", b"2")]
    assert later.stats().result().quarantined == 1
    later.close()
    assert world.open().lessons() == [("b", b"2")]


def test_lessons_lie_sealed(world: Any) -> None:
    store = world.open()
    store.keep_lessons([("homeassistant/sensor/attic", b'{"name":"Attic window"}')]).result()
    store.close()
    stored = b"".join(path.read_bytes() for path in world.folder.glob("buffer.db*"))
    assert b"attic" not in stored
    assert b"Attic" not in stored


def test_a_buffer_of_the_version_before_gets_a_place_for_lessons(world: Any) -> None:
    store = world.open()
    store.commit(world.chunk(5, new_series=1)).result()
    store.close()
    db = apsw.Connection(str(world.path))
    db.execute("DROP TABLE lessons").close()
    db.execute("DROP TABLE remembered").close()
    db.execute("DROP INDEX urgent").close()
    db.pragma("user_version", 2)
    db.close()
    later = world.open()
    assert later.lessons() == []
    later.keep_lessons([("a", b"1")]).result()
    assert later.stats().result().unsealed_rows == 5
    later.close()
    assert world.open().lessons() == [("a", b"1")]
