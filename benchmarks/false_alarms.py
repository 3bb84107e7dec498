"""The false alarms of the edge on series in which nothing is wrong, beside the rate that is stated.

`python -m benchmarks.false_alarms [--series 210] [--days 30] [--rate 1] [--seed 7]`. Series of many
kinds and cadences (`benchmarks/calm.py`) go through the very detection of the edge, its learning
included: nothing is left out at the start. Prints the achieved rate by kind and by cadence, and
ends with one JSON line. Exit code 1: of WARM_DAYS or more, the whole interval of the achieved rate
lies beyond FACTOR times the stated one, above or below. (Over fewer days what is told is how fast
the thresholds are learnt, not what they hold.)
"""

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks import calm
from benchmarks.backtest.pipeline import replay
from edge import memory
from edge.detect.models import SHIPPED, Model, load_folder

WEEK_DAYS: Final = 7.0
SERIES, DAYS, RATE, SEED = 210, 30.0, 1.0, 7
WARM_DAYS: Final = 21.0
FACTOR: Final = 2.0


@dataclass(slots=True)
class Achieved:
    """Alarms and weeks of some series."""

    alarms: int = 0
    weeks: float = 0.0

    @property
    def rate(self) -> float:
        """Alarms for each series and week."""
        return self.alarms / self.weeks

    def add(self, alarms: int, weeks: float) -> None:
        """Count one more series."""
        self.alarms += alarms
        self.weeks += weeks

    def interval(self) -> tuple[float, float]:
        """The rate's 95 % interval, were alarms a Poisson process; √ made symmetric (Anscombe)."""
        root = math.sqrt(self.alarms + 3 / 8)
        low, high = max(root - 0.98, 0.0) ** 2, (root + 0.98) ** 2
        return max(low - 3 / 8, 0.0) / self.weeks, high / self.weeks


@dataclass(slots=True)
class Campaign:
    """What a campaign found: all in all, by kind, by seconds between readings, by model."""

    stated: float
    whole: Achieved = field(default_factory=Achieved)
    kinds: dict[str, Achieved] = field(default_factory=dict)
    steps: dict[int, Achieved] = field(default_factory=dict)
    scored: Counter[str] = field(default_factory=Counter)

    def is_off(self, days: float) -> bool:
        """Whether the rate is not the stated one within FACTOR, as far as ``days`` of each tell."""
        low, high = self.whole.interval()
        is_beyond = low > FACTOR * self.stated or high < self.stated / FACTOR
        return days >= WARM_DAYS and is_beyond

    def line(self) -> dict[str, Any]:
        """What the last line says."""
        return {
            "series_weeks": self.whole.weeks,
            "stated": self.stated,
            "achieved": self.whole.rate,
            "achieved_95": self.whole.interval(),
            "ratio": self.whole.rate / self.stated,
            "kinds": {kind: one.rate for kind, one in self.kinds.items()},
            "step_s": {str(step): one.rate for step, one in sorted(self.steps.items())},
        }


def run(
    models: Sequence[Model],
    series: int,
    days: float,
    stated: float,
    seed: int,
    steps_s: Sequence[int] = calm.STEPS_S,
) -> Campaign:
    """Replay ``series`` calm series of ``days`` each.

    Args:
        models: what is in service.
        series: how many; the kinds take turns, then the cadences.
        days: of each.
        stated: false alarms for each series and week.
        seed: of the simulation.
        steps_s: seconds between the readings of a series.
    """
    found = Campaign(stated)
    for number in range(series):
        one = calm.series(number, days, seed, steps_s)
        ran = replay(models, stated, [one.ts], [one.value])
        alarms, weeks = len(ran.series[0].alarms), days / WEEK_DAYS
        found.whole.add(alarms, weeks)
        found.kinds.setdefault(one.kind, Achieved()).add(alarms, weeks)
        found.steps.setdefault(one.step_s, Achieved()).add(alarms, weeks)
        found.scored.update(ran.scored)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print it; returns the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks.false_alarms")
    parser.add_argument("--series", type=int, default=SERIES, help=f"how many ({SERIES})")
    parser.add_argument("--days", type=float, default=DAYS, help=f"of each ({DAYS:g})")
    parser.add_argument("--rate", type=float, default=RATE, help="stated, a series and week")
    parser.add_argument("--seed", type=int, default=SEED, help="of the simulation")
    asked = parser.parse_args(arguments)
    if asked.series < 1 or not asked.days > 0 or not asked.rate > 0:
        parser.error("--series, --days and --rate must be above 0")
    models, refusals = load_folder(SHIPPED)
    if refusals or not models:
        parser.error("the shipped models are not built: `make models` builds them")
    memory.share_arena()
    found = run(models, asked.series, asked.days, asked.rate, asked.seed)
    for kind, one in found.kinds.items():
        print(f"  {kind:18} {one.rate:6.2f} a series and week")
    for step, one in sorted(found.steps.items()):
        print(f"  every {step:4} s       {one.rate:6.2f} a series and week")
    low, high = found.whole.interval()
    print(
        f"stated {found.stated:g}, achieved {found.whole.rate:.2f} ({low:.2f}-{high:.2f}) in "
        f"{found.whole.weeks:.0f} weeks of {asked.series} series"
    )
    print(json.dumps(found.line()))
    return int(found.is_off(asked.days))


if __name__ == "__main__":
    sys.exit(main())
