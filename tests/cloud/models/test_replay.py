"""A model over history gives the scores that the gateway's own scorer gives, one by one."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from cloud.errors import OperatorError
from cloud.models import fault, pattern, predictor
from cloud.models.episodes import episodes_of
from cloud.models.fitted import Fitted
from cloud.models.predictor import PredictorSettings
from cloud.models.replay import Replay, replay_of
from cloud.models.runs import lesson_of
from edge.detect.episode import Course
from edge.detect.episodes import Episodes
from edge.detect.models import Model, load, open_session
from edge.detect.score import Scorer
from edge.detect.shipped.build import build
from protos import records
from protos.model import Calibration, CalibrationKind, Manifest, Takes, read_package, write_package
from protos.model_key import make_key
from protos.records import Batch
from protos.series import SeriesKind
from tests.cloud.models.history_world import daily, time_of, with_fault

KEY = make_key()
READINGS = 3000
TIMES = np.array([time_of(at) for at in range(READINGS)], np.int64)


class Gauges:
    kind_of = np.full(4, SeriesKind.GAUGE, np.uint8)


def lessons():
    return [lesson_of(TIMES, daily(READINGS, 1), np.ones(READINGS, bool))]


def fitted(way: str) -> Fitted:
    if way == "predictor":
        return predictor.fit(lessons(), PredictorSettings())
    if way == "pattern":
        return pattern.fit(lessons(), pattern.PatternSettings())
    broken = with_fault(with_fault(daily(READINGS, 1), 800, 2), 1700, 3)
    spans = [(time_of(at), time_of(at + 40)) for at in (800, 1700)]
    known = fault.occurrences_of(TIMES, broken, spans)
    return fault.fit(lessons(), known, fault.FaultSettings())[0]


def package(made: Fitted, **more):
    fixed = Calibration(kind=CalibrationKind.FIXED, threshold=3.0)
    manifest = Manifest(name="m", version="1", window=made.window, calibration=fixed)
    manifest = msgspec.structs.replace(manifest, **more)
    return read_package(write_package(manifest, made.graph, KEY))


def at_the_gateway(
    folder: Path, graph: bytes, window: int, takes: str, values, seed: int, times=TIMES, gap_s=0
):
    """Scores of the gateway's scorer for readings in batches, NaN where it judged none."""
    import hashlib

    (folder / "m.onnx").write_bytes(graph)
    (folder / "m.toml").write_text(
        f'name = "m"\nversion = "1"\nfile = "m.onnx"\nwindow = {window}\ntakes = "{takes}"\n'
        f'gap_s = {gap_s}\nsha256 = "{hashlib.sha256(graph).hexdigest()}"\n'
    )
    scorer = Scorer([load(folder / "m.toml")], 1.0)
    rng, told, start = np.random.default_rng(seed), np.full(len(values), np.nan), 0
    while start < len(values):
        end = start + int(rng.integers(1, 400))
        part, ts = values[start:end], times[start : start + len(values[start:end])]
        count = len(part)
        batch = records.numbers(np.full(count, 2), ts, part, np.zeros(count), ts)
        for looked in scorer.look([Batch(batch.tables)], Gauges()):
            told[start + looked.rows] = looked.judged.score
        start = end
    return told


def holed(seed: int) -> np.ndarray:
    """Readings of which some are no numbers, as a sensor sends them."""
    values = daily(READINGS, seed)
    values[np.random.default_rng(seed).choice(READINGS, 20, replace=False)] = np.nan
    return values


@pytest.mark.parametrize("way", ["predictor", "pattern", "fault"])
def test_history_is_scored_as_a_gateway_scores_it_reading_for_reading(tmp_path, way):
    made, values = fitted(way), holed(5)
    mine = replay_of(package(made)).score(values)
    theirs = at_the_gateway(tmp_path, made.graph, made.window, "window", values, 6)
    assert np.isfinite(mine).sum() == READINGS - 20 - made.window + 1
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
    np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6)


