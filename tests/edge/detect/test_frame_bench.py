"""A model of several metrics through the scorer: devices that have them, windows, who led."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.catalog import Catalog
from edge.detect import models
from edge.detect.score import Looked, Scorer
from edge.detect.shipped.build import build
from protos.model_manifest import Calibration, CalibrationKind
from protos.records import Batch, Kind, Quality, numbers
from protos.series import SeriesKind
from tests.edge.detect.pump import CHANNELS, calm, pump_model

START_US = 1_700_000_000_000_000
F8 = NDArray[np.float64]


@pytest.fixture(scope="module")
def model() -> models.Model:
    return pump_model()


def catalog(devices: int = 1) -> Catalog:
    names = Catalog(salt=lambda: bytes(16))
    for device in range(devices):
        for metric in CHANNELS:
            names.add(f"pump-{device}", (metric, SeriesKind.GAUGE, "", ()))
    return names


def stream(values: F8, device: int = 0) -> Batch:
    rows = len(values)
    ts = np.repeat(START_US + np.arange(rows, dtype=np.int64) * 1_000_000, 3)
    who = np.tile(np.arange(1, 4, dtype=np.uint32) + 3 * device, rows)
    return numbers(who, ts, values.reshape(-1), np.full(3 * rows, Quality.SENSOR, np.uint8), ts)


def look(scorer: Scorer, batch: Batch, names: Catalog) -> Looked:
    (one,) = scorer.look([batch], names)
    return one


def faulty() -> F8:
    values = calm(300, seed=2)
    values[200:, 1] += 0.5
    return values


def test_a_fault_of_one_metric_is_judged_for_the_device_and_says_which_metric_led(
    model: models.Model,
) -> None:
    one = look(Scorer([model], 1.0), stream(faulty()), catalog())
    assert one.rows.tolist() == [3 * row + 2 for row in range(19, 300)]
    assert (one.judged.series == 1).all(), "the first channel stands for the device"
    strange = one.judged.score > one.judged.threshold
    assert strange[-90:].all()
    assert not strange[:150].any()
    assert one.judged.channel is not None
    assert (one.judged.channel[-90:] == 2).all()
    assert one.judged.value[-1] == faulty()[-1, 1]
    assert one.judged.ts[-1] == START_US + 299 * 1_000_000


def test_an_anomaly_is_told_of_the_series_that_led_once_a_run(model: models.Model) -> None:
    scorer = Scorer([model], 1.0)
    rows = scorer.score(stream(faulty()), catalog()).kind(Kind.SCORES)
    assert rows["series"].tolist() == [2]
    assert rows["model"].tolist() == ["pump@1"]
    assert rows["threshold"].tolist() == [1.0]
    (standing,) = scorer.standings()
    assert (standing.scored, standing.anomalies, standing.failure) == (281, 1, "")


def test_batches_of_any_size_give_the_same_judgements(model: models.Model) -> None:
    names = catalog()
    whole = look(Scorer([model], 1.0), stream(faulty()), names).judged
    columns, scorer = stream(faulty()).kind(Kind.NUMBERS), Scorer([model], 1.0)
    found: list[Any] = []
    rng = np.random.default_rng(3)
    start = 0
    while start < 900:
        end = start + int(rng.integers(1, 40))
        part = {name: column[start:end] for name, column in columns.items()}
        for one in scorer.look([Batch({Kind.NUMBERS: part})], names):
            told = one.judged
            found += zip(told.ts, told.value, told.score, told.channel, strict=True)
        start = end
    assert [row[0] for row in found] == whole.ts.tolist()
    assert [row[1] for row in found] == whole.value.tolist()
    np.testing.assert_allclose([row[2] for row in found], whole.score, rtol=1e-5)


def test_many_devices_are_scored_in_one_call_each_by_its_own_frames(model: models.Model) -> None:
    names = catalog(3)
    values = [calm(100, seed) for seed in (4, 5, 6)]
    parts = [stream(of, device).kind(Kind.NUMBERS) for device, of in enumerate(values)]
    mixed = np.argsort(np.concatenate([part["ts"] for part in parts]), kind="stable")
    together = {name: np.concatenate([part[name] for part in parts])[mixed] for name in parts[0]}
    one = look(Scorer([model], 1.0), Batch({Kind.NUMBERS: together}), names)
    for device, of in enumerate(values):
        alone = look(Scorer([model], 1.0), stream(of, device), names).judged
        mine = one.judged.series == 3 * device + 1
        np.testing.assert_allclose(one.judged.score[mine], alone.score, rtol=1e-5)
        assert one.judged.ts[mine].tolist() == alone.ts.tolist()


def test_a_device_without_all_metrics_is_not_scored(model: models.Model) -> None:
    names = Catalog(salt=lambda: bytes(16))
    for metric in CHANNELS[:2]:
        names.add("pump-0", (metric, SeriesKind.GAUGE, "", ()))
    names.add("pump-1", (CHANNELS[2], SeriesKind.GAUGE, "", ()))
    scorer = Scorer([model], 1.0)
    assert scorer.score(stream(faulty()), names).rows == 0
    assert scorer.standings()[0].scored == 0


def test_an_adaptive_calibration_learns_its_threshold_here(model: models.Model) -> None:
    calibration = Calibration(kind=CalibrationKind.ADAPTIVE)
    manifest = msgspec.structs.replace(model.manifest, calibration=calibration)
    adaptive = models.Model(manifest, model.session)
    values = calm(1000, seed=7)
    values[900:, 1] += 5.0
    judged = look(Scorer([adaptive], 1.0), stream(values), catalog()).judged
    assert np.isinf(judged.threshold[:100]).all()
    assert np.isfinite(judged.threshold[200:]).all()
    assert (judged.score > judged.threshold)[-80:].any()


class Broken:
    """Stands for a runtime whose graph fails in service."""

    def get_outputs(self) -> list[object]:
        return []

    def run(self, *_: object) -> list[NDArray[np.float32]]:
        raise RuntimeError("out of memory in node MatMul")


def test_a_model_of_frames_that_fails_is_set_aside_and_the_others_go_on(
    model: models.Model, tmp_path: Path
) -> None:
    broken = models.Model(model.manifest, Broken())
    scorer = Scorer([broken, model, models.load(build(tmp_path)[0])], 1.0)
    assert scorer.score(stream(faulty()), catalog()).count(Kind.SCORES) >= 1
    failed, *well = scorer.standings()
    assert failed.failure == "out of memory in node MatMul"
    assert all(one.scored > 0 and not one.failure for one in well)
