"""Pure: what is to be said on the topics of one command, and when it may be.

A topic is an actuator: it is told `open` when the first anomaly that concerns it begins, and
`close` when the last is over. At most two words wait for a topic, so nothing piles up: a close that
waits and an open after it cancel each other, for the actuator has heard neither; an open and a
close after it are both said, for a short anomaly is one too. If they cannot be said within
`LATE_S`, neither is: a switch thrown for something long over serves nobody.

What waits for a limit is said when there is room, and only if it still holds.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from edge.detect.rules import Turn
from edge.settings_watch import FIELD, Command, Watch
from edge.topic import name_problem
from protos.series import SeriesKey, series_id

LATE_S: Final = 10.0
MINUTE_S: Final = 60.0
SLOTS_MAX: Final = 1024
"""Topics of one command: `{device}` in it is as many as there are devices."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Holder = tuple[str, str]
"""A watch, and the series' id: what of an anomaly outlives the process."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is to be said, by whom, and since when it waits."""

    is_open: bool
    payload: bytes
    holder: Holder
    watch: str
    since_s: float


@dataclass(slots=True)
class Slot:
    """One topic.

    Attributes:
        holders: anomalies that stand.
        kept: those of them that the world was told of; empty while it was told `close` last.
        waiting: at most an open and a close.
    """

    topic: str
    holders: set[Holder] = field(default_factory=set)
    kept: frozenset[Holder] = frozenset()
    waiting: list[Word] = field(default_factory=list)
    closed_s: float = -math.inf

    def take(self, holder: Holder, word: Word) -> int:
        """An anomaly begins or is over; returns how many words that waited were left out."""
        was = bool(self.holders)
        (self.holders.add if word.is_open else self.holders.discard)(holder)
        left = 0
        if bool(self.holders) != was:
            if word.is_open and self.waiting:  # a close waits, alone or behind an open
                left = len(self.waiting) + bool(self.kept)
                self.waiting.clear()
            if not (left and self.kept):
                self.waiting.append(word)
        if self.kept and self.holders:
            self.kept = frozenset(self.holders)
        return left

    def said(self, now_s: float) -> Word:
        """Take the first word as told, before it is sent."""
        word = self.waiting.pop(0)
        self.kept = frozenset(self.holders or {word.holder}) if word.is_open else frozenset()
        if not word.is_open:
            self.closed_s = now_s
        return word

    def unsaid(self, word: Word) -> None:
        """The word that was taken last did not leave."""
        self.kept = frozenset() if word.is_open else frozenset(self.holders or {word.holder})
        if self.waiting and not word.is_open:
            self.waiting.pop(0)  # over, and begun again: it was told neither
        else:
            self.waiting.insert(0, word)

    def is_idle(self, now_s: float, off_s: float) -> bool:
        """Whether nothing is lost if it is forgotten."""
        return not (self.holders or self.kept or self.waiting) and now_s - self.closed_s >= off_s


@dataclass(slots=True)
class CommandStanding:
    """One command as `status` shows it: words since the start, and those that wait.

    ``failed`` may have arrived; ``left`` were overtaken or late; ``refused`` had no topic.
    """

    name: str
    sent: int = 0
    failed: int = 0
    left: int = 0
    refused: int = 0
    waiting: int = 0


