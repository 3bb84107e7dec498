"""Pure: ESPHome: `<prefix>/sensor/<name>/state` → `21.5`.

The prefix is the device, the name the metric; components with more than one value have a level more
(`climate/heating/current_temperature/state`). `command` topics, `<prefix>/status` and
`<prefix>/debug` are no readings. ESPHome sends `nan` where a sensor has no value.
"""

import re
from typing import Final

from edge.payload import scalar
from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Flat, Offer
from edge.payload.said import Channel, NotData, Unreadable
from edge.payload.value import gauge

COMPONENTS: Final = frozenset({
    "alarm_control_panel", "binary_sensor", "button", "climate", "cover", "date", "datetime",
    "event", "fan", "light", "lock", "media_player", "number", "select", "sensor", "switch", "text",
    "text_sensor", "time", "update", "valve",
})  # fmt: skip
_LOG = re.compile(rb"(?:\x1b\[[0-9;]*m)?\[(?:[EWICDV]{1,2}|[0-9:.]+)\]\[")


def read(offer: Offer) -> Answer:
    """What an ESPHome node says; None for anything else.

    Raises:
        NotData: a command, or a log.
        Unreadable: `nan`, or no value.
    """
    levels = offer.levels
    if levels[-1] == "debug" and _LOG.match(offer.payload):
        raise NotData("a node's log")
    if offer.topic.startswith("esphome/discover/"):
        raise NotData("a node's description of itself")
    if levels[-1] not in ("state", "command") or len(levels) < 4:
        return None
    if levels[0] == "homeassistant":
        return None
    at = next((n for n in (-3, -4) if -n < len(levels) and levels[n] in COMPONENTS), 0)
    if not at:
        return None
    if levels[-1] == "command":
        raise NotData("a command to a device")
    device, metric = "/".join(levels[:at]), ".".join(levels[at + 1 : -1])
    if offer.opening == b"{":
        if len(metric) > NAME_CHARS_MAX:  # each value within would repeat it
            raise Unreadable(f"a topic that names a metric of over {NAME_CHARS_MAX} characters")
        return Flat(device, offer.mapping(), _Within(metric))
    return (scalar.value(offer, device, gauge(metric)),)


class _Within:
    """Names of the values of a light or another JSON state."""

    __slots__ = ("_metric",)

    def __init__(self, metric: str) -> None:
        self._metric = metric

    def __call__(self, path: str) -> Channel | None:
        return gauge(f"{self._metric}.{path}")


CONVENTION = Convention("esphome", TOPIC_RANK, read)
