"""The first model: how far a value is from what its own recent past foretold.

Works on any numeric series without training. Each value from the `TAPS`-th of a window on is
foretold by an exponentially weighted mean of the `TAPS` before it; the score is the newest residual
over the mean size of the earlier ones, in units of their standard deviation. A sensor that moves in
steps (20.1, 20.2) has residuals of nothing but its steps, so the smallest step it took counts as
noise.

The graph takes a line of values and works on all its windows at once. It takes the steps between
neighbours in float64, so that a counter near 10⁹ or a pressure near 1013 hPa keeps its digits, and
goes on in float32: a residual is a weighted sum of steps. Every sum and least over a window is made
by doubling, from those over half of it. All of that is done value by value, in one order wherever a
window lies, so its score is the same to the bit in any line.
"""

from typing import Any, Final

import numpy as np

from edge.detect.shipped.nodes import Nodes

NAME: Final = "residual"
VERSION: Final = "1"
WINDOW: Final = 48
TAPS: Final = 16
ALPHA: Final = 0.25
# Mean absolute deviation → standard deviation, of normal noise: √(π/2).
MAD_TO_SIGMA: Final = 1.2533141373155003
# No step was seen at all: larger than any float32 residual that makes sense.
NO_STEP: Final = 3.0e38
TINY: Final = 1e-30
_EARLIER: Final = WINDOW - TAPS - 1
"""Residuals before the newest in one window."""
_KEPT: Final = 1 - ALPHA


def kernel() -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Taps that turn values into residuals: minus the weights of the past, plus the newest."""
    weights = ALPHA * _KEPT ** np.arange(TAPS)[::-1]
    weights /= weights.sum()
    return np.append(-weights, 1.0).astype(np.float32)


def graph() -> Any:
    """The ONNX model: `line` float64 (n,) → `score` float32 (n - WINDOW + 1,)."""
    nodes = Nodes()
    steps = nodes.steps(1)
    sizes = _residual_sizes(nodes, steps)
    noise = nodes.op("Mul", _sum(nodes, sizes), nodes.constant(MAD_TO_SIGMA / _EARLIER))
    half_step = nodes.op("Mul", _least_step(nodes, steps), nodes.constant(0.5))
    scale = nodes.op("Max", nodes.op("Add", noise, half_step), nodes.constant(TINY))
    nodes.op("Div", nodes.part(sizes, _EARLIER), scale, output="score")
    return nodes.model(NAME, "line", ["values"])


def _residual_sizes(nodes: Nodes, steps: str) -> str:
    """`(n - TAPS,)`: how far each value is from what was foretold.

    With weights wᵢ ∝ qⁱ of the value i + 1 back, x - Σ wᵢ x₋ᵢ₋₁ is a sum of steps, each weighed by
    all weights from its own on: Σ (qʲ - q^TAPS) / (1 - q^TAPS) · step₋ⱼ for j < TAPS.
    """
    whole = 1 - _KEPT**TAPS
    fading, width = steps, 1
    while width < TAPS:
        fading = nodes.doubled("Add", fading, width, _KEPT**width)
        width *= 2
    fading = nodes.op("Mul", fading, nodes.constant(1 / whole))
    level = nodes.op("Mul", nodes.steps(TAPS), nodes.constant(_KEPT**TAPS / whole))
    return nodes.op("Abs", nodes.op("Sub", fading, level))


def _sum(nodes: Nodes, sizes: str) -> str:
    """Sums of the `_EARLIER` residuals before each newest one: of 16, 8, 4, 2 and 1 of them."""
    of = {1: sizes}
    while 2 * max(of) <= _EARLIER:
        of[2 * max(of)] = nodes.doubled("Add", of[max(of)], max(of))
    total, at = "", 0
    for width in sorted(of, reverse=True):
        behind = _EARLIER - at - width + 1  # sums of this width that begin after the last wanted
        part = nodes.part(of[width], at, -behind)
        total = nodes.op("Add", total, part) if total else part
        at += width
    return total


def _least_step(nodes: Nodes, steps: str) -> str:
    """The smallest step in each window that is none of 0, the newest included."""
    size = nodes.op("Abs", steps)
    moved = nodes.op("Greater", size, nodes.constant(0.0))
    least, width = nodes.op("Where", moved, size, nodes.constant(NO_STEP)), 1
    while 2 * width < WINDOW:
        least = nodes.doubled("Min", least, width)
        width *= 2
    rest = WINDOW - 1 - width
    return nodes.op("Min", nodes.part(least, 0, -rest), nodes.part(least, rest))


def reference(windows: "np.ndarray[Any, np.dtype[np.float64]]") -> Any:
    """The same score in numpy float64, for tests: `(n, WINDOW)` → `(n,)`."""
    centred = windows - windows[:, :-1].mean(axis=1, keepdims=True)
    views = np.lib.stride_tricks.sliding_window_view(centred, TAPS + 1, axis=1)
    sizes = np.abs(views @ kernel().astype(np.float64))
    steps = np.abs(np.diff(centred, axis=1))
    step = np.where(steps > 0, steps, NO_STEP).min(axis=1)
    scale = sizes[:, :-1].mean(axis=1) * MAD_TO_SIGMA + step / 2
    return sizes[:, -1] / np.maximum(scale, 1e-30)
