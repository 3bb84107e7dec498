"""What every trainer gives: a graph, the function it was fitted as, and words for the manifest.

Graphs are made node by node with onnx, in float64 until the score leaves as float32: what history
is fitted in is float64, and so the two can be held to each other closely.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protos.model import Takes

OPSET: Final = 17
IR_VERSION: Final = 8
F8 = NDArray[np.float64]
_END: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model.

    Attributes:
        graph: the ONNX file.
        takes: what it takes; with ``channels`` a frame.
        window: readings (or rows of a frame) in a window.
        score: the same score in numpy: `(n, window)` or `(n, window, channels)` → `(n,)`.
        held_out: scores of what was held out, `(m,)`, which calibrate.
        probe: windows held out to prove the graph on.
        meaning: what a score means, in words.
        about: what it is and was made of, in words.
        figures: what there is to say of the fit.
        channels: metrics of a frame.
    """

    graph: bytes = field(repr=False)
    window: int
    score: Callable[[F8], F8]
    held_out: F8
    probe: F8
    meaning: str
    about: str
    takes: Takes = Takes.WINDOW
    channels: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


class Nodes:
    """Nodes of a graph under way; each method gives the name of what it computes."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.constants: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """A node of one output."""
        from onnx import helper

        output = output or f"v{len(self.made)}"
        self.made.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def number(self, value: float) -> str:
        """A float64 constant."""
        return self.array(np.array(value, np.float64))

    def array(self, value: NDArray[Any]) -> str:
        """A constant of any shape and dtype."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def part(self, values: str, start: int, stop: int = _END) -> str:
        """``values[:, start:stop]``."""
        ends = (self.array(np.array([at], np.int64)) for at in (start, stop, 1))
        return self.op("Slice", values, *ends)

    def mean(self, values: str) -> str:
        """Means of the rows, `(n, 1)`."""
        return self.op("ReduceMean", values, axes=[1], keepdims=1)

    def model(self, score: str, name: str, window: int) -> bytes:
        """The graph `window` float64 `(n, window)` → `score` float32 `(n,)`.

        ``score`` names a float64 `(n, 1)`.
        """
        from onnx import TensorProto, checker, helper

        flat = self.op("Reshape", score, self.array(np.array([-1], np.int64)))
        self.op("Cast", flat, output="score", to=TensorProto.FLOAT)
        made = helper.make_graph(
            self.made, name,
            [helper.make_tensor_value_info("window", TensorProto.DOUBLE, ["n", window])],
            [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
            list(self.constants.values()),
        )  # fmt: skip
        model = helper.make_model(
            made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
            producer_name="tidegate",
        )  # fmt: skip
        checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
