"""Pure: plans: how further messages of one topic are read fast, once their shape is understood.

A convention reads a message in full, value by value; most sensors then send the same shape for
years. A plan is what is left of that reading: one typed JSON decode and one look for all numbers,
with no object a reading. A convention offers one beside its `read`::

    def plan(topic: str, payload: bytes, limits: ReadingLimits) -> Plan | None: ...

The law of a plan: for every payload of its topic it either raises `OTHER_SHAPE` or gives the very
readings that the convention's `read` gives, in the same order, with nothing missing, no fault and
no text. So a plan is never needed, only quick; what it refuses is read in full.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from edge.payload.said import Channel

OTHER_SHAPE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `Plan.decode` raises for a payload that is to be read in full."""
FIELDS_MAX: Final = 512
"""Fields of one plan; a larger object is read in full."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to read the messages of one topic.

    Attributes:
        device: the device of all readings.
        channels: the series, in the order of the values.
        decode: a payload as whatever ``values`` takes; raises one of ``OTHER_SHAPE``.
        values: the numbers (``float`` or ``bool``) in the order of ``channels``.
        time: the message's own time as it stands (for `edge.payload.timestamp.time_us`); None:
            the messages of this topic carry none.
    """

    device: str
    channels: tuple[Channel, ...]
    decode: Callable[[bytes], Any]
    values: Callable[[Any], Sequence[float]]
    time: Callable[[Any], object] | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One leaf of a JSON object: where it stands, and which series it is.

    ``path`` are the keys from the top. ``type`` is ``float`` (any JSON number) or ``bool``.
    ``channel`` None: the leaf is there and is no reading; its ``type`` may then be ``object``.
    """

    path: tuple[str, ...]
    type: type
    channel: Channel | None


def plan_object(device: str, fields: Sequence[Field], time: str = "") -> Plan | None:
    """The plan of JSON objects of exactly these leaves, in this order of readings.

    ``time`` is the top key of the message's own time, a number or a text; empty: there is none.
    None when a plan cannot be made of these fields.
    """
    told = [field for field in fields if field.channel is not None]
    if not told or len(fields) > FIELDS_MAX:
        return None
    names = {field.path: f"f{number}" for number, field in enumerate(fields)}
    if len(names) != len(fields):
        return None
    tree: dict[str, Any] = {}
    leaves = [(field.path, field.type) for field in fields]
    if time:
        leaves.append(((time,), object))
    for path, type_ in leaves:
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                return None
        if path[-1] in node:
            return None
        node[path[-1]] = type_
    where: dict[tuple[str, ...], str] = {}
    form = _form(tree, (), "", where)
    values: Callable[[Any], Sequence[float]] = operator.attrgetter(
        *(where[field.path] for field in told)
    )
    if len(told) == 1:
        values = _one(where[told[0].path])
    return Plan(
        device,
        tuple(field.channel for field in told if field.channel is not None),
        msgspec.json.Decoder(form).decode,
        values,
        operator.attrgetter(where[time,]) if time else None,
    )


def _form(
    tree: dict[str, Any], path: tuple[str, ...], dotted: str, where: dict[tuple[str, ...], str]
) -> Any:
    """A msgspec struct of exactly these keys; ``where`` gets the attribute of every leaf."""
    fields: list[tuple[str, Any]] = []
    rename: dict[str, str] = {}
    for number, (key, inner) in enumerate(tree.items()):
        name = f"f{number}"
        rename[name] = key
        here = f"{dotted}{name}"
        if isinstance(inner, dict):
            fields.append((name, _form(inner, (*path, key), f"{here}.", where)))
        else:
            fields.append((name, Any if inner is object else inner))
            where[*path, key] = here
    return msgspec.defstruct(
        "Shape", fields, rename=rename, forbid_unknown_fields=True, frozen=True, gc=False
    )


def _one(name: str) -> Callable[[Any], Sequence[float]]:
    get = operator.attrgetter(name)
    return lambda shape: (get(shape),)


def plan_array(device: str, channels: Sequence[Channel], *keys: str) -> Plan:
    """The plan of JSON lists of as many numbers as there are ``channels``, under ``keys``."""
    count = len(channels)
    form: Any = list[float]
    for key in reversed(keys):
        form = msgspec.defstruct(
            "Shape", [("f0", form)], rename={"f0": key}, forbid_unknown_fields=True, gc=False
        )
    decode = msgspec.json.Decoder(form).decode
    dig = operator.attrgetter(".".join(["f0"] * len(keys))) if keys else None

    def values(shape: Any) -> Sequence[float]:
        numbers: list[float] = shape if dig is None else dig(shape)
        if len(numbers) != count:
            raise msgspec.ValidationError(f"{len(numbers)} values where {count} were")
        return numbers

    return Plan(device, tuple(channels), decode, values)
