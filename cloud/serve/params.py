"""Parameters of the HTTP API: read strictly, refused with the way out.

A name that is not known, a value out of its range, a name given twice: each is a 400 that says
what would have been right. Nothing is guessed, so that a typing error never looks like an answer.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeVar

from starlette.datastructures import QueryParams

from cloud.query import Cursor

SERIES_MAX: Final = 100
"""Series in one request."""
TEXT_CHARS_MAX: Final = 255
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
FIRST_US: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_US: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_ID: Final = re.compile(r"[0-9a-f]{16}")
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
_SPACED_ZONE: Final = re.compile(r" (\d\d:?\d\d)$")
GIVEN_MAX: Final = 1_000_000
"""Readings at one time that a cursor may skip: an answer reads them all again."""
_CURSOR: Final = re.compile(r"([0-9]{1,3})_(-?[0-9]{1,19})_([0-9]{1,9})")

E = TypeVar("E", bound=Enum)
Reader = Callable[[str], Any]
"""Makes a value of a parameter's text; ValueError says what was expected."""


class Refusal(Exception):  # noqa: N818 - the caller's fault, told as HTTP
    """A request that is answered with ``status`` 4xx or 503 and why."""

    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: ``default`` stands where it is not given, unless it is ``required``."""

    read: Reader
    default: Any = None
    required: bool = False


def read(given: QueryParams, known: Mapping[str, Param]) -> dict[str, Any]:
    """Every known parameter's value; Refusal when anything is not as it should be."""
    for name in given:
        if name not in known:
            raise _unknown(name, known)
    values: dict[str, Any] = {}
    for name, param in known.items():
        texts = given.getlist(name)
        if len(texts) > 1:
            message = f"`{name}` is given {len(texts)} times"
            raise Refusal(400, "repeated_parameter", message, "give it once")
        if texts and texts[0] != "":
            values[name] = _value(name, texts[0], param)
        elif param.required:
            raise Refusal(400, "missing_parameter", f"`{name}` is missing", f"add `{name}=…`")
        else:
            values[name] = param.default
    return values


def _value(name: str, text: str, param: Param) -> Any:
    try:
        return param.read(text)
    except ValueError as error:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        message = f"`{name}` is {shown!r}"
        raise Refusal(400, "bad_parameter", message, f"expected {error}") from error


def _unknown(name: str, known: Iterable[str]) -> Refusal:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(names) or 'none'}"
    return Refusal(400, "unknown_parameter", f"there is no parameter `{name[:40]}`", hint)


def time(text: str) -> int:
    """A time: µs since 1970 as a whole number, or ISO 8601 (UTC where it names no zone)."""
    if _WHOLE.fullmatch(text):
        time_us = int(text)
    else:
        try:
            # A `+` that was not percent-encoded arrives as a space.
            at = datetime.fromisoformat(_SPACED_ZONE.sub(r"+\1", text))
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            time_us = (at - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError):
            raise ValueError("µs since 1970, or ISO 8601 such as 2026-05-01T12:00:00Z") from None
    if not FIRST_US <= time_us <= LAST_US:
        raise ValueError("a time of the years 1 to 9999, in µs")
    return time_us


def whole(low: int, high: int) -> Reader:
    """A whole number in [low, high]."""

    def read_whole(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read_whole


def text(text: str) -> str:
    """A name or a part of one."""
    if len(text) > TEXT_CHARS_MAX or "\0" in text:
        raise ValueError(f"at most {TEXT_CHARS_MAX} characters")
    return text


def series(text: str) -> tuple[int, ...]:
    """Series ids joined by commas."""
    ids = text.split(",")
    if len(ids) > SERIES_MAX or not all(_ID.fullmatch(each) for each in ids):
        raise ValueError(f"1 to {SERIES_MAX} ids of 16 hex digits, joined by commas")
    numbers = tuple(int(each, 16) for each in ids)
    if len(set(numbers)) < len(numbers) or max(numbers) >= 1 << 63:
        raise ValueError("ids that differ, as /api/v1/series gives them")
    return numbers


def one_of(kind: type[E]) -> Reader:
    """The value of an enum's member."""

    def read_member(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(" or ".join(str(member.value) for member in kind)) from None

    return read_member


def cursor(text: str) -> Cursor:
    """A cursor as an answer's `next` gave it."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ValueError("what `next` of the answer before said")
    index, ts, given = (int(part) for part in found.groups())
    if not FIRST_US <= ts <= LAST_US or given > GIVEN_MAX:
        raise ValueError("what `next` of the answer before said")
    return Cursor(index, ts, given)


def cursor_text(cursor: Cursor) -> str:
    """The reverse of `cursor`."""
    return f"{cursor.index}_{cursor.ts}_{cursor.given}"
