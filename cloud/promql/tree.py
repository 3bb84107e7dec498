"""Pure: a query as a tree. Times and durations are µs; ``at`` is a node's place in the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cloud.promql.matchers import Matcher

OVER_TIME: Final = frozenset(
    {f"{name}_over_time" for name in ("avg", "min", "max", "sum", "count", "last")}
)
FUNCTIONS: Final = OVER_TIME | {"rate", "increase"}
"""What is asked of a range."""
AGGREGATIONS: Final = frozenset({"sum", "avg", "min", "max", "count"})
ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%", "^"})
COMPARISONS: Final = frozenset({"==", "!=", "<", ">", "<=", ">="})


class Kind(Enum):
    """What a node is evaluated to; the value is what PromQL calls it."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    RANGE = "range vector"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written."""

    value: float
    at: int


@dataclass(frozen=True, slots=True)
class Selector:
    """The series that fulfil all ``matchers``, as of ``offset_us`` before.

    With ``width_us`` it is a range: what they said in so long a time before; 0: the last reading.
    """

    matchers: tuple[Matcher, ...]
    width_us: int
    offset_us: int
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """One of FUNCTIONS of a range."""

    function: str
    of: Selector
    at: int


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One of AGGREGATIONS over series: of those with the same ``labels``, or all but these."""

    operator: str
    of: "Node"
    labels: tuple[str, ...]
    is_without: bool
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic or a comparison; one side at least is a scalar. ``is_bool``: 0 and 1 are told."""

    operator: str
    left: "Node"
    right: "Node"
    is_bool: bool
    at: int


@dataclass(frozen=True, slots=True)
class Negation:
    """A minus before something."""

    of: "Node"
    at: int


Node = Number | Selector | Call | Aggregation | Binary | Negation


def kind_of(node: Node) -> Kind:
    """What it is evaluated to."""
    match node:
        case Number():
            return Kind.SCALAR
        case Selector():
            return Kind.RANGE if node.width_us else Kind.VECTOR
        case Call() | Aggregation():
            return Kind.VECTOR
        case Negation():
            return kind_of(node.of)
        case Binary():
            sides = kind_of(node.left), kind_of(node.right)
            return Kind.VECTOR if Kind.VECTOR in sides else Kind.SCALAR


def selectors(node: Node) -> Sequence[Selector]:
    """All selectors of a query, in its order."""
    match node:
        case Number():
            return ()
        case Selector():
            return (node,)
        case Binary():
            return (*selectors(node.left), *selectors(node.right))
        case _:
            return selectors(node.of)
