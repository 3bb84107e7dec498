"""Pure: a threshold per series that adapts to hold a stated rate of false alarms.

Scores of a series are counted in logarithmic bins. Above the 98 % quantile u the tail is taken as
exponential with the mean excess m seen there (peaks over threshold; Pickands 1975, with shape 0),
so a score is passed with probability p at u + m·ln(q/p), q being the share above u. The wanted p
follows from the stated rate and the cadence seen: the mean step of event time. A step counts as at
most `STEP_OVER` times the middle one of its block, and one backwards not at all, so that a clock
that jumps by years (a Pi that wakes in 1970, one wild stamp) hardly moves a threshold. Where the
tail is heavier than exponential and alarms come too often, the count of alarms itself raises it.

Thresholds change only after every `BLOCK` readings of a series, and after every fourth block once
`SETTLED` readings are known, so that cutting a stream into batches in another way changes no alarm.
An alarm is raised once per run: readings that follow an alarm within `QUIET` readings of the last
excess belong to it.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import by_series

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]

WEEK_US: Final = 7 * 86_400 * 1_000_000
BLOCK_BITS: Final = 5
BLOCK: Final = 1 << BLOCK_BITS
SETTLED: Final = 1024
SETTLED_BLOCKS: Final = 4
"""Blocks from one change to the next after that; the cadence is learned from the last of them."""
QUIET: Final = 16
WARM_UP: Final = 128
# A gap longer than this many usual steps is time in which nothing was watched.
STEP_OVER: Final = 16.0
BINS: Final = 128
BINS_PER_OCTAVE: Final = 8
LOWEST_OCTAVE: Final = -4
TAIL_SHARE: Final = 0.02
# Counts are halved here: old behaviour is forgotten, and they fit 16 bits.
COUNT_MAX: Final = 8192
EASE_MAX: Final = 16.0
# A score counts as at most so many thresholds.
LEARN_MAX: Final = 2.0

_EDGES: Final = 2.0 ** (np.arange(BINS) / BINS_PER_OCTAVE + LOWEST_OCTAVE)
_CENTRES: Final = _EDGES * 2.0 ** (0.5 / BINS_PER_OCTAVE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """For each score of a batch: the threshold in force and whether it raised an alarm."""

    threshold: F8
    alarm: Bools


def tail_threshold(counts: NDArray[np.uint16], chance: F8) -> F8:
    """Score that is passed with the wanted chance, by series.

    Args:
        counts: `(m, BINS)` scores seen, by logarithmic bin; fewer than 2^16 of a series in all.
        chance: `(m,)` wanted chance per reading of passing the threshold, in (0, 1).

    Returns:
        `(m,)` thresholds; infinite for a series with fewer than `WARM_UP` scores.
    """
    upward = np.cumsum(counts, axis=1, dtype=np.uint16)
    total = upward[:, -1]
    # Where at most the tail's share is left above; not beyond the highest bin that was ever hit,
    # for the tail must not be empty.
    body = np.ceil((1.0 - TAIL_SHARE) * total).astype(np.uint16)
    first = (upward < body[:, None]).sum(axis=1) + 1
    highest = (upward < total[:, None]).sum(axis=1)
    start = np.minimum(first, highest)
    row = np.arange(len(counts)) * BINS
    below = upward.reshape(-1)[row + np.maximum(start - 1, 0)] * (start > 0)
    tail = np.maximum(total - below, 1).astype(np.float64)
    ends = np.stack([row + start, row + BINS], axis=1).reshape(-1)[:-1]
    weighed = np.add.reduceat((counts * _CENTRES).reshape(-1), ends)[::2]
    excess = np.maximum(weighed / tail - _EDGES[start], 0.0)
    share = tail / np.maximum(total, 1)
    reach = np.log(np.maximum(share / chance, 1.0))
    return np.where(total >= WARM_UP, _EDGES[start] + excess * reach, np.inf)


class Thresholds:
    """Adaptive thresholds of all series of one model.

    Args:
        alarms_per_week: stated false alarms for each series and week, above 0.
    """

    def __init__(self, alarms_per_week: float) -> None:
        if not alarms_per_week > 0:
            raise ValueError(f"alarms_per_week must be above 0, not {alarms_per_week}")
        self.alarms_per_week = alarms_per_week
        self._counts = np.zeros((0, BINS), np.uint16)
        # How many that are, as of the last change of the threshold.
        self._counted = np.zeros(0, np.int64)
        self._seen = np.zeros(0, np.int64)
        self._threshold = np.zeros(0)
        self._times = np.zeros((0, BLOCK), np.int64)
        self._watched_us = np.zeros(0)
        self._steps = np.zeros(0, np.int64)
        self._alarms = np.zeros(0, np.int64)
        # Ordinal of the last score past its threshold; far back when there was none.
        self._excess_at = np.zeros(0, np.int64)

    def judge(self, series: NDArray[np.uint32], scores: F8, ts: I8) -> Verdict:
        """Judge one batch and learn from it.

        Args:
            series: `(n,)` series numbers, readings of one series in the order of arrival.
            scores: `(n,)` float64, not negative; what is not finite raises no alarm and teaches
                nothing.
            ts: `(n,)` event times, int64 µs.
        """
        verdict = Verdict(np.full(len(scores), np.inf), np.zeros(len(scores), np.bool_))
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
        threshold, alarm = verdict.threshold, verdict.alarm
        # Rounds end where a series' own count passes a multiple of BLOCK, whatever the batch.
        rounds = (ordinal >> BLOCK_BITS) - np.repeat(before >> BLOCK_BITS, groups.counts)
        who = groups.who.astype(np.int64)
        for number in range(int(rounds.max()) + 1):
            here = (rounds == number).nonzero()[0]
            told = self._judge_round(who[here], ordinal[here], scores[here], ts[here])
            place = here if rows is None else rows[here]
            threshold[place], alarm[place] = told
        return verdict

    def _judge_round(self, who: I8, ordinal: I8, scores: F8, ts: I8) -> tuple[F8, Bools]:
        """Thresholds and alarms of scores in order by series, none beyond the end of a block."""
        score, threshold = np.maximum(scores, 0.0), self._threshold[who]
        over = score > threshold
        if over.any():
            over[over] = self._raises(who[over], ordinal[over])

        # One wild fault must not teach that wild is usual; a lasting change still will, in steps.
        learned = np.minimum(score, LEARN_MAX * threshold)
        octave = np.log2(np.maximum(learned, _EDGES[0])) - LOWEST_OCTAVE
        bins = np.minimum((octave * BINS_PER_OCTAVE).astype(np.int64), BINS - 1)
        # Flat views of the tables: two indices at a time cost numpy several times as much.
        np.add.at(self._counts.reshape(-1), who * BINS + bins, np.uint16(1))
        place = ordinal & (BLOCK - 1)
        self._times.reshape(-1)[(who << BLOCK_BITS) + place] = ts
        ended = (place == BLOCK - 1).nonzero()[0]
        if len(ended):
            seen = ordinal[ended] + 1
            due = ((seen <= SETTLED) | (seen % (SETTLED_BLOCKS * BLOCK) == 0)).nonzero()[0]
            if len(due):
                self._refresh(who[ended[due]], seen[due])
        return threshold, over

    def _learn_cadence(self, who: I8) -> None:
        """Add the steps of event time inside the block that these series have just filled."""
        # As floats: the widest step between int64 times has no int64.
        times = self._times[who].astype(np.float64)
        step = times[:, 1:] - times[:, :-1]
        if (step > 0).all():
            middle = np.partition(step, (BLOCK - 1) // 2, axis=1)[:, (BLOCK - 1) // 2]
            counted = np.broadcast_to(np.bool_(True), step.shape)
        else:
            forward = np.where(step > 0, step, np.inf)
            middle = np.sort(forward, axis=1)[np.arange(len(who)), (step > 0).sum(axis=1) // 2]
            counted = (step >= 0) & np.isfinite(middle)[:, None]
        bounded = np.minimum(step, STEP_OVER * middle[:, None])
        self._watched_us[who] += np.where(counted, bounded, 0.0).sum(axis=1)
        self._steps[who] += counted.sum(axis=1)
        old = who[self._steps[who] > COUNT_MAX]
        self._watched_us[old] /= 2
        self._steps[old] //= 2

    def _raises(self, who: I8, ordinal: I8) -> Bools:
        """Which of these scores past their threshold begin a run; input sorted by series."""
        before = np.empty_like(ordinal)
        before[1:] = np.where(who[1:] == who[:-1], ordinal[:-1], self._excess_at[who[1:]])
        if len(who):
            before[0] = self._excess_at[who[0]]
        self._excess_at[who] = ordinal  # duplicates: the last one stays, which is the newest
        begins = ordinal - before > QUIET
        np.add.at(self._alarms, who[begins], 1)
        return begins

    def _refresh(self, who: I8, seen: I8) -> None:
        """Set the thresholds of these series anew from the ``seen`` scores they have shown."""
        self._counted[who] += np.where(seen <= SETTLED, BLOCK, SETTLED_BLOCKS * BLOCK)
        full = who[self._counted[who] > COUNT_MAX]
        if len(full):
            self._counts[full] //= 2
            self._counted[full] = self._counts[full].sum(axis=1)
        self._learn_cadence(who)
        step_us = np.maximum(self._watched_us[who], 1.0) / np.maximum(self._steps[who], 1)
        weeks = step_us * seen / WEEK_US
        chance = np.clip(self.alarms_per_week * step_us / WEEK_US, 1e-12, 0.5)
        allowed = 1.0 + self.alarms_per_week * weeks
        ease = np.clip(np.sqrt(self._alarms[who] / allowed), 1.0, EASE_MAX)
        self._threshold[who] = tail_threshold(self._counts[who], chance) * ease

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What was learned, a row a series; to be kept and put back."""
        return {name: held for name, held in vars(self).items() if isinstance(held, np.ndarray)}

    def grow(self, size: int) -> None:
        """Have room for series 0 to ``size`` - 1 at least."""
        have = len(self._seen)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        self._counts = np.concatenate([self._counts, np.zeros((more, BINS), np.uint16)])
        self._threshold = np.concatenate([self._threshold, np.full(more, np.inf)])
        self._excess_at = np.concatenate([self._excess_at, np.full(more, -(QUIET + 1), np.int64)])
        self._times = np.concatenate([self._times, np.zeros((more, BLOCK), np.int64)])
        self._watched_us = np.concatenate([self._watched_us, np.zeros(more)])
        for name in ("_seen", "_steps", "_alarms", "_counted"):
            old: I8 = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros(more, np.int64)]))
