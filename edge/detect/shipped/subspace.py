"""Sub-sequence PCA for periodic signals: what of the newest stretch the past cannot compose.

All stretches of `LENGTH` values in a window span a space; those of a periodic signal lie near few
of its directions. With C their covariance and q the newest stretch, λ(C + λ)⁻¹q is q less what lies
in directions of a variance far above λ: the residual of a PCA whose components fade out instead of
being cut off (ridge). λ is `RIDGE` of the mean variance. The equation is solved by
conjugate gradients, `ROUNDS` of them, so no covariance is formed and none decomposed; the score is
the residual's length over √λ.
"""

from typing import Any, Final

import numpy as np

from edge.detect.shipped.nodes import Nodes

NAME: Final = "subspace"
VERSION: Final = "1"
WINDOW: Final = 512
LENGTH: Final = 32
ROUNDS: Final = 12
RIDGE: Final = 0.02
TINY: Final = 1e-30
FAR: Final = 1e12
"""Values further from the window's mean than that are taken to be so far."""
_PAST: Final = WINDOW - 2 * LENGTH + 1
_F8: Final = np.float64


def graph() -> Any:
    """The ONNX model: `window` float64 (n, WINDOW) → `score` float32 (n,)."""
    from onnx import TensorProto

    nodes = Nodes()
    apart = nodes.op("Sub", "window", nodes.op("ReduceMean", "window", axes=[1], keepdims=1))
    bounds = (nodes.constant(-FAR, _F8), nodes.constant(FAR, _F8))
    values = nodes.op("Cast", nodes.op("Clip", apart, *bounds), to=TensorProto.FLOAT)
    places = np.arange(_PAST)[:, None] + np.arange(LENGTH)
    past = nodes.op("Gather", values, nodes.weights("places", places), axis=1)
    turned = nodes.op("Transpose", past, perm=[0, 2, 1])
    newest = nodes.op("Unsqueeze", nodes.columns(values, WINDOW - LENGTH, WINDOW), nodes.whole([2]))
    each = nodes.constant(1 / _PAST)
    total = nodes.op("ReduceMean", nodes.op("Mul", past, past), axes=[1, 2], keepdims=1)
    ridge = nodes.op("Mul", total, nodes.constant(RIDGE))
    ridge = nodes.op("Max", ridge, nodes.constant(TINY))

    def spread(vector: str) -> str:
        """(C + λ) times a vector."""
        seen = nodes.op("MatMul", turned, nodes.op("MatMul", past, vector))
        return nodes.op("Add", nodes.op("Mul", seen, each), nodes.op("Mul", ridge, vector))

    def product(one: str, other: str) -> str:
        return nodes.op("ReduceSum", nodes.op("Mul", one, other), nodes.whole([1]), keepdims=1)

    least = nodes.constant(TINY)
    rest, way, found = newest, newest, ""
    size = product(rest, rest)
    for _ in range(ROUNDS):
        moved = spread(way)
        step = nodes.op("Div", size, nodes.op("Max", product(way, moved), least))
        part = nodes.op("Mul", step, way)
        found = nodes.op("Add", found, part) if found else part
        rest = nodes.op("Sub", rest, nodes.op("Mul", step, moved))
        smaller = product(rest, rest)
        turn = nodes.op("Div", smaller, nodes.op("Max", size, least))
        way, size = nodes.op("Add", rest, nodes.op("Mul", turn, way)), smaller
    length = nodes.op("Sqrt", nodes.op("Mul", product(found, found), ridge))
    nodes.op("Reshape", length, nodes.whole([-1]), output="score")
    return nodes.model(NAME, "window", ["windows", WINDOW])


def reference(windows: "np.ndarray[Any, np.dtype[np.float64]]") -> Any:
    """The same score by a solved equation, for tests: `(n, WINDOW)` → `(n,)`."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    past = np.lib.stride_tricks.sliding_window_view(centred, LENGTH, axis=1)[:, :_PAST]
    spread = past.transpose(0, 2, 1) @ past / _PAST
    ridge = RIDGE * (past**2).mean(axis=(1, 2))
    solved = np.linalg.solve(
        spread + ridge[:, None, None] * np.eye(LENGTH), centred[:, -LENGTH:, None]
    )
    return np.sqrt((solved[:, :, 0] ** 2).sum(axis=1) * ridge)
