"""`Query` whose history is read by processes of their own; what they cannot take, here as ever.

A small question costs about as much to be passed on as to be answered, and whoever waits for a
reader waits for two processes to be woken. So one small question at a time is answered here.

What a reader needs to know and this process alone does goes with each question: what is known of
the series, the operations on them, and their rows of the tail, all of one view.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from cloud.lake.table.schema import READINGS
from cloud.live.tail import TailBatch, TailRows, series_rows
from cloud.live.view import View
from cloud.query.events import EventsAsk
from cloud.query.followed import Followed
from cloud.query.history import Ask, History, Query
from cloud.query.index import INDEX_BYTES_MAX
from cloud.query.plan import Resolution, buckets_for, expected
from cloud.retention.rules import Retired
from cloud.roles.reader_wire import EventsQuestion, Question
from cloud.roles.readers import Away, Readers
from cloud.series.joined import Joined, Resolver

TAIL_BYTES_MAX: Final = 8 << 20
"""Rows of the tail that go with a question; one about more is answered in this process."""
ROWS_HERE: Final = 20_000
"""Readings or rows of a rollup that a small question reads, about: some 2 ms."""
SERIES_HERE: Final = 2
"""Series that a small question names, as they are stored."""
_INT64: Final = np.iinfo(np.int64)


class QueryApart(Query):
    """Answers from the newest view of ``live``, its history by ``readers``."""

    def __init__(
        self, live: Followed, readers: Readers, threads: int = 2, *,
        index_bytes_max: int = INDEX_BYTES_MAX, rows_here: int = ROWS_HERE,
    ) -> None:  # fmt: skip
        super().__init__(live, threads, index_bytes_max)
        self._readers = readers
        self._rows_here = rows_here
        self._here = threading.Lock()

    def close(self) -> None:
        """As `Query.close`, and the readers."""
        self._readers.stop()
        super().close()

    def history(self, ask: Ask) -> History:
        """As `Query.history`; Busy, TooHeavy."""
        asked = self._asked(ask.series, ask.joined)
        if self._is_small(asked, ask) and self._here.acquire(blocking=False):
            try:
                return super().history(ask)
            finally:
                self._here.release()
        view = self._live.view  # held until the answer is there, and its files with it
        question = self._question(view, asked, ask)
        if question is not None:
            try:
                found: History = self._readers.ask(ask.series[0], question, view.tables)
            except Away:
                pass
            else:
                return found
        self._readers.read_together()
        return super().history(ask)

    def few_events(self, view: View, ask: EventsAsk, limit: int) -> list[dict[str, Any]] | None:
        """As `Query.few_events`, one at a time in this process; Busy, TooHeavy."""
        if self._rows_here > 0 and self._here.acquire(blocking=False):
            try:
                return super().few_events(view, ask, limit)
            finally:
                self._here.release()
        try:
            question = EventsQuestion(ask, limit)
            found: list[dict[str, Any]] = self._readers.ask(0, question, view.tables)
        except Away:  # or too many rows for it: the engine, which is here
            self._readers.read_together()
            return super().few_events(view, ask, limit)
        return found

    def _is_small(self, asked: Sequence[Joined], ask: Ask) -> bool:
        """Whether it reads ROWS_HERE rows of SERIES_HERE series at most, about."""
        stored = sorted({segment.name.id for each in asked for segment in each.segments})
        if ask.more or not 0 < len(stored) <= SERIES_HERE:
            return False
        rows = float(expected(self._live.book.known(stored), ask.from_us, ask.to_us).sum())
        if ask.resolution is Resolution.RAW:
            return min(rows, ask.limit) <= self._rows_here
        buckets = ask.grid or buckets_for(ask.from_us, ask.to_us, ask.points, ask.resolution)
        if buckets.tier is not None:
            rows = min(rows, len(stored) * (ask.to_us - ask.from_us) / buckets.tier.width_us)
        return rows <= self._rows_here

    def _question(self, view: View, asked: Sequence[Joined], ask: Ask) -> Question | None:
        """What a reader is asked; None where it must know too much."""
        stored = sorted({segment.name.id for each in asked for segment in each.segments})
        tail = tail_of(view.tail, stored)
        if tail is None or not ask.series:
            return None
        joined = {root: one for one in asked if (root := one.name.id) in ask.joined.joined}
        roots = {part.id: root for root, one in joined.items() for part in one.members}
        without = {series: bad for series, bad in ask.without.items() if series in stored}
        gone = view.retired.hulls
        hulls = {one: gone[one] for one in stored if one in gone}
        retired = Retired(view.retired.ticket, hulls=hulls)
        return Question(
            replace(ask, joined=Resolver(joined, roots), without=without),
            replace(view, tables=MappingProxyType({}), tail=tail, retired=retired),
            self._live.book.known(stored),
            b"",
        )


def tail_of(tail: Sequence[TailBatch], series: Sequence[int]) -> tuple[TailBatch, ...] | None:
    """The readings of some series, each by itself; None where they are over TAIL_BYTES_MAX."""
    found, size = [], 0
    for one in series:
        for start, readings in series_rows(tail, one, int(_INT64.min), int(_INT64.max)):
            size += readings.nbytes
            if size > TAIL_BYTES_MAX:
                return None
            rows = MappingProxyType({READINGS.name: TailRows.of_one(one, readings)})
            found.append(TailBatch(start, tail[-1].end, rows))
    return tuple(found)
