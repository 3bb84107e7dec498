"""Pure: times as people give them, as µs since 1970."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from tidegate.errors import QuestionError

Time = datetime | str | int
"""A datetime with a zone, ISO 8601 (UTC where it names no zone), `now`, `-1h`, or µs since 1970."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_AGO: Final = re.compile(r"-\s*([0-9]{1,9})\s*(ms|s|m|h|d|w)")
_UNIT_US: Final = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}


def time_us(name: str, given: Time, now_us: int) -> int:
    """A time in µs since 1970; ``now_us`` is what `now` and `-1h` are counted from.

    Raises:
        QuestionError: it is no time; ``name`` says which one.
    """
    if isinstance(given, datetime):
        if given.utcoffset() is None:
            hint = "give it one, as in datetime(2026, 5, 1, tzinfo=timezone.utc)"
            raise QuestionError(f"`{name}` is {given.isoformat()}, which names no zone", hint)
        return int((given - _EPOCH) // _MICROSECOND)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if not isinstance(given, str):
        raise _no_time(name, given)
    text = given.strip()
    if text == "now":
        return now_us
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now_us - int(ago[1]) * _UNIT_US[ago[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _no_time(name, given) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _MICROSECOND


def _no_time(name: str, given: object) -> QuestionError:
    shown = repr(given)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    hint = "give a datetime with a zone, ISO 8601 such as '2026-05-01T12:00:00Z', 'now' or '-1h'"
    return QuestionError(f"`{name}` is {shown}, which is no time", hint)
