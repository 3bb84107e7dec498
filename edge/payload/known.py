"""Pure: what earlier messages taught about later ones, all of it bounded.

Conventions keep what they learn (aliases, units, names) in a state of their own type, asked for
with `Known.of`. Here stands what they share: which way a value comes, what came already, the
operator's zone, and what is to be published in answer.
"""

from collections.abc import Hashable
from datetime import tzinfo
from typing import TypeVar

import msgspec

State = TypeVar("State")

WAYS_MAX = 20_000
WAY_SILENT_US = 600_000_000
"""After ten minutes without a word by its own way, a value is taken from another."""
RECENT_MAX = 4096
TOPIC_CHARS_MAX = 512
"""A longer topic is read as any other, but nothing is remembered of it."""
PUBLISH_MAX = 256
LESSONS_MAX = 4096
LESSON_BYTES_MAX = 1 << 20
"""Of what was taught and is not yet taken."""


class Publish(msgspec.Struct, frozen=True):
    """A message that a convention asks to be sent to the broker."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class Known:
    """The memory of one gateway's conventions.

    Args:
        zone: of local times; None: they stay without meaning.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.zone = zone
        self._states: dict[type, object] = {}
        # By keyed 64-bit hashes: names from strangers may be long, and what is kept may not.
        self._ways: Bounded[int, tuple[int, int]] = Bounded(WAYS_MAX)
        self._recent: Bounded[int, None] = Bounded(RECENT_MAX)
        self._asked: list[Publish] = []
        self._taught: Bounded[int, int] = Bounded(LESSONS_MAX)
        self._lessons: dict[str, bytes] = {}
        self._lessons_size = 0
        self.lessons_heard = 0
        """How often something new was taught."""

    def of(self, kind: type[State]) -> State:
        """The one state of type ``kind``, made when first asked for."""
        state = self._states.get(kind)
        if state is None:
            state = self._states[kind] = kind()
        return state  # type: ignore[return-value] # made by its own type

    def comes_by(self, what: Hashable, way: str, now_us: int) -> bool:
        """Whether ``what`` is to be taken from this ``way``: the first it came by, while it speaks.

        Args:
            what: the value, whichever way it comes.
            way: a channel, a gateway.
            now_us: time of arrival, µs UTC.
        """
        key, by = hash(what), hash(way)
        last = self._ways.get(key)
        if last is not None and last[0] != by and 0 <= now_us - last[1] < WAY_SILENT_US:
            return False
        self._ways.put(key, (by, now_us))
        return True

    def came(self, key: Hashable) -> bool:
        """Whether ``key`` was among the last that were asked about; now it is."""
        mark = hash(key)
        if mark in self._recent:
            return True
        self._recent.put(mark, None)
        return False

    def ask(self, publish: Publish) -> None:
        """Have something published; beyond a bound it is left out, and asked for again later."""
        if len(self._asked) < PUBLISH_MAX:
            self._asked.append(publish)

    def teach(self, topic: str, message: bytes) -> None:
        """Note that ``message`` taught something of which later messages depend.

        It is kept over a restart, unless it says what the last one on ``topic`` said. An empty one
        takes it back. Beyond a bound it is not kept; what it taught holds until the restart.
        """
        mark, said = hash(topic), hash(message)
        if len(topic) > TOPIC_CHARS_MAX or self._taught.get(mark) == said:
            return
        self.lessons_heard += 1
        size = self._lessons_size + len(message) - len(self._lessons.get(topic, b""))
        if size <= LESSON_BYTES_MAX and len(self._lessons) < LESSONS_MAX:
            self._taught.put(mark, said)
            self._lessons[topic] = message
            self._lessons_size = size

    def take_lessons(self) -> tuple[tuple[str, bytes], ...]:
        """What was taught since the last call, by topic."""
        taken = tuple(self._lessons.items())
        self._lessons, self._lessons_size = {}, 0
        return taken

    def take_asked(self) -> tuple[Publish, ...]:
        """What is to be published since the last call."""
        asked = tuple(self._asked)
        self._asked.clear()
        return asked


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Bounded(dict[Key, Value]):
    """A map that forgets what was put longest ago when it is full."""

    def __init__(self, size_max: int) -> None:
        super().__init__()
        self._size_max = size_max

    def put(self, key: Key, value: Value) -> None:
        """Keep ``value``, as the newest."""
        self.pop(key, None)
        self[key] = value
        if len(self) > self._size_max:
            del self[next(iter(self))]
