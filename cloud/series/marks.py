"""What people say of intervals: fault, maintenance, bad data, with a note and an author.

A mark speaks of some series, or of all series of a device or a gateway, in [from, to). It is never
changed and never deleted: it is withdrawn, and the withdrawal is kept. Marks are few and asked for
with every answer, so all are held in memory; what is written is in the store before it is seen.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol

from cloud.lake.names import Name
from cloud.query.clean import Bad, bad_of

MARKS_MAX: Final = 50_000
"""Marks that one cloud keeps, withdrawn ones too: some 20 MB of memory at the longest notes."""
FOREVER: Final = (-(1 << 63), (1 << 63) - 1)


class MarkKind(Enum):
    """What is said of an interval; the value is its name on the wire and in the store."""

    FAULT = "fault"
    MAINTENANCE = "maintenance"
    BAD = "bad"
    """The readings are wrong: answers can leave them out."""


@dataclass(frozen=True, slots=True)
class Mark:
    """``series`` are the ids it speaks of; if there are none, all of ``device`` or ``gateway``."""

    id: str
    kind: MarkKind
    from_us: int
    to_us: int
    series: tuple[int, ...]
    gateway: str
    device: str
    note: str
    author: str
    created_us: int
    withdrawn_us: int | None = None
    withdrawn_by: str = ""

    def speaks_of(self, name: Name) -> bool:
        """Whether it is about a series."""
        if self.series:
            return name.id in self.series
        return self.gateway == name.gateway and self.device in ("", name.device)

    def says_as(self, other: "Mark") -> bool:
        """Whether both say the same, whenever they were made."""
        return replace(self, created_us=0, withdrawn_us=None, withdrawn_by="") == replace(
            other, created_us=0, withdrawn_us=None, withdrawn_by=""
        )


class Store(Protocol):
    """Where marks are durable: `cloud.registry.registry.Registry`."""

    def marks(self) -> list[Mark]:
        """Every mark."""

    def add_mark(self, mark: Mark) -> None:
        """Keep a new mark, durably."""

    def withdraw_mark(self, mark_id: str, author: str, now_us: int) -> None:
        """Note that a mark holds no more."""


class MarkTaken(Exception):  # noqa: N818 - the caller's fault
    """A mark of this id says something else; the argument is the id."""


class UnknownMark(LookupError):  # noqa: N818 - the caller's fault
    """No mark has this id; the argument is the id."""


class TooManyMarks(Exception):  # noqa: N818 - a state
    """MARKS_MAX are there."""


@dataclass(frozen=True, slots=True)
class _Held:
    """All marks by id, and those that hold by what they speak of."""

    by_id: Mapping[str, Mark]
    of_series: Mapping[int, Sequence[Mark]]
    of_device: Mapping[tuple[str, str], Sequence[Mark]]


class Marks:
    """All marks; any thread may call. StorageError where the store fails: then nothing changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held = _held(store.marks())

    def add(self, mark: Mark) -> Mark:
        """Keep a mark; a repeated one is not kept twice. MarkTaken, TooManyMarks."""
        with self._lock:
            before = self._held.by_id.get(mark.id)
            if before is not None:
                if before.says_as(mark):
                    return before
                raise MarkTaken(mark.id)
            if len(self._held.by_id) >= MARKS_MAX:
                raise TooManyMarks
            self._store.add_mark(mark)
            self._held = _held([*self._held.by_id.values(), mark])
            return mark

    def withdraw(self, mark_id: str, author: str, now_us: int) -> Mark:
        """Let a mark hold no more; a second time changes nothing. UnknownMark."""
        with self._lock:
            mark = self.get(mark_id)
            if mark.withdrawn_us is not None:
                return mark
            self._store.withdraw_mark(mark_id, author, now_us)
            gone = replace(mark, withdrawn_us=now_us, withdrawn_by=author)
            self._held = _held({**self._held.by_id, mark_id: gone}.values())
            return gone

    def get(self, mark_id: str) -> Mark:
        """A mark by its id. UnknownMark."""
        mark = self._held.by_id.get(mark_id)
        if mark is None:
            raise UnknownMark(mark_id)
        return mark

    def all(self) -> list[Mark]:
        """Every mark, those that begin last first, withdrawn ones too."""
        return sorted(self._held.by_id.values(), key=lambda mark: (-mark.from_us, mark.id))

    def of(self, name: Name, from_us: int, to_us: int) -> list[Mark]:
        """Marks that hold, speak of a series and meet [from, to), in order of their beginning."""
        held = self._held
        found = {
            mark.id: mark
            for marks in (
                held.of_series.get(name.id, ()),
                held.of_device.get((name.gateway, name.device), ()),
                held.of_device.get((name.gateway, ""), ()),
            )
            for mark in marks
            if mark.from_us < to_us and mark.to_us > from_us
        }
        return sorted(found.values(), key=lambda mark: (mark.from_us, mark.id))

    def bad(self, name: Name) -> Bad:
        """What of a series is marked as bad."""
        marks = self.of(name, FOREVER[0], FOREVER[1])
        return bad_of((m.from_us, m.to_us) for m in marks if m.kind is MarkKind.BAD)


def _held(marks: Iterable[Mark]) -> _Held:
    by_id = {mark.id: mark for mark in marks}
    of_series: dict[int, list[Mark]] = {}
    of_device: dict[tuple[str, str], list[Mark]] = {}
    for mark in by_id.values():
        if mark.withdrawn_us is not None:
            continue
        for series in mark.series:
            of_series.setdefault(series, []).append(mark)
        if not mark.series:
            of_device.setdefault((mark.gateway, mark.device), []).append(mark)
    return _Held(by_id, of_series, of_device)
