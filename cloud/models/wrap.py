"""Any ONNX graph of a foreign exporter as one that gateways take: names, types and shapes mapped.

In front goes what makes a gateway's float64 windows what the graph wants: a cast, and a shape
without or with more axes. Behind goes what makes a score of what it gives: one output, one column
of it, or the difference of a reconstruction from what was reconstructed; turned round and shifted
if larger is not stranger there. Preprocessing of its own the graph keeps. Functions are inlined and
weights kept inside; what cannot be a gateway's graph is refused with what a gateway would say.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, Any, Final

from protos.graph_rules import SCORE, graph_problem, input_shape
from protos.model import GRAPH_BYTES_MAX, Manifest, PackageError

if TYPE_CHECKING:
    import onnx

PREFIX: Final = "wrapped/"
"""Before every name of the foreign graph, so that none is one of ours."""
AXES_ARE_INPUTS: Final = 18
"""The opset from which ReduceMean takes its axes as an input."""


class Meaning(StrEnum):
    """What an output is, and so how it becomes a score."""

    PLAIN = "plain"  # larger is stranger
    NEGATED = "negated"  # larger is usual, as scikit-learn's decision functions
    SIZE = "size"  # far from zero is strange
    RECONSTRUCTION = "reconstruction"  # of the input: the mean squared difference is the score


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a foreign graph is read.

    ``input`` and ``output`` are names, empty for the only one; ``column`` is which of several an
    output has for each window; ``offset`` is added to the score.
    """

    input: str = ""
    output: str = ""
    column: int | None = None
    meaning: Meaning = Meaning.PLAIN
    offset: float = 0.0


def wrap(graph: bytes, manifest: Manifest, mapping: Mapping, name: str = "") -> bytes:
    """The graph that a gateway takes; ``name`` is what errors call the foreign one.

    Raises:
        PackageError: it is no ONNX file, an input or output cannot be mapped, or a gateway would
            refuse it.
    """
    what = f"wrap the ONNX model {name}".rstrip()
    if len(graph) > GRAPH_BYTES_MAX:
        why = f"it has {len(graph)} bytes, {GRAPH_BYTES_MAX} are allowed"
        raise PackageError(what, why, "make a smaller model")
    made = _Wrapping(_read(graph, what), manifest, mapping, what).made()
    data: bytes = made.SerializeToString(deterministic=True)
    problem = graph_problem(data, manifest)
    if problem:
        raise PackageError(what, *problem)
    return data


def window_of(graph: bytes, mapping: Mapping, name: str = "") -> int:
    """The window that a graph's input was declared with; PackageError when it says none."""
    what = f"read the window of the ONNX model {name}".rstrip()
    shape = _shape(_one(_inputs(_read(graph, what)), mapping.input, "input", what))
    if len(shape) < 2 or shape[1] < 1:
        raise PackageError(what, "its input declares none", "give --window")
    return shape[1]


