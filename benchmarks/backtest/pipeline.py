"""Series replayed as readings through the very detection of the edge."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.models import Model
from edge.detect.score import Scorer
from edge.detect.threshold import Verdict
from protos.records import Quality, numbers
from protos.series import SeriesKind

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

BATCH: Final = 256
"""Readings of a series handed over at once; how a stream is cut changes nothing."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """Stands for the catalogue: every series is a gauge."""

    kind_of: NDArray[np.uint8]


@dataclass(slots=True)
class Replayed:
    """What detection said of one series.

    Attributes:
        rarity: `(n,)` float64, -log₁₀ of the chance of each score, of the model that finds it
            rarest; -inf where none judged it.
        alarms: rows that raised an alarm at the stated rate, rising.
    """

    rarity: F8
    alarms: I8


@dataclass(slots=True)
class Run:
    """All series replayed, and what it took.

    Attributes:
        seconds: processor and wall time of scoring, windows, models, thresholds and all.
        scored: windows scored, by model.
    """

    series: list[Replayed] = field(default_factory=list)
    seconds: float = 0.0
    scored: dict[str, int] = field(default_factory=dict)


def replay(models: Sequence[Model], rate: float, times: Sequence[I8], values: Sequence[F8]) -> Run:
    """Replay series one after the other.

    Args:
        models: what is in service.
        rate: stated false alarms for each series and week.
        times: of each series, `(n,)` µs.
        values: of each series, `(n,)` float64.
    """
    kinds = Gauges(np.full(len(times) + 1, SeriesKind.GAUGE, np.uint8))
    run = Run()
    told: list[tuple[I8, Verdict]] = []
    scorer = Scorer(models, rate, watch=lambda _, rows, verdict: told.append((rows, verdict)))
    for number, (ts, value) in enumerate(zip(times, values, strict=True), 1):
        rarity, alarm = np.full(len(ts), -np.inf), np.zeros(len(ts), np.bool_)
        for start in range(0, len(ts), BATCH):
            when = ts[start : start + BATCH]
            who = np.full(len(when), number, np.uint32)
            quality = np.full(len(when), Quality.SENSOR, np.uint8)
            batch = numbers(who, when, value[start : start + BATCH], quality, when)
            told.clear()
            began = perf_counter()
            scorer.score(batch, kinds)
            run.seconds += perf_counter() - began
            for rows, verdict in told:
                at = start + rows
                rarity[at] = np.maximum(rarity[at], verdict.rarity)
                alarm[at] |= verdict.alarm
        run.series.append(Replayed(rarity, alarm.nonzero()[0]))
    for one in scorer.standings():
        if one.failure:
            raise RuntimeError(f"{one.name}@{one.version} failed: {one.failure}")
        run.scored[f"{one.name}@{one.version}"] = one.scored
    return run
