"""Pure: a query evaluated at all its steps at once: a row a series, a column a step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cloud.promql.labels import NAME
from cloud.promql.steps import Steps
from cloud.promql.tree import (
    COMPARISONS,
    Aggregation,
    Binary,
    Call,
    Negation,
    Node,
    Number,
    Selector,
)

Labels = Mapping[str, str]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """``values`` of series, a row each, a column a step, and where there is one (``there``)."""

    labels: Sequence[Labels]
    values: Floats
    there: NDArray[np.bool_]


class Source(Protocol):
    """Where series come from: history, or a model of it."""

    def frame(self, selector: Selector, function: str, steps: Steps) -> Frame:
        """The series of a selector: a function of its range, or the last readings."""


def evaluate(node: Node, steps: Steps, source: Source) -> Frame | Floats:
    """What a query is at each step: a frame of series, or a number a step of a scalar."""
    match node:
        case Number():
            return np.full(steps.count, node.value)
        case Selector():
            return source.frame(node, "", steps)
        case Call():
            found = source.frame(node.of, node.function, steps)
            return found if node.function == "last_over_time" else _nameless(found)
        case Aggregation():
            inside = evaluate(node.of, steps, source)
            assert isinstance(inside, Frame)
            return _aggregated(node, inside)
        case Negation():
            of = evaluate(node.of, steps, source)
            return _with(of, -of.values) if isinstance(of, Frame) else -of
        case Binary():
            left, right = (evaluate(each, steps, source) for each in (node.left, node.right))
            return (
                _compared(node, left, right)
                if node.operator in COMPARISONS
                else _reckoned(node.operator, left, right)
            )


def _nameless(frame: Frame) -> Frame:
    """The same, of no metric: what is reckoned is not what it was reckoned of."""
    labels = [{k: v for k, v in each.items() if k != NAME} for each in frame.labels]
    return Frame(labels, frame.values, frame.there)


def _with(frame: Frame, values: Floats) -> Frame:
    return _nameless(Frame(frame.labels, values, frame.there))


def _reckoned(operator: str, left: Frame | Floats, right: Frame | Floats) -> Frame | Floats:
    with np.errstate(all="ignore"):
        made: Floats = _ARITHMETIC[operator](_values(left), _values(right))
    frame = left if isinstance(left, Frame) else right
    return _with(frame, made) if isinstance(frame, Frame) else made


def _compared(node: Binary, left: Frame | Floats, right: Frame | Floats) -> Frame | Floats:
    """Where it holds: 1 and 0 with `bool`, else the series where it does and nothing elsewhere."""
    holds = _COMPARED[node.operator](_values(left), _values(right))
    frame = left if isinstance(left, Frame) else right
    if not isinstance(frame, Frame):
        found: Floats = holds.astype(np.float64)
        return found
    if node.is_bool:
        return _with(frame, holds.astype(np.float64))
    return Frame(frame.labels, frame.values, frame.there & holds)


def _values(of: Frame | Floats) -> Floats:
    return of.values if isinstance(of, Frame) else of


def _aggregated(node: Aggregation, of: Frame) -> Frame:
    """Groups of series as one each, in order of their labels."""
    keys = [_key(node, labels) for labels in of.labels]
    groups = sorted(set(keys))
    place = {key: at for at, key in enumerate(groups)}
    which = np.array([place[key] for key in keys], np.int64)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(groups)))
    values, there = of.values[order], of.there[order]

    def over(ufunc: np.ufunc, blank: float) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):
            found: Floats = ufunc.reduceat(np.where(there, values, blank), starts, axis=0)
        return found

    if not groups:
        return Frame((), of.values, of.there)
    count = np.add.reduceat(there.astype(np.float64), starts, axis=0)
    match node.operator:
        case "count":
            made = count
        case "min":
            made = over(np.fmin, np.nan)
        case "max":
            made = over(np.fmax, np.nan)
        case "sum":
            made = over(np.add, 0.0)
        case _:
            made = over(np.add, 0.0) / np.maximum(count, 1)
    return Frame([dict(key) for key in groups], made, count > 0)


def _key(node: Aggregation, labels: Labels) -> tuple[tuple[str, str], ...]:
    kept = (
        each for each in labels.items()
        if (each[0] not in node.labels and each[0] != NAME if node.is_without
            else each[0] in node.labels)
    )  # fmt: skip
    return tuple(sorted(kept))


_Reckon = Callable[[Floats, Floats], Any]
_ARITHMETIC: Final[Mapping[str, _Reckon]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod, "^": np.power,
}  # fmt: skip
_COMPARED: Final[Mapping[str, _Reckon]] = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, ">": np.greater,
    "<=": np.less_equal, ">=": np.greater_equal,
}  # fmt: skip
