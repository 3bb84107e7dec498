"""Score readings where they arise: windows, one model call a batch, thresholds, anomalies.

A model that fails in service is set aside with its reason and counted; readings go on without it.
"""

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups, by_series
from edge.detect.fixed import FixedThreshold, judge_of
from edge.detect.frame_bench import FrameBench
from edge.detect.judged import Judged
from edge.detect.learned import BySeries
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.detect.rolling import Windowed, Windows
from edge.detect.scoring import Scoring
from edge.detect.threshold import Thresholds
from protos.model_manifest import Takes
from protos.records import Batch, Kind, strings
from protos.series import SeriesKind

log = logging.getLogger(__name__)

I8 = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]

LINE_VALUES: Final = 64 << 10
"""Values of a line made at once, about: they bound memory, and what is worked on stays in the
processor's cache. A longer batch is cut between series, so that each brings its past along once."""


@dataclass(slots=True)
class Bench:
    """One model in service with the state of its series."""

    model: Scoring
    windows: Windows
    thresholds: Thresholds | FixedThreshold
    wanted: NDArray[np.bool_]
    """By kind of series: whether the model is for it."""
    scored: int = 0
    anomalies: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A model as `status` shows it."""

    name: str
    version: str
    scored: int
    anomalies: int
    failure: str
    aside: dict[str, int]


@dataclass(slots=True)
class Scorer:
    """Scores every batch with every model.

    Args:
        models: verified models.
        alarms_per_week: stated false alarms for each series and week.
    """

    models: Sequence[Scoring]
    alarms_per_week: float
    _benches: list[Bench | FrameBench] = field(init=False)

    def __post_init__(self) -> None:
        self._benches = [self._bench(model) for model in self.models]

    def _bench(self, model: Scoring) -> Bench | FrameBench:
        if model.manifest.takes is Takes.FRAME:
            return FrameBench(model, self.alarms_per_week)
        return Bench(
            model,
            Windows(model.manifest.window),
            judge_of(model.manifest.calibration, self.alarms_per_week),
            np.isin(np.arange(max(SeriesKind) + 1), sorted(model.kinds)),
        )

    def score(self, batch: Batch, catalog: SeriesNames) -> Batch:
        """Score the numbers of one batch.

        Returns:
            A batch of SCORES rows only: one for each anomaly.
        """
        return self.score_each([batch], catalog)[0]

    def score_each(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Batch]:
        """Score the numbers of several batches that follow each other, at once.

        Together they cost less: each model call brings the past of every series along.

        Returns:
            For each of ``batches`` one of SCORES rows only: one row for each anomaly.
        """
        looked = self.look(batches, catalog)
        ends = np.cumsum([batch.count(Kind.NUMBERS) for batch in batches])
        return [
            scores_within(looked, int(first), int(end))
            for first, end in zip([0, *ends], ends, strict=False)
        ]

    def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Looked]:
        """What every model says of the numbers of several batches that follow each other.

        Rows are counted over all ``batches``.
        """
        tables = [batch.kind(Kind.NUMBERS) for batch in batches]
        numbers = {
            name: tables[0][name] if len(tables) == 1 else np.concatenate([t[name] for t in tables])
            for name in ("series", "ts", "value")
        }
        looked: list[Looked] = []
        for bench in self._benches:
            if bench.failure or not len(numbers["series"]):
                continue
            if isinstance(bench, FrameBench):
                looked += self._of_frames(bench, numbers, catalog)
            else:
                looked += self._looked(bench, numbers, bench.wanted[catalog.kind_of])
        return looked

    def _of_frames(self, bench: FrameBench, numbers: Columns, catalog: SeriesNames) -> list[Looked]:
        """What one model of several metrics says of ``numbers``."""
        try:
            return list(bench.look(numbers, catalog))
        except Exception as error:  # noqa: BLE001 — supervisor of a foreign graph: ingest goes on
            _set_aside(bench, error)
            return []

    def _looked(
        self, bench: Bench, numbers: Columns, wanted: NDArray[np.bool_]
    ) -> Iterator[Looked]:
        """What one model says of ``numbers``."""
        mine = wanted[numbers["series"]]
        at = None if mine.all() else mine.nonzero()[0]
        groups = by_series(numbers["series"] if at is None else numbers["series"][at])
        if groups.order is not None:
            at = groups.order if at is None else at[groups.order]
        for start, end in itertools.pairwise(_cuts(groups, bench.windows.length - 1)):
            here = np.arange(start, end) if at is None else at[start:end]
            yield self._judged(bench, here, {name: c[here] for name, c in numbers.items()})

    @property
    def nbytes(self) -> int:
        """Bytes of windows that are held for all series and devices."""
        return sum(
            bench.nbytes if isinstance(bench, FrameBench) else bench.windows.nbytes
            for bench in self._benches
        )

    @property
    def labels(self) -> list[str]:
        """Names and versions of the models."""
        return [bench.model.manifest.label for bench in self._benches]

    def learning(self) -> dict[str, dict[str, BySeries]]:
        """What is known of each series, by model; frames of devices begin anew with a run."""
        return {
            bench.model.manifest.label: {"windows": bench.windows, "thresholds": bench.thresholds}
            for bench in self._benches
            if not isinstance(bench, FrameBench)
        }

    def standings(self) -> list[Standing]:
        """How each model does."""
        return [
            Standing(
                m.name,
                m.version,
                bench.scored,
                bench.anomalies,
                bench.failure or bench.model.trouble,
                {str(why): count for why, count in bench.model.aside.items()},
            )
            for bench in self._benches
            for m in (bench.model.manifest,)
        ]

    def _judged(self, bench: Bench, here: I8, part: Columns) -> Looked:
        series = part["series"].astype(np.uint32, copy=False)
        windowed = bench.windows.push(series, part["value"].astype(np.float64, copy=False))
        scores = self._run(bench, windowed)
        rows, given = windowed.rows, np.isfinite(scores)
        if not given.all():  # set aside for now: these readings it did not judge
            rows, scores = rows[given], scores[given]
        who, when = series[rows], part["ts"][rows].astype(np.int64, copy=False)
        verdict = bench.thresholds.judge(who, scores, when)
        bench.scored += len(scores)
        bench.anomalies += int(np.count_nonzero(verdict.alarm))
        label = bench.model.manifest.label
        judged = Judged(label, who, when, part["value"][rows], scores, verdict.threshold)
        return Looked(here[rows], judged, verdict.alarm)

    def _run(self, bench: Bench, windowed: Windowed) -> NDArray[np.float64]:
        try:
            return bench.model.score(windowed.line, windowed.at)
        except Exception as error:  # noqa: BLE001 — supervisor of a foreign graph: ingest goes on
            _set_aside(bench, error)
            return np.full(len(windowed.at), np.nan)


def _set_aside(bench: Bench | FrameBench, error: Exception) -> None:
    bench.failure = (str(error) or type(error).__name__).splitlines()[0][:300]
    log.error("model %s failed and is set aside: %s", bench.model.manifest.label, bench.failure)


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


def scores_within(looked: Sequence[Looked], first: int, end: int) -> Batch:
    """The anomalies among ``looked`` whose rows lie in ``first`` to ``end``, as SCORES."""
    parts = []
    for one in looked:
        if not one.alarm.any():
            continue
        at = (one.alarm & (one.rows >= first) & (one.rows < end)).nonzero()[0]
        if len(at):
            told = one.judged
            led = told.series if told.channel is None else told.channel
            columns = (led, told.ts, told.value, told.score, told.threshold)
            model = strings([told.detector] * len(at))
            parts.append([*(column[at] for column in columns), model])
    if not parts:
        return Batch({})
    names = ("series", "ts", "value", "score", "threshold", "model")
    joined = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Batch({Kind.SCORES: dict(zip(names, joined, strict=True))})
