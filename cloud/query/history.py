"""Questions to history, answered from one view: tables and tail joined at its offset.

Raw readings are complete and lossless; buckets are merged from rollup partials by the same
functions that made them, so tables and tail give one answer. Any thread may call any method.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from cloud.lake.names import Name
from cloud.live.view import View
from cloud.query import joined as query_joined
from cloud.query.clean import Bad
from cloud.query.columns import Told
from cloud.query.event_rows import EventFiles
from cloud.query.events import Events, EventsAsk, few
from cloud.query.events import found as events_of
from cloud.query.followed import Followed
from cloud.query.index import INDEX_BYTES_MAX
from cloud.query.lake import LakeReader, ReadAhead
from cloud.query.one import Budget, OneSeries
from cloud.query.over import with_more
from cloud.query.plan import Buckets, Resolution, buckets_for, expected, span
from cloud.query.pool import Pool
from cloud.query.rows import QUANTILES, BucketSeries, More, RawSeries, cut
from cloud.query.series import SeriesView
from cloud.rollup import partials as rollup
from cloud.rollup.partials import DAY_US
from cloud.series.joined import NOTHING_JOINED, Joined, Resolver, alone

_INT64_MAX: Final = np.iinfo(np.int64).max
ROWS_MAX: Final = 100_000
"""Raw readings of one answer when the caller names no other limit."""


class UnknownSeries(LookupError):  # noqa: N818 - the caller's fault, by its id
    """No series of this id; the argument is the id."""


class TooHeavy(Exception):  # noqa: N818 - the caller's fault, or the machine's
    """A question took more time or memory than one may have; the argument says what."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a raw answer goes on: ``given`` readings of series ``index`` at exactly ``ts`` were."""

    index: int
    ts: int
    given: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for history: times µs in [from, to), ``points`` at most per series.

    ``grid`` names the buckets, which ``points`` and ``resolution`` do otherwise. ``without`` is
    what of a stored series is left out as bad, ``joined`` what is read as one, ``more`` what
    buckets shall tell that takes more reading. ``ends``: they tell of their first and last reading
    when that was, and of what quality; without it that may be wrong. ``columns``: a process of its
    own may write the series as JSON at once (`cloud.query.written`).
    """

    series: tuple[int, ...]
    from_us: int
    to_us: int
    points: int = 1000
    resolution: Resolution = Resolution.AUTO
    limit: int = ROWS_MAX
    cursor: Cursor | None = None
    grid: Buckets | None = None
    without: Mapping[int, Bad] = field(default_factory=dict)
    joined: Resolver = NOTHING_JOINED
    more: frozenset[More] = frozenset()
    ends: bool = True
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The answer: ``buckets`` None means raw. ``lake`` and ``journal`` name the view it is of.

    ``json`` is the series as they were written already, and ``series`` empty then.
    """

    buckets: Buckets | None
    series: tuple[RawSeries | BucketSeries, ...]
    lake: int
    journal: int
    next: Cursor | None
    json: bytes | None = None


