"""Models from a folder: what is right loads, whatever is wrong is refused by name."""

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge import agent_detect
from edge.config import EdgeConfig
from edge.detect import models
from edge.detect.shipped import residual
from edge.detect.shipped.build import RESIDUAL, build
from edge.settings import EdgeSettings
from protos.settings import read_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(tmp_path, (RESIDUAL,))
    return tmp_path


def manifest_of(folder: Path) -> Path:
    return next(folder.glob("*.toml"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def put_graph(folder: Path, model: onnx.ModelProto) -> None:
    """Replace the model by another graph, with a manifest that agrees."""
    import hashlib

    manifest = models.read_manifest(manifest_of(folder))
    content = model.SerializeToString()
    (folder / manifest.file).write_bytes(content)
    change(manifest_of(folder), manifest.sha256, hashlib.sha256(content).hexdigest())


def scores(model: models.Model, windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of windows that have nothing to do with each other."""
    count, length = windows.shape
    return model.score(windows.reshape(-1), np.arange(count) * length)


def tiny(output: str, op: str = "ReduceSum") -> onnx.ModelProto:
    node = helper.make_node(op, ["window"], [output], keepdims=0)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "tiny",
        [value("window", TensorProto.DOUBLE, ["n", residual.WINDOW])],
        [value(output, TensorProto.DOUBLE, [])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def sums() -> onnx.ModelProto:
    """Each window's sum."""
    value = helper.make_tensor_value_info
    axes = onnx.numpy_helper.from_array(np.array([1], np.int64), "axes")
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["window", "axes"], ["score"], keepdims=0)],
        "sums",
        [value("window", TensorProto.DOUBLE, ["n", residual.WINDOW])],
        [value("score", TensorProto.DOUBLE, ["n"])],
        [axes],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def neighbourly() -> onnx.ModelProto:
    """A score for each window of a line, less the greatest value of the line."""
    value = helper.make_tensor_value_info
    whole = {"past": residual.WINDOW - 1, "end": 1 << 62, "first": 0}
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["line", "past", "end", "first"], ["newest"]),
            helper.make_node("ReduceMax", ["line"], ["most"], keepdims=1),
            helper.make_node("Sub", ["newest", "most"], ["score"]),
        ],
        "neighbourly",
        [value("line", TensorProto.DOUBLE, ["n"])],
        [value("score", TensorProto.DOUBLE, ["m"])],
        [
            onnx.numpy_helper.from_array(np.array([at], np.int64), name)
            for name, at in whole.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@cache
def shipped() -> models.Model:
    """The shipped model, loaded once."""
    with TemporaryDirectory() as place:
        return models.load(build(Path(place))[0])


def test_the_shipped_model_scores_as_its_reference_says(folder: Path) -> None:
    (model,), refusals = models.load_folder(folder)
    assert refusals == []
    chance = np.random.default_rng(5)
    for scale, offset in ((1.0, 0.0), (0.1, 1013.25), (1.0, 1e9), (1e-6, 0.0)):
        windows = chance.normal(offset, scale, (64, residual.WINDOW))
        assert np.allclose(scores(model, windows), residual.reference(windows), rtol=2e-3)


def test_the_shipped_model_normalises_scale_and_offset_away(folder: Path) -> None:
    model = models.load(manifest_of(folder))
    windows = np.random.default_rng(6).normal(size=(32, residual.WINDOW))
    assert np.allclose(scores(model, windows), scores(model, windows * 250 + 40), rtol=1e-3)


def test_a_value_far_from_its_past_scores_high_and_one_quantum_does_not(folder: Path) -> None:
    model = models.load(manifest_of(folder))
    windows = np.random.default_rng(8).normal(20, 0.1, (1, residual.WINDOW)).round(1)
    usual = scores(model, windows)[0]
    windows[0, -1] = 30
    assert scores(model, windows)[0] > 20 * max(usual, 1.0)
    flat = np.full((1, residual.WINDOW), 20.0)
    flat[0, -1] = 20.1
    assert scores(model, flat)[0] <= 2.5


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.lists(st.integers(0, 80), max_size=6))
def test_a_window_has_the_same_score_to_the_bit_whatever_stands_beside_it(
    seed: int, count: int, at: list[int]
) -> None:
    model = shipped()
    chance = np.random.default_rng(seed)
    line = chance.choice([1e-9, 0.1, 1e12]) * chance.normal(size=count + residual.WINDOW - 1)
    wanted = np.minimum(np.array(at, np.int64), count - 1)
    alone = [scores(model, line[None, one : one + residual.WINDOW])[0] for one in wanted.tolist()]
    assert np.array_equal(model.score(line, wanted), alone)


