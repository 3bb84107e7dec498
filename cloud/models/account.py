"""Pure: what a detector's episodes were worth, by what people said: caught, missed, false.

An occurrence is a confirmed episode or a mark `fault`; one that an episode meets is caught. An
episode that meets an occurrence is none of the false; one that meets a mark `maintenance` or `bad`
counts as neither. All others are false alarms, also those of which nobody said anything: it is the
rate that people would bear.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np

from cloud.client.training import Said
from cloud.models.episodes import Found
from cloud.models.rate import Rate
from cloud.query.clean import Bad, bad_of


class Worth(Enum):
    """What an episode was worth; the value is what machines and style sheets are told."""

    KNOWN = "known"
    FALSE = "false"
    NEITHER = "neither"

    @property
    def words(self) -> str:
        """For people."""
        return {"known": "known", "false": "false alarm", "neither": "not counted"}[self.value]


WEEK_US: Final = 7 * 86_400 * 1_000_000
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one series: occurrences [from, to) µs, and what counts as neither."""

    occurrences: Sequence[Span]
    neither: Bad

    @classmethod
    def of(cls, said: Said, from_us: int, to_us: int) -> "Truth":
        """What people said, as far as it lies in [from, to)."""
        spans = [(m.from_us, m.to_us) for m in said.marks if m.kind == "fault"]
        spans += [(e.from_us, e.to_us + 1) for e in said.episodes if e.verdict == "confirmed"]
        neither = [(m.from_us, m.to_us) for m in said.marks if m.kind != "fault"]
        joined = bad_of((max(a, from_us), min(b, to_us)) for a, b in spans)
        pairs = zip(joined.start.tolist(), joined.end.tolist(), strict=True)
        return cls(list(pairs), bad_of(neither))


@dataclass(slots=True)
class Account:
    """One detector over all series of a backtest."""

    label: str
    episodes: int = 0
    false: int = 0
    neither: int = 0
    occurrences: int = 0
    caught: int = 0
    delays_us: list[int] = field(default_factory=list)
    watched_us: float = 0.0

    @property
    def rate(self) -> Rate:
        """False alarms for each series and week."""
        return Rate(self.false, self.watched_us / WEEK_US)

    @property
    def delay_s(self) -> float | None:
        """The median time from the beginning of an occurrence to the episode; None: none caught."""
        return float(np.median(self.delays_us)) / 1e6 if self.delays_us else None

    def add(self, found: Sequence[Found], truth: Truth, watched_us: float) -> list[Worth]:
        """Count the episodes of one series; says of each what it was worth."""
        self.episodes += len(found)
        self.occurrences += len(truth.occurrences)
        self.watched_us += watched_us
        for start, end in truth.occurrences:
            meets = [one for one in found if one.from_us < end and one.to_us >= start]
            if meets:
                self.caught += 1
                self.delays_us.append(max(0, min(one.from_us for one in meets) - start))
        told = [_worth(one, truth) for one in found]
        self.false += told.count(Worth.FALSE)
        self.neither += told.count(Worth.NEITHER)
        return told


def _worth(one: Found, truth: Truth) -> Worth:
    if any(one.from_us < end and one.to_us >= start for start, end in truth.occurrences):
        return Worth.KNOWN
    return Worth.NEITHER if _meets(truth.neither, one) else Worth.FALSE


def _meets(spans: Bad, one: Found) -> bool:
    """Whether an episode meets any of disjoint spans in order."""
    at = int(np.searchsorted(spans.end, one.from_us, "right"))
    return at < len(spans.start) and int(spans.start[at]) <= one.to_us
