"""A model of one series in service: its windows, its thresholds, and what it says of readings."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups, by_series
from edge.detect.fixed import FixedThreshold, judge_of
from edge.detect.judged import Judged
from edge.detect.looked import Looked
from edge.detect.meant import Meant
from edge.detect.places import SeriesNames
from edge.detect.rolling import Windows
from edge.detect.scoring import Scoring
from edge.detect.seams import Seams, rounds
from edge.detect.slots import Slotted, slots_for
from edge.detect.threshold import Thresholds, Verdict
from protos.model_manifest import Of

Bools = NDArray[np.bool_]
I8 = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]
Watch = Callable[[str, I8, Verdict], None]
"""Told of a verdict: the model's label, which of the numbers it judged, and the verdict."""

LINE_VALUES: Final = 64 << 10
"""Values of a line made at once, about: they bound memory, and what is worked on stays in the
processor's cache. A longer batch is cut between series, so that each brings its past along once."""


class Bench:
    """One model with the state of its series.

    Args:
        model: it takes windows or lines.
        alarms_per_week: stated false alarms for each series and week, where the manifest's
            calibration is adaptive.
        watch: told of every verdict, with the rarity of each score.
    """

    def __init__(self, model: Scoring, alarms_per_week: float, watch: Watch | None = None) -> None:
        manifest = model.manifest
        self.model = model
        self.scored, self.anomalies, self.failure = 0, 0, ""
        self.unscored = self.passed_over = 0
        self.meant = Meant(manifest)
        self._watch = watch
        self._windows = Windows(manifest.window, manifest.least)
        told = watch is not None
        self._judge = judge_of(manifest.calibration, alarms_per_week, tells_rarity=told)
        self._seams = Seams(manifest.gap_s * 1e6) if manifest.gap_s else None
        self._known: dict[str, Windows | FixedThreshold | Thresholds | Seams] = {
            "windows": self._windows,
            "thresholds": self._judge,
        }
        if self._seams is not None:
            self._known["seams"] = self._seams
        self._slots = slots_for(*self._known.values())

    @property
    def nbytes(self) -> int:
        """Bytes held for all series, the model itself not counted."""
        return sum(known.nbytes for known in self._known.values())

    @property
    def watched_s(self) -> float:
        """Seconds that series were watched with a threshold in force, summed over them."""
        return self._judge.watched_s

    def learning(self) -> dict[str, Slotted]:
        """What is known of each series, by part."""
        return {name: Slotted(self._slots, known) for name, known in self._known.items()}

    @property
    def series_max(self) -> int:
        """Series that it has room for."""
        return self._slots.most

    @property
    def is_full(self) -> bool:
        """Whether it takes no further series."""
        return self._slots.is_full

    def wanted(self, series: NDArray[Any], names: SeriesNames) -> Bools:
        """`(n,)` which of ``series``, `(n,)` entries of ``names``, it is for.

        One that takes series over from others takes those only that it has room for.
        """
        meant = self.meant.of(series, names)
        takes_over = bool(self.model.manifest.instead_of)
        return meant & self._slots.has(series) if takes_over and self.is_full else meant

    def look(self, numbers: Columns, mine: Bools) -> Iterator[Looked]:
        """What the model says of those of ``numbers`` that are ``mine``.

        Raises:
            Exception: whatever the runtime raises, and ValueError for outputs of another shape.
        """
        at = None if mine.all() else mine.nonzero()[0]
        fits = self._slots.fits(numbers["series"] if at is None else numbers["series"][at])
        if fits is not None:
            self.passed_over += int(np.count_nonzero(~fits))
            at = fits.nonzero()[0] if at is None else at[fits]
        groups = by_series(numbers["series"] if at is None else numbers["series"][at])
        if groups.order is not None:
            at = groups.order if at is None else at[groups.order]
        for start, end in itertools.pairwise(_cuts(groups, self._windows.length - 1)):
            here = np.arange(start, end) if at is None else at[start:end]
            part = {name: column[here] for name, column in numbers.items()}
            slots = self._slots.of(part["series"].astype(np.uint32, copy=False))
            if self._seams is None:
                yield self._judged(here, part, slots)
            else:
                yield from self._between(self._seams, here, part, slots)

    def _between(
        self, seams: Seams, here: I8, part: Columns, slots: NDArray[np.uint32]
    ) -> Iterator[Looked]:
        """What the model says of readings that stand by series, windows begun anew at seams."""
        seam = seams.between(slots, part["ts"].astype(np.int64, copy=False))
        number = rounds(slots, seam)
        for one in range(int(number.max()) + 1):
            rows = (number == one).nonzero()[0]
            self._windows.grow(self._slots.count)
            self._windows.begin_anew(slots[rows[seam[rows]]])
            mine = {name: column[rows] for name, column in part.items()}
            yield self._judged(here[rows], mine, slots[rows])

    def _judged(self, here: I8, part: Columns, slots: NDArray[np.uint32]) -> Looked:
        series = part["series"].astype(np.uint32, copy=False)
        timed = self.model.manifest.of is Of.TIME
        values = part["ts"] / 1e6 if timed else part["value"].astype(np.float64, copy=False)
        windowed = self._windows.push(slots, values)
        scores = self.model.score(windowed.line, windowed.at)
        rows, given = windowed.rows, np.isfinite(scores)
        if not given.all():  # no numbers, or set aside for now: these readings it did not judge
            self.unscored += int(np.count_nonzero(~given))
            rows, scores = rows[given], scores[given]
        when = part["ts"][rows].astype(np.int64, copy=False)
        verdict = self._judge.judge(slots[rows], scores, when)
        self.scored += len(scores)
        self.anomalies += int(np.count_nonzero(verdict.alarm))
        label = self.model.manifest.label
        if self._watch is not None:
            self._watch(label, here[rows], verdict)
        judged = Judged(label, series[rows], when, part["value"][rows], scores, verdict.threshold)
        return Looked(here[rows], judged, verdict.alarm)


def _cuts(groups: Groups, past: int) -> list[int]:
    """Where to cut rows that stand by series, so that no part's line has many over `LINE_VALUES`.

    A line has ``past`` values for each series before those of its rows.
    """
    if not len(groups.series):
        return [0]
    before = past * np.arange(1, len(groups.series) + 1)
    ends = groups.starts + groups.counts + before
    parts = -(-int(ends[-1]) // LINE_VALUES)
    wanted = int(ends[-1]) * np.arange(1, parts) // parts
    which = np.searchsorted(ends, wanted)
    cuts = np.clip(wanted - before[which], groups.starts[which], None)
    return sorted({0, *cuts.tolist(), len(groups.who)})
