"""Pure: how one question becomes several that a cloud answers, within its limits.

The limits are the server's (docs/guide/api.md); a question for more than one answer may hold is
asked in parts whose rows, one after another, are the rows of the whole.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.errors import QuestionError

SERIES_MAX: Final = 100
"""Series in one request."""
STATES_SERIES_MAX: Final = 10
"""Series in one request for states."""
POINTS_MAX: Final = 20_000
"""Buckets of a series in one answer."""
VALUES_MAX: Final = 2_000_000
"""Values of buckets in one answer."""
DURATION_VALUES: Final = 17
"""What the durations of a bucket count for, beside the column itself."""
LONG_COLUMNS: Final = 8
"""Columns of buckets where none are named."""
_WIDTH: Final = re.compile(r"([1-9][0-9]{0,4})(ms|s|m|h|d|w|mo|y)")
_FIXED_US: Final = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_CALENDAR_US: Final = {
    "d": 82_800_000_000,
    "w": 601_200_000_000,
    "mo": 2_415_600_000_000,
    "y": 31_532_400_000_000,
}
"""The shortest that a day, week, month or year is."""

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Width:
    """Of buckets: ``us`` is the shortest they are, ``fixed`` whether all are of that length."""

    text: str
    us: int
    fixed: bool


def width_of(text: str) -> Width:
    """A width as it is written, `15m`, `1d`. QuestionError when it is none."""
    found = _WIDTH.fullmatch(text)
    if found is None:
        hint = "give 'raw', 'auto', or a width such as '10s', '15m', '1h', '1d', '1mo'"
        raise QuestionError(f"`resolution` is {text!r}, which is no width", hint)
    count, unit = int(found[1]), found[2]
    if unit in _FIXED_US:
        return Width(text, count * _FIXED_US[unit], fixed=True)
    return Width(text, count * _CALENDAR_US[unit], fixed=False)


def values_across(columns: Sequence[str] | None, default: int) -> int:
    """What one bucket of one series counts for."""
    if columns is None:
        return default
    return len(columns) + DURATION_VALUES * ("durations" in columns)


def by_hundreds(ids: Sequence[str], most: int = SERIES_MAX) -> Iterator[str]:
    """The ids as the parameter `series`, as many at a time as may be."""
    for at in range(0, len(ids), most):
        yield ",".join(ids[at : at + most])


def long_parts(
    ids: Sequence[str], from_us: int, to_us: int, width: Width, across: int
) -> Iterator[Query]:
    """Buckets of series, one series after another: as few requests as the limits allow."""
    rows = _rows(from_us, to_us, width)
    if rows > POINTS_MAX and width.fixed:
        for one in ids:
            for span in _windows(from_us, to_us, width, POINTS_MAX):
                yield {"series": one, "bucket": width.text, **span}
        return
    most = max(1, min(SERIES_MAX, VALUES_MAX // (rows * across)))
    for some in by_hundreds(ids, most):
        yield {"series": some, "bucket": width.text, "from": str(from_us), "to": str(to_us)}


def wide_parts(
    ids: Sequence[str], from_us: int, to_us: int, width: Width, across: int
) -> Iterator[Query]:
    """Buckets of series side by side: one stretch of time after another."""
    most = max(1, min(POINTS_MAX, VALUES_MAX // (len(ids) * across)))
    whole = {"from": str(from_us), "to": str(to_us)}
    one = not width.fixed or _rows(from_us, to_us, width) <= most
    for span in [whole] if one else _windows(from_us, to_us, width, most):
        yield {"series": ",".join(ids), "bucket": width.text, **span}


def _rows(from_us: int, to_us: int, width: Width) -> int:
    """Buckets that meet the range, at most; 1 for an empty one."""
    return max(1, -(-to_us // width.us) - from_us // width.us + (0 if width.fixed else 1))


def _windows(from_us: int, to_us: int, width: Width, most: int) -> Iterator[Query]:
    """The range cut where buckets begin."""
    at = from_us
    while at < to_us:
        end = min((at // width.us + most) * width.us, to_us)
        yield {"from": str(at), "to": str(end)}
        at = end
