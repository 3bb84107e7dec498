"""Pure: one line of the Influx line protocol: `weather,place=hall temperature=21.5 1465839830100`.

The regular expressions accept what Influx's own documentation calls a point; a line break within a
quoted text is not among it here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_WORD = r"(?:[^,=\s\\]|\\.)+"
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_VALUE = rf'(?:"(?:[^"\\]|\\.)*"|{_NUMBER}[iu]?|t|T|true|True|TRUE|f|F|false|False|FALSE|[nN]a[nN])'
_LINE = re.compile(
    rf"(?P<series>(?:[^,\s\\#]|\\.)(?:[^,\s\\]|\\.)*(?:,{_WORD}={_WORD})*)"
    rf"[ ]+(?P<fields>{_WORD}={_VALUE}(?:,{_WORD}={_VALUE})*)(?:[ ]+(?P<time>-?[0-9]+))?[ ]*"
)
_NAME = re.compile(r"(?:[^,\\]|\\.)+")
_TAG = re.compile(rf",({_WORD})=({_WORD})")
_FIELD = re.compile(rf"({_WORD})=({_VALUE})(?:,|$)")
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_TEXT = re.compile(r'\\(["\\])')
COMMENTS: Final = ("#", "CREATE DATABASE ")
"""What lines begin with that are no points; the latter stands in exports of Influx 1."""
DEVICE_TAGS: Final = ("device", "device_id", "device_name", "entity_id", "sensor", "host", "node")
"""Tags that name a device where the operator names none, the first that is there."""


@dataclass(frozen=True, slots=True)
class Point:
    """A line: its measurement and tags as written, its fields, its time as written (or empty)."""

    series: str
    fields: tuple[tuple[str, float | bool | str | None], ...]
    time: str


def read_line(line: str) -> Point | None:
    """The point of a line; None when it is none. A field without a value (NaN) is None."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    return Point(match["series"], tuple(_fields(match["fields"])), match["time"] or "")


def read_series(series: str) -> tuple[str, dict[str, str]]:
    """The measurement and its tags."""
    name = _NAME.match(series)
    assert name is not None, "a point has a measurement"
    tags = {_plain(key): _plain(value) for key, value in _TAG.findall(series[name.end() :])}
    return _plain(name[0]), tags


def _fields(text: str) -> Iterator[tuple[str, float | bool | str | None]]:
    for key, value in _FIELD.findall(text):
        if value[0] == '"':
            yield _plain(key), _ESCAPED_TEXT.sub(r"\1", value[1:-1])
        elif value[0] in "tTfF":
            yield _plain(key), value[0] in "tT"
        elif value[0] in "nN":
            yield _plain(key), None
        else:
            yield _plain(key), float(value.rstrip("iu"))


def _plain(word: str) -> str:
    return _ESCAPED.sub(r"\1", word) if "\\" in word else word
