"""Pure: sensors' own times: seconds, milliseconds, microseconds, nanoseconds, or ISO 8601.

The unit of a number follows from its size, because the ranges of plausible dates do not overlap:
1e8 … 1e11 is 1973 … 5138 in seconds, and each finer unit is a thousand times that. A number below
is no date but a count since the sensor woke up. A date before `SET_FROM_US` is that of a clock that
was never set: such clocks start in 1970, 1980 or 2000.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum

SET_FROM_US = 978_307_200_000_000
"""2001-01-01: no MQTT device had a set clock before; no clock that was never set is past it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHORTEST_ISO = len("20170216T10")


class Undated(Enum):
    """Why a value is no time that a reading can carry."""

    NOT_A_TIME = "not a time"
    NO_ZONE = "a local time without its zone"
    NEVER_SET = "the time of a clock that was never set"


def time_us(value: object, zone: tzinfo | None = None) -> int | Undated:
    """Microseconds UTC that ``value`` (a JSON number or string) stands for, or why it does not.

    A date without a time of day is not a time; a time without an offset is local: it counts in
    ``zone``, and says nothing without one. Of an hour that comes twice a year the first is meant.
    """
    if isinstance(value, bool):
        return Undated.NOT_A_TIME
    if isinstance(value, int | float):
        at = _from_number(value)
    elif isinstance(value, str):
        at = _from_text(value.strip(), zone)
    else:
        return Undated.NOT_A_TIME
    if isinstance(at, int) and at < SET_FROM_US:
        return Undated.NEVER_SET
    return at


def _from_number(value: int | float) -> int | Undated:
    if 1e8 <= value < 1e11:
        return round(value * 1_000_000)
    if 1e11 <= value < 1e14:
        return round(value * 1000)
    if 1e14 <= value < 1e17:
        return round(value)
    if 1e17 <= value < 1e20:
        return int(value) // 1000
    return Undated.NOT_A_TIME


def _from_text(text: str, zone: tzinfo | None) -> int | Undated:
    if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= 30:
        return _from_number(float(text) if "." in text else int(text))
    if len(text) < _SHORTEST_ISO:
        return Undated.NOT_A_TIME
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return Undated.NOT_A_TIME
    if moment.tzinfo is None:
        if zone is None:
            return Undated.NO_ZONE
        moment = moment.replace(tzinfo=zone)
    try:
        return (moment - _EPOCH) // _MICROSECOND
    except OverflowError:
        return Undated.NOT_A_TIME
