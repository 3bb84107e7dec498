"""Missing data: how long a series was silent before this reading, beside what is usual for it.

The graph takes event times, in seconds, and not values. The score is the newest step over the
middle one of those before it. Silence that lasts is a rule's matter: a model speaks with a reading.
"""

from typing import Any, Final

import numpy as np

from edge.detect.shipped.nodes import Nodes

NAME: Final = "gaps"
VERSION: Final = "1"
WINDOW: Final = 33
LEAST_S: Final = 1e-3
"""Steps are taken to be no shorter."""
_MIDDLE: Final = (WINDOW - 2) // 2 + 1


def graph() -> Any:
    """The ONNX model: `window` float64 (n, WINDOW) → `score` float32 (n,)."""
    from onnx import TensorProto

    nodes = Nodes()
    earlier = nodes.columns("window", 0, WINDOW - 1)
    apart = nodes.op("Sub", nodes.columns("window", 1, WINDOW), earlier)
    steps = nodes.op("Max", apart, nodes.constant(LEAST_S, np.float64))
    past = nodes.columns(steps, 0, WINDOW - 2)
    least = nodes.op("TopK", past, nodes.whole([_MIDDLE]), axis=1, largest=0, sorted=1)
    middle = nodes.columns(least, _MIDDLE - 1, _MIDDLE)
    newest = nodes.columns(steps, WINDOW - 2, WINDOW - 1)
    told = nodes.op("Squeeze", nodes.op("Div", newest, middle), nodes.whole([1]))
    nodes.op("Cast", told, to=TensorProto.FLOAT, output="score")
    return nodes.model(NAME, "window", ["windows", WINDOW])


def reference(windows: "np.ndarray[Any, np.dtype[np.float64]]") -> Any:
    """The same score, for tests: `(n, WINDOW)` → `(n,)`."""
    steps = np.maximum(np.diff(windows, axis=1), LEAST_S)
    return steps[:, -1] / np.median(steps[:, :-1], axis=1)
