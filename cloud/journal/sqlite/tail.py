"""Telling others what was just committed, in offset order, without making the writer wait.

Each subscriber has a thread of its own and a bounded share of memory. One that falls behind loses
nothing: what did not fit is read again from the journal.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from cloud.journal.contract import Entry

PENDING_BYTES_MAX = 8 << 20

Callback = Callable[[Sequence[Entry]], None]
Read = Callable[[int, int], list[Entry]]


class Subscription:
    """One subscriber: its callback sees every block above `after`, once, in order.

    Args:
        callback: called in the subscription's own thread with blocks of one commit, or of several
            when it fell behind. It must not raise: the subscription would end there.
        read: the journal's `read(after_offset, bytes_max)`.
        after: the newest offset committed at the time of subscribing.
        pending_bytes_max: what may wait in memory before it is read from the journal instead.
    """

    def __init__(
        self, callback: Callback, read: Read, after: int, pending_bytes_max: int = PENDING_BYTES_MAX
    ) -> None:
        self._callback, self._read = callback, read
        self._pending_bytes_max = pending_bytes_max
        self._pending: deque[Sequence[Entry]] = deque()
        self._pending_bytes = 0
        self._told = self._head = after
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal-tail", daemon=True)
        self._thread.start()

    def offer(self, entries: Sequence[Entry]) -> None:
        """Take note of one commit; never waits."""
        size = sum(len(entry.data) for entry in entries)
        with self._changed:
            self._head = max(self._head, entries[-1].offset)
            if self._pending_bytes + size <= self._pending_bytes_max:
                self._pending.append(entries)
                self._pending_bytes += size
            self._changed.notify()

    def nudge(self, head: int) -> None:
        """There are blocks up to `head`; what was not offered is read from the journal."""
        with self._changed:
            self._head = max(self._head, head)
            self._changed.notify()

    def close(self) -> None:
        """Stop after the call in progress; what was not told yet is not told."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while self._wait():
            entries = self._next() or self._read(self._told, self._pending_bytes_max)
            self._callback(entries)
            self._told = entries[-1].offset

    def _wait(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._head > self._told)
            return not self._closed

    def _next(self) -> Sequence[Entry]:
        """What waits in memory and comes next; empty when that has to be read."""
        with self._changed:
            while self._pending:
                entries = self._pending[0]
                if entries[0].offset > self._told + 1:
                    return ()
                self._pending.popleft()
                self._pending_bytes -= sum(len(entry.data) for entry in entries)
                if entries[-1].offset > self._told:
                    return entries[self._told + 1 - entries[0].offset :]
            return ()


class Tail:
    """All subscriptions of one journal."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._subscriptions: tuple[Subscription, ...] = ()
        self._lock = threading.Lock()

    def subscribe(self, callback: Callback, head: Callable[[], int]) -> Callable[[], None]:
        """Add a subscriber that sees every block committed after this call; returns how to stop."""
        subscription = Subscription(callback, self._read, head())
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        # A commit between the two lines above was offered to nobody.
        subscription.nudge(head())

        def stop() -> None:
            with self._lock:
                others = (one for one in self._subscriptions if one is not subscription)
                self._subscriptions = tuple(others)
            subscription.close()

        return stop

    def announce(self, entries: Sequence[Entry]) -> None:
        """Tell all subscribers of one commit; never waits for them."""
        if entries:
            for subscription in self._subscriptions:
                subscription.offer(entries)

    def close(self) -> None:
        """End all subscriptions."""
        with self._lock:
            ending, self._subscriptions = self._subscriptions, ()
        for subscription in ending:
            subscription.close()
