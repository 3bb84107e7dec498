"""Pure: Influx line protocol: `weather,location=us-midwest temperature=82 1465839830100400200`.

The topic is the device, `measurement.field` the metric, tags are labels, so they are part of the
series. One line a point; the time is in nanoseconds, coarser ones are known by their size.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from edge.payload.offer import NAME_CHARS_MAX, SHAPE_RANK, Convention, Offer
from edge.payload.said import Channel, Labels, Said, Unreadable
from edge.payload.value import gauge, say

LINES_MAX: Final = 8192
_WORD = r"(?:[^,=\s\\]|\\.)+"
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_VALUE = rf'(?:"(?:[^"\\]|\\.)*"|{_NUMBER}[iu]?|t|T|true|True|TRUE|f|F|false|False|FALSE|[nN]a[nN])'
_LINE = re.compile(
    rf"(?P<name>(?:[^,\s\\#]|\\.)(?:[^,\s\\]|\\.)*)(?P<tags>(?:,{_WORD}={_WORD})*)"
    rf"[ ]+(?P<fields>{_WORD}={_VALUE}(?:,{_WORD}={_VALUE})*)(?:[ ]+(?P<time>-?[0-9]+))?[ ]*"
)
_TAG = re.compile(rf",({_WORD})=({_WORD})")
_FIELD = re.compile(rf"({_WORD})=({_VALUE})(?:,|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_TEXT = re.compile(r'\\(["\\])')


def read(offer: Offer) -> Sequence[Said] | None:
    """What lines of points say, a part for each point; None for anything else.

    Raises:
        Unreadable: too many lines.
    """
    if b"=" not in offer.payload or offer.opening in (b"{", b"["):
        return None
    try:
        text = offer.payload.decode()
    except UnicodeDecodeError:
        return None
    lines = [line for line in _lines(text) if line and not line.startswith("#")]
    if not lines or _LINE.fullmatch(lines[0]) is None:
        return None
    if len(lines) > LINES_MAX:
        raise Unreadable(f"{len(lines)} lines are over {LINES_MAX}")
    return [_point(offer, line) for line in lines]


def _lines(text: str) -> Iterator[str]:
    """The lines of a payload; a break within quotes is part of a text."""
    parts: list[str] = []
    is_open = False
    for line in text.split("\n"):
        parts.append(line)
        is_open ^= (line.count('"') - line.count('\\"')) % 2 == 1
        if not is_open:
            yield "\n".join(parts).strip("\r ")
            parts.clear()
    if parts:
        yield "\n".join(parts)


def _point(offer: Offer, line: str) -> Said:
    said = Said(offer.topic)
    match = _LINE.fullmatch(line)
    if match is None:
        said.faults.append(f"no line protocol: {line[:60]!r}")
        return said
    labels: Labels = tuple(
        sorted({_plain(key): _plain(value) for key, value in _TAG.findall(match["tags"])}.items())
    )
    if match["time"]:
        offer.date(said, int(match["time"][:20]))
    name = _plain(match["name"])
    if len(name) > NAME_CHARS_MAX:  # each field would repeat it
        said.faults.append(f"a measurement's name over {NAME_CHARS_MAX} characters: {name[:60]!r}")
        return said
    for key, value in _FIELD.findall(match["fields"]):
        _say(offer, said, gauge(f"{name}.{_plain(key)}", labels=labels), value)
    return said


def _plain(word: str) -> str:
    return _ESCAPED.sub(r"\1", word)


def _say(offer: Offer, said: Said, channel: Channel, value: str) -> None:
    if value[0] == '"':
        say(said, channel, _ESCAPED_TEXT.sub(r"\1", value[1:-1]), offer.limits)
    elif value[0] in "tTfF":
        say(said, channel, value[0] in "tT", offer.limits)
    elif value[0] in "nN":
        said.missing += 1
    else:
        say(said, channel, float(value.rstrip("iu")), offer.limits)


CONVENTION = Convention("influx", SHAPE_RANK, read)
