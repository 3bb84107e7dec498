"""How many messages come on which topic, for `top`: counted only while somebody looks.

The collect thread counts, the loop answers. The first question begins to count and has no rates
yet; a minute after the last one counting ends, so that it costs nothing when nobody looks.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from edge.payload.known import TOPIC_CHARS_MAX

TOPICS_MAX: Final = 10_000
TOLD_MAX: Final = 500
LOOKED_AT_S: Final = 60.0


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one topic since the last question; empty names while it was not read."""

    topic: str
    device: str
    convention: str
    messages: int


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What came in ``seconds``; ``others`` are messages of topics that are not told."""

    seconds: float
    messages: int
    topics: int
    rates: list[Rate]
    others: int = 0


class Traffic:
    """Counts messages by topic.

    Args:
        origin: convention and device of a topic.
        now_s: a clock that never goes back.
    """

    def __init__(
        self,
        origin: Callable[[str], tuple[str, str]],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origin = origin
        self._now_s = now_s
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._others = 0
        self._since_s = 0.0
        self._until_s = 0.0

    def add(self, topics: Sequence[str]) -> None:
        """Count a batch, on the collect thread; nothing while nobody looks."""
        if self._until_s == 0.0 or self._now_s() > self._until_s:
            return
        with self._lock:
            counts = self._counts
            if len(counts) < TOPICS_MAX:
                counts.update(topic[:TOPIC_CHARS_MAX] for topic in topics)
            else:
                known = [topic for topic in topics if topic in counts]
                counts.update(known)
                self._others += len(topics) - len(known)

    async def told(self) -> Rates:
        """What came since the last question, the busiest topics first."""
        now_s = self._now_s()
        with self._lock:
            counts, others, since_s = self._counts, self._others, self._since_s
            fresh = self._until_s == 0.0 or now_s > self._until_s
            self._counts, self._others, self._since_s = Counter(), 0, now_s
            self._until_s = now_s + LOOKED_AT_S
        if fresh:
            return Rates(seconds=0.0, messages=0, topics=0, rates=[])
        messages = sum(counts.values()) + others
        told = counts.most_common(TOLD_MAX)
        return Rates(
            seconds=now_s - since_s,
            messages=messages,
            topics=len(counts),
            rates=[self._rate(topic, count) for topic, count in told],
            others=messages - sum(count for _, count in told),
        )

    def _rate(self, topic: str, count: int) -> Rate:
        convention, device = self._origin(topic)
        return Rate(topic=topic, device=device, convention=convention, messages=count)
