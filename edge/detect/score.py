"""Score readings where they arise: windows, one model call a batch, thresholds, anomalies.

A model that fails in service is set aside with its reason and counted; readings go on without it.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups, by_series
from edge.detect.models import Model, Of
from edge.detect.rolling import Windowed, Windows
from edge.detect.routing import Routing
from edge.detect.slots import Slots
from edge.detect.threshold import Thresholds, Verdict
from protos.records import Batch, Kind
from protos.series import SeriesKind

log = logging.getLogger(__name__)

I8 = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]

LINE_VALUES: Final = 64 << 10
"""Values of a line made at once, about: they bound memory, and what is worked on stays in the
processor's cache. A longer batch is cut between series, so that each brings its past along once."""


class SeriesKinds(Protocol):
    """What scoring wants to know of the series: their kinds, by entry number."""

    @property
    def kind_of(self) -> NDArray[np.uint8]:
        """`(entries + 1,)` kind of each series entry."""
        ...


@dataclass(slots=True)
class Bench:
    """One model in service with the state of its series."""

    model: Model
    windows: Windows
    thresholds: Thresholds
    wanted: NDArray[np.bool_]
    """By kind of series: whether the model is for it."""
    slots: Slots = field(default_factory=Slots)
    scored: int = 0
    anomalies: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A model as `status` shows it; ``watched_s``, seconds, is summed over series."""

    name: str
    version: str
    scored: int
    anomalies: int
    failure: str
    watched_s: float


@dataclass(slots=True)
class Scorer:
    """Scores every batch with every model.

    Args:
        models: verified models.
        alarms_per_week: stated false alarms for each series and week.
        watch: is told of every verdict, for measurements: the model's label, which of the numbers
            it judged, and the verdict with the rarity of each score.
    """

    models: Sequence[Model]
    alarms_per_week: float
    watch: Callable[[str, I8, Verdict], None] | None = None
    _benches: list[Bench] = field(init=False)
    _routing: Routing = field(init=False)

    def __post_init__(self) -> None:
        self._benches = [
            Bench(
                model,
                Windows(model.manifest.window, model.manifest.least),
                Thresholds(self.alarms_per_week, tells_rarity=self.watch is not None),
                np.isin(np.arange(max(SeriesKind) + 1), sorted(model.kinds)),
            )
            for model in self.models
        ]
        self._routing = Routing([model.manifest for model in self.models])

    def score(self, batch: Batch, catalog: SeriesKinds) -> Batch:
        """Score the numbers of one batch.

        Returns:
            A batch of SCORES rows only: one for each anomaly.
        """
        return self.score_each([batch], catalog)[0]

    def score_each(self, batches: Sequence[Batch], catalog: SeriesKinds) -> list[Batch]:
        """Score the numbers of several batches that follow each other, at once.

        Together they cost less: each model call brings the past of every series along.

        Returns:
            For each of ``batches`` one of SCORES rows only: one row for each anomaly.
        """
        tables = [batch.kind(Kind.NUMBERS) for batch in batches]
        ends = np.cumsum([len(rows["series"]) for rows in tables])
        numbers = {
            name: tables[0][name] if len(tables) == 1 else np.concatenate([t[name] for t in tables])
            for name in ("series", "ts", "value")
        }
        found: list[tuple[I8, Columns]] = []
        if len(numbers["series"]):
            for bench, mine in zip(self._benches, self._routed(numbers, catalog), strict=True):
                if mine is not None:
                    found += self._found(bench, numbers, mine)
        return [
            _rows_within([found_in for found_in in found if len(found_in[0])], int(first), int(end))
            for first, end in zip([0, *ends], ends, strict=False)
        ]

    def _routed(self, numbers: Columns, catalog: SeriesKinds) -> list[NDArray[np.bool_] | None]:
        """Of each model, which of ``numbers`` it scores; None for one that is set aside."""
        kinds = catalog.kind_of[numbers["series"]]
        wanted = [None if bench.failure else bench.wanted[kinds] for bench in self._benches]
        return self._routing.rows(numbers["series"], numbers["ts"], wanted)

    def _found(
        self, bench: Bench, numbers: Columns, mine: NDArray[np.bool_]
    ) -> Iterator[tuple[I8, Columns]]:
        """What one model finds among those of ``numbers`` that are ``mine``, as SCORES."""
        at = None if mine.all() else mine.nonzero()[0]
        groups = by_series(numbers["series"] if at is None else numbers["series"][at])
        if groups.order is not None:
            at = groups.order if at is None else at[groups.order]
        for start, end in itertools.pairwise(_cuts(groups, bench.windows.length - 1)):
            here = np.arange(start, end) if at is None else at[start:end]
            part = {name: column[here] for name, column in numbers.items()}
            rows, verdict, scores = self._anomalies(bench, part)
            if self.watch is not None:
                self.watch(bench.model.manifest.label, here[rows], verdict)
            yield here[rows[verdict.alarm]], scores

    @property
    def nbytes(self) -> int:
        """Bytes held for all series, the models themselves not counted."""
        return sum(bench.windows.nbytes + bench.thresholds.nbytes for bench in self._benches)

    def standings(self) -> list[Standing]:
        """How each model does."""
        return [
            Standing(
                m.name,
                m.version,
                bench.scored,
                bench.anomalies,
                bench.failure,
                bench.thresholds.watched_s,
            )
            for bench in self._benches
            for m in (bench.model.manifest,)
        ]

    def _anomalies(self, bench: Bench, part: Columns) -> tuple[I8, Verdict, Columns]:
        """The rows of ``part`` that were judged, how, and SCORES of those that raised an alarm."""
        slots = bench.slots.of(part["series"].astype(np.uint32, copy=False))
        timed = bench.model.manifest.of is Of.TIME
        values = part["ts"] / 1e6 if timed else part["value"].astype(np.float64, copy=False)
        windowed = bench.windows.push(slots, values)
        scores = self._run(bench, windowed)
        who, when = slots[windowed.rows], part["ts"][windowed.rows].astype(np.int64, copy=False)
        verdict = bench.thresholds.judge(who, scores, when)
        bench.scored += len(scores)
        raised = verdict.alarm.nonzero()[0]
        bench.anomalies += len(raised)
        model = np.empty(len(raised), object)
        model[:] = bench.model.manifest.label
        rows = windowed.rows[raised]
        return (
            windowed.rows,
            verdict,
            {
                "series": part["series"][rows],
                "ts": when[raised],
                "value": part["value"][rows],
                "score": scores[raised],
                "threshold": verdict.threshold[raised],
                "model": model,
            },
        )

    def _run(self, bench: Bench, windowed: Windowed) -> NDArray[np.float64]:
        try:
            return bench.model.score(windowed.line, windowed.at)
        except Exception as error:  # noqa: BLE001 — supervisor of a foreign graph: ingest goes on
            bench.failure = (str(error) or type(error).__name__).splitlines()[0][:300]
            log.error(
                "model %s failed and is set aside: %s", bench.model.manifest.label, bench.failure
            )
            return np.full(len(windowed.at), np.nan)


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


def _rows_within(found: Sequence[tuple[I8, Columns]], first: int, end: int) -> Batch:
    """The SCORES among ``found`` whose rows lie in ``first`` to ``end``."""
    parts = []
    for rows, scores in found:
        within = ((rows >= first) & (rows < end)).nonzero()[0]
        if len(within):
            parts.append({name: column[within] for name, column in scores.items()})
    if not parts:
        return Batch({})
    return Batch({Kind.SCORES: {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}})
