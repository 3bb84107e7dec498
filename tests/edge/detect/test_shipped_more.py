"""The models that are shipped and not in service: each says what its reference says."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import models
from edge.detect.score import Scorer
from edge.detect.shipped import drift, flatline, gaps, subspace
from edge.detect.shipped.build import MORE, build
from protos.records import Kind, Quality, numbers
from protos.series import SeriesKind

F8 = NDArray[np.float64]
START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000


@pytest.fixture(scope="module")
def more() -> Iterator[dict[str, models.Model]]:
    with TemporaryDirectory() as place:
        build(Path(place), MORE)
        loaded, refusals = models.load_folder(Path(place))
        assert refusals == []
        yield {model.manifest.name: model for model in loaded}


def scores(model: models.Model, windows: F8) -> F8:
    count, length = windows.shape
    return model.score(windows.reshape(-1), np.arange(count) * length)


@pytest.mark.parametrize("module", [drift, flatline, gaps, subspace])
def test_each_scores_as_its_reference_says(
    more: dict[str, models.Model], module: ModuleType
) -> None:
    chance = np.random.default_rng(1)
    windows = chance.normal(1013, 1, (60, module.WINDOW))
    if module is flatline:
        windows = windows.round()
        windows[0], windows[1, -50:], windows[2, :50] = 7.0, 3.0, 3.0
    elif module is gaps:
        windows = np.cumsum(np.abs(windows) / 100, axis=1) + 1.7e9
    elif module is subspace:
        windows[:30] += 9 * np.sin(np.arange(module.WINDOW) / 6)
    found = scores(more[module.NAME], windows)
    assert np.allclose(found, module.reference(windows), rtol=1e-3)


def test_a_sensor_that_sticks_scores_high_and_one_that_never_moved_always_the_same(
    more: dict[str, models.Model],
) -> None:
    windows = np.random.default_rng(2).normal(20, 1, (2, flatline.WINDOW)).round(1)
    windows[1, -60:] = 20.0
    moving, stuck = scores(more["flatline"], windows)
    assert stuck > 10 > moving
    still = np.full((2, flatline.WINDOW), 5.0)
    assert np.ptp(scores(more["flatline"], still)) == 0


def test_a_level_that_creeps_away_scores_high_where_one_value_would_not(
    more: dict[str, models.Model],
) -> None:
    windows = np.random.default_rng(3).normal(0, 1, (2, drift.WINDOW))
    calm = scores(more["drift"], windows)[0]
    windows[0, -64:] += np.linspace(0, 3, 64)
    windows[1, -1] += 6
    crept, spiked = scores(more["drift"], windows)
    assert crept > 2 * max(calm, spiked, 1.0)


def test_a_period_that_breaks_scores_high_and_noise_on_it_does_not(
    more: dict[str, models.Model],
) -> None:
    at = np.arange(subspace.WINDOW)
    chance = np.random.default_rng(4)
    windows = np.sin(at * 2 * np.pi / 48) + chance.normal(0, 0.05, (2, subspace.WINDOW))
    windows[1, -8:] = windows[1, -9]
    usual, broken = scores(more["subspace"], windows)
    assert broken > 2 * usual


def test_the_model_of_times_tells_of_an_outage_when_readings_come_again(
    more: dict[str, models.Model],
) -> None:
    chance = np.random.default_rng(5)
    steps = MINUTE_US + chance.normal(0, MINUTE_US / 20, 2000).astype(np.int64)
    steps[1500] = 90 * MINUTE_US
    ts = START_US + np.cumsum(steps)
    who = np.ones(2000, np.uint32)
    batch = numbers(who, ts, np.full(2000, np.pi), np.full(2000, Quality.SENSOR, np.uint8), ts)
    found = Scorer([more["gaps"]], 1.0).score(batch, Gauge()).kind(Kind.SCORES)
    assert int(ts[1500]) in found["ts"].tolist()
    assert len(found["ts"]) <= 3


class Gauge:
    """Stands for the catalogue: series 1 is a gauge."""

    kind_of = np.array([0, SeriesKind.GAUGE], np.uint8)
