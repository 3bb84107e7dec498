"""The outbox: what is in it survives, is bounded, and whatever leaves it unsent is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import StorageError
from cloud.notify.file import NotifyFile
from cloud.notify.outbox import Outbox, retry_us
from tests.cloud.notify.told_world import T0, document

HOUR_US = 3_600_000_000


@pytest.fixture
def file(tmp_path):
    made = NotifyFile.open(tmp_path / "notify.db")
    yield made
    made.close()


def named(number: int) -> str:
    return f"{number:032x}"


def states(file: NotifyFile) -> dict[str, str]:
    rows = file.rows("SELECT id, state FROM notices ORDER BY number")
    return {row["id"]: row["state"] for row in rows}


def test_messages_go_in_their_order_and_each_channel_has_its_own(file):
    box = Outbox(file, 10, HOUR_US)
    for number, channel in enumerate(["a", "b", "a"]):
        box.put(channel, document(named(number)), T0)
    first = box.next("a", T0, HOUR_US)
    assert (first.id, first.document) == (named(0), document(named(0)))
    box.delivered(first, T0)
    assert box.next("a", T0, HOUR_US).id == named(2)
    assert box.next("b", T0, HOUR_US).id == named(1)
    assert box.next("c", T0, HOUR_US) is None
    assert box.waiting() == {"a": 1, "b": 1}


def test_a_message_that_failed_waits_by_itself_and_those_behind_it_go_on(file):
    box = Outbox(file, 10, HOUR_US)
    for number in range(2):
        box.put("a", document(named(number)), T0)
    box.failed(box.next("a", T0, HOUR_US), "refused", T0 + 1000)
    assert box.next("a", T0, HOUR_US).id == named(1)
    assert box.next("a", T0 + 1000, HOUR_US).id == named(0)
    assert box.next("a", T0 + 1000, HOUR_US).attempts == 1
    assert box.due_us("a") == T0


def test_a_message_put_off_by_a_clock_that_was_set_back_is_due(file):
    box = Outbox(file, 10, 100 * HOUR_US)
    box.put("a", document(), T0 + 10 * HOUR_US)
    assert box.next("a", T0, HOUR_US) is not None


def test_of_too_many_the_oldest_leaves_and_is_counted(file):
    box = Outbox(file, 3, HOUR_US)
    for number in range(5):
        box.put("a", document(named(number)), T0 + number)
    box.put("b", document(named(9)), T0)
    assert list(states(file).values()) == ["dropped"] * 2 + ["waiting"] * 4
    assert file.drops() == [{"channel": "a", "reason": "too many waited", "count": 2}]


def test_what_is_too_old_is_dropped_and_counted_once(file):
    box = Outbox(file, 10, HOUR_US)
    box.put("a", document(named(0)), T0)
    box.put("a", document(named(1)), T0 + 1)
    box.failed(box.next("a", T0, HOUR_US), "connection refused", T0 + 5)
    for _ in range(2):
        assert box.next("a", T0 + HOUR_US + 1, HOUR_US).id == named(1)
    assert file.drops() == [{"channel": "a", "reason": "too old", "count": 1}]
    (row,) = file.rows("SELECT error, document FROM notices WHERE state = 'dropped'")
    assert row == {"error": "too old: connection refused", "document": ""}


def test_what_waits_for_a_channel_that_was_removed_is_dropped_and_counted(file):
    box = Outbox(file, 10, HOUR_US)
    for channel in ("a", "b", "b"):
        box.put(channel, document(named(len(states(file)))), T0)
    box.keep_only(["a"], T0)
    assert box.waiting() == {"a": 1}
    assert file.drops() == [{"channel": "b", "reason": "its channel was removed", "count": 2}]


def test_the_log_forgets_what_is_done_and_never_what_waits(file):
    box = Outbox(file, 10, HOUR_US)
    for number in range(3):
        box.put("a", document(named(number)), T0)
    for number in range(2):
        box.delivered(box.next("a", T0, HOUR_US), T0 + number)
    box.prune(T0 + 1)
    assert states(file) == {named(1): "delivered", named(2): "waiting"}


def test_what_was_put_is_there_after_the_file_is_opened_again(tmp_path):
    path = tmp_path / "notify.db"
    first = NotifyFile.open(path)
    Outbox(first, 10, HOUR_US).put("a", document(), T0)
    first.close()
    second = NotifyFile.open(path)
    assert Outbox(second, 10, HOUR_US).next("a", T0, HOUR_US).document == document()
    second.close()


def test_nothing_of_a_transaction_that_failed_is_kept(file):
    box = Outbox(file, 10, HOUR_US)

    def put_and_fail() -> None:
        with file.transaction():
            box.put("a", document(), T0)
            raise ValueError("a fault in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        put_and_fail()
    assert states(file) == {}


def test_a_file_that_is_no_database_or_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / "a.db").write_bytes(b"not a database at all, by far" * 50)
    with pytest.raises(StorageError, match="file is not a database"):
        NotifyFile.open(tmp_path / "a.db")
    newer = NotifyFile.open(tmp_path / "b.db")
    newer.change(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('tidegate-notify', 'm9999_later', '')"
    )
    newer.close()
    with pytest.raises(StorageError, match="newer version"):
        NotifyFile.open(tmp_path / "b.db")


@given(st.integers(1, 200), st.integers(1_000_000, 10**12), st.floats(0, 1, exclude_max=True))
def test_attempts_come_less_and_less_often_and_never_later_than_the_most(attempts, most, chance):
    waits = retry_us(attempts, most, chance)
    assert 0.7 * min(1_000_000 << min(attempts - 1, 40), most) <= waits <= most
    assert waits <= retry_us(attempts + 1, most, chance) + 1