def test_a_model_of_lines_is_replayed_to_the_bit(tmp_path):
    build(tmp_path)
    graph = next(tmp_path.glob("residual*.onnx")).read_bytes()
    values = holed(7)
    manifest = Manifest(
        name="residual", version="1", window=48, takes=Takes.LINE,
        calibration=Calibration(kind=CalibrationKind.FIXED, threshold=5.0),
    )  # fmt: skip
    replay = replay_of(read_package(write_package(manifest, graph, KEY)))
    theirs = at_the_gateway(tmp_path, graph, 48, "line", values, 8)
    np.testing.assert_array_equal(replay.score(values), theirs)


def test_no_window_reaches_over_a_longer_silence_than_the_manifest_bridges(tmp_path):
    build(tmp_path)
    graph = next(tmp_path.glob("residual*.onnx")).read_bytes()
    values, chance = holed(9), np.random.default_rng(10)
    steps = np.diff(TIMES, prepend=TIMES[0])
    gaps = chance.choice(READINGS, 40, replace=False)
    steps[gaps] += chance.choice([200, 400], 40) * 1_000_000
    times = TIMES[0] + np.cumsum(steps)
    gap_s = int(TIMES[1] - TIMES[0]) / 1e6 + 300.0
    manifest = Manifest(
        name="residual", version="1", window=48, takes=Takes.LINE, gap_s=gap_s,
        calibration=Calibration(kind=CalibrationKind.FIXED, threshold=5.0),
    )  # fmt: skip
    replay = replay_of(read_package(write_package(manifest, graph, KEY)))
    mine = replay.score(values, times)
    theirs = at_the_gateway(tmp_path, graph, 48, "line", values, 8, times, gap_s)
    np.testing.assert_array_equal(mine, theirs)
    assert 0 < np.isfinite(mine).sum() < np.isfinite(replay.score(values)).sum()


def test_too_few_readings_for_a_window_are_not_scored():
    made = fitted("predictor")
    short = replay_of(package(made)).score(np.arange(made.window - 1.0))
    assert np.isnan(short).all()


def test_a_graph_that_is_not_what_its_manifest_says_is_refused(tmp_path):
    made = fitted("predictor")
    with pytest.raises(OperatorError, match="what its manifest says"):
        replay_of(package(made, window=made.window + 1)).score(np.zeros(500))
    broken = msgspec.structs.replace(package(made).manifest, sha256="")
    data = write_package(broken, b"no graph at all", KEY)
    with pytest.raises(OperatorError, match="replay m@1"):
        replay_of(read_package(data))


def test_a_package_without_a_threshold_says_so():
    made = fitted("predictor")
    with pytest.raises(OperatorError, match="no threshold above 0 is named"):
        replay_of(package(made, calibration=Calibration()))
    begins = Calibration(threshold=3.0)
    assert replay_of(package(made, calibration=begins)).learns
    other = replay_of(package(made, calibration=Calibration()), 2.5)
    assert isinstance(other, Replay)
    assert other.threshold == 2.5


def test_the_third_fault_is_an_episode_at_the_gateway_as_in_the_backtest(tmp_path):
    """What two occurrences taught catches a third with no cloud there: one file, read and run."""
    made = package(fitted("fault"), calibration=Calibration(
        kind=CalibrationKind.FIXED, threshold=2.0
    ))  # fmt: skip
    values = with_fault(daily(READINGS, 20), 2500, 21)
    replay = replay_of(made)
    mine = episodes_of(TIMES, replay.score(values), replay.threshold)
    scorer = Scorer([Model(made.manifest, open_session("m", made.manifest, made.graph))], 1.0)
    episodes, told = Episodes("gw", Course()), {}
    for start in range(0, READINGS, 250):
        part, ts = values[start : start + 250], TIMES[start : start + 250]
        batch = records.numbers(np.full(250, 2), ts, part, np.zeros(250), ts)
        for looked in scorer.look([batch], Gauges()):
            episodes.take(looked.judged, 0.0)
        while changes := episodes.told().changes:
            told |= {one.id: (one.start, one.end, one.points) for one in changes}
    told |= {one.id: (one.start, one.end, one.points) for one in episodes.open_of("m@1")}
    assert sorted(told.values()) == [(one.from_us, one.to_us, one.points) for one in mine]
    assert [time_of(2500) <= one.from_us < time_of(2540) for one in mine] == [True]
