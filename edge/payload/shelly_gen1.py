"""Pure: Shelly Gen1: `shellies/shelly1pm-40F520/relay/0/power` → `23.5`.

The level after `shellies` is the device, the rest the metric. `online` is a last will, `announce`
and `info` say again what other topics say, `command` and `set` are commands. Fahrenheit beside
Celsius is left out.
"""

from typing import Final

from edge.payload import scalar
from edge.payload.flat_json import clock_of
from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Flat, Offer
from edge.payload.said import COUNTER, GAUGE, Channel, NotData, Repeated, Unreadable
from edge.payload.value import NOTHING, gauge

_UNITS: Final = {
    "power": "W", "reactive_power": "VAr", "temperature": "°C", "humidity": "%", "battery": "%",
    "voltage": "V", "current": "A", "lux": "lx", "flood_temperature": "°C", "ext_temperature": "°C",
    "ext_humidity": "%", "energy": "Wmin", "returned_energy": "Wmin", "total": "Wh",
    "total_returned": "Wh", "tilt": "°", "illuminance": "lx", "pos": "%", "bat": "%",
}  # fmt: skip
_COUNTERS: Final = {"energy", "returned_energy", "total", "total_returned"}


def read(offer: Offer) -> Answer:
    """What a first-generation Shelly says; None for anything else.

    Raises:
        NotData: a last will, a command, an announcement.
        Repeated: what another topic says in a better form.
    """
    levels = offer.levels
    if levels[0] != "shellies" or len(levels) < 2:
        return None
    last = levels[-1]
    if last in ("announce", "info"):
        raise NotData("a device's announcement: other topics say the same")
    if last == "settings":
        raise NotData("a device's configuration")
    if len(levels) < 3 or last in ("command", "set"):
        raise NotData("a command to devices")
    if last == "online":
        raise NotData("a last will: the state of a connection")
    if last.endswith("_f") or "ext_temperatures" in levels or "ext_temperatures_f" in levels:
        raise Repeated("the same in another unit or form")
    device, metric = levels[1], "/".join(levels[2:])
    channel = _channel(metric)
    if offer.opening == b"{":
        if len(metric) > NAME_CHARS_MAX:  # each value within would repeat it
            raise Unreadable(f"a topic that names a metric of over {NAME_CHARS_MAX} characters")
        tree = offer.mapping()
        return Flat(device, tree, _Within(metric), clock_of(tree))
    return (scalar.value(offer, device, channel),)


def _channel(metric: str) -> Channel:
    words = metric.split("/")
    word = next((word for word in reversed(words) if not word.isdigit()), metric)
    unit = _UNITS.get(word, "")
    return (metric, COUNTER if word in _COUNTERS else GAUGE, unit, NOTHING)


class _Within:
    """Names of the values of a JSON payload, below its topic's metric."""

    __slots__ = ("_metric",)

    def __init__(self, metric: str) -> None:
        self._metric = metric

    def __call__(self, path: str) -> Channel | None:
        unit = "°C" if path == "tmp.tC" else _UNITS.get(path.rpartition(".")[2], "")
        return gauge(f"{self._metric}.{path}", unit)


CONVENTION = Convention("shelly-gen1", TOPIC_RANK, read)
