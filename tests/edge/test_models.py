"""Models from a folder: what is right loads, whatever is wrong is refused by name."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge import models
from edge.shipped_models import residual
from edge.shipped_models.build import build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(tmp_path)
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


def test_the_shipped_model_scores_as_its_reference_says(folder: Path) -> None:
    (model,), refusals = models.load_folder(folder)
    assert refusals == []
    chance = np.random.default_rng(5)
    for scale, offset in ((1.0, 0.0), (0.1, 1013.25), (1.0, 1e9), (1e-6, 0.0)):
        windows = chance.normal(offset, scale, (64, residual.WINDOW))
        assert np.allclose(model.score(windows), residual.reference(windows), rtol=2e-3)


def test_the_shipped_model_normalises_scale_and_offset_away(folder: Path) -> None:
    model = models.load(manifest_of(folder))
    windows = np.random.default_rng(6).normal(size=(32, residual.WINDOW))
    assert np.allclose(model.score(windows), model.score(windows * 250 + 40), rtol=1e-3)


def test_a_value_far_from_its_past_scores_high_and_one_quantum_does_not(folder: Path) -> None:
    model = models.load(manifest_of(folder))
    windows = np.random.default_rng(8).normal(20, 0.1, (1, residual.WINDOW)).round(1)
    usual = model.score(windows)[0]
    windows[0, -1] = 30
    assert model.score(windows)[0] > 20 * max(usual, 1.0)
    flat = np.full((1, residual.WINDOW), 20.0)
    flat[0, -1] = 20.1
    assert model.score(flat)[0] <= 2.5


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
    with pytest.raises(models.ModelRefusedError, match="the runtime refuses it"):
        models.load(manifest_of(folder))


def test_a_model_that_gives_one_score_for_all_windows_is_refused(folder: Path) -> None:
    put_graph(folder, tiny("score"))
    with pytest.raises(models.ModelRefusedError, match="shape"):
        models.load(manifest_of(folder))
