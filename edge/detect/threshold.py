"""Pure: a threshold per series that adapts to hold a stated rate of false alarms.

The threshold is the score that is passed with the wanted probability, by the tail of the scores
that the series has shown (`edge/detect/tail.py`). The wanted probability follows from the stated
rate and the cadence seen, the mean step of event time. A step counts as at most `STEP_OVER` times
the middle one of its block, and one backwards not at all, so that a clock that jumps by years (a Pi
that wakes in 1970, one wild stamp) hardly moves a threshold. Two things are seen and corrected for:
strange readings come in clusters, of which only one is an alarm; and no tail is quite what it is
taken for, so the rate that is achieved moves what is wanted, within bounds (as adaptive conformal
inference does: Gibbs and Candès 2021).

Thresholds change only after every `BLOCK` readings of a series, and after every fourth block once
`SETTLED` readings are known, so that cutting a stream into batches in another way changes no alarm.
An alarm is raised once per run: readings that follow an alarm within `QUIET` readings of the last
excess belong to it.

Each series holds some 700 bytes.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect import tail
from edge.detect.by_series import by_series
from edge.detect.cadence import BLOCK, BLOCK_BITS, Cadence
from edge.detect.histogram import Histograms
from edge.detect.tail import Tail

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]

WEEK_US: Final = 7 * 86_400 * 1_000_000
SETTLED: Final = 1024
SETTLED_BLOCKS: Final = 4
"""Blocks from one change to the next after that; the cadence is learned from the last of them."""
QUIET: Final = 48
WARM_UP: Final = tail.WARM_UP
# A score counts as at most so many thresholds: one wild fault must not teach that wild is usual; a
# lasting change still will, in steps.
LEARN_MAX: Final = 2.0
CLUSTER_MAX: Final = 64.0
"""Readings of the tail that are taken for one alarm, at most."""
YIELD: Final = 1.0
"""By how much (logarithm) an alarm lowers the wanted chance, and one that is due raises it."""
DUE_FIRST: Final = -2.0
"""What a series begins with: its first scores, of windows that are not full yet, are high, and keep
the tail of a slow one too far out for weeks."""
DUE_LEAST: Final = -4.0
DUE_MOST: Final = 12.0
"""Bounds of alarms raised less those expected: the chance is moved by e⁴ up, by e¹² down."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """For each score of a batch: the threshold in force and whether it raised an alarm.

    Attributes:
        threshold: `(n,)` float64, infinite where none is learned.
        alarm: `(n,)` bool.
        rarity: `(n,)` float64, -log₁₀ of the chance of the score, if asked for; else empty.
    """

    threshold: F8
    alarm: Bools
    rarity: F8


class Thresholds:
    """Adaptive thresholds of all series of one model.

    Args:
        alarms_per_week: stated false alarms for each series and week, above 0.
        tells_rarity: whether verdicts hold the rarity of each score, which costs time.
    """

    def __init__(self, alarms_per_week: float, tells_rarity: bool = False) -> None:
        if not alarms_per_week > 0:
            raise ValueError(f"alarms_per_week must be above 0, not {alarms_per_week}")
        self.alarms_per_week = alarms_per_week
        self.tells_rarity = tells_rarity
        self._cadence = Cadence()
        self._seen = np.zeros(0, np.int64)
        self._histograms = Histograms()
        self._tail = Tail(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0))
        self._threshold = np.zeros(0)
        # Ordinal of the last score past the threshold, and of the last in the tail; far back when
        # there was none.
        self._excess_at = np.zeros(0, np.int64)
        self._tail_at = np.zeros(0, np.int64)
        self._in_tail = np.zeros(0)
        self._tail_runs = np.zeros(0)
        # Alarms since the last change, and alarms raised less those expected, within bounds.
        self._raised = np.zeros(0)
        self._over = np.zeros(0)
        self._watched_us = 0

    @property
    def watched_s(self) -> float:
        """Seconds that series were watched with a threshold in force, summed over them."""
        return self._watched_us / 1e6

    @property
    def nbytes(self) -> int:
        """Bytes held for all series."""
        held = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        held += [self._tail.start, self._tail.share, self._tail.scale, self._tail.shape]
        return self._cadence.nbytes + self._histograms.nbytes + sum(one.nbytes for one in held)

    def judge(self, series: NDArray[np.uint32], scores: F8, ts: I8) -> Verdict:
        """Judge one batch and learn from it.

        Args:
            series: `(n,)` series numbers, readings of one series in the order of arrival.
            scores: `(n,)` float64, not negative; what is not finite raises no alarm and teaches
                nothing.
            ts: `(n,)` event times, int64 µs.
        """
        told = np.zeros(len(scores) if self.tells_rarity else 0)
        verdict = Verdict(np.full(len(scores), np.inf), np.zeros(len(scores), np.bool_), told)
        finite = np.isfinite(scores)
        usable = None if finite.all() else finite.nonzero()[0]
        groups = by_series(series if usable is None else series[usable])
        if not len(groups.who):
            return verdict
        rows = usable
        if groups.order is not None:
            rows = groups.order if usable is None else usable[groups.order]
        if rows is not None:
            scores, ts = scores[rows], ts[rows]
        self.grow(int(groups.series[-1]) + 1)
        before = self._seen[groups.series]
        self._seen[groups.series] = before + groups.counts
        ordinal = np.arange(len(scores)) + np.repeat(before - groups.starts, groups.counts)
        # Rounds end where a series' own count passes a multiple of BLOCK, whatever the batch.
        rounds = (ordinal >> BLOCK_BITS) - np.repeat(before >> BLOCK_BITS, groups.counts)
        who = groups.who.astype(np.int64)
        for number in range(int(rounds.max()) + 1):
            here = (rounds == number).nonzero()[0]
            place = here if rows is None else rows[here]
            self._judge_round(
                who[here], ordinal[here], np.maximum(scores[here], 0.0), ts[here], place, verdict
            )
        return verdict

    def _judge_round(
        self, who: I8, ordinal: I8, score: F8, ts: I8, rows: I8, verdict: Verdict
    ) -> None:
        """Judge scores in order by series, none beyond the end of a block, at ``rows``."""
        threshold = self._threshold[who]
        verdict.threshold[rows] = threshold
        if self.tells_rarity:
            verdict.rarity[rows] = self._tail.at(who).rarity(score)
        above = (score > self._tail.start[who]).nonzero()[0]
        if len(above):
            self._count_tail(who[above], ordinal[above])
            over = above[score[above] > threshold[above]]
            if len(over):
                begins = over[_begins(self._excess_at, who[over], ordinal[over])]
                np.add.at(self._raised, who[begins], 1.0)
                verdict.alarm[rows[begins]] = True
        self._histograms.count(who, np.minimum(score, LEARN_MAX * threshold))
        place = ordinal & (BLOCK - 1)
        self._cadence.note(who, place, ts)
        ended = (place == BLOCK - 1).nonzero()[0]
        if len(ended):
            self._histograms.follow(who[ended])
            seen = ordinal[ended] + 1
            due = ((seen <= SETTLED) | (seen % (SETTLED_BLOCKS * BLOCK) == 0)).nonzero()[0]
            if len(due):
                self._refresh(who[ended[due]], seen[due])

    def _count_tail(self, who: I8, ordinal: I8) -> None:
        """Count scores in the tail and the runs that they make; input sorted by series."""
        np.add.at(self._in_tail, who, 1.0)
        np.add.at(self._tail_runs, who[_begins(self._tail_at, who, ordinal)], 1.0)

    def _refresh(self, who: I8, seen: I8) -> None:
        """Set the thresholds of these series anew from the ``seen`` scores they have shown."""
        readings = np.where(seen <= SETTLED, BLOCK, SETTLED_BLOCKS * BLOCK)
        full = self._histograms.forget(who, readings)
        self._in_tail[full] /= 2
        self._tail_runs[full] /= 2
        self._cadence.learn(who)
        step_weeks = self._cadence.step_us(who) / WEEK_US
        watched = np.where(np.isfinite(self._threshold[who]), readings * step_weeks, 0.0)
        self._hold(who, watched)

        clusters = self._clusters(who)
        found = self._histograms.tails(who, clusters)
        ease = np.exp(-YIELD * self._over[who])
        wanted = self.alarms_per_week * step_weeks * ease / clusters
        chance = np.clip(wanted, 1e-12, 0.5)
        self._threshold[who] = found.passed_with(chance)
        self._tail.put(who, found)

    def _hold(self, who: I8, weeks: F8) -> None:
        """Set what was raised in ``weeks`` of these series against what was expected."""
        # Whole numbers: a sum of fractions would tell how the stream was cut.
        self._watched_us += int(np.rint(weeks * WEEK_US).sum())
        over = self._over[who] + self._raised[who] - self.alarms_per_week * weeks
        self._over[who] = np.clip(over, DUE_LEAST, DUE_MOST)
        self._raised[who] = 0.0

    def _clusters(self, who: I8) -> F8:
        """Clusters for each reading of the tail, above what chance alone would bring together."""
        alone = (1.0 - tail.TAIL_SHARE) ** QUIET
        seen = (self._tail_runs[who] + alone) / (self._in_tail[who] + 1.0)
        return np.clip(seen / alone, 1.0 / CLUSTER_MAX, 1.0)

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What was learned, a row a series; to be kept and put back."""
        parts = {"": vars(self), "cadence": vars(self._cadence)}
        for name, part in (("histograms", self._histograms), ("tail", self._tail)):
            parts[name] = {one.name: getattr(part, one.name) for one in fields(part)}
        return {
            f"{part}{name}": held
            for part, all_held in parts.items()
            for name, held in all_held.items()
            if isinstance(held, np.ndarray)
        }

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        have = len(self._seen)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        self._cadence.grow(have + more)
        self._histograms.grow(more)
        self._tail = self._tail.grown(more)
        for name, first in _BEGIN.items():
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.full(more, first, old.dtype)]))


_BEGIN: Final = {
    "_seen": 0, "_threshold": np.inf, "_excess_at": -(QUIET + 1), "_tail_at": -(QUIET + 1),
    "_in_tail": 0, "_tail_runs": 0,
    "_raised": 0, "_over": DUE_FIRST,
}  # fmt: skip
"""What a series begins with, by the name of the column."""


def _begins(last: I8, who: I8, ordinal: I8) -> I8:
    """Which of these readings begin a run; sorted by series.

    Args:
        last: by series, the ordinal of the newest of such readings, which is set anew.
        who: `(n,)` series.
        ordinal: `(n,)` how many readings their series had before them.
    """
    before = np.empty_like(ordinal)
    before[1:] = np.where(who[1:] == who[:-1], ordinal[:-1], last[who[1:]])
    before[:1] = last[who[:1]]
    last[who] = ordinal  # duplicates: the last one stays, which is the newest
    return (ordinal - before > QUIET).nonzero()[0]
