"""Pure: what an ONNX file holds, read from its bytes without making anything of it.

An ONNX file is one protobuf message (`onnx.proto` of the ONNX project names the fields; the
encoding is protobuf's: a key of field number and wire type, then a number, eight bytes, a length
and that many bytes, or four bytes). Only what decides about safety is read. Protobuf lets a field
come twice and merges: here everything that is met counts, so nothing hides behind a second one.
Groups, which ONNX does not have, are refused, and so is what nests or counts beyond bounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

FIELDS_MAX: Final = 400_000
"""Fields looked at in one file: a second or two of work. Weights are one field each."""
DEPTH_MAX: Final = 8
"""Graphs within graphs, as the bodies of Loop and If are."""
NAME_CHARS_MAX: Final = 200

FLOAT: Final = 1
DOUBLE: Final = 11
_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_EXTERNAL: Final = 1

# Field numbers of onnx.proto, by message.
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_NODE_OP, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS: Final = (5, 10)
_ATTRIBUTE_GRAPHS: Final = (6, 11)
_ATTRIBUTE_SPARSE: Final = (22, 23)
_TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 8, 13, 14
_SPARSE_TENSORS: Final = (1, 2)
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE = 1, 1, 2
_SHAPE_DIMENSION, _DIMENSION_SIZE = 1, 1
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2


class _Model(IntEnum):
    """Fields of the outermost message."""

    IR = 1
    GRAPH = 7
    OPSET = 8
    TRAINING = 20
    FUNCTION = 25


class WireError(ValueError):
    """Bytes that are no ONNX file, or one beyond the bounds; the message says in what."""


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output: ``element`` is ONNX's number of its type, 0 if it is no tensor.

    ``shape`` has -1 for a dimension that is open; it is None if nothing is said of it.
    """

    name: str
    element: int
    shape: tuple[int, ...] | None


@dataclass(slots=True)
class Facts:
    """What one file holds; all graphs in it are counted together."""

    ir_version: int = 0
    opsets: dict[str, set[int]] = field(default_factory=dict)
    graphs: int = 0
    """The outer one and those within attributes."""
    nodes: int = 0
    operators: set[tuple[str, str]] = field(default_factory=set)
    """Domain and name of each; the domain of ONNX itself is empty."""
    inputs: list[Value] = field(default_factory=list)
    """Of the outer graph, without those that a weight of the same name gives."""
    outputs: list[Value] = field(default_factory=list)
    functions: int = 0
    training: int = 0
    external: list[str] = field(default_factory=list)
    """Names of tensors whose values lie in another file."""


def read_facts(data: bytes) -> Facts:
    """Read what an ONNX file holds.

    Raises:
        WireError: it is no protobuf message, is cut off, has no graph, or is beyond a bound.
    """
    reader = _Reader()
    reader.model(memoryview(data))
    if not reader.facts.graphs:
        raise WireError("it holds no graph: this is no ONNX file")
    return reader.facts


