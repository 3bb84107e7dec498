"""Drift: how far the newest stretch of a series lies from the stretches before it, on the whole.

A window is cut into `PARTS` stretches. The score is the distance of the newest one's mean from the
mean of the others, over how much those differ among themselves and how much values do within one.
"""

from typing import Any, Final

import numpy as np

from edge.detect.shipped.nodes import Nodes

NAME: Final = "drift"
VERSION: Final = "1"
WINDOW: Final = 512
PARTS: Final = 8
TINY: Final = 1e-30
_LENGTH: Final = WINDOW // PARTS


def graph() -> Any:
    """The ONNX model: `window` float64 (n, WINDOW) → `score` float32 (n,)."""
    from onnx import TensorProto

    nodes = Nodes()
    apart = nodes.op("Sub", "window", nodes.op("ReduceMean", "window", axes=[1], keepdims=1))
    parts = nodes.op("Reshape", apart, nodes.whole([-1, PARTS, _LENGTH]))
    means = nodes.op("ReduceMean", parts, axes=[2], keepdims=0)
    within = nodes.op("Sub", parts, nodes.op("Unsqueeze", means, nodes.whole([2])))
    noise = nodes.op("ReduceMean", nodes.op("Mul", within, within), axes=[1, 2], keepdims=0)
    past = nodes.columns(means, 0, PARTS - 1)
    level = nodes.op("ReduceMean", past, axes=[1], keepdims=1)
    off = nodes.op("Sub", past, level)
    spread = nodes.op("ReduceMean", nodes.op("Mul", off, off), axes=[1], keepdims=0)
    alone = nodes.op("Mul", noise, nodes.constant(1 / _LENGTH, np.float64))
    scale = nodes.op("Sqrt", nodes.op("Add", spread, alone))
    newest = nodes.op("Sub", nodes.columns(means, PARTS - 1, PARTS), level)
    far = nodes.op("Abs", nodes.op("Squeeze", newest, nodes.whole([1])))
    told = nodes.op("Div", far, nodes.op("Max", scale, nodes.constant(TINY, np.float64)))
    nodes.op("Cast", told, to=TensorProto.FLOAT, output="score")
    return nodes.model(NAME, "window", ["windows", WINDOW])


def reference(windows: "np.ndarray[Any, np.dtype[np.float64]]") -> Any:
    """The same score, for tests: `(n, WINDOW)` → `(n,)`."""
    parts = windows.reshape(len(windows), PARTS, _LENGTH)
    means = parts.mean(axis=2)
    past = means[:, :-1]
    scale = np.sqrt(past.var(axis=1) + parts.var(axis=2).mean(axis=1) / _LENGTH)
    return np.abs(means[:, -1] - past.mean(axis=1)) / np.maximum(scale, TINY)
