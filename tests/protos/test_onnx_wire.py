"""What an ONNX file holds is read from its bytes, and nothing in them is made or followed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge.detect.shipped import residual
from protos.graph_rules import NODES_MAX, graph_problem
from protos.model_manifest import Manifest
from protos.onnx_wire import DEPTH_MAX, DOUBLE, WireError, read_facts
from tests.edge.detect.graphs import (
    MANIFEST,
    WINDOW,
    constant,
    frame_manifest,
    framed,
    model,
    spread,
    value,
)  # fmt: skip


def nodes_of(graph: Any) -> int:
    return sum(
        1 + sum(nodes_of(a.g) for a in node.attribute if a.HasField("g")) for node in graph.node
    )


@pytest.mark.parametrize("made", [spread, framed, residual.graph])
def test_what_is_read_is_what_the_library_of_onnx_reads(made: Callable[[], Any]) -> None:
    proto = made()
    facts = read_facts(proto.SerializeToString())
    weights = {one.name for one in proto.graph.initializer}
    assert facts.ir_version == proto.ir_version
    assert facts.opsets == {one.domain: {one.version} for one in proto.opset_import}
    assert facts.nodes == nodes_of(proto.graph)
    assert facts.operators == {(node.domain, node.op_type) for node in proto.graph.node}
    assert [one.name for one in facts.inputs] == [
        one.name for one in proto.graph.input if one.name not in weights
    ]
    assert facts.inputs[0].element == DOUBLE
    assert [one.name for one in facts.outputs] == ["score"]
    assert (facts.external, facts.functions, facts.training) == ([], 0, 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_facts(data)
    except WireError:
        assert graph_problem(data, MANIFEST) is not None


@given(st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=200)
def test_a_damaged_graph_is_read_or_refused(at: int, byte: int) -> None:
    data = bytearray(spread().SerializeToString())
    data[at % len(data)] = byte
    graph_problem(bytes(data), MANIFEST)


@given(st.integers(0, 10_000))
def test_a_graph_cut_off_is_refused(at: int) -> None:
    data = spread().SerializeToString()
    cut = data[: at % len(data)]
    assert graph_problem(cut, MANIFEST) is not None


def outside(proto: onnx.ModelProto) -> onnx.ModelProto:
    weight = proto.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return proto


def outside_in_an_attribute(proto: onnx.ModelProto) -> onnx.ModelProto:
    tensor = constant("hidden", [1.0], np.float64)
    tensor.data_location = TensorProto.EXTERNAL
    proto.graph.node.append(helper.make_node("Constant", [], ["x"], value=tensor))
    return proto


def foreign(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.node[0].domain = "com.example"
    return proto


def foreign_within(proto: onnx.ModelProto) -> onnx.ModelProto:
    node = helper.make_node("Anything", [], ["y"], domain="com.microsoft")
    body = helper.make_graph([node], "body", [], [value("y", [])])
    proto.graph.node.append(
        helper.make_node("If", ["on"], ["y"], then_branch=body, else_branch=body)
    )
    return proto


def old(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.opset_import[0].version = 7
    return proto


def new(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.opset_import[0].version = 99
    return proto


def newer_form(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.ir_version = 40
    return proto


def many_nodes(proto: onnx.ModelProto) -> onnx.ModelProto:
    node = proto.graph.node[0]
    proto.graph.node.extend([node] * NODES_MAX)
    return proto


def functions(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.functions.add().name = "f"
    return proto


def training(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.training_info.add()
    return proto


def deep(proto: onnx.ModelProto) -> onnx.ModelProto:
    graph = proto.graph
    for _ in range(DEPTH_MAX + 1):
        node = graph.node.add()
        node.op_type = "If"
        graph = node.attribute.add().g
    return proto


def second_input(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.input.append(value("more", ["n"]))
    return proto


def other_width(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = WINDOW + 1
    return proto


def closed_batch(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return proto


def of_float(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    return proto


def no_score(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.output[0].name = "strangeness"
    return proto


def score_of_text(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    return proto


def score_of_two(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 2
    return proto


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (outside, "lie in another file"),
        (outside_in_an_attribute, "'hidden' lie in another file"),
        (foreign, "operators of 'com.example'"),
        (foreign_within, "operators of 'com.microsoft'"),
        (old, "opset of ai.onnx is [7]"),
        (new, "opset of ai.onnx is [99]"),
        (newer_form, "version 40 of ONNX's"),
        (many_nodes, "nodes, 4096 are taken"),
        (functions, "functions of its own"),
        (training, "training information"),
        (deep, "nests graphs deeper"),
        (second_input, "its inputs are ['window', 'more']"),
        (other_width, "has the shape [-1, 9], wanted is [-1, 8]"),
        (closed_batch, "has the shape [1, 8]"),
        (of_float, "is not of float64"),
        (no_score, "its outputs are ['strangeness']"),
        (score_of_text, "is not of float32 or float64"),
        (score_of_two, "has the shape [-1, 2]"),
    ],
)
def test_a_graph_that_is_not_taken_is_refused_by_what_it_holds(
    changed: Callable[[onnx.ModelProto], onnx.ModelProto], said: str
) -> None:
    good = spread()
    assert graph_problem(good.SerializeToString(), MANIFEST) is None
    told = graph_problem(changed(good).SerializeToString(), MANIFEST)
    assert told is not None
    assert said in told[0]
    assert told[1]


def test_what_a_second_field_brings_is_read_too() -> None:
    """Protobuf merges a message that comes twice, so a second graph adds to the first."""
    hidden = onnx.ModelProto()
    hidden.graph.node.append(helper.make_node("Evil", [], ["z"], domain="com.example"))
    told = graph_problem(spread().SerializeToString() + hidden.SerializeToString(), MANIFEST)
    assert told is not None
    assert "com.example" in told[0]


def test_a_frame_has_its_windows_and_channels() -> None:
    data = framed().SerializeToString()
    assert graph_problem(data, frame_manifest()) is None
    told = graph_problem(data, MANIFEST)
    assert told is not None
    assert "has the shape [-1, 4, 3], wanted is [-1, 8]" in told[0]


def test_a_graph_without_shapes_is_left_to_the_probe() -> None:
    proto = model(list(spread().graph.node), [])
    for one in (*proto.graph.input, *proto.graph.output):
        one.type.tensor_type.ClearField("shape")
    assert (
        graph_problem(proto.SerializeToString(), Manifest(name="n", version="1", window=5)) is None
    )
