"""Pure: quiet times: spans of the week by the clock on the wall, in a named zone.

An instant has one time on the wall, so it is quiet or not whatever daylight saving does: an hour
that comes twice is quiet twice, and one that is left out is no time at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, Self

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
_SPAN: Final = re.compile(
    r"(?:(?P<days>[a-z,\-]{3,40}) +)?(?P<h>\d\d):(?P<m>\d\d)-(?P<to_h>\d\d):(?P<to_m>\d\d)"
)


class QuietError(ValueError):
    """A span that cannot be read; ``hint`` says how one is written."""

    hint = 'write "22:00-07:00", or "sat-sun 00:00-24:00" for some days'


@dataclass(frozen=True, slots=True)
class Span:
    """From a minute of each of some days (0 is Monday) until ``end``, in the same or the next day.

    ``start`` and ``end`` are minutes; where ``end`` is not later it is of the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `22:00-07:00` or `mon-fri,sun 22:00-07:00`. QuietError."""
        found = _SPAN.fullmatch(text.strip().lower())
        if found is None:
            raise QuietError(f"{text[:60]!r} is no time of the day or week")
        start = _minute(text, found["h"], found["m"])
        end = _minute(text, found["to_h"], found["to_m"])
        if start in (end, DAY_MINUTES):
            raise QuietError(f"{text[:60]!r} has no length")
        return cls(_days(text, found["days"] or "mon-sun"), start, end)

    def has(self, day: int, minute: int) -> bool:
        """Whether a minute of a day of the week is in it."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        today = day in self.days and minute >= self.start
        return today or ((day - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet times in a zone; None is the machine's own."""

    spans: tuple[Span, ...]
    zone: tzinfo | None

    @classmethod
    def of(cls, texts: Sequence[str], zone: tzinfo | None) -> Self:
        """From the texts of the settings. QuietError."""
        return cls(tuple(Span.read(text) for text in texts), zone)

    def holds(self, at_us: int) -> bool:
        """Whether it is quiet at an instant, µs UTC."""
        if not self.spans:
            return False
        here = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(self.zone)
        minute = here.hour * 60 + here.minute
        return any(span.has(here.weekday(), minute) for span in self.spans)


def _minute(text: str, hour: str, minute: str) -> int:
    made = int(hour) * 60 + int(minute)
    if int(minute) > 59 or made > DAY_MINUTES:
        raise QuietError(f"{text[:60]!r} has no time of the day")
    return made


def _days(text: str, told: str) -> frozenset[int]:
    found: set[int] = set()
    for part in told.split(","):
        first, dash, last = part.partition("-")
        ends = [first, last] if dash else [first, first]
        if not all(one in DAYS for one in ends):
            raise QuietError(f"{text[:60]!r} names a day that there is none of: {part!r}")
        start, end = (DAYS.index(one) for one in ends)
        found |= {(start + i) % 7 for i in range((end - start) % 7 + 1)}
    return frozenset(found)
