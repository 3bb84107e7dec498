"""Foreign ONNX graphs, wrapped: they score as their own library says, or are refused by name."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cloud.models.proof import session_of
from cloud.models.wrap import Mapping, Meaning, window_of, wrap
from protos.graph_rules import graph_problem
from protos.model import Manifest, PackageError, Takes

EXPORTS = Path(__file__).parent / "exports"
EXPORTERS = Path(__file__).parents[3] / ".servers" / "exporters"
MANIFEST = Manifest(name="foreign", version="1", window=16)
TORCH = {
    name: b64decode(text) for name, text in json.loads((EXPORTS / "torch.json").read_text()).items()
}
OF_TORCH = [0.00012285422417335212, 0.7917824983596802]
"""What torch_export.py printed: PyTorch's own scores of `waves`."""


def scores(graph: bytes, windows: NDArray[np.float64]) -> list[float]:
    told: list[float] = session_of(graph).run(["score"], {"window": windows})[0].tolist()
    return told


def waves() -> NDArray[np.float64]:
    windows = np.sin(np.arange(16) * 0.4 + np.array([[0.5], [1.0]]))
    windows[1, 7] = 4.0
    return windows


@pytest.mark.parametrize("name", sorted(TORCH))
def test_an_export_of_pytorch_scores_as_pytorch_does(name: str) -> None:
    graph = TORCH[name]
    assert window_of(graph, Mapping()) == 16
    wrapped = wrap(graph, MANIFEST, Mapping())
    assert graph_problem(wrapped, MANIFEST) is None
    assert np.allclose(scores(wrapped, waves()), OF_TORCH, rtol=1e-3, atol=1e-6)


def test_exports_of_scikit_learn_score_as_scikit_learn_does(tmp_path: Path) -> None:
    if not EXPORTERS.exists():
        reason = "skl2onnx is not installed: `make exporters`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        [sys.executable, str(EXPORTS / "sklearn_export.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(EXPORTERS)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told: dict[str, list[float]] = json.loads(done.stdout)
    windows = np.load(tmp_path / "windows.npy")
    negated = Mapping(output="scores", meaning=Meaning.NEGATED)
    made_anew = Mapping(meaning=Meaning.RECONSTRUCTION)
    for name, mapping in (("forest", negated), ("svm", negated), ("network", made_anew)):
        wrapped = wrap((tmp_path / f"{name}.onnx").read_bytes(), MANIFEST, mapping)
        assert np.allclose(scores(wrapped, windows), told[name], rtol=1e-3, atol=1e-5), name


def foreign(
    nodes: list[onnx.NodeProto],
    shape: list[Any],
    output: list[Any],
    kind: int = TensorProto.FLOAT,
    weights: tuple[onnx.TensorProto, ...] = (),
    opset: int = 17,
) -> bytes:
    """A graph from `x` to `y`."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", kind, shape)], [value("y", kind, output)], weights
    )
    opsets = [helper.make_opsetid("", opset)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


SAME = [helper.make_node("Identity", ["x"], ["y"])]


def classes() -> bytes:
    """What scikit-learn's classifiers give unless they are told otherwise: a map for each row."""
    data = onnx.load_model_from_string(foreign(SAME, ["n", 16], ["n", 16]))
    data.graph.node[0].CopyFrom(
        helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    )
    data.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    data.graph.output[0].type.Clear()
    told = data.graph.output[0].type.sequence_type.elem_type.map_type
    told.key_type, told.value_type.tensor_type.elem_type = TensorProto.INT64, TensorProto.FLOAT
    made: bytes = data.SerializeToString()
    return made


WINDOWS = np.random.default_rng(2).normal(size=(5, 16))


