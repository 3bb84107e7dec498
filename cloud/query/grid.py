"""Pure: buckets as a caller names them: `15m` from 1970 on, `1d`, `1w`, `1mo`, `1y` of a zone.

A day of a zone begins at its midnight by the clock on the wall, so it has 23 or 25 hours where the
clocks change; where midnight does not exist that day, it begins when the clocks have been put on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import Enum
from typing import Final

import numpy as np

from cloud.lake.table.schema import ROLLUP_1D, ROLLUP_1H, ROLLUP_1M
from cloud.query.plan import POINTS_MAX, Buckets, span
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US

SECOND_US: Final = 1_000_000
COUNT_MAX: Final = 10_000
"""Units in one bucket."""
_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_MONDAY: Final = date(1970, 1, 5).toordinal()
_FIRST_DAY: Final = date.min.toordinal()
_LAST_DAY: Final = date.max.toordinal()
_FIRST_US: Final = (_FIRST_DAY + 2 - _EPOCH.toordinal()) * DAY_US
_LAST_US: Final = (_LAST_DAY - 2 - _EPOCH.toordinal()) * DAY_US
"""Where every zone still has a day of the calendar."""
_WIDTH: Final = re.compile(r"([1-9][0-9]{0,4})(ms|s|m|h|d|w|mo|y)")


class Unit(Enum):
    """What a width is counted in; the value is how it is written."""

    MILLISECOND = "ms"
    SECOND = "s"
    MINUTE = "m"
    HOUR = "h"
    DAY = "d"
    WEEK = "w"
    MONTH = "mo"
    YEAR = "y"


_FIXED_US: Final = {
    Unit.MILLISECOND: 1_000,
    Unit.SECOND: SECOND_US,
    Unit.MINUTE: MINUTE_US,
    Unit.HOUR: HOUR_US,
}
_ABOUT_US: Final = _FIXED_US | {
    Unit.DAY: DAY_US,
    Unit.WEEK: 7 * DAY_US,
    Unit.MONTH: 31 * DAY_US,
    Unit.YEAR: 366 * DAY_US,
}


@dataclass(frozen=True, slots=True)
class Width:
    """``count`` units. Those of up to an hour are a fixed time, the others are the calendar's."""

    count: int
    unit: Unit

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.count}{self.unit.value}"

    @property
    def about_us(self) -> int:
        """Its length in µs, of a calendar's width the longest but for changes of the clock."""
        return self.count * _ABOUT_US[self.unit]


class TooMany(ValueError):  # noqa: N818 - the caller's fault, by a count
    """More buckets than POINTS_MAX; the argument is a width that would do."""


def width_of(text: str) -> Width:
    """A width as it is written. ValueError when it is none."""
    found = _WIDTH.fullmatch(text)
    if found is None or int(found[1]) > COUNT_MAX:
        raise ValueError(f"1 to {COUNT_MAX} of {', '.join(unit.value for unit in Unit)}")
    return Width(int(found[1]), Unit(found[2]))


def grid(width: Width, zone: tzinfo, from_us: int, to_us: int) -> Buckets:
    """The whole buckets that meet [from, to), of the coarsest tier that they are made of.

    An empty range meets none of them.
    TooMany when there are more than POINTS_MAX. Days of UTC are fixed, like all below a day.
    """
    if (to_us - from_us) // width.about_us > POINTS_MAX:
        raise TooMany(_wider(to_us - from_us))
    fixed = _FIXED_US.get(width.unit)
    if fixed is not None:
        step = fixed * width.count
        first, end = span(from_us, to_us, step)
        if (end - first) // step > POINTS_MAX:
            raise TooMany(_wider(to_us - from_us))
        edges = np.arange(first, end + 1, step, dtype=np.int64)
    else:
        # A day that a zone left out (Apia, 30 December 2011) begins and ends at one moment.
        edges = np.unique(np.array(list(_calendar(width, zone, from_us, to_us)), np.int64))
    if from_us == to_us:
        edges = edges[:1]
    for tier in (ROLLUP_1D, ROLLUP_1H, ROLLUP_1M):
        if not (edges % tier.width_us).any():
            return Buckets(fixed * width.count if fixed else 0, tier, width.text, edges)
    return Buckets(fixed * width.count if fixed else 0, None, width.text, edges)


def _wider(length_us: int) -> str:
    """The narrowest whole width of which POINTS_MAX - 2 fill ``length_us``."""
    for unit in Unit:
        count = -(-length_us // (_ABOUT_US[unit] * (POINTS_MAX - 2)))
        if count <= COUNT_MAX:
            return Width(max(count, 1), unit).text
    return Width(COUNT_MAX, Unit.YEAR).text


def _calendar(width: Width, zone: tzinfo, from_us: int, to_us: int) -> Iterator[int]:
    """Starts of the buckets that meet [from, to), and the end of the last."""
    number = _number(width, _local_day(zone, from_us)) - 1
    edge = _start(width, zone, number)
    while (after := _start(width, zone, number + 1)) <= from_us:
        number, edge = number + 1, after
    yield edge
    while edge < to_us or edge == from_us == to_us:
        number += 1
        edge = _start(width, zone, number)
        yield edge


def _local_day(zone: tzinfo, at_us: int) -> date:
    """The day on the wall, or the nearest that the calendar has."""
    inside = _EPOCH + timedelta(microseconds=min(max(at_us, _FIRST_US), _LAST_US))
    ahead = inside.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()
    day = _EPOCH.toordinal() + (at_us + ahead // _MICROSECOND) // DAY_US
    return date.fromordinal(min(max(day, _FIRST_DAY), _LAST_DAY))


def _number(width: Width, day: date) -> int:
    """Which bucket of the calendar holds a day, counted from the one of 1970."""
    match width.unit:
        case Unit.DAY:
            return (day.toordinal() - _EPOCH.toordinal()) // width.count
        case Unit.WEEK:
            return (day.toordinal() - _MONDAY) // (7 * width.count)
        case Unit.MONTH:
            return ((day.year - 1970) * 12 + day.month - 1) // width.count
        case _:
            return (day.year - 1970) // width.count


def _start(width: Width, zone: tzinfo, number: int) -> int:
    """When a bucket of the calendar begins, µs; beyond the calendar a day before or behind it."""
    first = number * width.count
    match width.unit:
        case Unit.DAY:
            day = _EPOCH.toordinal() + first
        case Unit.WEEK:
            day = _MONDAY + 7 * first
        case Unit.MONTH:
            day = _first_of(1970 + first // 12, first % 12 + 1)
        case _:
            day = _first_of(1970 + first, 1)
    if not _FIRST_DAY <= day <= _LAST_DAY:
        edge = _FIRST_DAY - 1 if day < _FIRST_DAY else _LAST_DAY + 1
        return (edge - _EPOCH.toordinal()) * DAY_US
    midnight = datetime.fromordinal(day)
    ahead = midnight.replace(tzinfo=zone).utcoffset() or timedelta()
    return (midnight - _EPOCH - ahead) // _MICROSECOND


def _first_of(year: int, month: int) -> int:
    if year < 1:
        return _FIRST_DAY - 1
    return date(year, month, 1).toordinal() if year <= date.max.year else _LAST_DAY + 1