def test_a_line_longer_than_one_call_is_scored_as_its_windows_are() -> None:
    model = shipped()
    line = np.random.default_rng(9).normal(size=2 * models.CALL_VALUES_MAX + 100)
    at = np.arange(0, len(line) - residual.WINDOW + 1, 7)
    windows = np.lib.stride_tricks.sliding_window_view(line, residual.WINDOW)[at]
    assert np.array_equal(model.score(line, at), scores(model, windows))


def test_a_model_of_windows_gets_each_window_as_a_row(folder: Path) -> None:
    put_graph(folder, sums())
    change(manifest_of(folder), 'takes = "line"\n', "")
    model = models.load(manifest_of(folder))
    most = models.CALL_BYTES_MAX // (8 * residual.WINDOW)
    line = np.random.default_rng(10).integers(0, 9, 2 * most + 200).astype(np.float64)
    at = np.arange(2 * most + 30)[::-1]
    windows = np.lib.stride_tricks.sliding_window_view(line, residual.WINDOW)
    assert model.score(line, at).tolist() == windows.sum(axis=1)[at].tolist()


def test_a_model_whose_scores_depend_on_the_neighbours_of_a_window_is_refused(folder: Path) -> None:
    put_graph(folder, neighbourly())
    with pytest.raises(models.ModelRefusedError, match="other scores than by themselves"):
        models.load(manifest_of(folder))


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in "ab":
        build(tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("window = 48", "window = 1", "not between 2 and"),
        ("window = 48", "widow = 48", "unknown field"),
        ("window = 48", "window = 'x'", "int"),
        ("window = 48", "window = 20", "the runtime refuses it"),
        ('kinds = ["gauge"]', 'kinds = ["gage"]', "names a kind"),
        ('file = "residual-1.onnx"', 'file = "../residual-1.onnx"', "leaves the folder"),
        ('file = "residual-1.onnx"', 'file = "other.onnx"', "No such file"),
        ("name =", "name", "="),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(folder: Path, old: str, new: str, said: str) -> None:
    change(manifest_of(folder), old, new)
    loaded, (refusal,) = models.load_folder(folder)
    assert loaded == []
    assert said in refusal.cause
    assert str(manifest_of(folder)) in refusal.tried


def test_a_truncated_model_is_refused(folder: Path) -> None:
    file = next(folder.glob("*.onnx"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(models.ModelRefusedError, match="another SHA-256"):
        models.load(manifest_of(folder))


def test_a_model_with_the_wrong_output_is_refused(folder: Path) -> None:
    put_graph(folder, tiny("strangeness"))
    change(manifest_of(folder), 'takes = "line"\n', "")
    with pytest.raises(models.ModelRefusedError, match=r"its outputs are \['strangeness'\]"):
        models.load(manifest_of(folder))


def test_a_model_that_gives_one_score_for_all_windows_is_refused(folder: Path) -> None:
    put_graph(folder, tiny("score"))
    change(manifest_of(folder), 'takes = "line"\n', "")
    with pytest.raises(models.ModelRefusedError, match="shape"):
        models.load(manifest_of(folder))


def test_a_runtime_that_does_not_load_refuses_each_model_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    loaded, refused = models.load_folder(folder)
    assert not loaded
    assert [manifest_of(folder).name in str(error) for error in refused] == [True]
    assert "onnxruntime" in str(refused[0])


def test_without_a_model_it_is_told_where_was_looked_and_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home, empty = folder / "home", folder / "empty"
    config = EdgeConfig(home, read_settings('[gateway]\nname = "g"\n', EdgeSettings))
    config.models_folder.mkdir(parents=True)
    monkeypatch.setattr(agent_detect, "SHIPPED", folder)
    assert agent_detect.models(config)
    assert not caplog.messages
    monkeypatch.setattr(agent_detect, "SHIPPED", empty)
    assert not agent_detect.models(config)
    (told,) = caplog.messages
    assert f"no model is in service, none of {empty} can be used" in told
    assert "`make models`" in told
    caplog.clear()
    (config.models_folder / "mine.toml").write_text("name = 1")
    assert not agent_detect.models(config)
    assert f"none of {config.models_folder} can be used" in caplog.messages[-1]
    assert "the shipped one" in caplog.messages[-1]
