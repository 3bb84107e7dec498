"""Graphs that are right, wrong, slow or hungry, for tests of what a gateway does with each."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from protos.model_manifest import Manifest, Takes

WINDOW = 8
MANIFEST = Manifest(name="tried", version="1", window=WINDOW)


def value(name: str, shape: list[Any], kind: int = TensorProto.DOUBLE) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, content: Any, kind: Any = np.int64) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(content, kind), name)


def model(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    inputs: list[onnx.ValueInfoProto] | None = None,
    **kwargs: Any,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        inputs or [value("window", ["n", WINDOW])],
        [value("score", ["n"])],
        weights,
    )
    opsets = kwargs.pop("opset_imports", [helper.make_opsetid("", 17)])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **kwargs)


def spread() -> onnx.ModelProto:
    """Greatest less least value of each window: a good model."""
    axes = constant("axes", [1])
    return model(
        [
            helper.make_node("ReduceMax", ["window"], ["most"], axes=[1], keepdims=0),
            helper.make_node("ReduceMin", ["window"], ["least"], axes=[1], keepdims=0),
            helper.make_node("Sub", ["most", "least"], ["score"]),
        ],
        [axes],
    )


def frame_manifest() -> Manifest:
    return Manifest(
        name="framed", version="1", window=4, takes=Takes.FRAME, channels=("a", "b", "c")
    )


def framed() -> onnx.ModelProto:
    """The sum of the sizes of all values of a frame."""
    return model(
        [
            helper.make_node("Abs", ["window"], ["sizes"]),
            helper.make_node("ReduceSum", ["sizes", "axes"], ["score"], keepdims=0),
        ],
        [constant("axes", [1, 2])],
        [value("window", ["n", 4, 3])],
    )


def not_a_number(when_above: float | None = None) -> onnx.ModelProto:
    """No number for any window; or, given a value, only for one that ends above it."""
    least = -1e300 if when_above is None else when_above
    return model(
        [
            helper.make_node("Gather", ["window", "last"], ["newest"], axis=1),
            helper.make_node("Greater", ["newest", "least"], ["above"]),
            helper.make_node("Where", ["above", "nan", "zero"], ["score"]),
        ],
        [
            constant("last", WINDOW - 1),
            constant("least", least, np.float64),
            constant("nan", np.nan, np.float64),
            constant("zero", 0.0, np.float64),
        ],
    )


def when_above(
    above: float, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto]
) -> onnx.ModelProto:
    """Zero for each window; ``nodes``, which give `extra`, run if any window ends above a value."""
    extra = helper.make_graph(nodes, "then", [], [value("extra", [])], weights)
    nothing = helper.make_node("Constant", [], ["none"], value=constant("", 0.0, np.float64))
    usual = helper.make_graph([nothing], "else", [], [value("none", [])])
    return model(
        [
            helper.make_node("Gather", ["window", "last"], ["newest"], axis=1),
            helper.make_node("ReduceMax", ["newest"], ["most"], keepdims=0),
            helper.make_node("Greater", ["most", "least"], ["above"]),
            helper.make_node("If", ["above"], ["more"], then_branch=extra, else_branch=usual),
            helper.make_node("Mul", ["newest", "zero"], ["zeros"]),
            helper.make_node("Add", ["zeros", "more"], ["score"]),
        ],
        [
            constant("last", WINDOW - 1),
            constant("least", above, np.float64),
            constant("zero", 0.0, np.float64),
        ],
    )


def hungry(above: float = -1e300, values: int = 1 << 34) -> onnx.ModelProto:
    """Asks for memory, 8 bytes for each of ``values``."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["much"], value=constant("", [1.0], float)),
        helper.make_node("ReduceSum", ["much"], ["extra"], keepdims=0),
    ]
    return when_above(above, nodes, [constant("size", [values])])


def endless(above: float = -1e300) -> onnx.ModelProto:
    """Loops for longer than anybody waits."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("Add", ["sum", "sum"], ["next"]),
        ],
        "body",
        [
            value("i", [], TensorProto.INT64),
            value("on", [], TensorProto.BOOL),
            value("sum", []),
        ],
        [value("still", [], TensorProto.BOOL), value("next", [])],
    )
    nodes = [helper.make_node("Loop", ["rounds", "go", "begin"], ["extra"], body=body)]
    weights = [
        constant("rounds", 1 << 60),
        constant("go", True, np.bool_),
        constant("begin", 0.0, np.float64),
    ]
    return when_above(above, nodes, weights)


def costly(width: int = 4000) -> onnx.ModelProto:
    """Spends milliseconds on each window, in products of large matrices."""
    chance = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(chance.normal(size=(WINDOW, width)), "wide"),
        constant("axes", [1]),
    ]
    nodes = [helper.make_node("MatMul", ["window", "wide"], ["h0"])]
    for at in range(12):
        grown = numpy_helper.from_array(np.full((width, 1), 1.0 / width), f"w{at}")
        weights.append(grown)
        nodes += [
            helper.make_node("MatMul", [f"h{at}", f"w{at}"], [f"s{at}"]),
            helper.make_node("Sin", [f"h{at}"], [f"x{at}"]),
            helper.make_node("Add", [f"x{at}", f"s{at}"], [f"h{at + 1}"]),
        ]
    nodes += [
        helper.make_node("Abs", ["h12"], ["sizes"]),
        helper.make_node("ReduceSum", ["sizes", "axes"], ["score"], keepdims=0),
    ]
    return model(nodes, weights)
