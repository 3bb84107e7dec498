"""Models of one series whose manifest says how long a silence is bridged."""

import itertools
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import models
from edge.detect.learned import Learned
from edge.detect.score import Scorer
from protos.model_manifest import Manifest
from protos.records import Batch, Kind, Quality, numbers
from protos.series import SeriesKind
from tests.edge.detect.graphs import MANIFEST, WINDOW, spread

GAP_S = 60.0
S = 1_000_000
START_US = 1_700_000_000 * S
SERIES = 3
Said = dict[int, float]
"""Scores by row."""


@dataclass(frozen=True)
class Gauges:
    kind_of: NDArray[np.uint8] = field(
        default_factory=lambda: np.full(SERIES + 1, SeriesKind.GAUGE, np.uint8)
    )


def served(manifest: Manifest) -> models.Model:
    graph = spread().SerializeToString()
    return models.Model(manifest, models.open_session("seams", manifest, graph))


@pytest.fixture(scope="module")
def model() -> models.Model:
    return served(msgspec.structs.replace(MANIFEST, gap_s=GAP_S))


def stream(seed: int, rows: int = 600) -> Batch:
    """Readings of some series: late by a little, gaps short and long, and clocks that are set."""
    rng = np.random.default_rng(seed)
    who = rng.integers(1, SERIES + 1, rows).astype(np.uint32)
    step = rng.choice([1, 5, 60, 61, 300, -3, -60, -61, -31_536_000, 31_536_000], rows, p=[
        0.5, 0.3, 0.05, 0.02, 0.02, 0.05, 0.02, 0.02, 0.01, 0.01,
    ])  # fmt: skip
    ts = np.zeros(rows, np.int64)
    for series in range(1, SERIES + 1):
        ts[who == series] = START_US + np.cumsum(step[who == series]) * S
    value = np.where(rng.uniform(size=rows) < 0.03, np.nan, rng.normal(size=rows))
    return numbers(who, ts, value, np.full(rows, Quality.SENSOR, np.uint8), ts)


def naive(batch: Batch, gap_s: float) -> Said:
    """Scores as a plain loop over readings gives them."""
    last: dict[int, int] = {}
    held: dict[int, list[float]] = {}
    found = {}
    rows = batch.kind(Kind.NUMBERS)
    columns = (rows[name].tolist() for name in ("series", "ts", "value"))
    for row, (series, ts, value) in enumerate(zip(*columns, strict=True)):
        if gap_s and abs(ts - last.get(series, ts)) > gap_s * S:
            held[series] = []
        last[series] = ts
        if np.isfinite(value):
            mine = held.setdefault(series, [])
            mine.append(value)
            if len(mine) >= WINDOW:
                found[row] = float(np.ptp(mine[-WINDOW:]))
    return found


def part(batch: Batch, first: int, end: int) -> Batch:
    rows = batch.kind(Kind.NUMBERS)
    return Batch({Kind.NUMBERS: {name: column[first:end] for name, column in rows.items()}})


def said(scorer: Scorer, batch: Batch, before: int = 0) -> Said:
    looked = scorer.look([batch], Gauges())
    return {
        before + row: score
        for one in looked
        for row, score in zip(one.rows.tolist(), one.judged.score.tolist(), strict=True)
    }


@pytest.mark.parametrize("seed", range(20))
def test_a_window_begins_anew_behind_a_longer_silence_however_the_stream_is_cut(
    model: models.Model, seed: int
) -> None:
    batch = stream(seed)
    expected = naive(batch, GAP_S)
    assert said(Scorer([model], 1.0), batch) == expected
    cuts = [0, *sorted(np.random.default_rng(seed).integers(0, 600, 9).tolist()), 600]
    scorer, found = Scorer([model], 1.0), Said()
    for first, end in itertools.pairwise(cuts):
        found |= said(scorer, part(batch, first, end), first)
        if seed % 2:  # another life, with what this one kept
            kept = list(Learned(scorer.learning(), lambda: START_US).all())
            scorer = Scorer([model], 1.0)
            assert Learned(scorer.learning(), lambda: START_US).restore(kept) == []
    assert found == expected
    assert 0 < len(expected) < len(naive(batch, 0.0))


def test_without_a_word_in_the_manifest_a_window_holds_readings_as_they_came() -> None:
    batch = stream(1)
    assert said(Scorer([served(MANIFEST)], 1.0), batch) == naive(batch, 0.0)


def test_a_window_knows_nothing_from_before_a_seam(model: models.Model) -> None:
    """A value from before it would be the least of each of these windows."""
    ts = START_US + np.r_[np.arange(WINDOW), 1000 + np.arange(2 * WINDOW)] * S
    value = np.r_[np.full(WINDOW, -1e6), np.arange(2.0 * WINDOW)]
    who, quality = np.ones(len(ts), np.uint32), np.full(len(ts), Quality.SENSOR, np.uint8)
    found = said(Scorer([model], 1.0), numbers(who, ts, value, quality, ts))
    assert sorted(found) == [WINDOW - 1, *range(2 * WINDOW - 1, 3 * WINDOW)]
    assert set(found.values()) == {0.0, WINDOW - 1.0}
