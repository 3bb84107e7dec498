"""Models that ask for much or answer strangely: each has a bound; what is left out is counted."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from edge.catalog import Catalog
from edge.detect import models, slots
from edge.detect.places import Places
from edge.detect.score import Scorer
from edge.detect.shipped.build import build
from protos.model_manifest import WINDOW_MAX, Applies, Manifest
from protos.records import Batch, Kind, Quality, numbers
from protos.series import SeriesKind
from tests.edge.detect.graphs import MANIFEST, WINDOW, constant, frame_manifest, framed, spread
from tests.edge.detect.graphs import model as graph_of
from tests.edge.detect.graphs import value as shape_of

START_US = 1_700_000_000_000_000
MANY = 10_000


@dataclass(frozen=True)
class Gauges:
    """So many series, all gauges."""

    count: int

    @property
    def kind_of(self) -> NDArray[np.uint8]:
        return np.full(self.count + 1, SeriesKind.GAUGE, np.uint8)


def readings(rounds: int, series: int, step_us: int = 1_000_000, first: int = 0) -> Batch:
    """A reading of each series a round."""
    at = np.repeat(np.arange(first, first + rounds), series)
    who = np.tile(np.arange(1, series + 1, dtype=np.uint32), rounds)
    ts = START_US + at * step_us
    return numbers(who, ts, np.sin(at * 0.7 + who), np.full(len(at), Quality.SENSOR, np.uint8), ts)


def served(proto: onnx.ModelProto, manifest: Manifest = MANIFEST) -> models.Model:
    graph = proto.SerializeToString()
    return models.Model(manifest, models.open_session("tried", manifest, graph))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[models.Model]:
    return [models.load(path) for path in build(tmp_path_factory.mktemp("models"))[:2]]


def room_for(monkeypatch: pytest.MonkeyPatch, series: int, *known: Any) -> None:
    """Have a model hold so many series of what is ``known`` of one."""
    row = sum(slots.row_bytes(one.by_series()) for one in known)
    monkeypatch.setattr(slots, "STATE_BYTES_MAX", series * row)


def test_ten_thousand_series_under_one_model_are_each_judged(shipped: list[models.Model]) -> None:
    one = next(each for each in shipped if each.manifest.name == "residual")
    scorer = Scorer([one], 1.0)
    looked = scorer.look([readings(60, MANY)], Gauges(MANY))
    assert sum(len(each.rows) for each in looked) == MANY * (60 - one.manifest.window + 1)
    assert scorer.standings()[0].passed_over == 0
    assert scorer.nbytes < slots.STATE_BYTES_MAX


def test_a_model_judges_as_many_series_as_it_has_room_for_and_counts_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Scorer([served(spread())], 1.0)._benches[0]
    room_for(monkeypatch, 3, probe._windows, probe._judge)  # type: ignore[union-attr]
    scorer = Scorer([served(spread())], 1.0)
    for first in (0, 20, 40):
        looked = scorer.look([readings(20, 5, first=first)], Gauges(5))
        assert {who for one in looked for who in one.judged.series.tolist()} == {1, 2, 3}
    (standing,) = scorer.standings()
    assert standing.passed_over == 2 * 60
    assert standing.scored == 3 * (60 - WINDOW + 1)
    assert caplog.text.count("judges 3 series and no further ones") == 1


def test_a_model_of_frames_judges_as_many_devices_as_it_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = msgspec.structs.replace(frame_manifest(), sample_s=1.0)
    probe = Scorer([served(framed(), manifest)], 1.0)._benches[0]
    room_for(monkeypatch, 2, probe.frames, probe._judge)  # type: ignore[union-attr]
    names = Catalog(salt=lambda: bytes(16))
    for device in range(4):
        for metric in "abc":
            names.add(f"pump-{device}", (metric, SeriesKind.GAUGE, "", ()))
    scorer = Scorer([served(framed(), manifest)], 1.0)
    looked = [one for at in (0, 10) for one in scorer.look([readings(10, 12, first=at)], names)]
    assert {who for one in looked for who in one.judged.series.tolist()} == {1, 4}
    assert scorer.standings()[0].passed_over == 2 * 3 * 20


def test_what_a_costly_model_has_no_room_for_stays_with_the_one_that_it_stands_in_for(
    shipped: list[models.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    costly = next(one for one in shipped if one.manifest.name == "neighbours")
    probe = Scorer([costly], 1.0)._benches[0]
    room_for(monkeypatch, 2, probe._windows, probe._judge)  # type: ignore[union-attr]
    scorer = Scorer(shipped, 1.0)
    last: dict[str, set[int]] = {}
    for first in range(0, 200, 20):
        looked = scorer.look([readings(20, 4, 60_000_000, first)], Gauges(4))
        last = {one.judged.detector: set(one.judged.series.tolist()) for one in looked}
    assert last == {"neighbours@1": {1, 2}, "residual@1": {3, 4}}


def test_the_longest_windows_are_held_for_few_series_and_no_more_memory_than_any() -> None:
    manifest = msgspec.structs.replace(MANIFEST, window=WINDOW_MAX)
    inputs = [shape_of("window", ["n", WINDOW_MAX])]
    nodes = [
        helper.make_node("ReduceMax", ["window"], ["most"], axes=[1], keepdims=0),
        helper.make_node("Abs", ["most"], ["score"]),
    ]
    scorer = Scorer([served(graph_of(nodes, [], inputs), manifest)], 1.0)
    scorer.look([readings(1, MANY)], Gauges(MANY))
    held = slots.STATE_BYTES_MAX // (8 * WINDOW_MAX)
    assert held / 2 < MANY - scorer.standings()[0].passed_over <= held
    assert scorer.nbytes <= 2 * slots.STATE_BYTES_MAX


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_that_now_and_then_gives_no_number_is_borne_and_its_windows_are_counted(
    bad: float,
) -> None:
    nodes = [
        helper.make_node("Gather", ["window", "last"], ["newest"], axis=1),
        helper.make_node("Greater", ["newest", "least"], ["above"]),
        helper.make_node("Abs", ["newest"], ["size"]),
        helper.make_node("Where", ["above", "bad", "size"], ["score"]),
    ]
    weights = [constant("last", WINDOW - 1), constant("least", 1e6, float)]
    scorer = Scorer([served(graph_of(nodes, [*weights, constant("bad", bad, float)]))], 1.0)
    batch = readings(400, 1)
    batch.kind(Kind.NUMBERS)["value"][100::50] = 2e6
    (one,) = scorer.look([batch], Gauges(1))
    assert np.isfinite(one.judged.score).all()
    assert not set(one.rows.tolist()) & set(range(100, 400, 50))
    (standing,) = scorer.standings()
    assert (standing.unscored, standing.scored, standing.failure) == (6, 400 - WINDOW + 1 - 6, "")


SLOW_BY_BACKTRACKING = (
    "*a" * 120 + "b", "*?" * 100 + "b", "*[!b]" * 50 + "b", "*ab" * 80 + "x",
    "[a-" * 60 + "*" * 60, "*" * 255,
)  # fmt: skip


def test_no_pattern_costs_more_than_a_look_at_a_name() -> None:
    """One that went back for each star would take longer than the world is old."""
    applies = Applies(device=SLOW_BY_BACKTRACKING[:-1] * 12, metric=SLOW_BY_BACKTRACKING)
    names = Catalog(salt=lambda: bytes(16))
    for number in range(MANY):
        names.add("a" * 240 + str(number), ("ab" * 120, SeriesKind.GAUGE, "", ()))
    manifest = msgspec.structs.replace(frame_manifest(), applies=applies)
    assert not any(applies.to(names.key(at).device, "ab" * 120) for at in range(1, 50))  # type: ignore[union-attr]
    places = Places(manifest)
    places.learn(names)
    assert (places.device == -1).all()
    scorer = Scorer([served(spread(), msgspec.structs.replace(MANIFEST, applies=applies))], 1.0)
    assert scorer.look([readings(20, MANY)], names) == []
