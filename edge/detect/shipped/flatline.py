"""Stuck sensor: for how long a series has stood still, beside the longest that it did before.

The score is the number of equal values that end a window, over one more than the longest run of
equal values before them. What is usual for a sensor that reports in steps is learned where the
threshold is. A series that never moves always scores the same, so it raises no alarm.
"""

import itertools
from typing import Any, Final

import numpy as np

from edge.detect.shipped.nodes import Nodes

NAME: Final = "flatline"
VERSION: Final = "1"
WINDOW: Final = 256


def graph() -> Any:
    """The ONNX model: `window` float64 (n, WINDOW) → `score` float32 (n,)."""
    from onnx import TensorProto

    nodes = Nodes()
    earlier = nodes.columns("window", 0, WINDOW - 1)
    same = nodes.op("Equal", nodes.columns("window", 1, WINDOW), earlier)
    moved = nodes.op("Cast", nodes.op("Not", same), to=TensorProto.FLOAT)
    # The place of the newest change until each value: the greatest of ever more of those before it.
    newest = nodes.op("Mul", moved, nodes.row("places", np.arange(1, WINDOW)))
    width = 1
    while width < WINDOW - 1:
        pads = nodes.whole([0, width, 0, -width])
        newest = nodes.op("Max", newest, nodes.op("Pad", newest, pads))
        width *= 2
    runs = nodes.op("Sub", nodes.row("ends", np.arange(2, WINDOW + 1)), newest)
    last = nodes.columns(newest, WINDOW - 2, WINDOW - 1)
    within = nodes.op("LessOrEqual", nodes.row("ends", np.arange(2, WINDOW + 1)), last)
    before = nodes.op("Where", within, runs, nodes.constant(0.0))
    longest = nodes.op("ReduceMax", before, axes=[1], keepdims=0)
    now = nodes.op("Squeeze", nodes.columns(runs, WINDOW - 2, WINDOW - 1), nodes.whole([1]))
    nodes.op("Div", now, nodes.op("Add", longest, nodes.constant(1.0)), output="score")
    return nodes.model(NAME, "window", ["windows", WINDOW])


def reference(windows: "np.ndarray[Any, np.dtype[np.float64]]") -> Any:
    """The same score, for tests: `(n, WINDOW)` → `(n,)`."""
    found = []
    for window in windows.tolist():
        runs, length = [], 0
        for before, value in itertools.pairwise(window):
            length = length + 1 if value == before else 0
            runs.append(length)
        now = runs[-1] + 1
        earlier = [run + 1 for run in runs[: max(len(runs) - runs[-1] - 1, 0)]]
        found.append(now / (1 + max(earlier, default=0)))
    return np.array(found)
