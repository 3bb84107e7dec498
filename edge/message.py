"""Pure: what an MQTT broker hands over, as every stage of the edge sees it: columns.

No object is made for a message between the socket and the buffer. `Message` is one row of
`Messages`, for what is not hot.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

RETAIN: Final = 1
QOS_SHIFT: Final = 1
QOS: Final = 3 << QOS_SHIFT
DUP: Final = 8
MESSAGE_OVERHEAD_BYTES: Final = 200
"""What a message is taken to cost in memory beside its topic and payload."""

UNREADABLE_TOPIC: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for a topic that is none, so that its message is kept as a reject and acknowledged.

No UTF-8 [1.5.4], or with a NUL or a wildcard, which no publication may have [3.3.2.1]. A broker
that lets one through, as one with other protocols beside MQTT may, would send it again for ever if
we broke the connection off for it.
"""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One PUBLISH as it arrived; not yet acknowledged.

    ``arrival_us`` is µs UTC by the gateway's clock and ``quality`` (``protos.records.Quality``)
    says how far that clock was to be trusted at that moment; ``stretch`` tags the stretch of
    unsynced time it was in (`protos.stretch`), 0 when synced. ``session`` rises with every
    connection with ``broker``, by its name, empty for the first; ``packet_id`` is MQTT's (0 at
    QoS 0).
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    arrival_us: int
    quality: int
    session: int
    packet_id: int
    stretch: int = 0
    broker: str = ""


class Burst(msgspec.Struct, frozen=True, gc=False):
    """What ``count`` messages in a row share: when they arrived, on which connection to whom."""

    count: int
    arrival_us: int
    quality: int
    session: int
    stretch: int = 0
    broker: str = ""


@dataclass(slots=True, eq=False)
class Messages:
    """Messages in order of arrival, column by column, all of one length.

    Attributes:
        topics: topic names; equal ones are one object where the ingest knew them.
        payloads: as they came.
        heads: the low four bits of each PUBLISH's first byte: ``DUP``, ``QOS``, ``RETAIN``.
        packet_ids: MQTT's, 0 at QoS 0.
        bursts: what neighbours share; their counts add up to the length.
        size: bytes that all take, `MESSAGE_OVERHEAD_BYTES` each included.
    """

    topics: list[str] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    packet_ids: list[int] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    size: int = 0

    @classmethod
    def of(cls, messages: Iterable[Message]) -> "Messages":
        """Columns of messages; columns are given back as they are."""
        if isinstance(messages, Messages):
            return messages
        made = cls()
        for one in messages:
            made.add(one)
        return made

    def __len__(self) -> int:
        return len(self.topics)

    def __iter__(self) -> Iterator[Message]:
        """Row by row, for what is not hot."""
        at = 0
        for burst in self.bursts:
            for row in range(at, at + burst.count):
                yield self._row(row, burst)
            at += burst.count

    def _row(self, row: int, burst: Burst) -> Message:
        head = self.heads[row]
        return Message(
            self.topics[row],
            self.payloads[row],
            (head & QOS) >> QOS_SHIFT,
            bool(head & RETAIN),
            bool(head & DUP),
            burst.arrival_us,
            burst.quality,
            burst.session,
            self.packet_ids[row],
            burst.stretch,
            burst.broker,
        )

    def add(self, one: Message) -> None:
        """Put a message at the end."""
        self.topics.append(one.topic)
        self.payloads.append(one.payload)
        self.heads.append(one.retain | one.qos << QOS_SHIFT | one.dup * DUP)
        self.packet_ids.append(one.packet_id)
        self.bursts.append(
            Burst(1, one.arrival_us, one.quality, one.session, one.stretch, one.broker)
        )
        self.size += len(one.payload) + len(one.topic) + MESSAGE_OVERHEAD_BYTES

    def extend(self, more: "Messages") -> None:
        """Put messages at the end, in their order."""
        self.topics += more.topics
        self.payloads += more.payloads
        self.heads += more.heads
        self.packet_ids += more.packet_ids
        self.bursts += more.bursts
        self.size += more.size

    def without(self, topics: frozenset[str]) -> "Messages":
        """Those that were promised something (QoS 1, 2) or have another topic; without bursts."""
        rows = [
            row
            for row, (topic, head) in enumerate(zip(self.topics, self.heads, strict=True))
            if head & QOS or topic not in topics
        ]
        kept = Messages(
            [self.topics[row] for row in rows],
            [self.payloads[row] for row in rows],
            [self.heads[row] for row in rows],
            [self.packet_ids[row] for row in rows],
        )
        kept.size = _size(kept.topics, kept.payloads)
        return kept

    def fitting(self, bytes_max: int) -> int:
        """How many of the first take at most ``bytes_max`` bytes; at least one."""
        size = 0
        for count, (topic, payload) in enumerate(zip(self.topics, self.payloads, strict=True)):
            size += len(topic) + len(payload) + MESSAGE_OVERHEAD_BYTES
            if size > bytes_max:
                return max(count, 1)
        return len(self)

    def split(self, count: int) -> "tuple[Messages, Messages]":
        """The first ``count`` messages, and the rest."""
        if count >= len(self):
            return self, Messages()
        size = _size(self.topics[:count], self.payloads[:count])
        before, after, left = [], [], count
        for burst in self.bursts:
            here = min(left, burst.count)
            left -= here
            if here:
                before.append(msgspec.structs.replace(burst, count=here))
            if here < burst.count:
                after.append(msgspec.structs.replace(burst, count=burst.count - here))
        first = Messages(
            self.topics[:count],
            self.payloads[:count],
            self.heads[:count],
            self.packet_ids[:count],
            before,
            size,
        )
        rest = Messages(
            self.topics[count:],
            self.payloads[count:],
            self.heads[count:],
            self.packet_ids[count:],
            after,
            self.size - size,
        )
        return first, rest


def topic_named(raw: bytes) -> str:
    """The topic's name; `UNREADABLE_TOPIC` where it is none."""
    if b"+" in raw or b"#" in raw or b"\0" in raw:
        return UNREADABLE_TOPIC
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return UNREADABLE_TOPIC


def _size(topics: list[str], payloads: list[bytes]) -> int:
    return sum(map(len, payloads)) + sum(map(len, topics)) + MESSAGE_OVERHEAD_BYTES * len(topics)