class Slots:
    """The topics of one command.

    Args:
        name: of the command.
        command: its settings.
        gateway: name of this gateway.
        reads: whether the gateway would read a topic itself.
    """

    def __init__(
        self, name: str, command: Command, gateway: str, reads: Callable[[str], bool]
    ) -> None:
        self.name, self.command = name, command
        self.counts = CommandStanding(name)
        self._gateway = gateway
        self._reads = reads
        self._slots: dict[str, Slot] = {}
        self._sent_s: deque[float] = deque(maxlen=command.per_minute_max)

    def standing(self) -> CommandStanding:
        """How it does now."""
        self.counts.waiting = sum(len(slot.waiting) for slot in self._slots.values())
        return self.counts

    @property
    def kept(self) -> frozenset[Holder]:
        """Anomalies that the world was told of."""
        return frozenset().union(*(slot.kept for slot in self._slots.values()))

    def take(self, turn: Turn, watch: Watch, now_s: float) -> str:
        """Take what began or is over; why it can have no topic, empty when it has one."""
        topic = filled(self.command.topic, self._texts(turn))
        slot = self._slots.get(topic)
        if slot is None:
            problem = self._problem(topic, now_s)
            if problem:
                self.counts.refused += 1
                return problem
            slot = self._slots[topic] = Slot(topic)
        template = self.command.open if turn.is_open else self.command.close
        texts = self._texts(turn) | _values(turn, watch)
        payload = filled(template, {key: _inside_json(text) for key, text in texts.items()})
        holder = (turn.watch, holder_id(self._gateway, turn.series))
        word = Word(turn.is_open, payload.encode(), holder, turn.watch, now_s)
        self.counts.left += slot.take(holder, word)
        return ""

    def restore(self, turn: Turn, now_s: float) -> None:
        """An anomaly that the world was told of before a restart."""
        topic = filled(self.command.topic, self._texts(turn))
        if topic not in self._slots and self._problem(topic, now_s):
            return
        slot = self._slots.setdefault(topic, Slot(topic))
        slot.holders.add((turn.watch, holder_id(self._gateway, turn.series)))
        slot.kept = frozenset(slot.holders)

    def due(self, now_s: float) -> tuple[Slot | None, float]:
        """A topic whose first word may be said now; else when to ask again (infinite: never)."""
        free_s = -math.inf
        if len(self._sent_s) == self.command.per_minute_max:
            free_s = self._sent_s[0] + MINUTE_S
        next_s, next_slot = math.inf, None
        for slot in self._slots.values():
            self._leave_late(slot, now_s)
            if not slot.waiting:
                continue
            word = slot.waiting[0]
            off_s = slot.closed_s + self.command.off_s_min if word.is_open else -math.inf
            at_s = max(free_s, off_s) if word.payload else word.since_s
            if at_s < next_s:
                next_s, next_slot = at_s, slot
        return (next_slot, now_s) if next_s <= now_s else (None, next_s)

    def said(self, slot: Slot, now_s: float) -> Word:
        """Take the first word of a topic as told; to be kept, then sent."""
        word = slot.said(now_s)
        if word.payload:
            self._sent_s.append(now_s)
        return word

    def _leave_late(self, slot: Slot, now_s: float) -> None:
        if len(slot.waiting) == 2 and now_s - slot.waiting[0].since_s > LATE_S:
            self.counts.left += 2
            slot.waiting.clear()

    def _problem(self, topic: str, now_s: float) -> str:
        problem = name_problem(topic)
        if not problem and self._reads(topic):
            problem = "the gateway reads it itself: name it in `ingest.ignore`"
        if not problem and len(self._slots) >= SLOTS_MAX:
            off_s = self.command.off_s_min
            idle = [t for t, one in self._slots.items() if one.is_idle(now_s, off_s)]
            for one in idle:
                del self._slots[one]
            problem = "" if idle else f"it has {SLOTS_MAX} topics already"
        return problem

    def _texts(self, turn: Turn) -> dict[str, str]:
        series = turn.series
        return {
            "gateway": self._gateway, "watch": turn.watch, "device": series.device,
            "metric": series.metric, "unit": series.unit,
        }  # fmt: skip


def holder_id(gateway: str, series: SeriesKey) -> str:
    """A series as it is written down: without its names, which may be erased."""
    return f"{series_id(gateway, series):016x}"


def filled(template: str, values: dict[str, str]) -> str:
    """A template with its fields; what is no field stays as it stands."""
    return FIELD.sub(lambda found: values.get(found[1], found[0]), template)


def _values(turn: Turn, watch: Watch) -> dict[str, str]:
    return {
        "state": "open" if turn.is_open else "close",
        "value": _number(turn.value),
        "limit": _number(watch.limit),
        "score": _number(turn.score),
        "time": _iso(turn.ts_us),
    }


def _number(value: float) -> str:
    return msgspec.json.encode(value).decode()  # NaN is null


def _inside_json(text: str) -> str:
    """Text as it stands between the quotes of JSON: no device can write keys of its own."""
    return msgspec.json.encode(text.encode(errors="replace").decode()).decode()[1:-1]


def _iso(ts_us: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=ts_us)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return str(ts_us)  # a time beyond all calendars
