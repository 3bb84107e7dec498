"""The book as it is shown: joined series in place of the stored ones that they are made of.

Counts are those of the stored series, whole. The latest reading is that of the joined series: of
the last segment that has one, in the joined unit. Only where a stored series went on behind the
end of its last segment must it be looked up in history, once for each count of its readings.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.live.series import NEVER, Known, SeriesBook
from cloud.series.joined import Joined, Resolver, Segment

LOOKED_UP_MAX: Final = 10_000
"""Latest readings before a seam that are remembered."""
_INT64: Final = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Said:
    """A reading as it is stored: time, number, text, quality of its time."""

    ts: int
    value: float
    text: str | None
    quality: int


LastOf = Callable[[Segment], Said | None]
"""The last reading of a segment; None where it has none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Which places of a book stay as they are, and where those of each joined series stand.

    ``part`` and ``part_of`` are the place of each stored series, and which joined one it is of;
    of each segment there are ``place`` (−1 where its series is not in the book), ``of`` which it
    is, ``start``, ``end`` and the ``line`` to the joined unit (`Factor.floats`).
    """

    size: int
    kept: NDArray[np.int64]
    names: Sequence[Name]
    rows: int
    part: NDArray[np.int64]
    part_of: NDArray[np.int64]
    segments: Sequence[Segment]
    place: NDArray[np.int64]
    of: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    line: NDArray[np.float64]


class JoinedBook:
    """Shows one book through one resolver; any thread may ask."""

    def __init__(self, book: SeriesBook, resolver: Resolver, last_of: LastOf) -> None:
        self.resolver = resolver
        self.stored = book
        self.former = _former(resolver)
        self._last_of = last_of
        self._plan: _Plan | None = None
        self._lock = threading.Lock()
        self._looked_up: OrderedDict[Segment, tuple[int, Said | None]] = OrderedDict()

    def name(self, series: int) -> Name | None:
        """The shown name of the series of this id, or with this part; None when there is none."""
        joined = self.resolver.of(series)
        return joined.name if joined is not None else self.stored.name(series)

    def ids(self, series: Sequence[int]) -> tuple[int, ...]:
        """The ids of the shown series that these name or are part of, each once."""
        return tuple(dict.fromkeys(self.resolver.root(each) for each in series))

    def parts(self, name: Name) -> tuple[Name, ...]:
        """The stored series that a shown one is made of."""
        joined = self.resolver.of(name.id)
        return joined.members if joined is not None else (name,)

    def segments(self, name: Name) -> tuple[Segment, ...]:
        """The segments of a series that operations touched, none of others."""
        joined = self.resolver.of(name.id)
        return joined.segments if joined is not None else ()

    def retired(self) -> frozenset[int]:
        """The ids of series that ended."""
        held = self.resolver.joined.items()
        return frozenset(root for root, each in held if each.retired_us is not None)

    def known(self) -> Known:
        """A copy of everything, as `SeriesBook.known` tells it."""
        known = self.stored.known()
        if not self.resolver.joined:
            return known
        plan = self._of(known)
        if not plan.rows:
            return known
        columns = {
            name: np.concatenate([getattr(known, name)[plan.kept], made])
            for name, made in self._made(known, plan).items()
        }
        return Known(plan.names, **columns)

    def _of(self, known: Known) -> _Plan:
        plan = self._plan
        if plan is None or plan.size != len(known.names):
            plan = self._plan = _plan(known.names, self.resolver)
        return plan

    def _made(self, known: Known, plan: _Plan) -> dict[str, NDArray[Any]]:
        """The columns of the joined series, a row each."""
        count, anomalies = np.zeros(plan.rows, np.int64), np.zeros(plan.rows, np.int64)
        np.add.at(count, plan.part_of, known.readings[plan.part])
        np.add.at(anomalies, plan.part_of, known.anomalies[plan.part])
        there = (plan.place >= 0) & (known.readings[plan.place] > 0)
        first, last = known.first_ts[plan.place], known.last_ts[plan.place]
        meets = there & (first < plan.end) & (last >= plan.start)
        first_ts = np.full(plan.rows, _INT64.max, np.int64)
        np.minimum.at(first_ts, plan.of[meets], np.maximum(first, plan.start)[meets])
        best = _newest(plan, last, meets & (last < plan.end))
        last_ts = np.where(best >= 0, last[best], NEVER)
        value, text = known.last_value[plan.place[best]], known.last_text[plan.place[best]].copy()
        quality = known.last_quality[plan.place[best]].copy()
        text[best < 0], quality[best < 0] = None, 0
        for at in _cut(plan, meets & (last >= plan.end)):
            row = int(plan.of[at])
            if last_ts[row] >= plan.end[at]:
                continue
            said = self._look_up(plan.segments[at], int(known.readings[plan.place[at]]))
            if said is not None and (said.ts, at) > (int(last_ts[row]), int(best[row])):
                best[row], last_ts[row] = at, said.ts
                value[row], text[row], quality[row] = said.value, said.text, said.quality
        return {
            "readings": count, "anomalies": anomalies, "first_ts": first_ts, "last_ts": last_ts,
            "last_value": _in_unit(plan, best, value), "last_text": text, "last_quality": quality,
        }  # fmt: skip

    def _look_up(self, segment: Segment, readings: int) -> Said | None:
        with self._lock:
            held = self._looked_up.get(segment)
            if held is not None and held[0] == readings:
                return held[1]
        said = self._last_of(segment)
        with self._lock:
            self._looked_up[segment] = readings, said
            while len(self._looked_up) > LOOKED_UP_MAX:
                self._looked_up.popitem(last=False)
        return said


def _newest(plan: _Plan, last: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each joined series the segment of its newest reading, −1 where none is sure to have it.

    At one time it is the later segment's.
    """
    best = np.full(plan.rows, -1, np.int64)
    at = np.flatnonzero(inside)
    order = at[np.argsort(last[at], kind="stable")]
    best[plan.of[order]] = order  # of several the last stands
    return best


