"""What a series said over time, as stretches: from one reading until the next that says otherwise.

For states and texts, whose mean means nothing. What stood when the range began is looked up before
it, from days, then minutes, then readings, so that no year is read for one value.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.query.clean import Bad
from cloud.query.history import Ask, Query
from cloud.query.plan import POINTS_MAX, Resolution
from cloud.query.rows import BucketSeries, RawSeries
from cloud.rollup.partials import DAY_US, MINUTE_US
from cloud.series.joined import NOTHING_JOINED, Resolver

PAGE_READINGS: Final = 100_000
"""Readings looked at in one step."""
READINGS_MAX: Final = 5_000_000
"""Readings looked at for one answer; what is left is another page's."""

Said = tuple[float, str | None, int]
"""A reading: its number, its text, its time."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """[from, to) of one value: ``text`` None where it is a number.

    ``since`` is the time of the first reading that said so, before ``from_us`` where it stood when
    the range began; ``readings`` those within the range. ``is_open``: it goes on behind the range.
    """

    series: int
    from_us: int
    to_us: int
    value: float
    text: str | None
    readings: int
    since: int
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class StatesAsk:
    """Stretches of one series in [from, to) µs, at most ``limit``.

    ``without`` is what of a stored series is left out as bad, ``joined`` what is read as one.
    """

    series: int
    from_us: int
    to_us: int
    limit: int
    without: Mapping[int, Bad] = field(default_factory=dict)
    joined: Resolver = NOTHING_JOINED


@dataclass(frozen=True, slots=True)
class States:
    """Stretches in order; ``more`` is where the next page begins, None at the end."""

    stretches: tuple[Stretch, ...]
    more: int | None


def states(query: Query, ask: StatesAsk) -> States:
    """The stretches that meet the range. UnknownSeries when the id is not known.

    Of several readings at one time the last stands: the others lasted no time.
    """
    found: list[Stretch] = []
    for stretch in _stretches(query, ask):
        if found and _same(found[-1], stretch):
            joined = found[-1].readings + stretch.readings
            found[-1] = replace(found[-1], readings=joined)
            continue
        if found and found[-1].from_us == stretch.from_us and stretch.readings >= 0:
            found.pop()  # it lasted no time
            if found and _same(found[-1], stretch):
                joined = found[-1].readings + stretch.readings
                found[-1] = replace(found[-1], to_us=stretch.to_us, readings=joined)
                continue
        elif found:
            found[-1] = replace(found[-1], to_us=stretch.from_us)
        if len(found) == ask.limit or stretch.readings < 0:
            return States(tuple(found), stretch.from_us)
        found.append(stretch)
    if found:
        found[-1] = replace(found[-1], is_open=True)
    return States(tuple(found), None)


def _same(first: Stretch, second: Stretch) -> bool:
    if second.readings < 0:
        return False
    both_nan = math.isnan(first.value) and math.isnan(second.value)
    return first.text == second.text and (both_nan or first.value == second.value)


def _stretches(query: Query, ask: StatesAsk) -> Iterator[Stretch]:
    """Runs of equal readings, page after page; one of −1 readings says where reading stopped."""
    before = standing(query, ask)
    if before is not None:
        value, text, since = before
        yield Stretch(ask.series, ask.from_us, ask.to_us, value, text, 0, since)
    cursor, seen = None, 0
    while True:
        page = query.history(
            Ask(
                (ask.series,), ask.from_us, ask.to_us, resolution=Resolution.RAW,
                limit=PAGE_READINGS, cursor=cursor, without=ask.without,
                joined=ask.joined,
            )
        )  # fmt: skip
        for rows in page.series:
            if isinstance(rows, RawSeries):
                yield from _runs(rows, ask.to_us)
                seen += len(rows.ts)
        cursor = page.next
        if cursor is None:
            return
        if seen >= READINGS_MAX:
            at = max(cursor.ts, ask.from_us + 1)
            yield Stretch(ask.series, at, ask.to_us, 0.0, None, -1, at)
            return


def _runs(rows: RawSeries, to_us: int) -> Iterator[Stretch]:
    if not len(rows.ts):
        return
    starts = np.flatnonzero(_changes(rows))
    ends = [*starts[1:].tolist(), len(rows.ts)]
    for start, end in zip(starts.tolist(), ends, strict=True):
        ts, text = int(rows.ts[start]), None if rows.text is None else rows.text[start]
        yield Stretch(rows.id, ts, to_us, float(rows.value[start]), text, end - start, ts)


def _changes(rows: RawSeries) -> NDArray[np.bool_]:
    """Where a reading says otherwise than the one before; NaN is NaN."""
    value = rows.value
    both = np.isnan(value[1:]) & np.isnan(value[:-1])
    new = np.ones(len(value), bool)
    new[1:] = (value[1:] != value[:-1]) & ~both
    if rows.text is not None:
        new[1:] |= rows.text[1:] != rows.text[:-1]
    return new


def standing(query: Query, ask: StatesAsk) -> Said | None:
    """The last reading before the range: number, text and its own time; None without one."""
    known, at_us = query.first_ts(ask.series, ask.joined), ask.from_us
    minute, day = at_us - at_us % MINUTE_US, at_us - at_us % DAY_US
    steps = (
        (Resolution.RAW, minute, at_us),
        (Resolution.MINUTE, day, minute),
        (Resolution.DAY, min(known - known % DAY_US, day), day),
    )
    for resolution, start, end in steps:
        if start < end:
            found = _last(query, ask, (start, end), resolution)
            if found is not None:
                return found
    return None


def _last(
    query: Query, asked: StatesAsk, span: tuple[int, int], resolution: Resolution
) -> Said | None:
    cursor, last = None, None
    while True:
        ask = Ask(
            (asked.series,), *span, points=POINTS_MAX, resolution=resolution, cursor=cursor,
            without=asked.without, joined=asked.joined,
        )  # fmt: skip
        answer = query.history(ask)
        for rows in answer.series:
            last = _last_of(rows) or last
        cursor = answer.next
        if cursor is None:
            return last


def _last_of(rows: RawSeries | BucketSeries) -> Said | None:
    if isinstance(rows, RawSeries):
        if not len(rows.ts):
            return None
        text: Any = None if rows.text is None else rows.text[-1]
        return float(rows.value[-1]), text, int(rows.ts[-1])
    held = rows.partials
    if not len(held):
        return None
    return float(held.last[-1]), held.last_text[-1], int(held.last_ts[-1])
