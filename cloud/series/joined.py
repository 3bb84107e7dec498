"""Pure: what the operations make of the stored series: which of them are read as one, when and how.

A *joined series* is named by the id of the stored series that it began with, for ever. It is made
of segments: a stored series in [from, to) of event time, and the line that brings its values to
the joined unit. Every stored series is part of one joined series at most; what of it lies in no
segment is left out of the view, and stays in the tables. Operations are replayed in their order,
without those that were undone; one that cannot be is refused with what stands in its way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from cloud.lake.names import Name
from cloud.series.operation import BEGINNING, END, CannotApply, Operation, OperationKind
from cloud.series.units import IDENTITY, Factor, conversion, misspelt

SEGMENTS_MAX: Final = 100
"""Of one joined series, and stored series in it; a question reads each that meets its range."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stored series in [from, to) µs, measured in ``unit``; ``factor`` makes the joined one."""

    name: Name
    from_us: int
    to_us: int
    unit: str
    factor: Factor = IDENTITY

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the stored series, as it is."""
        whole = self.from_us == BEGINNING and self.to_us == END
        return whole and self.factor.is_identity

    def within(self, from_us: int, to_us: int) -> "Segment | None":
        """What of it lies in [from, to), None when nothing does."""
        low, high = max(self.from_us, from_us), min(self.to_us, to_us)
        return replace(self, from_us=low, to_us=high) if low < high else None


@dataclass(frozen=True, slots=True)
class Joined:
    """One series as it is shown: ``name`` with its root's id, its name now and its unit.

    ``segments`` are in the order of their beginnings; of readings at one time those of the later
    segment stand last. ``members`` are all stored series that are part of it, its root first.
    ``retired_us`` is since when it is retired, ``by`` the operation that says so.
    """

    name: Name
    segments: tuple[Segment, ...]
    members: tuple[Name, ...]
    retired_us: int | None = None
    by: str = ""

    @property
    def is_stored(self) -> bool:
        """Whether it is one stored series, all of it, as it is."""
        own = self.segments
        return len(own) == 1 and own[0].is_whole and own[0].name.id == self.name.id


@dataclass(frozen=True, slots=True)
class Resolver:
    """All that operations touched: ``joined`` by root, ``roots`` of each stored series in them."""

    joined: Mapping[int, Joined] = field(default_factory=lambda: MappingProxyType({}))
    roots: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    def root(self, series: int) -> int:
        """The id of the joined series that a stored one is part of; its own where it is in none."""
        return self.roots.get(series, series)

    def of(self, series: int) -> Joined | None:
        """The joined series of this id or with this part, None where no operation touched it."""
        return self.joined.get(self.root(series))


NOTHING_JOINED: Final = Resolver()


def alone(name: Name) -> Joined:
    """A stored series that no operation touched."""
    return Joined(name, (Segment(name, BEGINNING, END, name.unit),), (name,))


def resolve(operations: Sequence[Operation]) -> Resolver:
    """What the operations make, in their order. CannotApply for the first that cannot be."""
    undone = undone_of(operations)
    joined: dict[int, Joined] = {}
    roots: dict[int, int] = {}
    for each in operations:
        if each.id in undone or each.kind is OperationKind.UNDO:
            continue
        try:
            _apply(joined, roots, each)
        except CannotApply as error:
            raise CannotApply(error.cause, error.hint, each.id) from error
    return Resolver(MappingProxyType(joined), MappingProxyType(roots))


def applied(before: Resolver, operation: Operation) -> Resolver:
    """What one more operation makes, which is no undo: `resolve` of all. CannotApply."""
    joined, roots = dict(before.joined), dict(before.roots)
    try:
        _apply(joined, roots, operation)
    except CannotApply as error:
        raise CannotApply(error.cause, error.hint, operation.id) from error
    return Resolver(MappingProxyType(joined), MappingProxyType(roots))


def undone_of(operations: Sequence[Operation]) -> frozenset[str]:
    """Which operations count no more. CannotApply for an undo of what is not there to be undone."""
    places = {each.id: place for place, each in enumerate(operations)}
    undone: set[str] = set()
    by: dict[str, str] = {}
    for place in range(len(operations) - 1, -1, -1):
        each = operations[place]
        if each.kind is not OperationKind.UNDO or each.id in undone:
            continue
        if places.get(each.target, place) >= place:
            hint = "the log names them all"
            raise CannotApply(f"there is no operation {each.target}", hint, each.id)
        if each.target in undone:
            cause, hint = (
                f"{each.target} is undone already",
                f"undo {each.id} to let it count again",
            )
            raise CannotApply(cause, hint, by[each.target])  # of two the later one is too much
        undone.add(each.target)
        by[each.target] = each.id
    return frozenset(undone)


def _apply(joined: dict[int, Joined], roots: dict[int, int], each: Operation) -> None:
    named = {name.id: name for name in each.names}
    root = roots.get(each.series, each.series)
    own = joined.get(root) or alone(named[root])
    if own.retired_us is not None:
        cause = f"{_shown(own)} is retired"
        raise CannotApply(cause, f"undo {own.by} first")
    match each.kind:
        case OperationKind.RENAME:
            made = _renamed(own, each)
        case OperationKind.REPLACE | OperationKind.MERGE:
            other_root = roots.get(each.other, each.other)
            if other_root == root:
                cause = f"both are one series already: {_shown(own)}"
                raise CannotApply(cause, "`series show` tells what it is made of")
            other = joined.pop(other_root, None) or alone(named[other_root])
            made = _with(own, other, each)
            roots |= dict.fromkeys((name.id for name in other.members), root)
        case OperationKind.UNIT:
            made = _in_unit(own, each)
        case OperationKind.MEASURED:
            made = _measured(own, each)
        case _:
            made = replace(own, retired_us=each.from_us, by=each.id)
    if max(len(made.segments), len(made.members)) > SEGMENTS_MAX:
        cause = f"{_shown(own)} would be made of too many stored series or stretches"
        raise CannotApply(cause, f"{SEGMENTS_MAX} are allowed")
    if not all(segment.factor.is_usable for segment in made.segments):
        raise CannotApply("the conversions make a number too long", "use plainer factors")
    joined[root] = made
    roots |= dict.fromkeys((name.id for name in made.members), root)


def _renamed(own: Joined, each: Operation) -> Joined:
    name = replace(
        own.name, device=each.device or own.name.device, metric=each.metric or own.name.metric
    )
    if name == own.name:
        raise CannotApply(f"it is called {_shown(own)} already", "name another")
    return replace(own, name=name)


def _with(own: Joined, other: Joined, each: Operation) -> Joined:
    """Both as one: ``other`` from the seam on (replace), or beside it (merge)."""
    if other.retired_us is not None:
        raise CannotApply(f"{_shown(other)} is retired", f"undo {other.by} first")
    if own.name.kind != other.name.kind:
        cause = f"{_shown(own)} and {_shown(other)} are of different kinds"
        raise CannotApply(cause, "a gauge, a counter and a state are no one series")
    kept = own.segments
    if each.kind is OperationKind.REPLACE:
        kept = _until(own, each.from_us)
    factor = _factor(each, other.name.unit, own.name.unit)
    added = [
        replace(part, factor=part.factor.then(factor))
        for segment in other.segments
        if (part := segment.within(each.from_us, each.to_us)) is not None
    ]
    if not added:
        raise CannotApply(f"nothing of {_shown(other)} lies there", "choose other times")
    segments = sorted((*kept, *added), key=lambda segment: segment.from_us)
    return replace(own, segments=tuple(segments), members=(*own.members, *other.members))


def _until(own: Joined, seam_us: int) -> tuple[Segment, ...]:
    """What stays of a series that is replaced at a time behind all its other seams."""
    last = max(segment.from_us for segment in own.segments)
    if seam_us <= last:
        since = "the beginning" if last == BEGINNING else f"{last} µs"
        cause = f"{_shown(own)} has a stretch of its own since {since}"
        raise CannotApply(cause, "replace it at a later time, or undo what began there")
    found = (segment.within(BEGINNING, seam_us) for segment in own.segments)
    return tuple(segment for segment in found if segment is not None)


def _in_unit(own: Joined, each: Operation) -> Joined:
    if each.unit == own.name.unit:
        raise CannotApply(f"{_shown(own)} is shown in that unit already", "name another")
    factor = _factor(each, own.name.unit, each.unit)
    segments = (replace(segment, factor=segment.factor.then(factor)) for segment in own.segments)
    return replace(own, name=replace(own.name, unit=each.unit), segments=tuple(segments))


def _measured(own: Joined, each: Operation) -> Joined:
    """The stretches that meet [from, to) cut there, and read in the unit they are said to be in."""
    unit = own.name.unit
    if not unit and each.factor is None:
        if each.from_us > BEGINNING or each.to_us < END:
            cause = f"{_shown(own)} has no unit, and would have one for a part of it alone"
            raise CannotApply(cause, "say first in which unit all of it is, then of which part not")
        unit = each.unit
    factor = _factor(each, each.unit, unit)
    segments: list[Segment] = []
    for segment in own.segments:
        inside = segment.within(each.from_us, each.to_us)
        if inside is None:
            segments.append(segment)
            continue
        before = segment.within(BEGINNING, each.from_us) if each.from_us > BEGINNING else None
        after = segment.within(each.to_us, END) if each.to_us < END else None
        inside = replace(inside, unit=each.unit, factor=factor)
        segments += [part for part in (before, inside, after) if part is not None]
    if tuple(segments) == own.segments and unit == own.name.unit:
        raise CannotApply("that is how it is read already", "nothing needs to be done")
    segments.sort(key=lambda segment: segment.from_us)
    return replace(own, name=replace(own.name, unit=unit), segments=tuple(segments))


def _factor(each: Operation, unit: str, to: str) -> Factor:
    """From one unit to another, by the operator's word where there is one."""
    if each.factor is None:
        found = conversion(unit, to)
        if found is None:
            cause = f"{_unit(unit)} and {_unit(to)} are not known to be of one quantity"
            near, hint = misspelt(to), "give scale and offset if one becomes the other"
            raise CannotApply(cause, f"did you mean {near}? Otherwise {hint}" if near else hint)
        return found
    before, after = conversion(unit, each.between[0]), conversion(each.between[1], to)
    if before is None or after is None:
        cause = f"its factor is for {_unit(each.between[0])} to {_unit(each.between[1])}"
        raise CannotApply(cause, f"now it is {_unit(unit)} to {_unit(to)}")
    return before.then(each.factor).then(after)


def _unit(unit: str) -> str:
    return unit or "no unit"


def _shown(own: Joined) -> str:
    return f"{own.name.device}/{own.name.metric} ({own.name.id:016x})"
