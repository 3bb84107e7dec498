"""Pure: plain scalars, `/sensors/CLE/v1/device5/temp` → `390`.

The last level of the topic is the metric and what stands before it is the device; a topic of one
level is a device whose metric is `value`. A payload is a number, `true` or `false`, or a text,
bare or as a JSON string. `online` and `offline` under `status`, `availability` or `LWT`, and `true`
and `false` under `online`, are a connection's last will, which is no reading.
"""

from collections.abc import Sequence

import msgspec

from edge.payload.offer import LAST_RANK, Convention, Offer
from edge.payload.plan import OTHER_SHAPE, Plan
from edge.payload.said import Channel, NotData, Said, Unreadable
from edge.payload.value import DIGITS_MAX, gauge, number_of, say, stands_for_missing

LONE_METRIC = "value"
_DECODE_NUMBER = msgspec.json.Decoder(float).decode
_CONNECTION = ("status", "availability", "available", "lwt", "online", "connected")
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
_WILL_LEVELS = {
    b"online": _CONNECTION,
    b"offline": _CONNECTION,
    b"true": ("online", "lwt"),
    b"false": ("online", "lwt"),
}


def read(offer: Offer) -> Sequence[Said]:
    """What a payload of one value says; every payload that is no JSON object is taken for one.

    Raises:
        Unreadable: an empty or binary payload, or a value that stands for none (`nan`, `null`).
        NotData: a last will, or a picture.
    """
    device, metric = name(offer.topic)
    if offer.payload.startswith(_PICTURES):
        raise NotData("a picture: no reading")
    word = offer.payload.strip().lower()
    if metric.lower() in _WILL_LEVELS.get(word, ()):
        raise NotData("a last will: the state of a connection")
    return (value(offer, device, gauge(metric)),)


def value(offer: Offer, device: str, channel: Channel) -> Said:
    """What the one value of a payload says about ``device`` under ``channel``.

    Raises:
        Unreadable: as `read`.
    """
    text = offer.text()
    said = Said(device)
    number = number_of(text)
    if number is not None:
        said.numbers.append((channel, number))
        return said
    if not text:
        raise Unreadable("empty payload")
    if text[0] == '"':
        text = _unquoted(text)
    if text == "null" or stands_for_missing(text):
        raise Unreadable(f"{text[:16]} stands where a value should")
    if text in ("true", "false", "True", "False"):
        say(said, channel, text in ("true", "True"), offer.limits)
    elif not text.isprintable() and any(sign < " " and sign not in "\t\r\n" for sign in text):
        raise Unreadable("binary payload: control characters, and no convention reads it")
    else:
        say(said, channel, text, offer.limits)
    return said


def plan(offer: Offer) -> Plan | None:
    """How to read more numbers on this topic."""
    try:
        _plain_number(offer.payload)
    except OTHER_SHAPE:
        return None
    device, metric = name(offer.topic)
    return Plan(device, (gauge(metric),), _plain_number, _alone)


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


CONVENTION = Convention("scalar", LAST_RANK, read, plan=plan)
