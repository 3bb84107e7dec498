"""The first model: how far a value is from what its own recent past foretold.

Works on any numeric series without training. A window of `WINDOW` values comes in as float64, so
that a counter near 10⁹ or a pressure near 1013 hPa keeps its digits; the graph takes off the mean
of the past and goes on in float32. Each value from the `TAPS`-th on is foretold by an exponentially
weighted mean of the `TAPS` before it; the score is the newest residual over the mean size of the
earlier ones, in units of their standard deviation. A sensor that moves in steps (20.1, 20.2) has
residuals of nothing but its steps, so the smallest step it took counts as noise.
"""

from typing import Any, Final

import numpy as np

NAME: Final = "residual"
VERSION: Final = "1"
WINDOW: Final = 48
TAPS: Final = 16
ALPHA: Final = 0.25
OPSET: Final = 17
IR_VERSION: Final = 8
# Mean absolute deviation → standard deviation, of normal noise: √(π/2).
MAD_TO_SIGMA: Final = 1.2533141373155003
# No step was seen at all: larger than any float32 residual that makes sense.
NO_STEP: Final = 3.0e38


def kernel() -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Taps that turn values into residuals: minus the weights of the past, plus the newest."""
    weights = ALPHA * (1 - ALPHA) ** np.arange(TAPS)[::-1]
    weights /= weights.sum()
    return np.append(-weights, 1.0).astype(np.float32).reshape(1, 1, TAPS + 1)


def forecast() -> "np.ndarray[Any, np.dtype[np.float32]]":
    """`(WINDOW, WINDOW - TAPS)`: the same taps at every place, as one matrix of a product.

    A product of matrices costs a fourth of what a convolution of one channel does.
    """
    taps = kernel().reshape(-1)
    matrix = np.zeros((WINDOW, WINDOW - TAPS), np.float32)
    for place in range(WINDOW - TAPS):
        matrix[place : place + TAPS + 1, place] = taps
    return matrix


def graph() -> Any:
    """The ONNX model: `window` float64 (n, WINDOW) → `score` float32 (n,)."""
    from onnx import TensorProto, checker, helper

    made = helper.make_graph(
        _nodes(), NAME,
        [helper.make_tensor_value_info("window", TensorProto.DOUBLE, ["n", WINDOW])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
        _constants(),
    )  # fmt: skip
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="tidegate",
    )  # fmt: skip
    checker.check_model(model, full_check=True)
    return model


def _constants() -> list[Any]:
    from onnx import numpy_helper

    floats = {"sigma": MAD_TO_SIGMA, "half": 0.5, "nothing": 0.0, "no_step": NO_STEP, "tiny": 1e-30}
    whole = {
        "zero": 0, "one": 1, "past": WINDOW - 1, "window_end": WINDOW, "values": 1, "flat": -1,
        "earlier": WINDOW - TAPS - 1, "end": WINDOW - TAPS,
    }  # fmt: skip
    return [
        numpy_helper.from_array(forecast(), "forecast"),
        *(numpy_helper.from_array(np.array(v, np.float32), name) for name, v in floats.items()),
        *(numpy_helper.from_array(np.array([v], np.int64), name) for name, v in whole.items()),
    ]


def _nodes() -> list[Any]:
    from onnx import TensorProto, helper

    def node(op: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(op, inputs, [output], **attributes)

    return [
        # Centre on the past, still in float64.
        node("Slice", ["window", "zero", "past", "values"], "history"),
        node("ReduceMean", ["history"], "level", axes=[1], keepdims=1),
        node("Sub", ["window", "level"], "centred64"),
        node("Cast", ["centred64"], "centred", to=TensorProto.FLOAT),
        # Residuals of the foretold values: (n, WINDOW - TAPS).
        node("MatMul", ["centred", "forecast"], "foretold"),
        node("Abs", ["foretold"], "sizes"),
        node("Slice", ["sizes", "zero", "earlier", "values"], "before"),
        node("Slice", ["sizes", "earlier", "end", "values"], "newest"),
        node("ReduceMean", ["before"], "spread", axes=[1], keepdims=1),
        node("Mul", ["spread", "sigma"], "noise"),
        # The smallest step between neighbours, the newest included: quantised sensors jump by it.
        node("Slice", ["centred", "one", "window_end", "values"], "right"),
        node("Slice", ["centred", "zero", "past", "values"], "left"),
        node("Sub", ["right", "left"], "jumps"),
        node("Abs", ["jumps"], "steps"),
        node("Greater", ["steps", "nothing"], "moved"),
        node("Where", ["moved", "steps", "no_step"], "real_steps"),
        node("ReduceMin", ["real_steps"], "step", axes=[1], keepdims=1),
        node("Mul", ["step", "half"], "half_step"),
        node("Add", ["noise", "half_step"], "scale"),
        node("Max", ["scale", "tiny"], "safe"),
        node("Div", ["newest", "safe"], "score2"),
        node("Reshape", ["score2", "flat"], "score"),
    ]


def reference(windows: "np.ndarray[Any, np.dtype[np.float64]]") -> Any:
    """The same score in numpy float64, for tests: `(n, WINDOW)` → `(n,)`."""
    centred = windows - windows[:, :-1].mean(axis=1, keepdims=True)
    views = np.lib.stride_tricks.sliding_window_view(centred, TAPS + 1, axis=1)
    sizes = np.abs(views @ kernel().reshape(-1).astype(np.float64))
    steps = np.abs(np.diff(centred, axis=1))
    step = np.where(steps > 0, steps, NO_STEP).min(axis=1)
    scale = sizes[:, :-1].mean(axis=1) * MAD_TO_SIGMA + step / 2
    return sizes[:, -1] / np.maximum(scale, 1e-30)
