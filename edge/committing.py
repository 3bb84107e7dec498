"""Chunks on their way to the disk: several at a time, acknowledged in order, refused ones again.

The buffer makes one transaction of what waits before it, so chunks under way together share an
fsync. A chunk is told to be safe only when all before it are, for a collapsed copy may stand in one
and its original in the one before.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

from edge.chunk import Chunk
from edge.message import Messages
from edge.store.limits import BufferFull, StoreBusy
from protos.exposition import Histogram

UNDER_WAY_MAX: Final = 4
"""Chunks handed to the buffer and not yet safe. One alone leaves the processor idle during each
fsync, and the disk idle meanwhile; more than a few only wait here instead of at the broker."""
RETRY_MIN_S: Final = 0.05
RETRY_MAX_S: Final = 2.0
COMMITS_LEARNED: Final = 8
"""Commits over which the card's time for one is smoothed: a single slow one tells little."""
COMMIT_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Buckets from a server's disk to a worn SD card."""


class Committer(Protocol):
    """What collecting needs of the buffer."""

    def commit(self, chunk: Chunk) -> Future[Any]:
        """Resolves once the chunk is safe on the disk; BufferFull comes through the future."""


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A chunk, the messages it is of, and how it stands."""

    chunk: Chunk
    messages: Messages
    asked_s: float = 0.0
    is_safe: bool = False
    refused: BaseException | None = None


class Committing:
    """The chunks under way; offered and awaited by one thread.

    Args:
        store: the buffer.
        on_safe: told of each chunk in order, on the buffer's thread: must be quick.
        on_trouble: told there too when a chunk was refused: `settle` should be called.
        stopping: once set, nothing is tried again.

    Attributes:
        commit_s: what a commit takes of late.
        retries: refusals so far; ``is_held``: one stands.
    """

    def __init__(
        self,
        store: Committer,
        *,
        on_safe: Callable[[Chunk, Messages], None],
        on_trouble: Callable[[], None],
        stopping: threading.Event,
    ) -> None:
        self._store = store
        self._on_safe = on_safe
        self._on_trouble = on_trouble
        self._stopping = stopping
        self._under_way: deque[_UnderWay] = deque()
        self._moved = threading.Condition()
        self.commit_latency = Histogram(COMMIT_BOUNDS_S)
        self.commit_s = 0.0
        self.retries = 0
        self.is_held = False

    def offer(self, chunk: Chunk, messages: Messages) -> bool:
        """Hand over a chunk once there is room for it; False when we are stopped before that."""
        if not self.settle(UNDER_WAY_MAX - 1):
            return False
        one = _UnderWay(chunk, messages)
        with self._moved:
            self._under_way.append(one)
        self._hand_over(one)
        return True

    def settle(self, most: int = 0) -> bool:
        """Wait until no more than ``most`` chunks are under way, however long the buffer is full.

        If it refuses one, until none is under way: nothing new may overtake it. False when we are
        stopped before that. Raises what the buffer raises, but that it has no room or is busy.
        """
        with self._moved:
            self._moved.wait_for(lambda: self._is_refused or len(self._under_way) <= most)
            if not self._is_refused:
                return True
        return self._try_again()

    def _try_again(self) -> bool:
        """Offer in order what was refused; after a first refusal, and each one more, wait."""
        tried, wait_s = None, RETRY_MIN_S
        while True:
            with self._moved:
                self._moved.wait_for(self._is_answered)
                refused = next((one for one in self._under_way if one.refused is not None), None)
            if refused is None or refused.refused is None:
                self.is_held = False
                return True
            if not isinstance(refused.refused, BufferFull | StoreBusy):
                raise refused.refused
            if tried is None or refused is tried:
                self.retries, self.is_held = self.retries + 1, True
                if self._stopping.wait(wait_s):
                    return False
                wait_s = min(RETRY_MAX_S, wait_s * 2)
            tried = refused
            self._hand_over(refused)

    def _hand_over(self, one: _UnderWay) -> None:
        one.asked_s, one.refused = time.monotonic(), None

        def answered(done: Future[Any]) -> None:
            with self._moved:
                try:
                    done.result()
                    self._learn(time.monotonic() - one.asked_s)
                    one.is_safe = True
                    self._tell_safe()
                except BaseException as error:  # noqa: BLE001 - `settle` raises it where it belongs
                    one.refused = error
                self._moved.notify()
            if one.refused is not None:
                self._on_trouble()

        self._store.commit(one.chunk).add_done_callback(answered)

    def _learn(self, took_s: float) -> None:
        self.commit_latency.observe(took_s)
        self.commit_s += (took_s - self.commit_s) / COMMITS_LEARNED

    def _tell_safe(self) -> None:
        """Tell of all that is safe and has nothing before it that is not."""
        while self._under_way and self._under_way[0].is_safe:
            self._on_safe(self._under_way[0].chunk, self._under_way[0].messages)
            self._under_way.popleft()

    @property
    def _is_refused(self) -> bool:
        return any(one.refused is not None for one in self._under_way)

    def _is_answered(self) -> bool:
        return all(one.is_safe or one.refused is not None for one in self._under_way)
