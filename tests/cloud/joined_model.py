"""What operations make of four devices' readings, by the words of docs/guide/series.md alone."""

import math
from collections.abc import Sequence
from fractions import Fraction

from cloud.series.joined import undone_of
from cloud.series.operation import BEGINNING, END, Operation, OperationKind

KIND = OperationKind
DEVICES = ("a °C", "b °F", "c °C", "d K")
Part = tuple[str, int, int, str]
"""A device, from, to, and the unit in which it was measured."""


class Model:
    """What each device's series is made of: its parts, its unit, and whether it is retired."""

    def __init__(self, operations: Sequence[Operation], devices: dict[int, str]) -> None:
        self.parts: dict[str, list[Part]] = {
            name: [(name, BEGINNING, END, name.split()[1])] for name in devices.values()
        }
        self.unit = {name: name.split()[1] for name in devices.values()}
        self.root = {name: name for name in devices.values()}
        self.retired: set[str] = set()
        gone = undone_of(operations)
        for each in operations:
            if each.id not in gone and each.kind is not KIND.UNDO:
                self._apply(each, self.root[devices[each.series]], devices.get(each.other, ""))

    def _apply(self, each: Operation, own: str, other: str) -> None:
        parts = self.parts[own]
        if each.kind is KIND.REPLACE:
            parts = _clipped(parts, BEGINNING, each.from_us)
        if each.kind in (KIND.REPLACE, KIND.MERGE):
            second = self.root[other]
            parts = parts + _clipped(self.parts.pop(second), each.from_us, each.to_us)
            self.root |= {name: own for name, root in self.root.items() if root == second}
        if each.kind is KIND.RETIRE:
            self.retired.add(own)
        if each.kind is KIND.UNIT:
            self.unit[own] = each.unit
        if each.kind is KIND.MEASURED:
            said = [
                (*p[:3], each.unit)  # the others are as they were
                for p in _clipped(parts, each.from_us, each.to_us)
            ]
            before, after = (BEGINNING, each.from_us), (each.to_us, END)
            parts = _clipped(parts, *before) + said + _clipped(parts, *after)
        self.parts[own] = sorted(parts, key=lambda part: part[1])

    def rows(self, root: str, sent, bad: tuple[int, int] = (0, 0)) -> list[tuple[int, float]]:
        found = [
            (ts, order, at, _in_unit(value, unit, self.unit[root]))
            for order, (device, start, end, unit) in enumerate(self.parts[root])
            for at, (ts, value) in enumerate(sent[device])
            if start <= ts < end and not bad[0] <= ts < bad[1]
        ]
        return [(row[0], row[3]) for row in sorted(found, key=lambda row: row[:3])]


def _clipped(parts: Sequence[Part], start: int, end: int) -> list[Part]:
    cut = [(p[0], max(p[1], start), min(p[2], end), p[3]) for p in parts]
    return [part for part in cut if part[1] < part[2]]


def _in_unit(value: float, unit: str, to: str) -> float:
    """Rounded once: a counter that stands still must not fall by a last digit."""
    if not math.isfinite(value):
        return value
    first, each = _SCALES[unit]
    origin, one = _SCALES[to]
    return float(((Fraction(value) - first) / each) * one + origin)


_SCALES = {
    "°C": (Fraction(0), Fraction(1)),
    "°F": (Fraction(32), Fraction(9, 5)),
    "K": (Fraction("273.15"), Fraction(1)),
    "Wh": (Fraction(0), Fraction(1)),
    "kWh": (Fraction(0), Fraction(1, 1000)),
    "MJ": (Fraction(0), Fraction(36, 10_000)),
}
"""Of each unit: what it says where the first of its quantity is 0, and by how much it rises."""
