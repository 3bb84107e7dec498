"""Pure: the hot loop of reading: messages of known topics and shapes, by their plans.

What a plan cannot read, what may be a copy, and every topic without a plan is handed back, to be
read in full. A topic gets its plan at its second message, so that a topic heard once costs nothing;
one whose shape keeps changing keeps the plan it has after `CHANGES_MAX` changes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from edge.message import QOS_SHIFT
from edge.payload.known import TOPIC_CHARS_MAX
from edge.payload.plan import OTHER_SHAPE, Plan
from edge.payload.timestamp import Undated, time_us
from edge.reading_rows import RowLists, Shapes
from edge.redelivery import Marker, Redelivery

TOPICS_MAX: Final = 1 << 16
"""Topics that are remembered at all; more are always read in full."""
CHANGES_MAX: Final = 8
PLANNED_MAX: Final = 1 << 20
"""Series in all plans that ever were: a shape stays for good, and what discovery tells of a topic
makes it a new one, as often as somebody likes. Beyond it there are no further plans."""
_QOS_1: Final = 1 << QOS_SHIFT

Row = tuple[str, bytes, int, int]
"""Topic, payload, head and packet id of one message."""


class Known(msgspec.Struct, gc=False):
    """A topic's plan in service; ``bytes_each`` is what one message may take in the buffer."""

    decode: Any
    values: Any
    time: Any
    shape: int
    bytes_each: int
    marker: Marker


class Quick:
    """Reads what is known, quickly.

    Args:
        redelivery: gets the marks of what is accepted.

    Attributes:
        shapes: series of the plans in service.
        room: bytes of the buffer that this batch may still take; the reader sets it.
        taken: messages read since the reader set it to 0.
        puzzled: the message given back last has a topic without a plan, or another shape.
        undated: readings by why their device's time cannot be used; the reader clears it.
    """

    def __init__(self, redelivery: Redelivery) -> None:
        self.shapes = Shapes()
        self.room = self.taken = 0
        self.puzzled = False
        self.undated: dict[Undated, int] = {}
        self._redelivery = redelivery
        self._known: dict[str, Known] = {}
        self._heard: dict[str, int] = {}

    def run(self, rows: Iterator[Row], numbers: RowLists) -> Row | None:
        """Read messages until one is not for us, which is given back; None: there are no more.

        Stops as well when ``room`` is used up, giving back the first message that has none.
        """
        known_of, filter_ = self._known.get, self._redelivery
        tell, see = numbers.values.extend, numbers.seen.append
        mark, name = filter_.hashes.append, filter_.packet_ids.append
        before = len(numbers.seen)
        marking, room, puzzled = filter_.is_on, self.room, False
        row: Row | None = None
        for row in rows:
            topic, payload, head, packet_id = row
            known = known_of(topic)
            if head != _QOS_1 and head != 0:
                break
            if known is None:
                puzzled = True
                break
            room -= known.bytes_each
            if room < 0:
                break
            try:
                shape = known.decode(payload)
                values = known.values(shape)
            except OTHER_SHAPE:
                puzzled = True
                break
            if known.time is not None:
                if filter_.may_match(head, dated=True):
                    break
                at = time_us(known.time(shape))
                if at is Undated.NOT_A_TIME:
                    puzzled = True
                    break
                if isinstance(at, Undated):
                    self.undated[at] = self.undated.get(at, 0) + len(values)
                else:
                    numbers.dated.append((len(numbers.seen), at))
                packet_id = 0
            tell(values)
            see(known.shape)
            if head and marking:
                digest = known.marker.copy()
                digest.update(payload)
                mark(digest.digest())
                name(packet_id)
        else:
            row = None
        self.room, self.puzzled = room, puzzled
        self.taken += len(numbers.seen) - before
        return row

    def wants(self, topic: str) -> bool:
        """Whether this topic, which puzzled us, should get a plan now."""
        if len(topic) > TOPIC_CHARS_MAX or len(self.shapes) >= PLANNED_MAX:
            return False
        times = self._heard.get(topic, 0) + 1
        if times > CHANGES_MAX or (times == 1 and len(self._heard) >= TOPICS_MAX):
            return False
        self._heard[topic] = times
        return times > 1

    def knows(self, topic: str) -> bool:
        """Whether this topic has a plan."""
        return topic in self._known

    def forget(self, topics: Iterable[str]) -> None:
        """Read these topics in full again: what their values are called has changed."""
        for topic in topics:
            self._known.pop(topic, None)
            self._heard.pop(topic, None)

    def learn(self, topic: str, plan: Plan, series: Sequence[int], bytes_each: int) -> None:
        """Read this topic by ``plan`` from now on; ``series`` are the numbers of its channels."""
        marker = self._redelivery.marker(topic)
        shape = self.shapes.add(series)
        self._known[topic] = Known(plan.decode, plan.values, plan.time, shape, bytes_each, marker)
