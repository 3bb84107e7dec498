"""Score readings where they arise: windows, one model call a batch, thresholds, anomalies.

A model that fails in service is set aside with its reason and counted; readings go on without it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.detect.bench import Bench, Columns, Watch
from edge.detect.frame_bench import FrameBench
from edge.detect.learned import BySeries
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.detect.routing import Routing
from edge.detect.scoring import Scoring
from protos.model_manifest import Takes
from protos.records import Batch, Kind, strings

log = logging.getLogger(__name__)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Standing:
    """A model as `status` shows it; ``watched_s``, seconds, is summed over series.

    ``unscored``: windows that it gave no number for, or that came while it was set aside;
    ``passed_over``: readings of series that it has no room for.
    """

    name: str
    version: str
    scored: int
    anomalies: int
    failure: str
    aside: dict[str, int]
    watched_s: float
    unscored: int
    passed_over: int


@dataclass(slots=True)
class Scorer:
    """Scores every batch with every model.

    Args:
        models: verified models.
        alarms_per_week: stated false alarms for each series and week.
        watch: is told of every verdict of models of one series, for measurements: the model's
            label, which of the numbers it judged, and the verdict with the rarity of each score.
    """

    models: Sequence[Scoring]
    alarms_per_week: float
    watch: Watch | None = None
    _benches: list[Bench | FrameBench] = field(init=False)
    _routing: Routing = field(init=False)
    _full: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._benches = [self._bench(model) for model in self.models]
        self._routing = Routing([model.manifest for model in self.models])

    def _bench(self, model: Scoring) -> Bench | FrameBench:
        if model.manifest.takes is Takes.FRAME:
            return FrameBench(model, self.alarms_per_week)
        return Bench(model, self.alarms_per_week, self.watch)

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

    def look(
        self, batches: Sequence[Batch], catalog: SeriesNames, leave: Bools | None = None
    ) -> list[Looked]:
        """What every model says of the numbers of several batches that follow each other.

        Rows are counted over all ``batches``. ``leave``, one for each row, says which of them
        models of one series leave to others.
        """
        tables = [batch.kind(Kind.NUMBERS) for batch in batches]
        numbers = {
            name: tables[0][name] if len(tables) == 1 else np.concatenate([t[name] for t in tables])
            for name in ("series", "ts", "value")
        }
        looked: list[Looked] = []
        if not len(numbers["series"]):
            self._routing.left = {}
            return looked
        for bench, mine in zip(self._benches, self._routed(numbers, catalog, leave), strict=True):
            if not bench.failure:
                looked += self._of(bench, numbers, mine, catalog)
                self._tell_if_full(bench)
        return looked

    @property
    def left(self) -> dict[str, Bools]:
        """Of the last look, which rows are left to a model here by those of each name."""
        return self._routing.left

    def _routed(
        self, numbers: Columns, catalog: SeriesNames, leave: Bools | None
    ) -> list[Bools | None]:
        """Of each model, which of ``numbers`` it scores; None: it is set aside, or takes frames."""
        wanted: list[Bools | None] = []
        for bench in self._benches:
            if bench.failure or isinstance(bench, FrameBench):
                wanted.append(None)
                continue
            mine = bench.wanted(numbers["series"], catalog)
            wanted.append(mine if leave is None else mine & ~leave)
        return self._routing.rows(numbers["series"], numbers["ts"], wanted)

    def _of(
        self, bench: Bench | FrameBench, numbers: Columns, mine: Bools | None, names: SeriesNames
    ) -> list[Looked]:
        """What one model says; of a part of the numbers, where it fails in the middle of them."""
        looked: list[Looked] = []
        try:
            if isinstance(bench, FrameBench):
                looked += bench.look(numbers, names)
            elif mine is not None:
                looked.extend(bench.look(numbers, mine))
        except Exception as error:  # noqa: BLE001 — supervisor of a foreign graph: ingest goes on
            bench.failure = (str(error) or type(error).__name__).splitlines()[0][:300]
            label = bench.model.manifest.label
            log.error("model %s failed and is set aside: %s", label, bench.failure)
        return looked

    def _tell_if_full(self, bench: Bench | FrameBench) -> None:
        label = bench.model.manifest.label
        if bench.is_full and label not in self._full:
            self._full.add(label)
            what = "devices" if isinstance(bench, FrameBench) else "series"
            log.warning("model %s judges %d %s and no further ones, which would take more memory"
                        " than a model may", label, bench.series_max, what)  # fmt: skip

    @property
    def nbytes(self) -> int:
        """Bytes held for all series and devices, the models themselves not counted."""
        return sum(bench.nbytes for bench in self._benches)

    @property
    def labels(self) -> list[str]:
        """Names and versions of the models."""
        return [bench.model.manifest.label for bench in self._benches]

    def learning(self) -> dict[str, dict[str, BySeries]]:
        """What is known of each series or device, by model."""
        known: dict[str, dict[str, BySeries]] = {}
        for bench, pace in zip(self._benches, self._routing.paces, strict=True):
            parts = known[bench.model.manifest.label] = {**bench.learning()}
            if pace is not None:
                parts["pace"] = pace
        return known

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
                bench.watched_s,
                bench.unscored,
                bench.passed_over,
            )
            for bench in self._benches
            for m in (bench.model.manifest,)
        ]


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