@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize("shape", [["n", 16], ["n", 16, 1], ["n", 1, 16], ["n", "w"], ["n", 4, 4]])
def test_a_reconstruction_of_any_axes_is_scored_by_its_distance(
    shape: list[Any], opset: int
) -> None:
    nodes = [helper.make_node("Mul", ["x", "half"], ["y"])]
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    graph = foreign(nodes, shape, shape, weights=(half,), opset=opset)
    wrapped = wrap(graph, MANIFEST, Mapping(meaning=Meaning.RECONSTRUCTION))
    expected = ((WINDOWS / 2) ** 2).mean(axis=1)
    assert np.allclose(scores(wrapped, WINDOWS), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (Mapping(column=3), WINDOWS[:, 3]),
        (Mapping(column=3, meaning=Meaning.NEGATED), -WINDOWS[:, 3]),
        (Mapping(column=3, meaning=Meaning.SIZE), np.abs(WINDOWS[:, 3])),
        (Mapping(column=0, meaning=Meaning.NEGATED, offset=2.5), 2.5 - WINDOWS[:, 0]),
        (Mapping("x", "y", column=15), WINDOWS[:, 15]),
    ],
)
def test_a_column_of_the_output_is_turned_and_shifted_as_told(
    mapping: Mapping, expected: NDArray[np.float64]
) -> None:
    graph = foreign(SAME, ["n", 16], ["n", 16], TensorProto.DOUBLE)
    assert np.allclose(scores(wrap(graph, MANIFEST, mapping), WINDOWS), expected)


def test_a_graph_of_frames_gets_its_channels() -> None:
    manifest = Manifest(
        name="framed", version="1", window=4, takes=Takes.FRAME, channels=("a", "b")
    )
    frames = np.random.default_rng(3).normal(size=(3, 4, 2))
    for shape in (["n", 4, 2], ["n", 8]):
        graph = foreign(SAME, shape, shape)
        wrapped = wrap(graph, manifest, Mapping(meaning=Meaning.RECONSTRUCTION))
        assert scores(wrapped, frames) == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


def test_names_of_a_foreign_graph_are_none_of_ours() -> None:
    nodes = [
        helper.make_node("Identity", ["x"], ["window"]),
        helper.make_node("Identity", ["window"], ["score"]),
        helper.make_node("Identity", ["score"], ["y"]),
    ]
    wrapped = wrap(foreign(nodes, ["n", 16], ["n", 16]), MANIFEST, Mapping(column=1))
    assert np.allclose(scores(wrapped, WINDOWS), WINDOWS[:, 1], rtol=1e-6)


def test_notes_of_the_exporter_are_left_out() -> None:
    node = helper.make_node("Identity", ["x"], ["y"], doc_string="made in /home/ann/secret")
    wrapped = wrap(foreign([node], ["n", 16], ["n", 16]), MANIFEST, Mapping(column=1))
    assert b"secret" not in wrapped


@pytest.mark.parametrize(
    ("graph", "mapping", "said"),
    [
        (b"hello", Mapping(), "no ONNX file"),
        (b"", Mapping(), "holds no graph"),
        (foreign(SAME, ["n", 16], ["n", 16]), Mapping(), "gives 16 values for a window"),
        (foreign(SAME, ["n", 16], ["n", 16]), Mapping(column=16), "has no column 16"),
        (foreign(SAME, ["n", 9], ["n"]), Mapping(), "has the shape [-1, 9], windows are [-1, 16]"),
        (foreign(SAME, [1, 16], ["n"]), Mapping(), "has the shape [1, 16]"),
        (foreign(SAME, ["n", 0], ["n", 0]), Mapping(), "has the shape [-1, 0]"),
        (
            foreign(SAME, ["n", 1 << 62], ["n"]),
            Mapping(),
            "has the shape [-1, 4611686018427387904]",
        ),
        (foreign(SAME, ["n", 16], ["n"], TensorProto.STRING), Mapping(), "neither of float32"),
        (foreign(SAME, ["n", 16], ["n"], TensorProto.FLOAT16), Mapping(), "neither of float32"),
        (foreign(SAME, ["n", 16], ["n"], TensorProto.INT64), Mapping(), "neither of float32"),
        (foreign(SAME, ["n", 16], ["n"], opset=24), Mapping(), "its opset of ai.onnx is [24]"),
        (foreign(SAME, ["n", 16], []), Mapping(column=0), "has no column 0"),
        (classes(), Mapping(), "is no tensor"),
        (foreign(SAME, ["n", 16], ["n"]), Mapping(output="z"), "it has no output 'z'"),
        (foreign(SAME, ["n", 16], ["n"]), Mapping(input="z"), "it has no input 'z'"),
        (foreign(SAME, ["n", 16], ["n"], opset=9), Mapping(), "its opset of ai.onnx is [9]"),
    ],
)
def test_what_cannot_be_wrapped_is_refused_by_name(
    graph: bytes, mapping: Mapping, said: str
) -> None:
    with pytest.raises(PackageError) as raised:
        wrap(graph, MANIFEST, mapping, "foreign.onnx")
    assert said in raised.value.why
    assert raised.value.hint
