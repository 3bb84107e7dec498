"""Pure: a message as it is offered to one convention after the other.

What several of them look at (the topic's levels, the decoded JSON) is made once and kept. A
convention answers with what the message says, `Flat` where that is a plain tree of values, or None:
not mine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from edge.payload import json_text
from edge.payload.known import Known
from edge.payload.plan import Plan
from edge.payload.said import Channel, ReadingLimits, Said, Unreadable
from edge.payload.timestamp import Undated, time_us

_NOT_DECODED = object()
NAMES_MAX = 4096
NAME_CHARS_MAX = 255


class Offer:
    """One message on its way through the conventions.

    Args:
        topic: of the message.
        payload: as it came, up to ``limits.payload_bytes_max`` bytes.
        limits: what one message may ask of the gateway.
        known: what earlier messages and the operator taught.
        arrival_us: when it arrived, µs UTC; 0 where nobody cares.

    Attributes:
        levels: of the topic.
        opening: `{` or `[` where the payload looks like JSON; anything else otherwise.
    """

    __slots__ = ("_tree", "arrival_us", "known", "levels", "limits", "opening", "payload", "topic")

    def __init__(
        self, topic: str, payload: bytes, limits: ReadingLimits, known: Known, arrival_us: int = 0
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.limits = limits
        self.known = known
        self.arrival_us = arrival_us
        self.levels = topic.split("/")
        self.opening = json_text.opening(payload)
        self._tree: object = _NOT_DECODED

    def tree(self) -> object:
        """The payload as JSON.

        Raises:
            Unreadable: it is none.
        """
        if self._tree is _NOT_DECODED:
            self._tree = json_text.decode(self.payload)
        return self._tree

    def mapping(self) -> dict[str, object]:
        """The payload as a JSON object.

        Raises:
            Unreadable: it is none.
        """
        tree = self.tree()
        if not isinstance(tree, dict):
            raise Unreadable("not a JSON object, as this topic's convention has it")
        return tree

    def text(self) -> str:
        """The payload as text, without blanks around it.

        Raises:
            Unreadable: it is not UTF-8.
        """
        try:
            return self.payload.decode().strip()
        except UnicodeDecodeError as error:
            raise Unreadable("binary payload: not UTF-8, and no convention reads it") from error

    def date(self, said: Said, value: object, zone: tzinfo | None = None) -> bool:
        """Take ``value`` for the time of ``said``; False when it is no time at all.

        A local time counts in ``zone``, else in the operator's. Without one, and with a clock that
        was never set, the reading keeps its time of arrival.
        """
        at = time_us(value, zone or self.known.zone)
        if at is Undated.NOT_A_TIME:
            return False
        said.dated = True
        said.at_us, said.undated = (None, at) if isinstance(at, Undated) else (at, None)
        return True


@dataclass(slots=True)
class Flat:
    """A tree of values whose names follow from their places alone: the plain case.

    ``name`` gives the channel of the value at a dotted path, None where it is no reading; ``clock``
    is the key at the top that holds the time, None without one; ``zone`` is that of a local time.
    ``fixed`` are keys at the top whose texts the names depend on.
    """

    device: str
    tree: dict[str, object]
    name: Callable[[str], Channel | None]
    clock: str | None = None
    zone: tzinfo | None = None
    fixed: tuple[str, ...] = ()


class Names(dict[str, Channel | None]):
    """What values are called, by their dotted paths; kept, so that each is made up once.

    Args:
        name: makes up a name.
    """

    def __init__(self, name: Callable[[str], Channel | None]) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, path: str) -> Channel | None:
        channel = self._name(path)
        if len(self) < NAMES_MAX and len(path) <= NAME_CHARS_MAX:
            self[path] = channel
        return channel


Answer = Sequence[Said] | Flat | None


@dataclass(frozen=True, slots=True)
class Convention:
    """One way of saying things over MQTT.

    ``name`` is what `tap` calls it, ``read`` its reading. Conventions are asked by ``rank``, then
    by name: those that know their topics, those that know a payload by its shape, and those that
    take what is left. ``learn`` takes what a retained message teaches, and tells whether it was one
    of its kind; ``plan`` is the quick way of further messages of a topic, where the answer is not
    ``Flat``, which has one of its own.
    """

    name: str
    rank: int
    read: Callable[[Offer], Answer]
    learn: Callable[[Offer], bool] | None = None
    plan: Callable[[Offer], Plan | None] | None = None


TOPIC_RANK = 1
"""Told by the topic."""
SHAPE_RANK = 2
"""Told by the form of the payload."""
OBJECT_RANK = 3
"""Any JSON object."""
LAST_RANK = 4
"""Whatever is left."""
