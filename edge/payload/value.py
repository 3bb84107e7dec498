"""Pure: one value of a payload: what is a number, what a state, what a text, and what is missing.

Numbers and numeric strings are gauges, or counters where the convention says so; true and false are
states 1 and 0; other strings are texts. A string of digits that a float cannot hold, or that starts
with a zero as identifiers do, stays a text, so that nothing is lost.
"""

import math
import re

from edge.payload.said import GAUGE, STATE, Channel, Labels, ReadingLimits, Said

NOTHING: Labels = ()
_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]*|0?(?=\.[0-9]))(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
DIGITS_MAX = 15  # every decimal of so many digits survives a float
_NOT_FINITE = {"nan", "-nan", "inf", "-inf", "+inf", "infinity", "-infinity"}


def number_of(text: str) -> float | None:
    """The number that ``text`` is the decimal form of; None when it is a text."""
    if _NUMBER.fullmatch(text) is None:
        return None
    if len(text) > DIGITS_MAX and _is_long_whole(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _is_long_whole(text: str) -> bool:
    digits = text.lstrip("+-")
    return digits.isdigit() and len(digits) > DIGITS_MAX


def stands_for_missing(text: str) -> bool:
    """Whether a sensor writes ``text`` where it has no number."""
    return len(text) <= 9 and text.lower() in _NOT_FINITE


def finite(value: object) -> float | None:
    """The number that a JSON number stands for; None for anything else, or one out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def gauge(metric: str, unit: str = "", labels: Labels = NOTHING) -> Channel:
    """The channel of a number that goes up and down."""
    return (metric, GAUGE, unit, labels)


def say(said: Said, channel: str | Channel, value: object, limits: ReadingLimits) -> None:
    """Add one value to what is said: a number, a state, a text, or a gap.

    ``channel`` is what a number would be, or its bare metric; states and texts drop the unit.
    """
    if isinstance(channel, str):
        channel = (channel, GAUGE, "", NOTHING)
    if value is True or value is False:
        said.numbers.append((_state(channel), float(value)))
    elif isinstance(value, int):
        _say_whole(said, channel, value)
    elif isinstance(value, str):
        _say_text(said, channel, value, limits)
    elif isinstance(value, float) and math.isfinite(value):
        said.numbers.append((channel, value))
    else:
        said.missing += 1


def _state(channel: Channel) -> Channel:
    return (channel[0], STATE, "", channel[3])


def _say_whole(said: Said, channel: Channel, value: int) -> None:
    try:
        said.numbers.append((channel, float(value)))
    except OverflowError:
        said.faults.append(f"the number in {channel[0][:64]!r} is out of range")


def _say_text(said: Said, channel: Channel, text: str, limits: ReadingLimits) -> None:
    number = number_of(text)
    if number is not None:
        said.numbers.append((channel, number))
    elif stands_for_missing(text):
        said.missing += 1
    elif len(text) * 4 > limits.text_bytes_max and len(text.encode()) > limits.text_bytes_max:
        name = channel[0][:64]
        said.faults.append(f"the text in {name!r} is over {limits.text_bytes_max} bytes")
    else:
        said.texts.append((_state(channel), text))
