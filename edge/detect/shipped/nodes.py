"""Nodes of a graph under way: what the shipped models are made of."""

from typing import Any, Final

import numpy as np

OPSET: Final = 17
IR_VERSION: Final = 8
_END: Final = 1 << 62


class Nodes:
    """Nodes of a graph under way; each method gives the name of what it computes."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.constants: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node."""
        from onnx import helper

        output = output or f"v{len(self.made)}"
        outputs = [output, f"{output}_at"] if kind == "TopK" else [output]
        self.made.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return output

    def constant(self, value: float, dtype: type = np.float32) -> str:
        """A number."""
        return self._kept(f"{np.dtype(dtype).name}{value!r}", np.array(value, dtype))

    def whole(self, values: list[int]) -> str:
        """Whole numbers, `(n,)`."""
        return self._kept(f"i{values}", np.array(values, np.int64))

    def weights(self, name: str, values: "np.ndarray[Any, Any]") -> str:
        """An array under a name of its own."""
        return self._kept(name, values)

    def row(self, name: str, values: "np.ndarray[Any, Any]") -> str:
        """Numbers as one row of columns, `(1, n)`."""
        return self._kept(name, values.astype(np.float32)[None])

    def part(self, values: str, start: int, stop: int = _END) -> str:
        """``values[start:stop]``."""
        return self.op("Slice", values, *(self.whole([at]) for at in (start, stop, 0)))

    def columns(self, values: str, start: int, stop: int) -> str:
        """``values[:, start:stop]``."""
        return self.op("Slice", values, *(self.whole([at]) for at in (start, stop, 1)))

    def doubled(self, kind: str, values: str, width: int, weight: float = 1.0) -> str:
        """From what is over ``width`` values, what is over twice as many; older ones weigh less."""
        older = self.part(values, 0, -width)
        if weight != 1.0:
            older = self.op("Mul", older, self.constant(weight))
        return self.op(kind, self.part(values, width), older)

    def steps(self, width: int) -> str:
        """By how much each value differs from the one ``width`` before it, as float32."""
        from onnx import TensorProto

        apart = self.op("Sub", self.part("line", width), self.part("line", 0, -width))
        return self.op("Cast", apart, to=TensorProto.FLOAT)

    def _kept(self, name: str, value: "np.ndarray[Any, Any]") -> str:
        from onnx import numpy_helper

        self.constants.setdefault(name, numpy_helper.from_array(value, name))
        return name

    def model(self, name: str, takes: str, shape: "list[int | str]") -> Any:
        """The model of these nodes, checked: ``takes`` float64 → `score` float32."""
        from onnx import TensorProto, checker, helper

        made = helper.make_graph(
            self.made, name,
            [helper.make_tensor_value_info(takes, TensorProto.DOUBLE, shape)],
            [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["windows"])],
            list(self.constants.values()),
        )  # fmt: skip
        model = helper.make_model(
            made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
            producer_name="tidegate",
        )  # fmt: skip
        checker.check_model(model, full_check=True)
        return model