def _cut(plan: _Plan, cut: NDArray[np.bool_]) -> list[int]:
    """Segments behind which their stored series goes on, those that end last first."""
    at = np.flatnonzero(cut)
    found: list[int] = at[np.argsort(-plan.end[at], kind="stable")].tolist()
    return found


def _in_unit(
    plan: _Plan, best: NDArray[np.int64], value: NDArray[np.float64]
) -> NDArray[np.float64]:
    up, by, over = plan.line[best].T
    with np.errstate(over="ignore", invalid="ignore"):
        made = np.where((up == over) & (by == 0), value, (value * up + by) / over)
    return np.where(best >= 0, made, np.nan)


def _plan(names: Sequence[Name], resolver: Resolver) -> _Plan:
    place_of = {name.id: i for i, name in enumerate(names) if name.id in resolver.roots}
    kept = [i for i, name in enumerate(names) if name.id not in resolver.roots]
    joined: list[Joined] = []
    part, part_of, of = [], [], []
    segments: list[Segment] = []
    for each in resolver.joined.values():
        held = [place_of[name.id] for name in each.members if name.id in place_of]
        if held:
            part += held
            part_of += [len(joined)] * len(held)
            of += [len(joined)] * len(each.segments)
            segments += each.segments
            joined.append(each)
    shown = [*(names[i] for i in kept), *(each.name for each in joined)]
    return _Plan(
        len(names), np.array(kept, np.int64), shown,
        len(joined), np.array(part, np.int64), np.array(part_of, np.int64), segments,
        np.array([place_of.get(each.name.id, -1) for each in segments], np.int64),
        np.array(of, np.int64), np.array([each.from_us for each in segments], np.int64),
        np.array([each.to_us for each in segments], np.int64),
        np.array([each.factor.floats for each in segments], np.float64).reshape(-1, 3),
    )  # fmt: skip


def _former(resolver: Resolver) -> dict[int, str]:
    """Names under which the parts of each joined series are stored, to be found by."""
    return {
        root: " ".join(f"{n.gateway}/{n.device}/{n.metric} {n.labels}" for n in each.members)
        for root, each in resolver.joined.items()
    }
