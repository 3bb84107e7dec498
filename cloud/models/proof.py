"""The exported graph held to what was fitted: the runtime's scores beside numpy's.

Both work in float64 until the score leaves as float32, which keeps 24 bits: scores may differ by
`RELATIVE` of their size, and near 0 by `ABSOLUTE`. What differs more is not exported.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import TidegateError
from cloud.models.fitted import Fitted
from protos.model import Takes

RELATIVE: Final = 1e-5
ABSOLUTE: Final = 1e-5

F8 = NDArray[np.float64]


class UnequalError(TidegateError):
    """A graph that does not give what was fitted; ours, or the runtime's."""

    exit_code = 70


@dataclass(frozen=True, slots=True)
class Proof:
    """The largest difference of two scores of one window, the bound there, and how many windows."""

    difference: float
    bound: float
    windows: int


def session_of(graph: bytes) -> Any:
    """A session of the runtime, one thread wide, on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def prove(fitted: Fitted) -> Proof:
    """Compare the graph with the fitted function on the windows held out for it.

    Raises:
        UnequalError: they differ by more than the bound, or a score is no finite number.
    """
    name = Takes.WINDOW.input_name if fitted.takes is not Takes.LINE else Takes.LINE.input_name
    told = session_of(fitted.graph).run(["score"], {name: np.ascontiguousarray(fitted.probe)})[0]
    return compared(np.asarray(told, np.float64), fitted.score(fitted.probe))


def compared(exported: F8, trained: F8) -> Proof:
    """The proof of two columns of scores. UnequalError as `prove`."""
    tried = "prove the exported model equal to the trained one"
    if exported.shape != trained.shape or not len(trained):
        cause = f"{len(trained)} windows gave scores of shape {exported.shape}"
        raise UnequalError(tried, cause, "nothing was kept; this is a fault of ours")
    if not (np.isfinite(exported).all() and np.isfinite(trained).all()):
        cause = "a score on held-out data is no finite number"
        raise UnequalError(tried, cause, "nothing was kept; look for values without measure")
    differences, bounds = np.abs(exported - trained), ABSOLUTE + RELATIVE * np.abs(trained)
    worst = int(np.argmax(differences / bounds))
    if differences[worst] > bounds[worst]:
        cause = f"scores {exported[worst]:.9g} and {trained[worst]:.9g} of one window differ"
        raise UnequalError(tried, cause, "nothing was kept; this is a fault of ours")
    return Proof(float(differences.max()), float(bounds[worst]), len(trained))
