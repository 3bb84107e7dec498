"""Series as operations joined them: what every answer shows, unless it is asked for what is stored.

One stored series is part of one joined series at most, so whatever was told of it (a reading, an
anomaly, a mark) is told of that one: in its unit, if its time lies in a segment, else not at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Final

import numpy as np

from cloud.lake.names import Name
from cloud.live.feed import Event, EventKind
from cloud.live.joined import JoinedBook, Said
from cloud.live.live import Live
from cloud.query import joined as query_joined
from cloud.query.clean import NONE, Bad, bad_of
from cloud.query.history import Ask, Query
from cloud.query.plan import Resolution
from cloud.query.rows import BucketSeries
from cloud.rollup.partials import Partials, take
from cloud.series.joined import NOTHING_JOINED, Joined, Resolver, Segment
from cloud.series.marks import Marks
from cloud.series.operation import BEGINNING, END
from cloud.series.operations import Operations
from cloud.serve import kinds
from cloud.serve.params import Param


class View(Enum):
    """Whether operations count; the value is its name on the wire."""

    JOINED = "joined"
    STORED = "stored"


DAYS_MAX: Final = 10_000
"""Buckets that the end of a segment is looked for in, each a day or more."""
VIEW: Final = Param(
    kinds.one_of(View), "series as operations joined them, or as gateways sent them", View.JOINED
)


class Shown:
    """The newest book through the newest operations; any thread may ask."""

    def __init__(self, operations: Operations, live: Live, query: Query) -> None:
        self._operations = operations
        self._live = live
        self._query = query
        self._books: dict[View, JoinedBook] = {}

    @property
    def resolver(self) -> Resolver:
        """What the operations make now."""
        return self._operations.resolver

    def book(self, view: View = View.JOINED) -> JoinedBook:
        """The book as it is shown; the same as long as nothing but readings comes."""
        resolver = self.resolver if view is View.JOINED else NOTHING_JOINED
        book, stored = self._books.get(view), self._live.book
        if book is None or book.resolver is not resolver or book.stored is not stored:
            book = self._books[view] = JoinedBook(stored, resolver, self._last_of)
        return book

    def _last_of(self, segment: Segment) -> Said | None:
        """The last reading of a segment, from the rollups and the readings beside its seams."""
        series = segment.name.id
        first = max(segment.from_us, self._query.first_ts(series))
        if first >= segment.to_us:
            return None
        ask = Ask((series,), first, segment.to_us, points=1, resolution=Resolution.DAY)
        cut = self._days(replace(ask, without={series: query_joined.outside(segment, NONE)}))
        # Of a day that the seam parts nothing is known once its readings left, but for its last.
        whole = self._days(replace(ask, points=DAYS_MAX))
        inside = (whole.last_ts >= segment.from_us) & (whole.last_ts < segment.to_us)
        found = [part for part in (cut, take(whole, inside)) if len(part)]
        if not found:
            return None
        held = max(found, key=lambda part: int(part.last_ts[-1]))
        value, text = float(held.last[-1]), held.last_text[-1]
        return Said(int(held.last_ts[-1]), value, text, int(held.last_quality[-1]))

    def _days(self, ask: Ask) -> Partials:
        """What a series was by days."""
        (found,) = self._query.history(ask).series
        assert isinstance(found, BucketSeries)
        return found.partials


def bad_of_parts(marks: Marks, shown: Name, parts: Iterable[Name]) -> dict[int, Bad]:
    """What of each stored series is bad: as marked of itself, and of what it is part of."""
    whole = marks.bad(shown)
    found = {name.id: whole if name == shown else _both(whole, marks.bad(name)) for name in parts}
    return {series: bad for series, bad in found.items() if bad}


def _both(first: Bad, second: Bad) -> Bad:
    if not first or not second:
        return first or second
    return bad_of(
        pair
        for bad in (first, second)
        for pair in zip(bad.start.tolist(), bad.end.tolist(), strict=True)
    )


def segment_at(resolver: Resolver, series: int, ts: int) -> tuple[Joined, Segment | None] | None:
    """Which segment of which joined series has a stored one's reading; None where it is alone."""
    joined = resolver.of(series)
    if joined is None:
        return None
    for segment in joined.segments:
        if segment.name.id == series and segment.from_us <= ts < segment.to_us:
            return joined, segment
    return joined, None


def row_shown(resolver: Resolver, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """A row of events as told of the shown series; None when it lies in no segment."""
    at = segment_at(resolver, row["series"], row["ts"])
    if at is None:
        return dict(row)
    joined, segment = at
    if segment is None:
        return None
    name = joined.name
    told = {**row, "series": name.id, "gateway": name.gateway, "device": name.device}
    told["metric"] = name.metric
    if "value" in row:
        told["value"] = float(segment.factor.of(np.array([row["value"]], np.float64))[0])
    return told


def listened(resolver: Resolver, series: frozenset[int] | None) -> frozenset[int] | None:
    """The stored series to listen to for these."""
    if series is None:
        return None
    joined = [(each, resolver.of(each)) for each in series]
    alone = {each for each, one in joined if one is None}
    return frozenset(alone | {name.id for _, one in joined if one for name in one.members})


def event_shown(resolver: Resolver, event: Event) -> Event | None:
    """An event of a stored series as told of the shown one; None when nothing of it is shown."""
    rows = (EventKind.ANOMALY, EventKind.EPISODE)
    if resolver is NOTHING_JOINED or event.kind not in (EventKind.READINGS, *rows):
        return event
    if event.kind in rows:
        data = event.data
        ts = data["ts" if event.kind is EventKind.ANOMALY else "from"]
        row = row_shown(resolver, {**data, "ts": ts, "series": int(data["series"], 16)})
        if row is None:
            return None
        told = {name: row[name] for name in data}
        return replace(event, data={**told, "series": f"{row['series']:016x}"})
    series = int(event.data["id"], 16)
    joined = resolver.of(series)
    return event if joined is None else _readings_shown(joined, series, event)


def _readings_shown(joined: Joined, series: int, event: Event) -> Event | None:
    t, v = event.data["t"], event.data["v"]
    kept = np.zeros(len(t), bool)
    values = np.array(v, np.float64)
    for segment in joined.segments:
        if segment.name.id == series:
            inside = (t >= segment.from_us) & (t < segment.to_us)
            values[inside] = segment.factor.of(values[inside])
            kept |= inside
    if not kept.any():
        return None
    data = {"id": f"{joined.name.id:016x}", "t": t[kept], "v": values[kept]}
    if "text" in event.data:
        texts = zip(event.data["text"], kept.tolist(), strict=True)
        data["text"] = [text for text, is_kept in texts if is_kept]
    return replace(event, data=data)


def segment_told(shown: Name, segment: Segment) -> dict[str, Any]:
    """A segment as the API tells it; null where it has no beginning or end."""
    name, factor = segment.name, segment.factor
    return {
        "series": f"{shown.id:016x}",
        "stored": f"{name.id:016x}",
        "gateway": name.gateway,
        "device": name.device,
        "metric": name.metric,
        "unit": segment.unit,
        "from": segment.from_us if segment.from_us > BEGINNING else None,
        "to": segment.to_us if segment.to_us < END else None,
        "scale": float(factor.a),
        "offset": float(factor.b),
    }
