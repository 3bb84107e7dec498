"""Pure: plain scalars, `/sensors/CLE/v1/device5/temp` → `390`.

The last level of the topic is the metric and what stands before it is the device; a topic of one
level is a device whose metric is `value`. A payload is a number, `true` or `false`, or a text,
bare or as a JSON string.
"""

from collections.abc import Sequence

import msgspec

from edge.payload.plan import OTHER_SHAPE, Plan
from edge.payload.said import GAUGE, ReadingLimits, Said, Unreadable
from edge.payload.value import DIGITS_MAX, NOTHING, number_of, say, stands_for_missing

LONE_METRIC = "value"
_DECODE_NUMBER = msgspec.json.Decoder(float).decode


def read(topic: str, payload: bytes, limits: ReadingLimits) -> Sequence[Said] | None:
    """What a payload of one value says; every payload that is no JSON object is taken for one.

    Raises:
        Unreadable: an empty or binary payload, or a value that stands for none (`nan`, `null`).
    """
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise Unreadable("binary payload: not UTF-8, and no convention reads it") from error
    device, metric = name(topic)
    said = Said(device)
    number = number_of(text)
    if number is not None:
        said.numbers.append(((metric, GAUGE, "", NOTHING), number))
        return (said,)
    if not text:
        raise Unreadable("empty payload")
    if text[0] == '"':
        text = _unquoted(text)
    if text == "null" or stands_for_missing(text):
        raise Unreadable(f"{text[:16]} stands where a value should")
    if text in ("true", "false", "True", "False"):
        say(said, metric, text in ("true", "True"), limits)
    elif not text.isprintable() and any(sign < " " and sign not in "\t\r\n" for sign in text):
        raise Unreadable("binary payload: control characters, and no convention reads it")
    else:
        say(said, metric, text, limits)
    return (said,)


def plan(topic: str, payload: bytes, _limits: ReadingLimits) -> Plan | None:
    """How to read more numbers on this topic."""
    try:
        _plain_number(payload)
    except OTHER_SHAPE:
        return None
    device, metric = name(topic)
    return Plan(device, ((metric, GAUGE, "", NOTHING),), _plain_number, _alone)


def _plain_number(payload: bytes) -> float:
    """A number as JSON writes it too, so short that no reading of it is in doubt."""
    if len(payload) > DIGITS_MAX or b"e" in payload or b"E" in payload:
        raise msgspec.ValidationError("to be read in full")
    return _DECODE_NUMBER(payload)


def _alone(number: float) -> tuple[float]:
    return (number,)


def name(topic: str) -> tuple[str, str]:
    """Device and metric that a topic names; both are never empty when the topic is not."""
    device, _, metric = topic.rpartition("/")
    return (device, metric) if device and metric else (topic, LONE_METRIC)


def _unquoted(text: str) -> str:
    """The text within JSON quotes; the text itself when it is no JSON string."""
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.DecodeError, UnicodeError):
        return text
