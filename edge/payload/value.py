"""Pure: one value of a payload: what is a number, what a state, what a text, and what is missing.

Numbers and numeric strings are gauges; true and false are states 1 and 0; other strings are texts.
A string of digits that a float cannot hold, or that starts with a zero as identifiers do, stays a
text, so that nothing is lost.
"""

import math
import re

from edge.payload.said import GAUGE, STATE, Labels, ReadingLimits, Said

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


def say(said: Said, metric: str, value: object, limits: ReadingLimits) -> None:
    """Add one value to what is said under ``metric``: a number, a state, a text, or a gap."""
    if value is True or value is False:
        said.numbers.append(((metric, STATE, "", NOTHING), float(value)))
    elif isinstance(value, int):
        _say_whole(said, metric, value)
    elif isinstance(value, str):
        _say_text(said, metric, value, limits)
    elif isinstance(value, float) and math.isfinite(value):
        said.numbers.append(((metric, GAUGE, "", NOTHING), value))
    else:
        said.missing += 1


def _say_whole(said: Said, metric: str, value: int) -> None:
    try:
        said.numbers.append(((metric, GAUGE, "", NOTHING), float(value)))
    except OverflowError:
        said.faults.append(f"the number in {metric[:64]!r} is out of range")


def _say_text(said: Said, metric: str, text: str, limits: ReadingLimits) -> None:
    number = number_of(text)
    if number is not None:
        said.numbers.append(((metric, GAUGE, "", NOTHING), number))
    elif stands_for_missing(text):
        said.missing += 1
    elif len(text) * 4 > limits.text_bytes_max and len(text.encode()) > limits.text_bytes_max:
        said.faults.append(f"the text in {metric[:64]!r} is over {limits.text_bytes_max} bytes")
    else:
        said.texts.append(((metric, STATE, "", NOTHING), text))
