"""Score readings where they arise: windows, one model call a batch, thresholds, anomalies.

A model that fails in service is set aside with its reason and counted; readings go on without it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.models import Model
from edge.rolling import Windowed, Windows
from edge.threshold import Thresholds
from protos.records import Batch, Kind
from protos.series import SeriesKind

log = logging.getLogger(__name__)

# Bytes of the line of values made at once, at most: they bound memory, whatever a window's length.
LINE_BYTES_MAX: Final = 6 << 20


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


@dataclass(slots=True)
class Scorer:
    """Scores every batch with every model.

    Args:
        models: verified models.
        alarms_per_week: stated false alarms for each series and week.
    """

    models: Sequence[Model]
    alarms_per_week: float
    _benches: list[Bench] = field(init=False)

    def __post_init__(self) -> None:
        self._benches = [
            Bench(
                model,
                Windows(model.manifest.window),
                Thresholds(self.alarms_per_week),
                np.isin(np.arange(max(SeriesKind) + 1), sorted(model.kinds)),
            )
            for model in self.models
        ]

    def score(self, batch: Batch, catalog: SeriesKinds) -> Batch:
        """Score the numbers of one batch.

        Returns:
            A batch of SCORES rows only: one for each anomaly.
        """
        numbers = batch.kind(Kind.NUMBERS)
        found: list[dict[str, NDArray[np.generic]]] = []
        for bench in self._benches:
            if bench.failure or not len(numbers["series"]):
                continue
            mine = bench.wanted[catalog.kind_of[numbers["series"]]]
            kept = slice(None) if mine.all() else mine
            columns = {name: numbers[name][kept] for name in ("series", "ts", "value")}
            most = max(1, LINE_BYTES_MAX // (8 * bench.windows.length))
            for start in range(0, len(columns["series"]), most):
                part = {name: c[start : start + most] for name, c in columns.items()}
                rows = self._anomalies(bench, part)
                if len(rows["series"]):
                    found.append(rows)
        if not found:
            return Batch({})
        return Batch({Kind.SCORES: {k: np.concatenate([f[k] for f in found]) for k in found[0]}})

    def standings(self) -> list[Standing]:
        """How each model does."""
        return [
            Standing(m.name, m.version, bench.scored, bench.anomalies, bench.failure)
            for bench in self._benches
            for m in (bench.model.manifest,)
        ]

    def _anomalies(
        self, bench: Bench, part: dict[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.generic]]:
        series = part["series"].astype(np.uint32, copy=False)
        windowed = bench.windows.push(series, part["value"].astype(np.float64, copy=False))
        scores = self._run(bench, windowed)
        who, when = series[windowed.rows], part["ts"][windowed.rows].astype(np.int64, copy=False)
        verdict = bench.thresholds.judge(who, scores, when)
        bench.scored += len(scores)
        raised = np.flatnonzero(verdict.alarm)
        bench.anomalies += len(raised)
        model = np.empty(len(raised), object)
        model[:] = bench.model.manifest.label
        return {
            "series": who[raised],
            "ts": when[raised],
            "value": part["value"][windowed.rows][raised],
            "score": scores[raised],
            "threshold": verdict.threshold[raised],
            "model": model,
        }

    def _run(self, bench: Bench, windowed: Windowed) -> NDArray[np.float64]:
        try:
            return bench.model.score(windowed.line, windowed.at)
        except Exception as error:  # noqa: BLE001 — supervisor of a foreign graph: ingest goes on
            bench.failure = str(error).splitlines()[0][:300]
            log.error(
                "model %s failed and is set aside: %s", bench.model.manifest.label, bench.failure
            )
            return np.full(len(windowed.at), np.nan)
