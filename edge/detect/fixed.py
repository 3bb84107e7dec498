"""Pure: a threshold that came with its model, for all series the same."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import by_series
from edge.detect.threshold import QUIET, Thresholds, Verdict
from protos.model_manifest import Calibration, CalibrationKind

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


def judge_of(
    calibration: Calibration, alarms_per_week: float, *, tells_rarity: bool = False
) -> "FixedThreshold | Thresholds":
    """What judges the scores of a model: its own threshold, or one that each series learns.

    Args:
        calibration: of the model's manifest.
        alarms_per_week: stated false alarms for each series and week, where it is learned.
        tells_rarity: whether a learned one tells the rarity of each score, which costs time.
    """
    if calibration.kind is CalibrationKind.FIXED:
        return FixedThreshold(calibration.threshold)
    return Thresholds(alarms_per_week, tells_rarity)


class FixedThreshold:
    """Judges scores as `Thresholds` does, by a threshold that never changes.

    An alarm is raised once per run, as there: scores past the threshold within `QUIET` scores of
    the last excess belong to its run.
    """

    def __init__(self, threshold: float) -> None:
        if not threshold > 0:
            raise ValueError(f"a threshold must be above 0, not {threshold}")
        self.threshold = threshold
        self._seen: I8 = np.zeros(0, np.int64)
        # Ordinal of the last score past the threshold; far back when there was none.
        self._excess_at: I8 = np.zeros(0, np.int64)

    @property
    def watched_s(self) -> float:
        """0: no rate is stated for it, so none is measured."""
        return 0.0

    @property
    def nbytes(self) -> int:
        """Bytes held for all series."""
        return self._seen.nbytes + self._excess_at.nbytes

    def judge(self, series: NDArray[np.uint32], scores: F8, ts: I8) -> Verdict:
        """Judge one batch; arguments and result as those of `Thresholds.judge`."""
        alarm = np.zeros(len(scores), np.bool_)
        usable = np.isfinite(scores).nonzero()[0]
        if len(usable):
            groups = by_series(series[usable])
            rows = usable if groups.order is None else usable[groups.order]
            self.grow(int(groups.series[-1]) + 1)
            before = self._seen[groups.series]
            self._seen[groups.series] += groups.counts
            ordinal = np.arange(len(rows)) + np.repeat(before - groups.starts, groups.counts)
            over = (scores[rows] > self.threshold).nonzero()[0]
            alarm[rows[over]] = self._begins(groups.who[over].astype(np.int64), ordinal[over])
        return Verdict(np.full(len(scores), self.threshold), alarm, np.zeros(0))

    def _begins(self, who: I8, ordinal: I8) -> NDArray[np.bool_]:
        """Which of these scores past the threshold begin a run; sorted by series."""
        if not len(who):
            return np.zeros(0, np.bool_)
        before = self._excess_at[who]
        before[1:] = np.where(who[1:] == who[:-1], ordinal[:-1], before[1:])
        self._excess_at[who] = ordinal  # of the same series the last one stays, the newest
        return ordinal - before > QUIET

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What it knows, a row a series."""
        return {"seen": self._seen, "excess_at": self._excess_at}

    def grow(self, size: int) -> None:
        """Have rows for series 0 to ``size`` - 1 at least."""
        more = max(size - len(self._seen), 0)
        self._seen = np.concatenate([self._seen, np.zeros(more, np.int64)])
        self._excess_at = np.concatenate([self._excess_at, np.full(more, -(QUIET + 1))])
