"""PromQL by plain loops over lists of readings, one series and one time after another."""

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial

from cloud.promql.labels import NAME
from cloud.promql.tree import Aggregation, Binary, Call, Negation, Node, Number, Selector

Reading = tuple[int, float]
Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]


class NaiveModel:
    """``series`` are readings in order of time; ``stale_us`` is when the last one is no answer.

    That is by series, or for all the same.
    """

    def __init__(
        self, series: Mapping[Labels, Sequence[Reading]], stale_us: int | Mapping[Labels, int]
    ) -> None:
        of_all = stale_us if isinstance(stale_us, int) else 0
        self.series = series
        self._stale = dict.fromkeys(series, of_all) if of_all else stale_us

    def at(self, node: Node, at_us: int) -> Vector | float:
        """What a query is at one time."""
        match node:
            case Number():
                return node.value
            case Selector():
                return self._each(node, partial(self._last, at_us - node.offset_us))
            case Call():
                found = self._each(node.of, partial(self._over, node, at_us))
                return found if node.function == "last_over_time" else nameless(found)
            case Aggregation():
                return _aggregated(node, self.at(node.of, at_us))
            case Negation():
                of = self.at(node.of, at_us)
                return nameless({k: -v for k, v in of.items()}) if isinstance(of, dict) else -of
            case Binary():
                return _binary(node, self.at(node.left, at_us), self.at(node.right, at_us))

    def _each(self, selector: Selector, of) -> Vector:
        found = {}
        for labels, rows in self.series.items():
            held = dict(labels)
            if all(each.accepts([held.get(each.label, "")])[0] for each in selector.matchers):
                value = of([row for row in rows if _is_number(row[1])], self._stale[labels])
                if value is not None:
                    found[labels] = value
        return found

    def _last(self, at_us: int, rows: Sequence[Reading], stale_us: int) -> float | None:
        until = [row for row in rows if row[0] <= at_us]
        return until[-1][1] if until and at_us - until[-1][0] < stale_us else None

    def _over(self, node: Call, at_us: int, rows: Sequence[Reading], stale_us: int) -> float | None:
        end = at_us - node.of.offset_us
        start = end - node.of.width_us
        inside = [value for ts, value in rows if start <= ts < end]
        if node.function in ("rate", "increase"):
            rise = self._rise(rows, inside, start, stale_us)
            if rise is None or node.function == "increase":
                return rise
            return rise / (node.of.width_us / 1e6)
        if not inside:
            return None
        return {
            "avg_over_time": sum(inside) / len(inside), "sum_over_time": sum(inside),
            "min_over_time": min(inside), "max_over_time": max(inside),
            "count_over_time": float(len(inside)), "last_over_time": inside[-1],
        }[node.function]  # fmt: skip

    def _rise(
        self, rows: Sequence[Reading], inside: Sequence[float], start: int, stale_us: int
    ) -> float | None:
        before = [row for row in rows if row[0] < start]
        known = [before[-1][1]] if before and start - before[-1][0] < stale_us else []
        steps = [*known, *inside] if inside else []
        if len(steps) < 2:
            return None
        return sum(b - a if b >= a else b for a, b in itertools.pairwise(steps))


def _is_number(value: float | str) -> bool:
    return not isinstance(value, str) and not math.isnan(value)


def nameless(vector: Vector) -> Vector:
    return {tuple(p for p in labels if p[0] != NAME): v for labels, v in vector.items()}


def _aggregated(node: Aggregation, of: Vector) -> Vector:
    groups: dict[Labels, list[float]] = {}
    for labels, value in of.items():
        kept = tuple(
            pair for pair in sorted(labels)
            if (pair[0] not in (*node.labels, NAME) if node.is_without else pair[0] in node.labels)
        )  # fmt: skip
        groups.setdefault(kept, []).append(value)
    of_group = {"sum": sum, "min": min, "max": max, "count": len, "avg": _mean}[node.operator]
    return {labels: float(of_group(values)) for labels, values in groups.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _binary(node: Binary, left: Vector | float, right: Vector | float) -> Vector | float:
    if isinstance(left, dict):
        found = {k: _one(node.operator, v, right) for k, v in left.items()}
    elif isinstance(right, dict):
        found = {k: _one(node.operator, left, v) for k, v in right.items()}
    else:
        return float(_one(node.operator, left, right))
    vector = left if isinstance(left, dict) else right
    if node.operator in ("+", "-", "*", "/", "%", "^") or node.is_bool:
        return nameless({k: float(v) for k, v in found.items()})
    return {k: vector[k] for k, holds in found.items() if holds}


def _one(operator: str, a: float, b: float) -> float | bool:
    match operator:
        case "/":
            return (
                a / b if b else math.nan if not a or math.isnan(a) else math.copysign(math.inf, a)
            )
        case "%":
            return math.fmod(a, b) if b else math.nan
        case _:
            return {
                "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "^": lambda: a**b,
                "==": lambda: a == b, "!=": lambda: a != b, "<": lambda: a < b,
                ">": lambda: a > b, "<=": lambda: a <= b, ">=": lambda: a >= b,
            }[operator]()  # fmt: skip
