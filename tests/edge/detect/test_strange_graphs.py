"""Graphs of strangers in odd forms: wrapped in the cloud, and taken or refused by a gateway."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cloud.models.wrap import Mapping, wrap
from edge.detect.apart import Apart, SetAsideError
from edge.detect.apart_wire import Bounds, Reason
from protos.model_manifest import Manifest

MANIFEST = Manifest(name="odd", version="1", window=16)
BOUNDS = Bounds(window_us=50_000)
Node = onnx.NodeProto


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **more: Any) -> Node:
    return helper.make_node(kind, inputs, outputs, **more)


def graph(
    nodes: list[Node], weights: Sequence[onnx.TensorProto] = (), kind: int = TensorProto.FLOAT,
    shape: Sequence[Any] | None = ("n", 16), opset: int = 17,
) -> onnx.ModelProto:  # fmt: skip
    """From `x` to `y`."""
    made = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])],
        [helper.make_tensor_value_info("y", kind, shape)], list(weights),
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def as_kind(kind: int) -> onnx.ModelProto:
    return graph([node("Cast", ["x"], ["y"], to=kind)], kind=kind)


def far_too_large() -> onnx.ModelProto:
    """A weight of eight terabytes, as its dimensions say, without a byte of it."""
    weight = onnx.TensorProto(name="w", data_type=TensorProto.DOUBLE, dims=[1 << 40])
    return graph([node("Add", ["x", "w"], ["y"])], [weight])


def sparse() -> onnx.ModelProto:
    """The same in few bytes, which would be laid out."""
    made = graph([node("Add", ["x", "w"], ["y"])])
    weight = made.graph.sparse_initializer.add(dims=[1 << 40])
    weight.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "w"))
    weight.indices.CopyFrom(numpy_helper.from_array(np.zeros(1, np.int64)))
    return made


def apart(proto: onnx.ModelProto, mapping: Mapping) -> Apart:
    wrapped = wrap(proto.SerializeToString(), MANIFEST, mapping)
    return Apart.start(MANIFEST, wrapped, BOUNDS)


ADDED = [node("Add", ["x", "b"], ["a"]), node("Identity", ["a"], ["b"])]
SAME = node("Identity", ["x"], ["y"])
MEAN = [node("ReduceMean", ["x"], ["mean"], axes=[0]), node("Sub", ["x", "mean"], ["y"])]
LARGEST = [node("ReduceMax", ["x"], ["y"], keepdims=0)]
FIRST = Mapping(column=0)


@pytest.mark.parametrize(
    ("proto", "mapping", "said"),
    [
        (graph(LARGEST, shape=[]), Mapping(), "gave scores of shape"),
        (graph(LARGEST, shape=None), Mapping(), "gave scores of shape"),
        (graph([*ADDED, node("Identity", ["a"], ["y"])]), FIRST, "acyclic"),
        (graph([node("Frobnicate", ["x"], ["y"])]), FIRST, "Frobnicate"),
        (graph([SAME, SAME]), FIRST, "Duplicate definition"),
        (graph([node("RandomNormalLike", ["x"], ["y"])]), FIRST, "other scores than by themselves"),
        (graph(MEAN), FIRST, "other scores than by themselves"),
        (far_too_large(), FIRST, ""),
        (sparse(), FIRST, ""),
    ],
    ids=["one score", "no shape", "a circle", "no such operator", "one name twice", "by chance",
         "of its batch", "a vast weight", "a vast sparse weight"],
)  # fmt: skip
def test_an_odd_graph_is_refused_in_its_trial_with_its_reason(
    proto: onnx.ModelProto, mapping: Mapping, said: str
) -> None:
    one = apart(proto, mapping)
    try:
        with pytest.raises(SetAsideError) as raised:
            one.report()
        assert raised.value.reason in (Reason.REFUSED, Reason.GREW)
        assert said in raised.value.why
    finally:
        one.close()


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT16, TensorProto.INT64, TensorProto.BOOL, TensorProto.DOUBLE]
)
def test_scores_of_any_kind_of_number_are_taken(kind: int) -> None:
    one = apart(as_kind(kind), FIRST)
    try:
        line = np.arange(32.0)
        told = np.arange(17.0) > 0 if kind == TensorProto.BOOL else np.arange(17.0)
        assert one.score(line, np.arange(17)).tolist() == told.tolist()
    finally:
        one.close()
