"""Scoring: the right series, the right readings, and no model can stop ingest."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import bench, models
from edge.detect.score import Scorer
from edge.detect.shipped.build import build
from protos.records import Batch, Kind, Quality, concat, numbers
from protos.series import SeriesKind

START_US = 1_700_000_000_000_000
GAUGE, STATE = 1, 2


@dataclass(frozen=True)
class Kinds:
    kind_of: NDArray[np.uint8] = field(
        default_factory=lambda: np.array([0, SeriesKind.GAUGE, SeriesKind.STATE], np.uint8)
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    return models.load(build(tmp_path_factory.mktemp("models"))[0])


def stream(values: NDArray[np.float64], series: int = GAUGE) -> Batch:
    n = len(values)
    ts = START_US + np.arange(n, dtype=np.int64) * 1_000_000
    who = np.full(n, series, np.uint32)
    return numbers(who, ts, values, np.full(n, Quality.SENSOR, np.uint8), ts)


def noise(n: int = 2000, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(20, 0.2, n)


def test_a_spike_becomes_one_anomaly_with_its_value_model_and_threshold(
    model: models.Model,
) -> None:
    values = noise()
    values[1500] = 40.0
    rows = Scorer([model], 1.0).score(stream(values), Kinds()).kind(Kind.SCORES)
    at = rows["ts"].tolist().index(START_US + 1500 * 1_000_000)
    assert rows["value"][at] == 40.0
    assert rows["score"][at] > rows["threshold"][at] > 0
    assert rows["model"][at] == "residual@1"


def test_series_that_are_states_are_not_scored(model: models.Model) -> None:
    values = noise()
    values[1500] = 40.0
    scorer = Scorer([model], 1.0)
    assert scorer.score(stream(values, STATE), Kinds()).rows == 0
    assert scorer.standings()[0].scored == 0


def test_batches_of_any_size_find_the_same_anomalies(model: models.Model) -> None:
    values = noise()
    values[[700, 1500]] = 45.0
    whole = Scorer([model], 1.0).score(stream(values), Kinds()).kind(Kind.SCORES)
    scorer, found = Scorer([model], 1.0), []
    all_rows = stream(values).kind(Kind.NUMBERS)
    for start in range(0, 2000, 37):
        part = {name: column[start : start + 37] for name, column in all_rows.items()}
        found += scorer.score(Batch({Kind.NUMBERS: part}), Kinds()).kind(Kind.SCORES)["ts"].tolist()
    assert found == whole["ts"].tolist()
    assert len(found) >= 2


def test_batches_scored_together_have_each_its_own_anomalies(model: models.Model) -> None:
    values = noise()
    values[[700, 1500, 1900]] = 45.0
    rows = stream(values).kind(Kind.NUMBERS)
    # A state between the readings is not scored, and must not move the others.
    cuts = [0, 650, 700, 701, 1600, 1600, 2000]
    parts = [
        concat(
            [
                stream(np.array([1e9]), STATE),
                Batch({Kind.NUMBERS: {name: column[a:b] for name, column in rows.items()}}),
            ]
        )
        for a, b in itertools.pairwise(cuts)
    ]
    together = Scorer([model, model], 1.0).score_each(parts, Kinds())
    alone = Scorer([model, model], 1.0)
    each = [alone.score(part, Kinds()) for part in parts]
    assert [found.count(Kind.SCORES) for found in together][2] == 2, "one of each model"
    for one, other in zip(together, each, strict=True):
        assert one.same_as(other)


@pytest.mark.parametrize("line_values", [1, 100, 1000])
def test_a_batch_cut_between_and_within_series_finds_the_same_anomalies(
    model: models.Model, monkeypatch: pytest.MonkeyPatch, line_values: int
) -> None:
    rng = np.random.default_rng(3)
    who = rng.permutation(np.repeat(np.arange(1, 6, dtype=np.uint32), 600))
    values = rng.normal(20, 0.2, len(who))
    values[rng.integers(1000, len(who), 20)] = 45.0
    values[rng.integers(0, len(who), 9)] = np.nan
    ts = START_US + np.arange(len(who), dtype=np.int64) * 1_000_000
    batch = numbers(who, ts, values, np.full(len(who), Quality.SENSOR, np.uint8), ts)
    kinds = Kinds(np.array([0, *[SeriesKind.GAUGE] * 4, SeriesKind.STATE], np.uint8))
    whole, cut = Scorer([model], 1.0), Scorer([model], 1.0)
    found = whole.score(batch, kinds)
    monkeypatch.setattr(bench, "LINE_VALUES", line_values)
    assert cut.score(batch, kinds).same_as(found)
    assert found.rows > 5
    assert cut.standings() == whole.standings()


class Broken:
    """Stands for a runtime whose graph fails in service."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def run(self, *_: object) -> list[NDArray[np.float32]]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("out of memory in node Conv"), "out of memory in node Conv"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_model_that_fails_is_set_aside_and_the_others_go_on(
    model: models.Model, error: Exception, told: str
) -> None:
    values = noise()
    values[1500] = 40.0
    scorer = Scorer([models.Model(model.manifest, Broken(error)), model], 1.0)
    assert scorer.score(stream(values), Kinds()).count(Kind.SCORES) >= 1
    broken, well = scorer.standings()
    assert broken.failure == told
    assert well.failure == ""


def test_a_batch_without_numbers_scores_nothing(model: models.Model) -> None:
    assert Scorer([model], 1.0).score(Batch({}), Kinds()).rows == 0
