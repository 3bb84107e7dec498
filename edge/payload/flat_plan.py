"""Pure: the quick plan of a plain tree of values, made from one message of it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import tzinfo
from typing import Any, Literal

from edge.payload.flat_json import TIME_KEYS
from edge.payload.offer import NAME_CHARS_MAX, Flat
from edge.payload.plan import Field, Plan, plan_array, plan_object
from edge.payload.said import STATE, Channel
from edge.payload.timestamp import time_us

Path = tuple[str, ...]
_DEPTH_MAX = 6
_PLAIN_KEY = re.compile(r'[^"\\\x00-\x1f]*')  # what msgspec takes for the name of a field


class _NotPlain(Exception):  # noqa: N818 - an answer to be acted on
    """A text, a gap or a list among the values: such messages are read in full."""


def plan_of(flat: Flat) -> Plan | None:
    """The plan of messages of the shape of ``flat``; None where they must be read in full."""
    try:
        fields = list(_fields(flat, flat.tree, (), 1))
    except _NotPlain:
        return _plan_of_list(flat)
    clock = flat.clock or ""
    if clock not in flat.tree and (clock or any(key.lower() in TIME_KEYS for key in flat.tree)):
        return None  # a count that stands where a time may stand once the clock is set
    plan = plan_object(flat.device, fields, clock)
    if plan is None or plan.time is None or flat.zone is None:
        return plan
    return replace(plan, time=_in_zone(plan.time, flat.zone))


def _in_zone(time: Callable[[Any], object], zone: tzinfo) -> Callable[[Any], object]:
    def at(shape: Any) -> object:
        raw = time(shape)
        known = time_us(raw, zone)
        return known if isinstance(known, int) else raw

    return at


def _fields(flat: Flat, tree: dict[str, object], path: Path, depth: int) -> Iterator[Field]:
    if depth > _DEPTH_MAX or len(".".join(path)) > NAME_CHARS_MAX:
        raise _NotPlain
    for key, value in tree.items():
        if _PLAIN_KEY.fullmatch(key) is None:
            raise _NotPlain
        here = (*path, key)
        if isinstance(value, dict):
            yield from _fields(flat, value, here, depth + 1)
            continue
        if here == (flat.clock,):
            continue
        channel = flat.name(".".join(here))
        if not path and key in flat.fixed:
            if not isinstance(value, str):
                raise _NotPlain
            yield Field(here, Literal[value], None)  # type: ignore[arg-type] # a text as a type
        elif channel is None and not isinstance(value, list):
            yield Field(here, object, None)
        elif channel is None or not isinstance(value, bool | int | float):
            raise _NotPlain
        elif isinstance(value, bool):
            yield Field(here, bool, _state(channel))
        else:
            yield Field(here, float, channel)


def _state(channel: Channel) -> Channel:
    return (channel[0], STATE, "", channel[3])


def _plan_of_list(flat: Flat) -> Plan | None:
    """The plan of an object that holds one list of numbers and nothing else."""
    keys: list[str] = []
    tree: object = flat.tree
    while isinstance(tree, dict) and len(tree) == 1 and len(keys) < _DEPTH_MAX - 1:
        ((key, tree),) = tree.items()
        if _PLAIN_KEY.fullmatch(key) is None:
            return None
        keys.append(key)
    if len(".".join(keys)) > NAME_CHARS_MAX:
        return None
    if not isinstance(tree, list) or not tree or flat.clock:
        return None
    if any(type(value) not in (int, float) for value in tree):
        return None
    names = [flat.name(".".join([*keys, str(number)])) for number in range(len(tree))]
    channels = [name for name in names if name is not None]
    if len(channels) < len(names):
        return None
    return plan_array(flat.device, channels, *keys)