class Query:
    """Answers from the newest view of ``live``."""

    def __init__(
        self, live: Followed, threads: int = 2, index_bytes_max: int = INDEX_BYTES_MAX
    ) -> None:
        self._live = live
        self._pool = Pool(cursors=2 * threads, threads=threads)
        self._lake = LakeReader(index_bytes_max)
        self._events = EventFiles(self._lake.index)

    def of(self, live: Followed) -> "Query":
        """The same of something else that is asked, with all that is known of files."""
        other = copy.copy(self)
        other._live = live
        return other

    def look_ahead(self, path: str) -> bool:
        """Come to know a file before it is asked for, as `FileIndex.look_ahead`."""
        return self._lake.index.look_ahead(path)

    def close(self) -> None:
        """Close the engine; queries under way fail."""
        self._pool.close()

    def history(self, ask: Ask) -> History:
        """Raw or bucketed history. UnknownSeries when an id is not known; TooManyReadings."""
        view = self._live.view
        asked = self._asked(ask.series, ask.joined)
        if ask.resolution is Resolution.RAW:
            return self._raw(view, asked, ask)
        is_auto = ask.grid is None and ask.resolution is Resolution.AUTO
        stored = (segment.name.id for each in asked for segment in each.segments)
        has_lost = bool(view.retired.hulls) and view.has_lost(stored, ask.from_us, ask.to_us)
        if is_auto and has_lost:  # then rollups tell more
            ask = replace(ask, resolution=Resolution.HOUR)
        if More.EXACT_QUANTILES in ask.more and has_lost:
            ask = replace(ask, more=ask.more | {More.QUANTILES})  # of bins, where nothing else is
        if is_auto and not has_lost and self._few(asked, ask):
            raw = self._raw_if_few(view, asked, ask)
            if raw is not None:
                return raw
        buckets = ask.grid or buckets_for(ask.from_us, ask.to_us, ask.points, ask.resolution)
        budget, lake = Budget(), self._ahead(view, asked, ask, buckets)
        found = [self._buckets(view, each, ask, buckets, budget, lake) for each in asked]
        return History(buckets, tuple(found), view.lake, view.journal, None)

    def default_span(
        self, series: Sequence[int], now_us: int, joined: Resolver = NOTHING_JOINED
    ) -> tuple[int, int]:
        """The last 24 h of what the series have: (from, to) in µs, (0, 0) when there is nothing.

        What claims to lie more than a day ahead of ``now_us`` does not count: one reading of a
        broken clock would hide the present.
        """
        bounds = [found for each in self._asked(series, joined) if (found := self._bounds(each))]
        if not bounds:
            return 0, 0
        to_us = min(max(last for _, last in bounds) + 1, now_us + DAY_US)
        return min(to_us, now_us) - DAY_US, to_us

    def first_ts(self, series: int, joined: Resolver = NOTHING_JOINED) -> int:
        """No reading is before this time, µs. UnknownSeries when the id is not known."""
        (asked,) = self._asked((series,), joined)
        bounds = self._bounds(asked)
        return bounds[0] if bounds else 0

    def events(self, ask: EventsAsk) -> list[dict[str, Any]]:
        """Rows of a table of events, as `cloud.query.events` tells them."""
        return events_of(self._pool, self.few_events, self._live.view, ask)

    def few_events(self, view: View, ask: EventsAsk, limit: int) -> list[dict[str, Any]] | None:
        """As `cloud.query.events.few`."""
        return few(self._events, view, ask, limit)

    def anomalies(self, from_us: int, to_us: int, **more: Any) -> list[dict[str, Any]]:
        """Anomalies in [from, to), newest first; ``more`` is as in EventsAsk."""
        return self.events(EventsAsk(Events.ANOMALIES, from_us, to_us, **more))

    def _asked(self, series: Sequence[int], joined: Resolver) -> list[Joined]:
        """What each is made of: most of one stored series. UnknownSeries."""
        return [joined.of(each) or alone(self._name(each)) for each in series]

    def _bounds(self, asked: Joined) -> tuple[int, int] | None:
        stored = self._live.book.known([segment.name.id for segment in asked.segments])
        return query_joined.bounds(asked, stored)

    def _name(self, series: int) -> Name:
        name = self._live.book.name(series)
        if name is None:
            raise UnknownSeries(series)
        return name

    def _few(self, series: Sequence[Joined], ask: Ask) -> bool:
        """Whether raw readings may fit the points, by each stored series' mean rate so far."""
        stored = {segment.name.id for each in series for segment in each.segments}
        rows = expected(self._live.book.known(sorted(stored)), ask.from_us, ask.to_us)
        return bool((rows <= 2 * ask.points + 100).all())

    def _raw_if_few(self, view: View, series: Sequence[Joined], ask: Ask) -> History | None:
        found = []
        for each in series:
            rows = self._series(view, each, ask).readings(ask.from_us, ask.to_us, ask.points + 1)
            if len(rows.ts) > ask.points:
                return None
            found.append(rows)
        return History(None, tuple(found), view.lake, view.journal, None)

    def _raw(self, view: View, series: Sequence[Joined], ask: Ask) -> History:
        at = ask.cursor or Cursor(0, ask.from_us, 0)
        found: list[RawSeries] = []
        left = ask.limit
        for index in range(at.index, len(series)):
            start, given = (at.ts, at.given) if index == at.index else (ask.from_us, 0)
            one = self._series(view, series[index], ask)
            rows = one.readings(start, ask.to_us, given + left + 1)
            kept = cut(rows, given, given + left)
            found.append(kept)
            if len(rows.ts) > given + left:
                last = int(kept.ts[-1])
                again = given if last == start else 0
                cursor = Cursor(index, last, again + int((kept.ts == last).sum()))
                return History(None, tuple(found), view.lake, view.journal, cursor)
            left -= len(kept.ts)
            if not left and index + 1 < len(series):
                cursor = Cursor(index + 1, ask.from_us, 0)
                return History(None, tuple(found), view.lake, view.journal, cursor)
        return History(None, tuple(found), view.lake, view.journal, None)

    def _series(
        self,
        view: View,
        joined: Joined,
        ask: Ask,
        budget: Budget | None = None,
        lake: LakeReader | None = None,
    ) -> OneSeries:
        spent, reader = budget or Budget(), lake or self._lake
        told = _told(ask) if joined.is_stored else _told(ask).with_ends

        def stored(name: Name, bad: Bad) -> SeriesView:
            return SeriesView(name, spent, reader, view, bad, told)

        return query_joined.view_of(joined, ask.without, spent, stored)

    def _ahead(self, view: View, asked: Sequence[Joined], ask: Ask, buckets: Buckets) -> LakeReader:
        """A reader that has read the rows of a rollup of all series that are asked as stored."""
        tier, span_us = buckets.tier, _span(ask, buckets)
        plain = [each.name for each in asked if each.is_stored]
        plain = [name for name in plain if not ask.without.get(name.id)]
        if tier is None or span_us is None or len(plain) < 2:
            return self._lake
        told = _told(ask)
        if not buckets.is_tier or any(view.has_tail(name.id) for name in plain):
            told = told.with_ends  # which `SeriesView.partials` will ask for
        known = self._lake.together(view, tier, plain, span_us, told)
        return ReadAhead(self._lake, tier, span_us, told, known)

    def _buckets(
        self,
        view: View,
        joined: Joined,
        ask: Ask,
        buckets: Buckets,
        budget: Budget,
        lake: LakeReader,
    ) -> BucketSeries:
        series = self._series(view, joined, ask, budget, lake)
        partials, span_us = rollup.EMPTY, _span(ask, buckets)
        if span_us is not None:
            partials = series.partials(*span_us, buckets)
        if not ask.more:
            return BucketSeries(series.name.id, partials)
        seen = self._bounds(joined) or (0, 0)  # of nothing there are no buckets either
        return with_more(series, partials, buckets, ask.more, seen)


def _told(ask: Ask) -> Told:
    """What must be read of rollups for a question about series as they are stored."""
    return Told(ask.more, ends=ask.ends or not ask.more <= QUANTILES)


def _span(ask: Ask, buckets: Buckets) -> tuple[int, int] | None:
    """The whole buckets that an answer is made of; None for an empty range, which meets none."""
    if ask.from_us >= ask.to_us:
        return None
    if buckets.edges is not None:
        return int(buckets.edges[0]), int(buckets.edges[-1])
    return span(ask.from_us, ask.to_us, buckets.width_us)
