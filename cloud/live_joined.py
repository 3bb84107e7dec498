"""The book as it is shown: joined series in place of the stored ones that they are made of.

Counts are those of the stored series, whole. The latest reading is that of the joined series: of
the last segment that has one, in the joined unit. Only where a stored series went on behind the
end of its last segment must it be looked up in history, once for each count of its readings.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.joined import Joined, Resolver, Segment
from cloud.lake_names import Name
from cloud.live_series import Known, SeriesBook

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

    ``places`` are those of the members of each, ``at`` those of each one's segments (−1: none).
    """

    size: int
    kept: NDArray[np.int64]
    names: Sequence[Name]
    joined: Sequence[Joined]
    places: Sequence[NDArray[np.int64]]
    at: Sequence[NDArray[np.int64]]


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
        if not plan.joined:
            return known
        rows = [self._row(known, plan, i) for i in range(len(plan.joined))]
        columns = {}
        for column in ("readings", "anomalies", "first_ts", "last_ts", "last_value",
                       "last_text", "last_quality"):  # fmt: skip
            held: NDArray[Any] = getattr(known, column)
            more = np.empty(len(rows), held.dtype)
            for i, row in enumerate(rows):
                more[i] = row[column]
            columns[column] = np.concatenate([held[plan.kept], more])
        return Known(plan.names, **columns)

    def _of(self, known: Known) -> _Plan:
        plan = self._plan
        if plan is None or plan.size != len(known.names):
            plan = self._plan = _plan(known.names, self.resolver)
        return plan

    def _row(self, known: Known, plan: _Plan, i: int) -> Mapping[str, Any]:
        joined, places = plan.joined[i], plan.places[i]
        last = self._last(known, joined, plan.at[i].tolist())
        blank = last is None
        return {
            "readings": known.readings[places].sum(),
            "anomalies": known.anomalies[places].sum(),
            "first_ts": _first(known, joined, plan.at[i].tolist()),
            "last_ts": _INT64.min if last is None else last.ts,
            "last_value": np.nan if last is None else last.value,
            "last_text": None if blank else last.text,  # type: ignore[union-attr]
            "last_quality": 0 if last is None else last.quality,
        }

    def _last(self, known: Known, joined: Joined, at: Sequence[int]) -> Said | None:
        """The newest reading of all segments, in the joined unit."""
        best: tuple[Said, Segment] | None = None
        for segment, place in sorted(
            zip(joined.segments, at, strict=True), key=lambda pair: -pair[0].to_us
        ):
            later = best is not None and best[0].ts >= segment.to_us
            if place < 0 or later or known.first_ts[place] >= segment.to_us:
                continue
            said = self._said(known, place, segment)
            if said is not None and (best is None or _newer(joined, (said, segment), best)):
                best = said, segment
        if best is None:
            return None
        value = best[1].factor.of(np.array([best[0].value]))
        return replace(best[0], value=float(value[0]))

    def _said(self, known: Known, place: int, segment: Segment) -> Said | None:
        last_ts = int(known.last_ts[place])
        if not known.readings[place] or last_ts < segment.from_us:
            return None
        if last_ts < segment.to_us:
            text, quality = known.last_text[place], int(known.last_quality[place])
            return Said(last_ts, float(known.last_value[place]), text, quality)
        return self._look_up(segment, int(known.readings[place]))

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


def _newer(joined: Joined, one: tuple[Said, Segment], other: tuple[Said, Segment]) -> bool:
    """Whether it stands behind the other: at one time by the order of their segments."""
    order = joined.segments.index(one[1]), joined.segments.index(other[1])
    return (one[0].ts, order[0]) > (other[0].ts, order[1])


def _first(known: Known, joined: Joined, at: Sequence[int]) -> int:
    """No reading is before it; the time of the first where no seam cuts its stored series."""
    found = [
        max(int(known.first_ts[place]), segment.from_us)
        for segment, place in zip(joined.segments, at, strict=True)
        if place >= 0
        and known.first_ts[place] < segment.to_us
        and known.last_ts[place] >= segment.from_us
    ]
    return min(found, default=int(_INT64.max))


def _plan(names: Sequence[Name], resolver: Resolver) -> _Plan:
    place_of = {name.id: i for i, name in enumerate(names) if name.id in resolver.roots}
    kept = [i for i, name in enumerate(names) if name.id not in resolver.roots]
    joined, places, at = [], [], []
    for each in resolver.joined.values():
        held = [place_of[name.id] for name in each.members if name.id in place_of]
        if held:
            joined.append(each)
            places.append(np.array(held, np.int64))
            at.append(np.array([place_of.get(s.name.id, -1) for s in each.segments], np.int64))
    shown = [*(names[i] for i in kept), *(each.name for each in joined)]
    return _Plan(len(names), np.array(kept, np.int64), shown, joined, places, at)


def _former(resolver: Resolver) -> dict[int, str]:
    """Names under which the parts of each joined series are stored, to be found by."""
    return {
        root: " ".join(f"{n.gateway}/{n.device}/{n.metric} {n.labels}" for n in each.members)
        for root, each in resolver.joined.items()
    }
