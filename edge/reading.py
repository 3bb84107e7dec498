"""Pure: messages in, columns out: what sensors said, as rows of series with time and quality.

Every message ends in exactly one class, and is counted there: accepted (its readings are rows),
rejected (kept with its reason), collapsed (a redelivered copy) or ignored (retained values, topics
of brokers and of this agent). A part that cannot be read makes a reject beside the readings of the
rest. What a message says is `edge.recognition`'s to tell.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from edge.catalog import Catalog, SeriesRefused
from edge.chunk import MARK_BYTES, Reject
from edge.garbage import Garbage
from edge.heard import Heard
from edge.message import RETAIN, Burst, Message, Messages
from edge.payload.plan import OTHER_SHAPE, Plan
from edge.payload.said import Channel, NotData, ReadingLimits, Repeated, Said, Unreadable
from edge.reading_quick import Quick, Row
from edge.reading_work import Work
from edge.recognition import Recognition
from edge.redelivery import Redelivery
from edge.topic import OWN_PREFIX, TopicFilters
from protos.limits import KIB

ROW_BYTES: Final = 40  # a number that nothing compresses, and a part of a score
NAME_COST: Final = 128  # a row of the series table or of the rejects, without its names
LABEL_COST: Final = 8  # of a label, without its name and its value
SMALL_BYTES: Final = KIB  # no payload up to this can bring more than a message may


class Reader:
    """Reads batches of messages in order of arrival, giving new series their numbers.

    Args:
        catalog: names the series; only this reader adds to it.
        redelivery: knows copies.
        ignore: topic filters of messages that are counted and not read.
        alerts: what topics begin with on which episodes are told; they are no readings.
        limits: what one message may ask of the gateway.
        recognition: knows the conventions, and what the operator says about topics.
    """

    def __init__(
        self,
        catalog: Catalog,
        redelivery: Redelivery,
        *,
        ignore: Sequence[str] = (),
        alerts: tuple[str, ...] = ("tidegate/anomaly/",),
        limits: ReadingLimits | None = None,
        recognition: Recognition | None = None,
    ) -> None:
        self._catalog = catalog
        self._redelivery = redelivery
        self._ignored = TopicFilters(ignore) if ignore else None
        self._alerts = alerts
        self._limits = limits or (recognition.limits if recognition else ReadingLimits())
        self._recognition = recognition or Recognition(self._limits)
        self.take_lessons = self._recognition.take_lessons
        self._quick = Quick(redelivery)
        self._garbage = Garbage()
        self._left: tuple[Row, Sequence[Said], str] | None = None

    def read(self, messages: Iterable[Message]) -> Heard:
        """Columns, new series, marks and rejects of the first of ``messages``, at least of one.

        ``counts.messages`` tells how many were taken: as many as fit one chunk of the buffer. Never
        raises for content.
        """
        told, work, quick = Messages.of(messages), Work(), self._quick
        quick.room, quick.taken = self._limits.batch_bytes, 0
        self._garbage.begin(told.bursts[0].arrival_us if told.bursts else 0)
        rows = zip(told.topics, told.payloads, told.heads, told.packet_ids, strict=True)
        is_full = False
        for burst in told.bursts:
            if is_full:
                break
            self._redelivery.begin(burst.session, burst.broker)
            mine = islice(rows, burst.count)
            while not is_full and (row := quick.run(mine, work.numbers)) is not None:
                is_full = not self._read_in_full(row, burst, work)
            work.end(burst)
            work.asked.extend((burst.broker, one) for one in self._recognition.take_asked())
        counts = work.counts
        counts.messages += quick.taken
        counts.accepted += quick.taken
        return Heard(
            work.batch(quick),
            self._catalog.take_new(),
            self._redelivery.take_marks(),
            tuple(work.rejects),
            counts,
            tuple(work.asked),
            self._limits.batch_bytes - quick.room,
        )

    def _read_in_full(self, row: Row, burst: Burst, work: Work) -> bool:
        """Take in one message; False when this batch has no room for it, and it is for the next."""
        topic, payload, head, packet_id = row
        counts, quick = work.counts, self._quick
        if head & RETAIN or self._is_ignored(topic):
            counts.messages += 1
            counts.alerts += topic.startswith(self._alerts)
            problem = self._learned(topic, payload) if head & RETAIN else ""
            counts.rejected += bool(problem)
            counts.ignored += not problem
            counts.retained += head & RETAIN and not problem
            if problem:
                self._reject(row, burst, work, problem)
            return True
        told, reason = self._understood(row, burst.arrival_us)
        if isinstance(told, NotData):
            counts.messages += 1
            counts.ignored += not isinstance(told, Repeated)
            counts.collapsed += isinstance(told, Repeated)
            quick.forget(self._recognition.take_changed())
            return True
        cost = MARK_BYTES + sum(self._cost(said) for said in told)
        if cost > quick.room and counts.messages + quick.taken:
            self._left = (row, told, reason)
            return False
        counts.messages += 1
        dated = bool(told) and told[0].dated
        marker = self._redelivery.marker(topic)
        if self._redelivery.repeats(marker, payload, head, packet_id, dated=dated):
            counts.collapsed += 1
            return True
        quick.room -= cost
        kept = work.rows
        for said in told:
            counts.add(said)
            faults = self._place(said, work)
            reason = reason or _summed(faults)
        kept = work.rows - kept
        counts.accepted += kept > 0
        counts.rejected += kept == 0
        if kept:
            self._garbage.read(topic)
        elif not quick.knows(topic):
            self._garbage.refused(topic)
        if reason:
            counts.partial += kept > 0
            self._reject(row, burst, work, reason)
        elif quick.puzzled and quick.wants(topic):
            self._plan(topic, payload, told)
        return True

    def _learned(self, topic: str, payload: bytes) -> str:
        """Take what a retained message teaches; why it could not be taken, empty when it was."""
        problem = "" if self._is_ignored(topic) else self._recognition.learn(topic, payload)
        self._quick.forget(self._recognition.take_changed())
        return problem

    def _understood(self, row: Row, arrival_us: int) -> tuple[Sequence[Said] | NotData, str]:
        """What a message says, and why it says nothing; read once, though it may be asked twice.

        A message for which a batch had no room comes again first in the next.
        """
        left, self._left = self._left, None
        if left is not None and left[0] == row:
            return left[1], left[2]
        try:
            return self.explain(row[0], row[1], arrival_us), ""
        except NotData as error:
            return error, ""
        except Unreadable as error:
            return (), error.reason

    def _plan(self, topic: str, payload: bytes, told: Sequence[Said]) -> None:
        """Have this topic read quickly from now on, when its convention knows how."""
        if len(told) != 1 or told[0].texts or told[0].missing:
            return
        plan = self._recognition.plan(topic, payload)
        if plan is None:
            return
        channels = self._catalog.channels(plan.device)
        series = [channels.get(channel, 0) for channel in plan.channels]
        if all(series) and _agrees(plan, payload, told[0]):
            self._quick.learn(topic, plan, series, MARK_BYTES + ROW_BYTES * len(series))

    @property
    def unwanted(self) -> frozenset[str]:
        """Topics of which nothing could be read for long (`edge.garbage`)."""
        return self._garbage.unwanted

    @property
    def hears_nodes(self) -> bool:
        """Whether a Sparkplug node was heard, whose host this gateway may be."""
        return self._recognition.hears_nodes

    def origin(self, topic: str) -> tuple[str, str]:
        """Convention and device that a topic was last read as; empty while it was not."""
        return self._recognition.origin(topic)

    def explain(self, topic: str, payload: bytes, arrival_us: int = 0) -> Sequence[Said]:
        """What one message says, without taking it in.

        Raises:
            Unreadable: with the reason; a convention that fails by our own fault is one too, so
                that no message can stop the stream.
            NotData: it is no reading by its nature, or its readings came already.
        """
        told = self._recognition.read(topic, payload, arrival_us)
        self._check(told, len(payload))
        return told

    def _check(self, told: Sequence[Said], payload_bytes: int) -> None:
        """Refuse more than the buffer takes as one."""
        if payload_bytes > SMALL_BYTES and self._is_too_much(told):
            raise Unreadable("more values, names and texts than one message may bring")

    def _is_too_much(self, told: Sequence[Said]) -> bool:
        return sum(_cost(said, named=True) for said in told) > self._limits.message_bytes_max

    def _reject(self, row: Row, burst: Burst, work: Work, reason: str) -> None:
        """Keep what could not be read, with its reason; of many at once, some."""
        if self._quick.room <= 0 or not self._garbage.keeps(row[0]):
            work.counts.unkept += 1
            return
        bytes_max = self._limits.reject_bytes_max
        topic, payload = row[0][:bytes_max], row[1][:bytes_max]
        work.rejects.append(Reject(burst.arrival_us, topic, payload, reason))
        self._quick.room -= 2 * NAME_COST + _bytes(topic) + _bytes(reason) + 2 * len(payload)

    def _is_ignored(self, topic: str) -> bool:
        if topic[:1] == "$" or topic.startswith((OWN_PREFIX, *self._alerts)):
            return True
        return self._ignored is not None and self._ignored.match(topic)

    def _place(self, said: Said, work: Work) -> list[str]:
        """Add the rows of what was said; reasons for the parts that could not be read."""
        faults = said.faults
        channels = self._catalog.channels(said.device)
        told: list[tuple[Channel, float]] | list[tuple[Channel, str]]
        for told, rows in ((said.numbers, work.numbers), (said.texts, work.texts)):
            if not told:
                continue
            series, values = [], []
            for channel, value in told:
                number = channels.get(channel) or self._entry(said.device, channel, faults)
                if number:
                    series.append(number)
                    values.append(value)
            rows.add(series, values, said.at_us)
        return faults

    def _entry(self, device: str, channel: Channel, faults: list[str]) -> int:
        """The number of a series that was not at hand; 0 when it is refused."""
        try:
            return self._catalog.add(device, channel)
        except SeriesRefused as error:
            faults.append(error.reason)
            return 0

    def _cost(self, said: Said) -> int:
        """Bytes it takes in the buffer, at most; all its series count as new if one is."""
        known = self._catalog.channels(said.device)
        named = any(channel not in known for channel, _ in [*said.numbers, *said.texts])
        return _cost(said, named=named)


def _cost(said: Said, *, named: bool) -> int:
    """Bytes in the buffer, at most; ``named``: some of its series are new, so take all for new."""
    values = len(said.numbers) + len(said.texts)
    cost = ROW_BYTES * values
    if said.texts:
        cost += sum(_bytes(text) for _, text in said.texts)
    if named:
        device = NAME_COST + _bytes(said.device)
        cost += sum(device + _named(channel) for channel, _ in [*said.numbers, *said.texts])
    return cost


def _named(channel: Channel) -> int:
    """Bytes of a series' names: each entry has its unit and every label for itself."""
    metric, _, unit, labels = channel
    told = sum(LABEL_COST + _bytes(key) + _bytes(value) for key, value in labels)
    return _bytes(metric) + _bytes(unit) + told


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _agrees(plan: Plan, payload: bytes, said: Said) -> bool:
    """Whether a plan reads this payload as its convention did."""
    try:
        values = plan.values(plan.decode(payload))
    except OTHER_SHAPE:
        return False
    return dict(zip(plan.channels, values, strict=True)) == dict(said.numbers)


def _summed(faults: Sequence[str]) -> str:
    if len(faults) > 1:
        return f"{faults[0]} (and {len(faults) - 1} more)"
    return faults[0] if faults else ""
