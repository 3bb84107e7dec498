"""Pure: messages in, columns out: what sensors said, as rows of series with time and quality.

Every message ends in exactly one class, and is counted there: accepted (its readings are rows),
rejected (kept with its reason), collapsed (a redelivered copy) or ignored (retained values, topics
of brokers and of this agent). A part that cannot be read makes a reject beside the readings of the
rest. Conventions are asked in the order of `CONVENTIONS`; the last takes whatever is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from edge.catalog import Catalog, SeriesRefused
from edge.chunk import MARK_BYTES, Chunk, Reject
from edge.message import Message
from edge.payload import flat_json, scalar
from edge.payload.said import Channel, Convention, ReadingLimits, Said, Unreadable
from edge.redelivery import Redelivery
from edge.topic import TopicFilters
from protos.limits import KIB
from protos.records import Batch, Kind, Quality, Rows, concat, table
from protos.series import SeriesEntry

CONVENTIONS: Final[tuple[Convention, ...]] = (flat_json.read, scalar.read)
OWN_PREFIX: Final = "tidegate/"
ROW_BYTES: Final = 40  # a number that nothing compresses, and a part of a score
NAME_COST: Final = 128  # a row of the series table or of the rejects, without its names
SMALL_BYTES: Final = KIB  # no payload up to this can bring more than a message may
SENSOR_TIME: Final = int(Quality.SENSOR)
_OUR_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(slots=True)
class Counts:
    """Messages by class, and values by kind; ``messages`` is the sum of the four classes."""

    messages: int = 0
    accepted: int = 0
    rejected: int = 0
    collapsed: int = 0
    ignored: int = 0
    retained: int = 0
    """Of the ignored ones, those that were retained values."""
    alerts: int = 0
    """Of the ignored ones, those that a gateway's agent told itself."""
    partial: int = 0
    """Of the accepted ones, those with a part that became a reject."""
    numbers: int = 0
    texts: int = 0
    missing: int = 0

    def as_totals(self) -> dict[str, int]:
        """By name, those that are not zero, to be added to persisted totals."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return {name: count for name, count in named.items() if count}


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a batch of messages said.

    ``batch`` has NUMBERS and TEXTS in order of arrival; ``new_entries`` are the series it names for
    the first time; ``marks`` are for the buffer (``edge.redelivery``).
    """

    batch: Batch
    new_entries: tuple[SeriesEntry, ...]
    marks: bytes
    rejects: tuple[Reject, ...]
    counts: Counts

    def as_chunk(self, scores: Batch | None = None) -> Chunk:
        """All of it, with the anomalies found in it, as one unit of commit."""
        batch, totals = self.batch, self.counts.as_totals()
        if scores is not None and scores.rows:
            batch = concat([batch, scores])
            totals["anomalies"] = scores.rows
        return Chunk(batch, self.new_entries, self.marks, self.rejects, totals)


class _Columns:
    """Rows under way, as lists: they become arrays once per batch.

    What all values of one message share (``stamps``: times, quality, and how many values) is kept
    once per message.
    """

    __slots__ = ("series", "stamps", "told")

    def __init__(self) -> None:
        self.series: list[int] = []
        self.told: list[float] | list[str] = []
        self.stamps: list[tuple[int, int, int, int]] = []

    def tables(self, kind: Kind, name: str) -> dict[Kind, Rows]:
        """The table of ``kind`` whose own column is ``name``; nothing when there is no row."""
        if not self.series:
            return {}
        stamps = np.array(self.stamps, np.int64)
        ts, quality, arrival = np.repeat(stamps[:, :3], stamps[:, 3], axis=0).T
        columns: dict[str, ArrayLike] = {
            "series": self.series,
            "ts": np.ascontiguousarray(ts),
            name: self.told,
            "quality": quality.astype(np.uint8),
            "arrival": np.ascontiguousarray(arrival),
        }
        return dict(table(kind, columns).tables)


