"""Pure: JSON objects, `plant/pump1` → `{"ts":1700000000.123,"flow":3.2,"ok":true}`.

The topic is the device, every key a metric; nested maps and lists flatten with dots
(`{"DS18B20":{"Temperature":20.6}}` → `DS18B20.Temperature`, `{"power":[1,2]}` → `power.0`,
`power.1`). The first of the keys `ts`, `timestamp`, `time` at the top, in any case, that holds a
time gives the readings' time.
"""

import json
from collections.abc import Sequence

import msgspec

from edge.payload.plan import Field, Plan, plan_object
from edge.payload.said import GAUGE, STATE, ReadingLimits, Said, Unreadable
from edge.payload.timestamp import Undated, time_us
from edge.payload.value import NOTHING, say

_TIME_KEYS = ("ts", "timestamp", "time")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(topic: str, payload: bytes, limits: ReadingLimits) -> Sequence[Said] | None:
    """What a JSON object says; None for anything else.

    Raises:
        Unreadable: JSON that is broken, too deep or too long, or is a list.
    """
    if payload[:1] != b"{":
        payload = payload.removeprefix(_BYTE_ORDER_MARK).lstrip()
        if payload[:1] not in (b"{", b"["):
            return None
    tree = _decode(payload)
    if not isinstance(tree, dict):
        raise Unreadable("a JSON list: no convention reads it")
    said = Said(topic)
    clock = _take_time(said, tree)
    for key, value in tree.items():
        if type(value) is float and key != clock:  # most values, kept short; JSON has no NaN
            said.numbers.append(((key, GAUGE, "", NOTHING), value))
        elif isinstance(value, dict | list):
            _flatten(said, key, value, limits, 2)
        elif key != clock:
            say(said, key, value, limits)
    return (said,)


def plan(topic: str, payload: bytes, _limits: ReadingLimits) -> Plan | None:
    """How to read more objects of exactly these keys, of numbers and booleans alone."""
    tree = _decode(payload)
    if not isinstance(tree, dict):
        return None
    times = [key for key in tree if key.lower() in _TIME_KEYS]
    if len(times) > 1 or (times and time_us(tree[times[0]]) is Undated.NOT_A_TIME):
        return None
    clock = times[0] if times else ""
    fields: list[Field] = []
    return plan_object(topic, fields, clock) if _leaves(tree, (), clock, fields) else None


def _leaves(
    tree: dict[str, object], path: tuple[str, ...], clock: str, fields: list[Field]
) -> bool:
    """Add the leaves of a map; False when one is no number."""
    for key, value in tree.items():
        here = (*path, key)
        if isinstance(value, dict):
            if not value or not _leaves(value, here, clock, fields):
                return False
        elif len(here) == 1 and key == clock:
            continue
        elif isinstance(value, bool):
            fields.append(Field(here, bool, (".".join(here), STATE, "", NOTHING)))
        elif isinstance(value, int | float):
            fields.append(Field(here, float, (".".join(here), GAUGE, "", NOTHING)))
        else:
            return False
    return True


def _decode(payload: bytes) -> object:
    try:
        return msgspec.json.decode(payload)
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    except RecursionError as error:
        raise Unreadable("JSON nested without end") from error
    except msgspec.DecodeError as error:
        if b"NaN" in payload or b"Infinity" in payload:
            return _decode_lenient(payload)
        raise Unreadable(f"broken JSON: {error}") from error


def _decode_lenient(payload: bytes) -> object:
    """JSON as many sensors write it, with NaN and Infinity in place of a number: those are null.

    What the standard library lets through beyond that (a lone surrogate) does not survive the
    second, strict reading.
    """
    try:
        tree = json.loads(payload, parse_constant=lambda _: None)
        return msgspec.json.decode(json.dumps(tree))
    except RecursionError as error:
        raise Unreadable("JSON nested without end") from error
    except ValueError as error:
        raise Unreadable(f"broken JSON: {error}") from error


def _take_time(said: Said, tree: dict[str, object]) -> str | None:
    """The key that holds the message's time; None when no key holds one."""
    present = {key.lower(): key for key in tree if key[:1] in "tT" and key.lower() in _TIME_KEYS}
    for name in _TIME_KEYS if present else ():
        key = present.get(name)
        if key is None:
            continue
        at = time_us(tree[key])
        if at is not Undated.NOT_A_TIME:
            said.dated = True
            said.at_us = None if isinstance(at, Undated) else at
            return key
    return None


def _flatten(
    said: Said,
    path: str,
    tree: dict[str, object] | list[object],
    limits: ReadingLimits,
    depth: int,
) -> None:
    if depth > limits.depth_max:
        said.faults.append(f"nested deeper than {limits.depth_max} at {path[:64]!r}")
        return
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        name = f"{path}.{key}"
        if isinstance(value, dict | list):
            _flatten(said, name, value, limits, depth + 1)
        else:
            say(said, name, value, limits)
