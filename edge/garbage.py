"""Pure: topics of which nothing can be read, so that a flood of them costs little.

The newest rejects are kept for inspection, and a thousand of one topic tell no more than a few. So
a batch keeps `KEPT_EACH` of a topic, and counts the others. A topic of which nothing could be read
`REFUSED_MIN` times in a row is *unwanted* until something can: when much waits, its messages of
QoS 0, of which nobody was promised anything, may be left out (`edge.ingest.Inbox`).
"""

from collections import Counter
from typing import Final

from edge.payload.known import TOPIC_CHARS_MAX

KEPT_EACH: Final = 16
REFUSED_MIN: Final = 100
TOPICS_MAX: Final = 1000


class Garbage:
    """What is known of topics that cannot be read.

    Attributes:
        unwanted: topics of which nothing could be read for long; replaced, never changed.
    """

    def __init__(self) -> None:
        self.unwanted: frozenset[str] = frozenset()
        self._refused: dict[str, int] = {}
        self._kept: Counter[str] = Counter()

    def begin(self) -> None:
        """A batch begins."""
        self._kept.clear()

    def keeps(self, topic: str) -> bool:
        """Whether another reject of this topic is kept in this batch; counts it."""
        kept = self._kept[topic]
        if kept < KEPT_EACH:
            self._kept[topic] = kept + 1
        return kept < KEPT_EACH

    def refused(self, topic: str) -> None:
        """Nothing could be read of one message of this topic."""
        times = self._refused.get(topic, 0) + 1
        if times == 1:
            if len(topic) > TOPIC_CHARS_MAX:
                return
            if len(self._refused) >= TOPICS_MAX:
                self._forget(next(iter(self._refused)))
        self._refused[topic] = times
        if times == REFUSED_MIN:
            self.unwanted |= {topic}

    def read(self, topic: str) -> None:
        """Something could be read of one."""
        if topic in self._refused:
            self._forget(topic)

    def _forget(self, topic: str) -> None:
        del self._refused[topic]
        if topic in self.unwanted:
            self.unwanted -= {topic}