class Reader:
    """Reads batches of messages in order of arrival, giving new series their numbers.

    Args:
        catalog: names the series; only this reader adds to it.
        redelivery: knows copies.
        ignore: topic filters of messages that are counted and not read.
        alerts: prefix of the topics on which anomalies are told; they are no readings.
        limits: what one message may ask of the gateway.
        conventions: asked in order; tests may give their own.
    """

    def __init__(
        self,
        catalog: Catalog,
        redelivery: Redelivery,
        *,
        ignore: Sequence[str] = (),
        alerts: str = "tidegate/anomaly",
        limits: ReadingLimits | None = None,
        conventions: tuple[Convention, ...] = CONVENTIONS,
    ) -> None:
        self._catalog = catalog
        self._redelivery = redelivery
        self._ignored = TopicFilters(ignore) if ignore else None
        self._alerts = f"{alerts}/"
        self._limits = limits or ReadingLimits()
        self._conventions = conventions
        self._named = False

    def read(self, messages: Sequence[Message]) -> Heard:
        """Columns, new series, marks and rejects of the first of ``messages``, at least of one.

        ``counts.messages`` tells how many were taken: as many as fit one chunk of the buffer. Never
        raises for content.
        """
        numbers, texts = _Columns(), _Columns()
        rejects: list[Reject] = []
        counts = Counts()
        room = self._limits.batch_bytes
        for message in messages:
            if room <= 0:
                break
            counts.messages += 1
            if message.retain or self._is_ignored(message.topic):
                counts.ignored += 1
                counts.retained += message.retain
                counts.alerts += message.topic.startswith(self._alerts)
                continue
            told: Sequence[Said] = ()
            reason = ""
            try:
                told = self.explain(message.topic, message.payload)
            except Unreadable as error:
                reason = error.reason
            if self._redelivery.repeats(message, dated=bool(told) and told[0].dated):
                counts.collapsed += 1
                continue
            room -= MARK_BYTES
            kept = len(numbers.series) + len(texts.series)
            for said in told:
                counts.missing += said.missing
                faults = self._place(said, message, numbers, texts)
                reason = reason or _summed(faults)
                room -= _cost(said, named=self._named)
            kept = len(numbers.series) + len(texts.series) - kept
            counts.accepted += kept > 0
            counts.rejected += kept == 0
            if reason:
                counts.partial += kept > 0
                rejects.append(self._reject(message, reason))
                room -= 2 * NAME_COST + len(reason) + 2 * len(rejects[-1].payload)
        counts.numbers, counts.texts = len(numbers.series), len(texts.series)
        return Heard(
            Batch(numbers.tables(Kind.NUMBERS, "value") | texts.tables(Kind.TEXTS, "text")),
            self._catalog.take_new(),
            self._redelivery.take_marks(),
            tuple(rejects),
            counts,
        )

    def explain(self, topic: str, payload: bytes) -> Sequence[Said]:
        """What one message says, without taking it in.

        Raises:
            Unreadable: with the reason; a convention that fails by our own fault is one too, so
                that no message can stop the stream.
        """
        if len(payload) > self._limits.payload_bytes_max:
            raise Unreadable(
                f"payload of {len(payload)} bytes is over {self._limits.payload_bytes_max}"
            )
        for convention in self._conventions:
            try:
                told = convention(topic, payload, self._limits)
            except _OUR_FAULTS as error:
                name = convention.__module__.rpartition(".")[2]
                raise Unreadable(f"our fault in {name}: {error!r}") from error
            if told is not None:
                self._check(told, len(payload))
                return told
        raise Unreadable("no convention reads it")

    def _check(self, told: Sequence[Said], payload_bytes: int) -> None:
        """Refuse what says nothing, or more than the buffer takes as one."""
        if payload_bytes > SMALL_BYTES and self._is_too_much(told):
            raise Unreadable("more values, names and texts than one message may bring")
        for said in told:
            if said.numbers or said.texts or said.faults:
                return
        raise Unreadable("no value: every field is null, not finite, or absent")

    def _is_too_much(self, told: Sequence[Said]) -> bool:
        return sum(_cost(said, named=True) for said in told) > self._limits.message_bytes_max

    def _reject(self, message: Message, reason: str) -> Reject:
        bytes_max = self._limits.reject_bytes_max
        topic, payload = message.topic[:bytes_max], message.payload[:bytes_max]
        return Reject(message.arrival_us, topic, payload, reason)

    def _is_ignored(self, topic: str) -> bool:
        if topic[:1] == "$" or topic.startswith((OWN_PREFIX, self._alerts)):
            return True
        return self._ignored is not None and self._ignored.match(topic)

    def _place(self, said: Said, message: Message, numbers: _Columns, texts: _Columns) -> list[str]:
        """Add the rows of what was said; reasons for the parts that could not be read."""
        faults = said.faults
        self._named = False
        channels = self._catalog.channels(said.device)
        ts, quality, arrival = said.at_us, SENSOR_TIME, message.arrival_us
        if ts is None:
            ts, quality = message.arrival_us, message.quality
            arrival += message.stretch
        told: list[tuple[Channel, float]] | list[tuple[Channel, str]]
        for told, columns in ((said.numbers, numbers), (said.texts, texts)):
            if not told:
                continue
            before = len(columns.series)
            for channel, value in told:
                series = channels.get(channel) or self._entry(said.device, channel, faults)
                if series:
                    columns.series.append(series)
                    columns.told.append(value)  # type: ignore[arg-type]
            taken = len(columns.series) - before
            columns.stamps.append((ts, quality, arrival, taken))
        return faults

    def _entry(self, device: str, channel: Channel, faults: list[str]) -> int:
        """The number of a series that was not at hand; 0 when it is refused."""
        self._named = True
        try:
            return self._catalog.add(device, channel)
        except SeriesRefused as error:
            faults.append(error.reason)
            return 0


def _cost(said: Said, *, named: bool) -> int:
    """Bytes in the buffer, at most; ``named``: some of its series are new, so take all for new."""
    values = len(said.numbers) + len(said.texts)
    cost = ROW_BYTES * values
    if said.texts:
        cost += sum(len(text.encode(errors="surrogatepass")) for _, text in said.texts)
    if named:
        names = sum(4 * len(channel[0]) for channel, _ in [*said.numbers, *said.texts])
        cost += values * (NAME_COST + len(said.device.encode())) + names
    return cost


def _summed(faults: Sequence[str]) -> str:
    if len(faults) > 1:
        return f"{faults[0]} (and {len(faults) - 1} more)"
    return faults[0] if faults else ""
