"""Signed packages for tests, with graphs that behave as a test wants."""

from functools import cache

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.model import Manifest, Takes, write_package
from protos.model_key import public_of

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_of(KEY)
WINDOW = 8


@cache
def graph(kind: str = "spread") -> bytes:
    """A graph over windows of eight values.

    `spread`: how far the newest is from the mean of the window; `nan`: no numbers where a window
    holds one above 1000, so that a probe of smaller ones does not see it; `shape`: one score too
    few then; `loud`: now and then on a ramp one that is larger than any before.
    """
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: object, kind: type) -> object:
        return numpy_helper.from_array(np.array(value, kind), name)

    op = helper.make_node
    newest = [
        op("Slice", ["window", "from", "to", "axis"], ["last"]),
        op("ReduceMean", ["window"], ["mean"], axes=[1], keepdims=1),
        op("Sub", ["last", "mean"], ["apart"]),
        op("Abs", ["apart"], ["far"]),
        op("Squeeze", ["far", "axis"], ["flat"]),
        op("Cast", ["flat"], ["score" if kind == "spread" else "plain"], to=TensorProto.FLOAT),
    ]
    over = [
        op("ReduceMax", ["window"], ["most"], axes=[1], keepdims=0),
        op("Greater", ["most", "limit"], ["over"]),
    ]
    ends = {
        "spread": [],
        "nan": [*over, op("Where", ["over", "none", "plain"], ["score"])],
        "loud": [
            op("Floor", ["last"], ["whole"]),
            op("Sub", ["last", "whole"], ["part"]),
            op("Less", ["part", "little"], ["seldom"]),
            op("Min", ["last", "bound"], ["bounded"]),
            op("Exp", ["bounded"], ["grown"]),
            op("Where", ["seldom", "grown", "far"], ["wide"]),
            op("Squeeze", ["wide", "axis"], ["narrow"]),
            op("Cast", ["narrow"], ["score"], to=TensorProto.FLOAT),
        ],
        "shape": [
            *over,
            op("Not", ["over"], ["kept"]),
            op("Compress", ["plain", "kept"], ["score"]),
        ],
    }[kind]
    constants = [
        constant("from", [WINDOW - 1], np.int64), constant("to", [WINDOW], np.int64),
        constant("axis", [1], np.int64), constant("limit", 1e6, np.float64),
        constant("none", np.nan, np.float32), constant("little", 0.015, np.float64),
        constant("bound", 80.0, np.float64),
    ]  # fmt: skip
    made = helper.make_graph(
        [*newest, *ends], "made",
        [helper.make_tensor_value_info("window", TensorProto.DOUBLE, ["n", WINDOW])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["m"])],
        constants,
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))


def packed(graph: bytes, version: str, name: str = "spread") -> bytes:
    """A signed package of any graph over windows."""
    manifest = Manifest(name=name, version=version, window=WINDOW, takes=Takes.WINDOW)
    return write_package(manifest, graph, KEY)


@cache
def package(
    version: str = "1", kind: str = "spread", name: str = "spread", key: Ed25519PrivateKey = KEY
) -> bytes:
    """A signed package."""
    manifest = Manifest(name=name, version=version, window=WINDOW, takes=Takes.WINDOW)
    return write_package(manifest, graph(kind), key)
