"""What the agent would make of a message, told in words; nothing is kept.

One shape for `tap` and `decode`, for a person and for a machine.
"""

from collections.abc import Iterator
from typing import Final

import click
import msgspec

from edge.config import EdgeConfig
from edge.payload.said import Channel, NotData, ReadingLimits, Repeated, Said, Unreadable
from edge.payload.timestamp import Undated
from edge.payload.value import NOTHING
from edge.reading_rows import AHEAD_US_MAX
from edge.recognition import Recognition
from edge.topic import OWN_PREFIX, TopicFilters
from protos.shown import printable, shown_time

SHOWN_BYTES_MAX: Final = 120
MIN_US: Final = 60_000_000
DAY_US: Final = 1440 * MIN_US


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading; `at` is the device's own time in µs UTC, left out where it gave none."""

    device: str
    metric: str
    value: float | str
    kind: str
    unit: str = ""
    labels: dict[str, str] = {}
    at: int | None = None


class Explained(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of one message: ``outcome`` is read, rejected, ignored or repeated.

    ``clocks`` tells what is wrong with the device's own time, where there is one.
    """

    topic: str
    outcome: str
    convention: str = ""
    why: str = ""
    readings: list[Value] = []
    missing: int = 0
    clocks: list[str] = []
    faults: list[str] = []
    asks: list[str] = []


class Explainer:
    """Explains messages one by one, learning from each as the agent does.

    Raises:
        OperatorError: a rules file that cannot be used.
    """

    def __init__(self, config: EdgeConfig) -> None:
        ingest = config.settings.ingest
        self._own = (OWN_PREFIX, "$", *config.settings.alerts.own_topics)
        self._ignored = TopicFilters(ingest.ignore)
        limits = ReadingLimits(payload_bytes_max=ingest.payload_bytes_max)
        self._recognition = Recognition(limits, config.rules())

    def explain(
        self, topic: str, payload: bytes, *, retained: bool = False, arrival_us: int = 0
    ) -> Explained:
        """What becomes of one message."""
        if retained:
            problem = self._recognition.learn(topic, payload)
            why = problem or "retained: the last value kept by the broker, not a new reading"
            outcome = "rejected" if problem else "ignored"
            convention = self._recognition.convention
            return Explained(topic=topic, outcome=outcome, why=why, convention=convention)
        why = self._why_not(topic)
        if why:
            return Explained(topic=topic, outcome="ignored", why=why)
        read = self._recognition.read
        outcome, why, told = "read", "", list[Said]()
        try:
            told = list(read(topic, payload, arrival_us))
        except Repeated as error:
            outcome, why = "repeated", error.reason
        except NotData as error:
            outcome, why = "ignored", error.reason
        except Unreadable as error:
            outcome, why = "rejected", error.reason
        return Explained(
            topic=topic,
            outcome=outcome,
            convention=self._recognition.convention,
            why=why,
            readings=[value for said in told for value in _values(said)],
            missing=sum(said.missing for said in told),
            clocks=sorted({clock for said in told if (clock := _clock(said, arrival_us))}),
            faults=[fault for said in told for fault in said.faults],
            asks=[asked.topic for asked in self._recognition.take_asked()],
        )

    def _why_not(self, topic: str) -> str:
        if topic.startswith(self._own):
            return "a topic of the broker or of this agent"
        return "by ingest.ignore" if self._ignored.match(topic) else ""


def _clock(said: Said, arrival_us: int) -> str:
    """What is wrong with the device's own time; empty when nothing is, or it told none."""
    if said.undated is not None:
        hint = "; name its `time_zone` in the rules" if said.undated is Undated.NO_ZONE else ""
        return f"{said.undated.value}: the time of arrival holds{hint}"
    ahead_us = (said.at_us or 0) - arrival_us if arrival_us else 0
    if ahead_us <= AHEAD_US_MAX:
        return ""
    far = (
        f"{ahead_us / 86_400e6:,.0f} days" if ahead_us > 2 * DAY_US else f"{ahead_us // MIN_US} min"
    )
    return f"{far} ahead of this gateway: the time of arrival holds, where its clock is set"


def _values(said: Said) -> Iterator[Value]:
    told: list[tuple[Channel, float | str]] = [*said.numbers, *said.texts]
    for (metric, kind, unit, labels), value in told:
        yield Value(
            device=said.device,
            metric=metric,
            value=value,
            kind=kind.name.lower(),
            unit=unit,
            labels=dict(labels or NOTHING),
            at=said.at_us,
        )


def lines(told: Explained, payload: bytes) -> Iterator[str]:
    """One line for the message, then one for each value, or why there is none."""
    text = payload[:SHOWN_BYTES_MAX].decode("utf-8", "backslashreplace")
    more = "…" if len(payload) > SHOWN_BYTES_MAX else ""
    yield f"{click.style(printable(told.topic), bold=True)} {printable(text)}{more}"
    named = f"  [{told.convention}]" if told.convention else ""
    if told.outcome == "rejected":
        yield click.style(f"    rejected: {printable(told.why)}{named}", fg="red")
    elif told.why:
        yield f"    {told.outcome}: {printable(told.why)}{named}"
    for value in told.readings:
        at = "on arrival" if value.at is None else shown_time(value.at)
        tags = "".join(f" {name}={label}" for name, label in value.labels.items())
        shown = repr(value.value) if isinstance(value.value, str) else f"{value.value:.12g}"
        unit = f" {value.unit}" if value.unit else ""
        line = f"    {value.device} · {value.metric}{tags} = {shown}{unit}"
        yield f"{printable(line)}  ({value.kind}, {at}){named}"
        named = ""
    if told.missing:
        values = "value is" if told.missing == 1 else "values are"
        yield f"    {told.missing} {values} null or not finite"
    for clock in told.clocks:
        yield click.style(f"    the device's clock: {clock}", fg="yellow")
    for fault in told.faults:
        yield click.style(f"    rejected in part: {printable(fault)}", fg="red")
    for topic in told.asks:
        yield f"    would publish on {printable(topic)}"
