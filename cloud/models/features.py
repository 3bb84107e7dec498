"""What a window looks like, in eleven numbers: in numpy for fitting, in ONNX for the gateway.

Windows are taken in units of the normal: z = (x - level) / scale, both the medians of what is
normal. A quarter of the window, its newest, is set against the three before it. Sizes are told as
log(1 + size), so that one wild value does not rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.models.fitted import Nodes

NAMES: Final = (
    "level", "shift", "trend", "spread", "roughness", "jump", "top", "bottom", "stillness",
    "newest", "unrest",
)  # fmt: skip
STILL: Final = 1e-6
"""A step smaller than this, in units of the normal, is none."""
UNREST_FLOOR: Final = 0.05

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Units:
    """The normal: ``level`` and ``scale`` in the readings' unit, for windows of ``window``."""

    window: int
    level: float
    scale: float

    @property
    def newest(self) -> int:
        """Where the newest quarter begins."""
        return self.window - max(2, self.window // 4)

    def slope(self) -> F8:
        """Weights `(window,)` whose sum with values is what a straight line rises over them."""
        at = np.arange(self.window) - (self.window - 1) / 2
        return np.asarray(at / (at**2).sum() * (self.window - 1))


def units_of(runs: Sequence[F8], window: int) -> Units:
    """The median, and the median distance from it as a standard deviation; 1 where all is one."""
    values = np.concatenate([np.zeros(0), *runs])
    level = float(np.median(values)) if len(values) else 0.0
    scale = 1.4826 * float(np.median(np.abs(values - level))) if len(values) else 0.0
    scale = scale or (float(values.std()) if len(values) else 0.0) or 1.0
    return Units(window, level, scale)


def features(views: F8, units: Units) -> F8:
    """`(n, window)` → `(n, 11)`, in the order of `NAMES`."""
    z = (views - units.level) / units.scale
    late, early = z[:, units.newest :], z[:, : units.newest]
    steps, mean = np.abs(np.diff(z, axis=1)), z.mean(axis=1)
    recent = steps[:, units.newest - 1 :]
    made = [
        np.abs(late.mean(axis=1)),
        late.mean(axis=1) - early.mean(axis=1),
        z @ units.slope(),
        z.std(axis=1),
        steps.mean(axis=1),
        steps.max(axis=1),
        z.max(axis=1) - mean,
        mean - z.min(axis=1),
        (recent < STILL).mean(axis=1),
        np.abs(z[:, -1] - mean),
        (recent.mean(axis=1) + UNREST_FLOOR) / (steps.mean(axis=1) + UNREST_FLOOR),
    ]
    return np.sign(made).T * np.log1p(np.abs(made)).T


def features_node(nodes: Nodes, units: Units) -> str:
    """The same as nodes; gives the name of a float64 `(n, 11)`."""
    from onnx import TensorProto

    z = nodes.op("Sub", "window", nodes.number(units.level))
    z = nodes.op("Div", z, nodes.number(units.scale))
    late, mean = nodes.mean(nodes.part(z, units.newest)), nodes.mean(z)
    earlier, later = nodes.part(z, 0, units.window - 1), nodes.part(z, 1)
    steps = nodes.op("Abs", nodes.op("Sub", later, earlier))
    recent = nodes.part(steps, units.newest - 1)
    centred = nodes.op("Sub", z, mean)
    rough, floor = nodes.mean(steps), nodes.number(UNREST_FLOOR)
    still = nodes.op("Less", recent, nodes.number(STILL))
    calm = nodes.op("Add", nodes.mean(recent), floor)
    made = [
        nodes.op("Abs", late),
        nodes.op("Sub", late, nodes.mean(nodes.part(z, 0, units.newest))),
        nodes.op("MatMul", z, nodes.array(units.slope()[:, None])),
        nodes.op("Sqrt", nodes.mean(nodes.op("Mul", centred, centred))),
        rough,
        nodes.op("ReduceMax", steps, axes=[1], keepdims=1),
        nodes.op("ReduceMax", centred, axes=[1], keepdims=1),
        nodes.op("Neg", nodes.op("ReduceMin", centred, axes=[1], keepdims=1)),
        nodes.mean(nodes.op("Cast", still, to=TensorProto.DOUBLE)),
        nodes.op("Abs", nodes.part(centred, units.window - 1)),
        nodes.op("Div", calm, nodes.op("Add", rough, floor)),
    ]
    both = nodes.op("Concat", *made, axis=1)
    sizes = nodes.op("Log", nodes.op("Add", nodes.op("Abs", both), nodes.number(1.0)))
    return nodes.op("Mul", nodes.op("Sign", both), sizes)
