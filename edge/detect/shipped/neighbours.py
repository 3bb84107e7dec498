"""Nearest neighbours: how far the newest stretch of a series is from the stretches most like it.

The last `LENGTH` values are compared with every stretch of as many values in the window that ends
before them; the score is the mean distance to the `NEAREST` of these (sub-sequence anomalies by
nearest neighbours: discords, Keogh, Lin and Fu 2005; as a conformal detector, Burnaev and
Ishimtsev 2016). It keeps the unit of the sensor and is not normalised: what is usual for the series
is learned where the threshold is, from far more than one window. A window may be young: stretches
that reach back before its first value do not count.

It costs a hundred times what the residual does, so it is for slow series, which it takes over.
"""

from typing import Any, Final

import numpy as np

from edge.detect.shipped.nodes import Nodes

NAME: Final = "neighbours"
VERSION: Final = "1"
WINDOW: Final = 512
LENGTH: Final = 24
NEAREST: Final = 8
LEAST: Final = 96
"""Values from which it scores: a full choice of neighbours is 49 then."""
STEP_S_MIN: Final = 10.0
STRETCHES: Final = WINDOW - 2 * LENGTH + 1
FAR: Final = 1e18
"""Values further from the newest than that are taken to be so far: squares stay in float32."""
ABSENT: Final = 3e38
"""More than any squared distance: 24 · (2·10¹⁸)² < 10³⁸."""


def graph() -> Any:
    """The ONNX model: `window` float64 (n, WINDOW) → `score` float32 (n,)."""
    from onnx import TensorProto

    nodes = Nodes()
    newest = nodes.columns("window", WINDOW - 1, WINDOW)
    apart = nodes.op("Sub", "window", newest)
    for kind, bound in (("Less", -FAR), ("Greater", FAR)):
        wide = nodes.constant(bound, np.float64)
        # Not Clip, which need not let NaN pass.
        apart = nodes.op("Where", nodes.op(kind, apart, wide), wide, apart)
    # Windows side by side: what is cut out and compared then lies together.
    values = nodes.op("Transpose", nodes.op("Cast", apart, to=TensorProto.FLOAT), perm=[1, 0])
    total = ""
    for at in range(LENGTH):
        past = nodes.part(values, at, at + STRETCHES)
        now = nodes.part(values, WINDOW - LENGTH + at, WINDOW - LENGTH + at + 1)
        step = nodes.op("Sub", past, now)
        square = nodes.op("Mul", step, step)
        total = nodes.op("Add", total, square) if total else square
    absent = nodes.constant(ABSENT)
    known = nodes.op("Where", nodes.op("IsNaN", total), absent, total)
    known = nodes.op("Transpose", known, perm=[1, 0])
    count = nodes.whole([NEAREST])
    nearest = nodes.op("TopK", known, count, axis=1, largest=0, sorted=1)
    there = nodes.op("Less", nearest, absent)
    zero = nodes.constant(0.0)
    distance = nodes.op("Where", there, nodes.op("Sqrt", nearest), zero)
    summed = nodes.op("ReduceSum", distance, nodes.whole([1]), keepdims=0)
    many = nodes.op("Cast", there, to=TensorProto.FLOAT)
    many = nodes.op("ReduceSum", many, nodes.whole([1]), keepdims=0)
    nodes.op("Div", summed, nodes.op("Max", many, nodes.constant(1.0)), output="score")
    return nodes.model(NAME, "window", ["windows", WINDOW])


def reference(windows: "np.ndarray[Any, np.dtype[np.float64]]") -> Any:
    """The same score in numpy float64, for tests: `(n, WINDOW)` → `(n,)`."""
    stretches = np.lib.stride_tricks.sliding_window_view(windows, LENGTH, axis=1)
    apart = stretches[:, :STRETCHES] - stretches[:, -1:]
    distances = np.sqrt((apart**2).sum(axis=2))
    return np.nanmean(np.sort(distances, axis=1)[:, :NEAREST], axis=1)