class _Reader:
    """One reading of one file."""

    def __init__(self) -> None:
        self.facts = Facts()
        self._left = FIELDS_MAX

    def model(self, data: memoryview) -> None:
        facts = self.facts
        for number, content in self._fields(data):
            match number:
                case _Model.IR:
                    facts.ir_version = max(facts.ir_version, _as_number(content))
                case _Model.GRAPH:
                    self.graph(_as_bytes(content), 1)
                case _Model.OPSET:
                    self._opset(_as_bytes(content))
                case _Model.TRAINING:
                    facts.training += 1
                case _Model.FUNCTION:
                    facts.functions += 1

    def graph(self, data: memoryview, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise WireError(f"it nests graphs deeper than {DEPTH_MAX}")
        facts = self.facts
        facts.graphs += 1
        weights: set[str] = set()
        inputs: list[Value] = []
        for number, content in self._fields(data):
            if number == _GRAPH_NODE:
                self._node(_as_bytes(content), depth)
            elif number == _GRAPH_TENSOR:
                weights.add(self._tensor(_as_bytes(content)))
            elif number == _GRAPH_SPARSE:
                self._sparse(_as_bytes(content))
            elif number == _GRAPH_INPUT and depth == 1:
                inputs.append(self._value(_as_bytes(content)))
            elif number == _GRAPH_OUTPUT and depth == 1:
                facts.outputs.append(self._value(_as_bytes(content)))
        facts.inputs += [one for one in inputs if one.name not in weights]

    def _node(self, data: memoryview, depth: int) -> None:
        self.facts.nodes += 1
        operator = domain = ""
        for number, content in self._fields(data):
            if number == _NODE_OP:
                operator = _text(content)
            elif number == _NODE_DOMAIN:
                domain = _text(content)
            elif number == _NODE_ATTRIBUTE:
                self._attribute(_as_bytes(content), depth)
        self.facts.operators.add((_domain(domain), operator))

    def _attribute(self, data: memoryview, depth: int) -> None:
        for number, content in self._fields(data):
            if number in _ATTRIBUTE_TENSORS:
                self._tensor(_as_bytes(content))
            elif number in _ATTRIBUTE_SPARSE:
                self._sparse(_as_bytes(content))
            elif number in _ATTRIBUTE_GRAPHS:
                self.graph(_as_bytes(content), depth + 1)

    def _sparse(self, data: memoryview) -> None:
        for number, content in self._fields(data):
            if number in _SPARSE_TENSORS:
                self._tensor(_as_bytes(content))

    def _tensor(self, data: memoryview) -> str:
        name, outside = "", False
        for number, content in self._fields(data):
            if number == _TENSOR_NAME:
                name = _text(content)
            elif number == _TENSOR_EXTERNAL:
                outside = True
            elif number == _TENSOR_LOCATION:
                outside |= _as_number(content) == _EXTERNAL
        if outside:
            self.facts.external.append(name)
        return name

    def _opset(self, data: memoryview) -> None:
        domain, version = "", 0
        for number, content in self._fields(data):
            if number == _OPSET_DOMAIN:
                domain = _text(content)
            elif number == _OPSET_VERSION:
                version = _as_number(content)
        self.facts.opsets.setdefault(_domain(domain), set()).add(version)

    def _value(self, data: memoryview) -> Value:
        name, element, shape = "", 0, None
        for number, content in self._fields(data):
            if number == _VALUE_NAME:
                name = _text(content)
            elif number == _VALUE_TYPE:
                for kind, of in self._fields(_as_bytes(content)):
                    if kind == _TYPE_TENSOR:
                        element, shape = self._tensor_type(_as_bytes(of))
        return Value(name, element, shape)

    def _tensor_type(self, data: memoryview) -> tuple[int, tuple[int, ...] | None]:
        element, shape = 0, None
        for number, content in self._fields(data):
            if number == _TENSOR_ELEMENT:
                element = _as_number(content)
            elif number == _TENSOR_SHAPE:
                found = self._fields(_as_bytes(content))
                shape = tuple(self._size(_as_bytes(d)) for n, d in found if n == _SHAPE_DIMENSION)
        return element, shape

    def _size(self, data: memoryview) -> int:
        for number, content in self._fields(data):
            if number == _DIMENSION_SIZE:
                return _as_number(content)
        return -1

    def _fields(self, data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        """Each field of one message, in order; a number of 4 or 8 bytes is skipped."""
        at, end = 0, len(data)
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise WireError(f"it has more than {FIELDS_MAX} fields")
            key, at = _varint(data, at)
            wire, content = key & 7, 0
            if wire == _NUMBER:
                content, at = _varint(data, at)
                yield key >> 3, content
            elif wire == _BYTES:
                size, at = _varint(data, at)
                if size > end - at:
                    raise WireError("it is cut off")
                yield key >> 3, data[at : at + size]
                at += size
            elif wire in (_EIGHT, _FOUR):
                at += 8 if wire == _EIGHT else 4
            else:
                raise WireError("it is no protobuf message")
        if at > end:
            raise WireError("it is cut off")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError("it is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError("it is no protobuf message")


def _as_bytes(content: int | memoryview) -> memoryview:
    if isinstance(content, int):
        raise WireError("a field is a number where ONNX has a message")
    return content


def _as_number(content: int | memoryview) -> int:
    if not isinstance(content, int):
        raise WireError("a field is a message where ONNX has a number")
    return content


def _text(content: int | memoryview) -> str:
    return bytes(_as_bytes(content)[:NAME_CHARS_MAX]).decode("utf-8", "replace")


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name
