r"""Pure: a query cut into words, each with its place.

Strings are written as in Go: `"…"` and `'…'` with escapes, and between backquotes as they are.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cloud.promql.refused import BadQuery

QUERY_CHARS_MAX: Final = 10_000
WIDTH_US_MAX: Final = 100 * 365 * 86_400_000_000
"""The longest duration: a hundred years."""
_UNITS_US: Final = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 7 * 86_400_000_000,
    "y": 365 * 86_400_000_000,
}
_DURATION: Final = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?"
)
_ORDER: Final = ("y", "w", "d", "h", "m", "s", "ms")
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip
_CODES: Final = {"x": 2, "u": 4, "U": 8}


class Word(Enum):
    """What a word is."""

    NAME = 0
    NUMBER = 1
    DURATION = 2
    TEXT = 3
    SIGN = 4
    END = 5


@dataclass(frozen=True, slots=True)
class Token:
    """A word: ``text`` as it is written, of a string what it says; ``end`` is behind it."""

    word: Word
    text: str
    at: int
    end: int


_PATTERN: Final = re.compile(
    r"""
    (?P<skip>\s+|\#[^\n]*)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![0-9a-zA-Z_.]))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![0-9a-zA-Z_.])
  | (?P<name>[a-zA-Z_][a-zA-Z0-9_:]*)
  | (?P<sign>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],:@])
  | (?P<text>["'`])
    """,
    re.VERBOSE,
)
_WORDS: Final = {
    "duration": Word.DURATION, "number": Word.NUMBER, "name": Word.NAME, "sign": Word.SIGN,
}  # fmt: skip


def words_of(text: str) -> list[Token]:
    """All words, and END behind them. BadQuery where there is none, or the query is too long."""
    if len(text) > QUERY_CHARS_MAX:
        message = f"parse error: a query of {len(text)} characters; {QUERY_CHARS_MAX} are allowed"
        raise BadQuery(text, QUERY_CHARS_MAX, message)
    found, at = [], 0
    while at < len(text):
        part = _PATTERN.match(text, at)
        if part is None:
            shown = text[at : at + 12].split("\n")[0]
            raise BadQuery(text, at, f"parse error: unexpected {shown!r}")
        if part.lastgroup == "text":
            said, end = _string(text, at)
            found.append(Token(Word.TEXT, said, at, end))
            at = end
            continue
        if part.lastgroup != "skip":
            word = _WORDS[str(part.lastgroup)]
            found.append(Token(word, part[0], at, part.end()))
        at = part.end()
    found.append(Token(Word.END, "", len(text), len(text)))
    return found


def number_of(text: str) -> float:
    """What a number says."""
    return float(int(text, 16)) if text[:2] in ("0x", "0X") else float(text)


def duration_us(text: str) -> int:
    """A duration in µs: `5m`, `1h30m`. ValueError when it is none, or out of bounds."""
    found = _DURATION.fullmatch(text) if text and len(text) <= 100 else None
    if found is None:
        raise ValueError("a whole number and a unit: ms, s, m, h, d, w, y, as in 5m or 1h30m")
    parts = zip(_ORDER, found.groups(), strict=True)
    us = sum(int(count) * _UNITS_US[unit] for unit, count in parts if count)
    if us > WIDTH_US_MAX:
        raise ValueError(f"at most {WIDTH_US_MAX // _UNITS_US['y']}y")
    return us


def _string(text: str, at: int) -> tuple[str, int]:
    """What a string says, and where it ends."""
    said: list[str] = []
    quote, i = text[at], at + 1
    while i < len(text):
        each = text[i]
        if each == quote:
            return "".join(said), i + 1
        if each == "\n" and quote != "`":
            break
        if each == "\\" and quote != "`":
            one, i = _escaped(text, i)
            said.append(one)
        else:
            said.append(each)
            i += 1
    raise BadQuery(text, at, "parse error: a string without an end")


def _escaped(text: str, at: int) -> tuple[str, int]:
    """What a backslash and what follows say, and where that ends."""
    kind = text[at + 1 : at + 2]
    if kind in _ESCAPES:
        return _ESCAPES[kind], at + 2
    start, base, length = at + 2, 16, _CODES.get(kind, 0)
    if kind and kind in "01234567":
        start, base, length = at + 1, 8, 3
    digits = text[start : start + length]
    allowed = "01234567" if base == 8 else "0123456789abcdefABCDEF"
    if length and len(digits) == length and all(each in allowed for each in digits):
        code = int(digits, base)
        if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
            return chr(code), start + length
    raise BadQuery(text, at, "parse error: an escape that there is not; write `…` without escapes")
