"""Pure: Z-Wave JS UI: `zwave/HALL/NODE/sensor_binary/endpoint_0/Any` → `{"time":…,"value":true}`.

The node (room and name, or `nodeID_5`) is the device, what stands behind the command class is the
metric. Payloads are `{"time":…,"value":…}`, or the whole value with its unit, or the value alone.
`status`, `nodeinfo`, `lastActive` and what stands under `_CLIENTS` are no readings.
"""

import re
from typing import Final

from edge.payload import scalar
from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Flat, Names, Offer
from edge.payload.said import Channel, NotData, Unreadable
from edge.payload.value import gauge

BASE: Final = "zwave"
_ENDPOINT = re.compile(r"endpoint_[0-9]+")
_NODE = re.compile(r"nodeID_[0-9]+")
_ABOUT: Final = frozenset({"status", "nodeinfo", "lastActive", "hassDevice", "notification",
                           "statistics"})  # fmt: skip
_CLOCKS: Final = ("time", "lastUpdate")


def read(offer: Offer) -> Answer:
    """What a node says; None for anything else.

    Raises:
        NotData: the gateway's own affairs, or a node's description.
        Unreadable: no JSON where there should be, or a name that is too long.
    """
    levels = offer.levels
    if "_CLIENTS" in levels or "_EVENTS" in levels:
        raise NotData("Z-Wave JS UI's own affairs")
    at, last = _class_at(levels), levels[-1]
    if not at:
        if last in _ABOUT and (levels[0] == BASE or any(map(_NODE.fullmatch, levels[:-1]))):
            raise NotData("what a node is, and whether it lives")
        return None
    if last in ("set", "get"):
        raise NotData("a command to a node")
    device, rest = "/".join(levels[:at]), [w for w in levels[at + 1 :] if not _is_endpoint_0(w)]
    metric = "/".join(rest) or "value"
    if len(metric) > NAME_CHARS_MAX:  # each value within would repeat it
        raise Unreadable(f"a topic that names a metric of over {NAME_CHARS_MAX} characters")
    if offer.opening != b"{":
        return (scalar.value(offer, device, gauge(metric)),)
    tree = offer.mapping()
    unit = tree.get("unit")
    naming = _Naming(metric, unit if isinstance(unit, str) else "")
    clock = next((key for key in _CLOCKS if isinstance(tree.get(key), int | float)), None)
    fixed = ("unit",) if isinstance(unit, str) else ()
    return Flat(device, tree, Names(naming).__getitem__, clock, fixed=fixed)


def _class_at(levels: list[str]) -> int:
    """Where the command class stands; 0: this is no topic of a node's value."""
    for at in range(2, len(levels) - 1):
        if _ENDPOINT.fullmatch(levels[at + 1]) and not levels[at].isdigit():
            return at
        if _NODE.fullmatch(levels[at - 1]) and levels[at].isdigit() and levels[at + 1].isdigit():
            return at
    return 0


def _is_endpoint_0(level: str) -> bool:
    return level in ("endpoint_0", "0")


class _Naming:
    """The name of the one value; what is said about it is no reading."""

    __slots__ = ("_metric", "_unit")

    def __init__(self, metric: str, unit: str) -> None:
        self._metric = metric
        self._unit = unit

    def __call__(self, path: str) -> Channel | None:
        if path == "value":
            return gauge(self._metric, self._unit)
        if path.startswith("value."):
            return gauge(f"{self._metric}.{path[6:]}", self._unit)
        return None


CONVENTION = Convention("zwave-js-ui", TOPIC_RANK, read)
