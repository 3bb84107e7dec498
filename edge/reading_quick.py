"""Pure: the hot loop of reading: messages of known topics and shapes, by their plans.

What a plan cannot read, what may be a copy, and every topic without a plan is handed back, to be
read in full. A topic gets its plan at its second message, so that a topic heard once costs nothing;
one whose shape keeps changing keeps the plan it has after `CHANGES_MAX` changes. Messages that are
one list of numbers each are decoded together; where one of them is another shape they are read one
by one, and so is the rest of that batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from edge.message import QOS_SHIFT
from edge.payload.known import TOPIC_CHARS_MAX
from edge.payload.plan import OTHER_SHAPE, Plan, decode_lists
from edge.payload.timestamp import Undated, time_us
from edge.reading_rows import RowLists, Shapes
from edge.redelivery import Marker, Redelivery

TOPICS_MAX: Final = 1 << 16
"""Topics that are remembered at all; more are always read in full."""
CHANGES_MAX: Final = 8
PLANNED_MAX: Final = 1 << 20
"""Series in all plans that ever were: a shape stays for good, and what discovery tells of a topic
makes it a new one, as often as somebody likes. Beyond it there are no further plans."""
LISTS_BYTES_MAX: Final = 256 << 10
"""Lists decoded as one; the decoder is no quicker for more, and their copy is memory."""
_QOS_1: Final = 1 << QOS_SHIFT

Row = tuple[str, bytes, int, int]
"""Topic, payload, head and packet id of one message."""


class Known(msgspec.Struct, gc=False):
    """A topic's plan in service; ``bytes_each`` is what one message may take in the buffer."""

    decode: Any
    values: Any
    time: Any
    listed: Any
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
        self._again: list[Row] = []
        self._met_list, self._joins = False, True

    def begin(self, room: int) -> None:
        """Begin a batch, which may take ``room`` bytes of the buffer."""
        self.room, self.taken = room, 0
        self._again.clear()
        self._joins = True

    def run(self, rows: Iterator[Row], numbers: RowLists) -> Row | None:
        """Read messages until one is not for us, which is given back; None: there are no more.

        Stops as well when ``room`` is used up, giving back the first message that has none.
        """
        kept = iter(self._again)
        self._again, rows = [], chain(kept, rows)
        while True:
            row = self._one_by_one(rows, numbers, self._joins)
            if row is None or not self._met_list:
                break
            lists, after = self._lists_from(row, rows)
            self._joins, row = self._join(lists, numbers), None
            held = iter(() if self._joins else lists)
            if not self._joins:
                row = self._one_by_one(held, numbers, False)
            if row is None and after is not None:
                row, after = self._one_by_one(iter((after,)), numbers, False), None
            if row is not None:
                self._again = [*held, after] if after is not None else [*held]
                break
        self._again += kept
        return row

    def _lists_from(self, row: Row, rows: Iterator[Row]) -> tuple[list[Row], Row | None]:
        """The lists from ``row`` on for which there is room, and the message after them."""
        lists, room, size = [row], self.room, len(row[1])
        room -= self._known[row[0]].bytes_each
        for after in rows:
            known = self._known.get(after[0])
            if known is None or known.listed is None or after[2] not in (_QOS_1, 0):
                return lists, after
            room -= known.bytes_each
            size += len(after[1])
            if room < 0 or size > LISTS_BYTES_MAX:
                return lists, after
            lists.append(after)
        return lists, None

    def _join(self, lists: Sequence[Row], numbers: RowLists) -> bool:
        """Read lists as one; False, and nothing is read, when one of them is another shape."""
        known = [self._known[topic] for topic, _, _, _ in lists]
        shapes = [one.shape for one in known]
        room = self.room - sum(one.bytes_each for one in known)
        texts = [one.listed(row[1]) for one, row in zip(known, lists, strict=True)]
        if room < 0 or None in texts:
            return False
        try:
            numbers.values += decode_lists(texts, sum(map(self.shapes.length, shapes)))
        except OTHER_SHAPE:
            return False
        numbers.seen += shapes
        self.room, self.taken = room, self.taken + len(lists)
        filter_ = self._redelivery
        if filter_.is_on:
            for one, (_, payload, head, packet_id) in zip(known, lists, strict=True):
                if head:
                    digest = one.marker.copy()
                    digest.update(payload)
                    filter_.hashes.append(digest.digest())
                    filter_.packet_ids.append(packet_id)
        return True

    def _one_by_one(
        self, rows: Iterator[Row], numbers: RowLists, stop_at_lists: bool
    ) -> Row | None:
        """`run` message by message; ``stop_at_lists`` gives back those that can be joined too."""
        known_of, filter_ = self._known.get, self._redelivery
        tell, see = numbers.values.extend, numbers.seen.append
        mark, name = filter_.hashes.append, filter_.packet_ids.append
        before = len(numbers.seen)
        marking, room, puzzled, met_list = filter_.is_on, self.room, False, False
        row: Row | None = None
        for row in rows:
            topic, payload, head, packet_id = row
            known = known_of(topic)
            if head != _QOS_1 and head != 0:
                break
            if known is None:
                puzzled = True
                break
            if stop_at_lists and known.listed is not None:
                met_list = True
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
        self.room, self.puzzled, self._met_list = room, puzzled, met_list
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
        self._known[topic] = Known(
            plan.decode, plan.values, plan.time, plan.listed, shape, bytes_each, marker
        )
