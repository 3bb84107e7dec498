"""What values a parameter may have: each kind with its reader and the schema of its texts."""

import base64
import binascii
import difflib
import json
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeVar

from cloud.query.history import Cursor
from cloud.serve.params import Expected, Kind, Reader

SERIES_MAX: Final = 100
"""Series in one request."""
TEXT_CHARS_MAX: Final = 255
LABELS_MAX: Final = 16
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
_NO_CURSOR: Final = "what `next` of the answer before said"
KEY_CHARS_MAX: Final = 8192
"""Of a cursor by names: four names of 255 characters, escaped, fit."""

E = TypeVar("E", bound=Enum)


def _read_time(text: str) -> int:
    if _WHOLE.fullmatch(text):
        time_us = int(text)
    else:
        try:
            # A `+` that was not percent-encoded arrives as a space.
            at = datetime.fromisoformat(_SPACED_ZONE.sub(r"+\1", text))
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            time_us = (at - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError):
            raise Expected("µs since 1970, or ISO 8601 such as 2026-05-01T12:00:00Z") from None
    if not FIRST_US <= time_us <= LAST_US:
        nearest = FIRST_US if time_us < FIRST_US else LAST_US
        raise Expected("a time from 0001-01-01 to 9999-12-31T00:00:00Z", str(nearest))
    return time_us


TIME: Final = Kind(
    _read_time,
    {
        "type": "string",
        "pattern": r"^(-?[0-9]{1,17}|[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+([+-][0-9:]+|Z)?)?)$",
        "description": "µs since 1970, or ISO 8601 (UTC where it names no zone)",
        "examples": ["1777636800000000", "2026-05-01T12:00:00Z"],
    },
)
"""A time: µs since 1970 as a whole number, or ISO 8601 (UTC where it names no zone)."""


def whole(low: int, high: int) -> Kind:
    """A whole number in [low, high]."""

    def read_whole(text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise Expected(f"a whole number from {low} to {high}")
        number = int(text)
        if not low <= number <= high:
            nearest = low if number < low else high
            raise Expected(f"a whole number from {low} to {high}", str(nearest))
        return number

    return Kind(read_whole, {"type": "integer", "minimum": low, "maximum": high})


def _read_text(text: str) -> str:
    if len(text) > TEXT_CHARS_MAX or "\0" in text:
        raise Expected(f"at most {TEXT_CHARS_MAX} characters, none of them NUL")
    return text


TEXT: Final = Kind(_read_text, {"type": "string", "maxLength": TEXT_CHARS_MAX})
"""A name or a part of one."""


def _read_series(text: str) -> tuple[int, ...]:
    ids = text.split(",")
    if len(ids) > SERIES_MAX or not all(_ID.fullmatch(each) for each in ids):
        raise Expected(f"1 to {SERIES_MAX} ids of 16 hex digits, joined by commas")
    numbers = tuple(int(each, 16) for each in ids)
    if len(set(numbers)) < len(numbers) or max(numbers) >= 1 << 63:
        nearest = ",".join(dict.fromkeys(ids)) if max(numbers) < 1 << 63 else ""
        raise Expected("ids that differ, as /api/v1/series gives them", nearest)
    return numbers


SERIES: Final = Kind(
    _read_series,
    {
        "type": "string",
        "pattern": r"^[0-7][0-9a-f]{15}(,[0-7][0-9a-f]{15}){0,99}$",
        "description": f"up to {SERIES_MAX} ids as /api/v1/series gives them, joined by commas",
    },
)
"""Series ids joined by commas."""


def one_of(kind: type[E]) -> Kind:
    """The value of an enum's member."""
    values = [str(member.value) for member in kind]

    def read_member(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            raise Expected(" or ".join(values), _near(text, values)) from None

    return Kind(read_member, {"type": "string", "enum": values})


def some_of(names: Sequence[str]) -> Kind:
    """Several of these names, joined by commas, none twice."""

    def read_names(text: str) -> tuple[str, ...]:
        given = text.split(",")
        for name in given:
            if name not in names:
                raise Expected(f"some of {', '.join(names)}", _near(name, names))
        if len(set(given)) < len(given):
            raise Expected("each name once", ",".join(dict.fromkeys(given)))
        return tuple(given)

    one = "|".join(re.escape(name) for name in names)
    more = f"^({one})(,({one})){{0,{len(names) - 1}}}$"
    return Kind(read_names, {"type": "string", "pattern": more})


def _near(text: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(text[:80].lower(), names, 1, 0.3)
    return near[0] if near else ""


def _read_labels(text: str) -> tuple[tuple[str, str | None], ...]:
    parts = text.split(",")
    if len(text) > 4 * TEXT_CHARS_MAX or len(parts) > LABELS_MAX or "\0" in text:
        raise Expected(f"at most {LABELS_MAX} labels")
    found = []
    for part in parts:
        name, is_set, value = part.partition(":")
        if not name:
            raise Expected("`name:value` or `name`, joined by commas")
        found.append((name, value if is_set else None))
    return tuple(found)


LABELS: Final = Kind(
    _read_labels,
    {
        "type": "string",
        "maxLength": 4 * TEXT_CHARS_MAX,
        "description": "`name:value` (the value a pattern) or `name` alone, joined by commas",
    },
)
"""Labels that a series must have: pairs of a name and a pattern, None for any value."""


def _read_cursor(text: str) -> Cursor:
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise Expected(_NO_CURSOR)
    index, ts, given = (int(part) for part in found.groups())
    if not FIRST_US <= ts <= LAST_US or given > GIVEN_MAX:
        raise Expected(_NO_CURSOR)
    return Cursor(index, ts, given)


CURSOR: Final = Kind(_read_cursor, {"type": "string", "pattern": f"^{_CURSOR.pattern}$"})
"""A cursor as the `next` of an answer in order of time gave it."""


def cursor_text(cursor: Cursor) -> str:
    """The reverse of `CURSOR`."""
    return f"{cursor.index}_{cursor.ts}_{cursor.given}"


def keyed(*types: type) -> Kind:
    """A cursor by the key of the last row that was given: values of these types."""

    def read_key(text: str) -> tuple[Any, ...]:
        if len(text) > KEY_CHARS_MAX:
            raise Expected(_NO_CURSOR)
        try:
            held = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=="))
        except (ValueError, binascii.Error, RecursionError):
            raise Expected(_NO_CURSOR) from None
        if not isinstance(held, list) or [type(each) for each in held] != list(types):
            raise Expected(_NO_CURSOR)
        if any(isinstance(each, int) and abs(each) >= 1 << 63 for each in held):
            raise Expected(_NO_CURSOR)
        return tuple(held)

    return Kind(read_key, {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"})


def key_text(*key: Any) -> str:
    """The reverse of `keyed`."""
    held = json.dumps(key, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(held.encode()).decode().rstrip("=")


def matched(pattern: str, what: str) -> Kind:
    """A text of the form that ``pattern`` says, told as ``what``."""
    form = re.compile(pattern)

    def read_matched(text: str) -> str:
        if form.fullmatch(text) is None:
            raise Expected(what)
        return text

    return Kind(read_matched, {"type": "string", "pattern": f"^{pattern}$"})


def made(reader: Reader, **schema: Any) -> Kind:
    """A kind of a module of its own: its reader and its schema."""
    return Kind(reader, {"type": "string", **schema})