def _read(graph: bytes, what: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import inliner

    try:
        model = onnx.load_model_from_string(graph)
    except DecodeError as error:
        raise PackageError(what, "it is no ONNX file", "export it again") from error
    if not model.graph.node:
        raise PackageError(what, "it holds no graph", "export it again")
    if any(weight.data_location for weight in model.graph.initializer):
        hint = "export it with its weights inside (PyTorch: external_data=False)"
        raise PackageError(what, "its weights lie in another file", hint)
    return inliner.inline_local_functions(model) if model.functions else model


def _inputs(model: Any) -> list[Any]:
    weights = {one.name for one in model.graph.initializer}
    return [one for one in model.graph.input if one.name not in weights]


def _one(values: list[Any], name: str, role: str, what: str) -> Any:
    """The value of that name, or the only one."""
    names = [one.name for one in values]
    option = f"--{role}"
    if not name and len(values) == 1:
        return values[0]
    if name not in names:
        why = f"it has no {role} {name!r}" if name else f"it has {len(names)} {role}s"
        hint = f"name one of {', '.join(names[:16])} with {option}" if names else "export it again"
        raise PackageError(what, why, hint)
    return values[names.index(name)]


def _shape(value: Any) -> list[int]:
    dimensions = value.type.tensor_type.shape.dim
    return [one.dim_value if one.HasField("dim_value") else -1 for one in dimensions]


class _Wrapping:
    """One foreign graph, and what is put around it."""

    def __init__(self, model: Any, manifest: Manifest, mapping: Mapping, what: str) -> None:
        self.manifest, self.mapping, self.what = manifest, mapping, what
        self.input = _one(_inputs(model), mapping.input, "input", what).name
        self.output = _one(list(model.graph.output), mapping.output, "output", what).name
        if len(_inputs(model)) > 1:
            names = [one.name for one in _inputs(model) if one.name != self.input]
            raise PackageError(what, f"it wants {names} as well", "a gateway gives windows alone")
        self.opset = max([one.version for one in model.opset_import if not one.domain], default=0)
        self.model = self._named_apart(model)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def _named_apart(self, model: Any) -> Any:
        from onnx import compose

        return compose.add_prefix(model, PREFIX)

    def made(self) -> Any:
        """The whole graph."""
        from onnx import TensorProto, helper

        inner = self.model.graph
        given = next(one for one in inner.input if one.name == PREFIX + self.input)
        gives = next(one for one in inner.output if one.name == PREFIX + self.output)
        ours = self.manifest.takes.input_name
        values = self._front(given, ours)
        before, self.nodes = self.nodes, []
        self._behind(gives, values)
        for node in inner.node:  # exporters note there in which folders they ran
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
        shape: list[Any] = ["n", *input_shape(self.manifest)[1:]]
        graph = helper.make_graph(
            [*before, *inner.node, *self.nodes],
            "wrapped",
            [helper.make_tensor_value_info(ours, TensorProto.DOUBLE, shape)],
            [helper.make_tensor_value_info(SCORE, TensorProto.DOUBLE, ["n"])],
            [*inner.initializer, *self.weights],
            sparse_initializer=inner.sparse_initializer,
        )
        return helper.make_model(
            graph,
            opset_imports=self.model.opset_import,
            ir_version=self.model.ir_version,
            producer_name=self.model.producer_name,
        )

    def _front(self, given: Any, ours: str) -> str:
        """Nodes that make the foreign input; gives the name of it as the graph takes it."""
        from onnx import TensorProto

        kind, wanted = given.type.tensor_type.elem_type, _shape(given)
        if kind not in (TensorProto.FLOAT, TensorProto.DOUBLE):
            why = f"its input {self.input!r} is neither of float32 nor of float64"
            raise PackageError(self.what, why, "export it with an input of numbers")
        have = list(input_shape(self.manifest)[1:])
        inner = self._inner_shape(wanted, have)
        name = self._op("Cast", [ours], to=kind)
        if inner == have:
            return self._op("Identity", [name], given.name)
        return self._op("Reshape", [name, self._numbers([-1, *inner])], given.name)

    def _inner_shape(self, wanted: list[int], have: list[int]) -> list[int]:
        """What the foreign input's shape is for a window, its first axis left out."""
        inner = wanted[1:]
        if not wanted:
            return have
        open_axes = inner.count(-1)
        known = prod(size for size in inner if size > 0)
        if open_axes == 1 and prod(have) % known == 0:
            inner[inner.index(-1)] = prod(have) // known
        elif open_axes == len(inner) == len(have):
            inner = have
        if wanted[0] not in (-1, 0) or prod(inner) != prod(have) or not inner:
            why = f"its input {self.input!r} has the shape {wanted}, windows are [-1, "
            why += f"{', '.join(map(str, have))}] (-1 is open)"
            hint = "export it with an open first axis, and give --window and --channel as it is"
            raise PackageError(self.what, why, hint)
        return inner

    def _behind(self, gives: Any, values: str) -> None:
        """Nodes that make `score` of the foreign output."""
        from onnx import TensorProto

        if not gives.type.HasField("tensor_type"):
            why = f"its output {self.output!r} is no tensor"
            raise PackageError(self.what, why, "export without ZipMap, or name another --output")
        score = self._op("Cast", [gives.name], to=TensorProto.DOUBLE)
        if self.mapping.meaning is Meaning.RECONSTRUCTION:
            source = self._op("Cast", [values], to=TensorProto.DOUBLE)
            score = self._distance(score, source)
        else:
            score = self._column(score, _shape(gives))
        if self.mapping.meaning is Meaning.NEGATED:
            score = self._op("Neg", [score])
        elif self.mapping.meaning is Meaning.SIZE:
            score = self._op("Abs", [score])
        self._op("Add", [score, self._number(self.mapping.offset)], SCORE)

    def _column(self, score: str, shape: list[int]) -> str:
        """One number for each window."""
        width = prod(shape[1:]) if len(shape) > 1 else 1
        column = self.mapping.column
        if column is None and width != 1:
            many = "several" if width < 0 else str(width)
            why = f"its output {self.output!r} gives {many} values for a window, shape {shape}"
            raise PackageError(
                self.what, why, "choose one with --column, or --score reconstruction"
            )
        if column is not None:
            if len(shape) != 2 or not 0 <= column < max(width, 1 if width > 0 else column + 1):
                why = f"its output {self.output!r} of shape {shape} has no column {column}"
                raise PackageError(self.what, why, "columns count from 0")
            score = self._op("Gather", [score, self._numbers(column)], axis=1)
        return self._op("Reshape", [score, self._numbers([-1])])

    def _distance(self, score: str, source: str) -> str:
        """The mean squared difference of two of one size, for each window.

        An output of other axes is laid on the input as it lies in memory: skl2onnx gives what a
        network makes of several windows as one column.
        """
        flat = self._op("Reshape", [source, self._numbers([0, -1])])
        like = self._op("Reshape", [score, self._op("Shape", [flat])])
        off = self._op("Sub", [like, flat])
        squares = self._op("Mul", [off, off])
        if self.opset >= AXES_ARE_INPUTS:
            return self._op("ReduceMean", [squares, self._numbers([1])], keepdims=0)
        return self._op("ReduceMean", [squares], axes=[1], keepdims=0)

    def _op(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or f"ours/{len(self.nodes)}/{kind}/{len(self.weights)}/{inputs[0]}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _numbers(self, content: Any) -> str:
        return self._weight(content, "int64")

    def _number(self, content: float) -> str:
        return self._weight(content, "float64")

    def _weight(self, content: Any, kind: str) -> str:
        import numpy as np
        from onnx import numpy_helper

        name = f"ours/{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(content, kind), name))
        return name
