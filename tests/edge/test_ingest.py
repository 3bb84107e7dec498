import threading
import time

from edge.ingest import WORTH_WAITING, Inbox, Linger
from edge.message import Message, Messages

QUICK = Linger(min_s=0.001, max_s=0.002)


def message(number: int, payload: bytes = b"1") -> Message:
    return Message(f"d/{number}", payload, 1, False, False, number, 1, 1, number)


def taken(inbox: Inbox, linger: Linger = QUICK) -> list[int]:
    return [got.packet_id for got in inbox.take(linger)]


def test_messages_come_out_in_the_order_they_went_in() -> None:
    inbox = Inbox()
    for number in range(10):
        inbox.put(message(number))
    assert taken(inbox) == list(range(10))
    assert len(inbox) == 0


def test_a_batch_is_bounded_by_count_and_by_bytes() -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put(message(number, b"x" * 1000))
    assert taken(inbox, Linger(0.001, 0.001, messages_max=2)) == [0, 1]
    assert taken(inbox, Linger(0.001, 0.001, bytes_max=2500)) == [2, 3]
    assert taken(inbox, Linger(0.001, 0.001, bytes_max=1)) == [4], "one always fits"


def test_room_ends_by_count_or_bytes_and_its_return_is_told() -> None:
    told: list[bool] = []
    for inbox in (Inbox(messages_max=2), Inbox(bytes_max=2200)):
        told.clear()
        inbox.when_room(lambda inbox=inbox: told.append(inbox.has_room))  # type: ignore[misc]
        inbox.put(message(1, b"x" * 1000))
        assert inbox.has_room
        taken(inbox)
        assert told == [], "it was never full"
        inbox.put(message(1, b"x" * 1000))
        inbox.put(message(2, b"x" * 1000))
        assert not inbox.has_room
        inbox.put(message(3))
        assert taken(inbox) == [1, 2, 3], "what is read is never dropped"
        assert told == [True]


def test_take_waits_for_a_message_and_then_for_the_shortest_linger() -> None:
    inbox = Inbox()
    timer = threading.Timer(0.05, lambda: inbox.put(message(1)))
    start = time.monotonic()
    timer.start()
    assert taken(inbox, Linger(min_s=0.01, max_s=10)) == [1]
    assert 0.05 <= time.monotonic() - start < 5, "so slow a stream waits for no more"


def test_a_batch_of_a_quick_stream_waits_until_there_is_enough() -> None:
    inbox = Inbox()
    for _ in range(40):  # learn that the stream is quick
        for number in range(50):
            inbox.put(message(number))
        taken(inbox, Linger(0.0001, 0.0001))
    inbox.put(message(0))
    feeder = threading.Timer(0.05, inbox.extend, [Messages.of([message(n) for n in range(1, 8)])])
    feeder.start()
    assert taken(inbox, Linger(min_s=0.001, max_s=10, enough=8, enough_s=0.0)) == list(range(8))


def test_a_batch_waits_for_no_more_than_the_broker_sends_before_it_has_acknowledgements() -> None:
    inbox = Inbox()
    for _ in range(40):
        for number in range(50):
            inbox.put(message(number))
        taken(inbox, Linger(0.0001, 0.0001))
    for number in range(10):
        inbox.put(message(number))
    start = time.monotonic()
    assert len(taken(inbox, Linger(min_s=0.001, max_s=60, enough_max=10))) == 10
    assert time.monotonic() - start < 30, "the window is full, and nothing more can come"


def taken_soon(inbox: Inbox, linger: Linger) -> list[int]:
    """What `taken` returns, in a thread that has ten seconds for it; nothing if it has not."""
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(taken(inbox, linger)), daemon=True)
    thread.start()
    thread.join(10)
    in_time = not thread.is_alive()
    inbox.close()
    thread.join()
    return got if in_time else []


class Expecting(Inbox):
    """One that expects more however long this machine kept us waiting, and knows no rate."""

    def is_steady(self, linger: Linger) -> bool:
        return True


def waiting(count: int) -> Inbox:
    inbox = Expecting()
    for number in range(count):
        inbox.put(message(number))
    return inbox


def test_a_batch_of_a_slower_stream_is_taken_as_soon_as_it_has_enough() -> None:
    enough = WORTH_WAITING - 1
    linger = Linger(min_s=600, max_s=600, enough=enough)
    assert len(taken_soon(waiting(enough), linger)) == enough


def test_a_large_batch_waits_for_the_shortest_linger_though_it_has_enough() -> None:
    inbox = waiting(WORTH_WAITING)

    def feed() -> None:
        inbox.put(message(WORTH_WAITING))
        inbox.wake()

    threading.Timer(0.05, feed).start()
    linger = Linger(min_s=600, max_s=600, enough=WORTH_WAITING)
    assert len(taken(inbox, linger)) == WORTH_WAITING + 1


def test_a_large_batch_is_taken_when_the_broker_sends_no_more_before_it_has_acknowledgements() -> (
    None
):
    linger = Linger(min_s=600, max_s=600, enough=1000, enough_max=300)
    assert len(taken_soon(waiting(300), linger)) == 300


def test_a_large_batch_is_taken_when_a_chunk_is_full() -> None:
    linger = Linger(min_s=600, max_s=600, enough=1000, messages_max=300)
    assert len(taken_soon(waiting(300), linger)) == 300


def test_wake_and_close_end_a_wait_with_nothing() -> None:
    inbox = Inbox()
    inbox.wake()
    assert taken(inbox) == []
    threading.Timer(0.02, inbox.wake).start()
    assert taken(inbox) == []
    threading.Timer(0.02, inbox.close).start()
    assert taken(inbox) == []
    assert taken(inbox) == [], "closed for good"


def test_a_slow_card_is_given_twice_its_time_within_the_bounds_of_the_settings() -> None:
    linger = Linger(min_s=0.005, max_s=0.25)
    waits = [linger.on_card(commit_s).min_s for commit_s in (0.0, 0.001, 0.03, 4.0)]
    assert waits == [0.005, 0.005, 0.06, 0.25]
    assert linger.on_card(0.03).max_s == linger.max_s
