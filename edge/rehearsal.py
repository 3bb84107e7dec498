"""Rules over a recording, as they would have been judged when it was made; nothing is published.

The rows are read as the agent reads messages, by the conventions and the rules of topics, so that
series have the names that they would have. Silence is judged by the recorded times: whoever
recorded is taken to have listened all the while.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from edge.catalog import Catalog
from edge.config import EdgeConfig
from edge.detect.rules import Found, PostStanding, Rules, turns
from edge.detect.rules_silence import STALL_S, Listening
from edge.message import Message, Messages
from edge.payload.said import ReadingLimits
from edge.reading import Reader
from edge.recognition import Recognition
from edge.recording import Recording, Row
from edge.redelivery import Redelivery
from edge.settings_watch import Watch
from protos.records import Kind, Quality

ROWS_TOGETHER: Final = 512
STEPS_MAX: Final = 200
"""Looks into a pause between two rows: a silence is told to within a part of it."""


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """Something that began (`open`) or was over; ``time_us`` is event time."""

    watch: str
    device: str
    metric: str
    open: bool
    time_us: int
    value: float
    score: float


class Rehearsal:
    """One recording before some rules.

    Args:
        config: of the gateway whose rules of topics are used.
        watches: the rules, by name.
        file: the recording.
        topic: that its rows come on.

    Raises:
        OperatorError: a recording, or a file of the settings, that cannot be used.
    """

    def __init__(
        self, config: EdgeConfig, watches: Mapping[str, Watch], file: Path, topic: str
    ) -> None:
        self.rejected = 0
        self._recording = Recording(file)
        self._topic = topic
        limits = ReadingLimits(payload_bytes_max=config.settings.ingest.payload_bytes_max)
        self._catalog = Catalog(salt=lambda: bytes(16))
        self._reader = Reader(
            self._catalog,
            Redelivery(bytes(16), messages_max=0),
            limits=limits,
            recognition=Recognition(limits, config.rules()),
        )
        self._rules = Rules(watches)
        self._clock = Listening()
        self._at_s: float | None = None

    def turned(self) -> Iterator[Turned]:
        """What begins and what is over, in order.

        Raises:
            OperatorError: a row that cannot be read, with its line.
        """
        together = 1 if self._rules.has_silence else ROWS_TOGETHER
        waiting: list[Row] = []
        for row in self._recording.rows():
            waiting.append(row)
            if len(waiting) == together:
                yield from self._judged(waiting)
                waiting = []
        if waiting:
            yield from self._judged(waiting)

    def standings(self) -> list[PostStanding]:
        """How each rule did."""
        return self._rules.standings()

    def _judged(self, rows: list[Row]) -> Iterator[Turned]:
        if self._rules.has_silence:
            yield from self._waited(rows[0].at_s)
        messages = Messages.of(self._message(row) for row in rows if row.values)
        while len(messages):
            heard = self._reader.read(messages)
            _, messages = messages.split(heard.counts.messages)
            self.rejected += heard.counts.rejected
            numbers, texts = heard.batch.kind(Kind.NUMBERS), heard.batch.kind(Kind.TEXTS)
            found = self._rules.judge(numbers, texts, self._catalog, self._clock)
            yield from self._told(found)

    def _waited(self, at_s: float) -> Iterator[Turned]:
        """Let the time until a row pass; times that go back are no time."""
        if self._at_s is None:
            self._clock.look(at_s, hears=True)
        begun_s = at_s if self._at_s is None else self._at_s
        passed_s = max(at_s - begun_s, 0.0)
        steps = max(1, min(STEPS_MAX, round(passed_s)))
        for step in range(1, steps + 1):
            self._clock.look(
                begun_s + passed_s * step / steps, hears=True, most_s=max(STALL_S, passed_s)
            )
            yield from self._told(self._rules.tick(self._clock))
        self._at_s = begun_s + passed_s

    def _told(self, found: list[Found]) -> Iterator[Turned]:
        # Rules are judged one by one over many rows: put what they found in order again.
        for turn in sorted(turns(found, self._catalog), key=lambda one: one.ts_us):
            yield Turned(
                watch=turn.watch, device=turn.series.device, metric=turn.series.metric,
                open=turn.is_open, time_us=turn.ts_us, value=turn.value, score=turn.score,
            )  # fmt: skip

    def _message(self, row: Row) -> Message:
        return Message(
            self._topic, row.payload.encode(), qos=0, retain=False, dup=False,
            arrival_us=round(row.at_s * 1e6), quality=int(Quality.GATEWAY_SYNCED),
            session=1, packet_id=0,
        )  # fmt: skip
