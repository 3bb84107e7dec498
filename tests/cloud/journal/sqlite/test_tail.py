"""Subscribers: everything once, in order, whatever did not fit in memory."""

import threading
from collections.abc import Sequence

from cloud.journal.contract import Entry
from cloud.journal.sqlite.tail import Subscription, Tail

WAIT_S = 30


class Log:
    """A journal in memory, and a subscriber that can be held up."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.seen: list[int] = []
        self.reads = 0
        self.go = threading.Event()
        self.grown = threading.Condition()

    def append(self, size: int) -> list[Entry]:
        offset = len(self.entries) + 1
        self.entries.append(Entry(offset, "attic", 1, offset, b"", bytes(size), 0))
        return self.entries[-1:]

    def read(self, after: int, bytes_max: int) -> list[Entry]:
        self.reads += 1
        return self.entries[after : after + 2]

    def callback(self, entries: Sequence[Entry]) -> None:
        self.go.wait(WAIT_S)
        with self.grown:
            self.seen += [entry.offset for entry in entries]
            self.grown.notify()

    def await_seen(self, count: int) -> list[int]:
        with self.grown:
            assert self.grown.wait_for(lambda: len(self.seen) >= count, WAIT_S)
            return self.seen


def test_a_block_that_did_not_fit_is_read_again_before_one_that_did() -> None:
    log = Log()
    subscription = Subscription(log.callback, log.read, 0, pending_bytes_max=1000)
    for size in (10, 900, 900, 900, 50, 40):
        subscription.offer(log.append(size))
    log.go.set()
    assert log.await_seen(6) == [1, 2, 3, 4, 5, 6]
    assert log.reads > 0, "the bound was reached"
    subscription.close()


def test_what_was_committed_while_subscribing_is_seen() -> None:
    log = Log()
    log.go.set()
    log.append(1)
    heads = iter([1, 2])  # a commit falls between the two times the head is asked for

    def head() -> int:
        if (now := next(heads)) == 2:
            log.append(1)
        return now

    stop = Tail(log.read).subscribe(log.callback, head)
    assert log.await_seen(1) == [2]
    stop()


def test_a_subscriber_that_stopped_is_told_nothing_more() -> None:
    log = Log()
    log.go.set()
    tail = Tail(log.read)
    stop = tail.subscribe(log.callback, lambda: 0)
    tail.announce(log.append(1))
    log.await_seen(1)
    stop()
    tail.announce(log.append(1))
    assert log.seen == [1]
    tail.close()
