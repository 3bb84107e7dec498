"""Pure: judged readings as runs: neighbours of one series that mean the same for an episode.

However many readings a batch has of a series, its episode goes on in a few steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import by_series
from edge.detect.judged import Judged

I8 = NDArray[np.int64]


class Sign(IntEnum):
    """What a reading says of an episode."""

    CALM = 0
    """Its score is below the share of the threshold at which an episode calms down."""
    UNEASY = 1
    """Between that and the threshold: begins nothing, and keeps what is there alive."""
    STRANGE = 2
    """Above the threshold."""


@dataclass(frozen=True, slots=True)
class Run:
    """Readings of one series that follow each other and say the same, in order of arrival.

    Times are event times in µs: of the first and last that arrived, and the latest of all. The peak
    is the reading with the highest score, the first of equal ones. ``channel`` as in `Judged`.
    """

    series: int
    channel: int
    sign: Sign
    count: int
    first_us: int
    last_us: int
    latest_us: int
    peak_us: int
    value: float
    score: float
    threshold: float


def runs_of(
    judged: Judged, stay_share: float, gap_us: int, open_: NDArray[np.uint32]
) -> Iterator[Run]:
    """The runs of those series that have a strange reading here, or are ``open_``.

    Args:
        judged: readings; those without a finite score and threshold were not judged.
        stay_share: share of the threshold below which a reading is calm, in (0, 1].
        gap_us: times further apart than this end a run.
        open_: `(m,)` series that have an episode.
    """
    strange = (judged.score > judged.threshold) & (judged.score < np.inf)
    touched = np.concatenate([judged.series[strange], open_])
    if not len(touched):
        return
    rows = np.isin(judged.series, touched) & np.isfinite(judged.score)
    at = (rows & np.isfinite(judged.threshold)).nonzero()[0]
    if not len(at):
        return
    groups = by_series(judged.series[at])
    at = at if groups.order is None else at[groups.order]
    ts, score, threshold = judged.ts[at], judged.score[at], judged.threshold[at]
    sign = (score >= stay_share * threshold).astype(np.int8)
    sign[strange[at]] = Sign.STRANGE
    # As floats: the widest step between int64 times has no int64.
    leap = np.abs(np.diff(ts.astype(np.float64))) > gap_us
    channel = groups.who if judged.channel is None else judged.channel[at]
    cut = (channel[1:] != channel[:-1]) | (sign[1:] != sign[:-1]) | leap
    cut |= groups.who[1:] != groups.who[:-1]
    first = np.concatenate([[0], cut.nonzero()[0] + 1])
    last = np.append(first[1:], len(at)) - 1
    peak = _peaks(score, first, last)
    columns = (
        groups.who[first], channel[first], sign[first], last - first + 1, ts[first], ts[last],
        np.maximum.reduceat(ts, first), ts[peak], judged.value[at[peak]], score[peak],
        threshold[peak],
    )  # fmt: skip
    for series, by, mark, *told in zip(*(column.tolist() for column in columns), strict=True):
        yield Run(series, by, Sign(mark), *told)


def _peaks(score: NDArray[np.float64], first: I8, last: I8) -> I8:
    """The place of the highest score of each run, the first of equal ones."""
    run = np.repeat(np.arange(len(first)), last - first + 1)
    highest = (score == np.maximum.reduceat(score, first)[run]).nonzero()[0]
    places: I8 = highest[np.unique(run[highest], return_index=True)[1]]
    return places
