"""Pure: what discovery messages told about other topics: names and units of the values on them.

A topic's value is named by its dotted path in the topic's JSON, or by nothing where the payload is
the value itself. Units and counters are taken for every convention; names of devices and metrics
only where the convention had none but those of the topic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.payload.known import TOPIC_CHARS_MAX, Bounded
from edge.payload.offer import Flat
from edge.payload.said import COUNTER, GAUGE, STATE, Channel, Said

TOPICS_MAX: Final = 5_000
ENTITIES_MAX: Final = 64
"""Values of one topic that are remembered."""


@dataclass(frozen=True, slots=True)
class Entity:
    """What is known of one value; what is empty was not told."""

    device: str = ""
    metric: str = ""
    unit: str = ""
    is_counter: bool = False


@dataclass(slots=True)
class Named:
    """What is known of the values on one topic, by path; the empty path is the whole payload."""

    entities: dict[str, Entity] = field(default_factory=dict)

    def add(self, path: str, entity: Entity) -> None:
        """Remember one value, in place of what was known of it."""
        if path in self.entities or len(self.entities) < ENTITIES_MAX:
            self.entities[path] = entity

    def channel(self, channel: Channel | None, path: str, *, named: bool) -> Channel | None:
        """A value's channel by what is known of it."""
        entity = self.entities.get(path)
        if channel is None or entity is None:
            return channel
        metric, kind, unit, labels = channel
        if named and entity.metric:
            metric = entity.metric
        if kind is STATE:
            return (metric, kind, unit, labels)
        kind = COUNTER if entity.is_counter and kind is GAUGE else kind
        return (metric, kind, entity.unit or unit, labels)

    def device(self) -> str:
        """The device that the values of this topic belong to; empty: it was not told."""
        return next((one.device for one in self.entities.values() if one.device), "")

    def dress(self, flat: Flat, *, named: bool) -> None:
        """Have a plain tree speak by what is known; ``named``: by its names as well."""
        before = flat.name
        flat.name = self._naming(before, named=named)
        if named:
            flat.device = self.device() or flat.device

    def _naming(
        self, before: Callable[[str], Channel | None], *, named: bool
    ) -> Callable[[str], Channel | None]:
        return lambda path: self.channel(before(path), path, named=named)

    def apply(self, told: Sequence[Said], *, named: bool) -> Sequence[Said]:
        """What was said of a payload that is one value, by what is known of it."""
        for said in told:
            if len(said.numbers) + len(said.texts) != 1:
                continue
            device = self.device()
            if named and device:
                said.device = device
            said.numbers = [
                (self.channel(channel, "", named=named) or channel, value)
                for channel, value in said.numbers
            ]
            said.texts = [
                (self.channel(channel, "", named=named) or channel, text)
                for channel, text in said.texts
            ]
        return told


class Discovered:
    """All topics that discovery spoke of."""

    def __init__(self) -> None:
        self._topics: Bounded[str, Named] = Bounded(TOPICS_MAX)
        self._wills: Bounded[str, None] = Bounded(TOPICS_MAX)
        self._orders: Bounded[str, None] = Bounded(TOPICS_MAX)
        self._told: Bounded[int, int] = Bounded(TOPICS_MAX)
        self._changed: set[str] = set()

    def of(self, topic: str) -> Named | None:
        """What is known of the values on ``topic``."""
        return self._topics.get(topic)

    def add(self, topic: str, path: str, entity: Entity) -> None:
        """Remember what a value is."""
        words = (topic, path, entity.device, entity.metric, entity.unit)
        if any(len(word) > TOPIC_CHARS_MAX for word in words):
            return
        named = self._topics.get(topic) or Named()
        if named.entities.get(path) != entity:
            named.add(path, entity)
            self._changed.add(topic)
        self._topics.put(topic, named)

    def take_changed(self) -> frozenset[str]:
        """Topics whose values were named anew since the last call."""
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    def was_told(self, topic: str, problem: str) -> bool:
        """Whether this problem of a topic's configuration was told before; now it is."""
        mark = hash(topic)
        if self._told.get(mark) == hash(problem):
            return True
        self._told.put(mark, hash(problem))
        return False

    def add_will(self, topic: str) -> None:
        """Remember that ``topic`` tells of a connection, not of a device."""
        if len(topic) <= TOPIC_CHARS_MAX:
            self._wills.put(topic, None)

    def add_order(self, topic: str) -> None:
        """Remember that ``topic`` tells a device what to do."""
        if len(topic) <= TOPIC_CHARS_MAX:
            self._orders.put(topic, None)

    def is_order(self, topic: str) -> bool:
        """Whether ``topic`` tells a device what to do, and no device speaks on it."""
        return topic in self._orders and topic not in self._topics

    def is_will(self, topic: str) -> bool:
        """Whether ``topic`` tells of a connection."""
        return topic in self._wills
