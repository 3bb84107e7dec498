"""Pure: Victron GX devices: `N/PORTAL/battery/288/Dc/0/Voltage` → `{"value":52.34}`.

The device is `PORTAL/service/instance`, the path below it is the metric. `R/…` asks and `W/…`
writes: commands. A null value is what is not there at the moment, and the serial number and
keep-alive topics are no readings.
"""

from typing import Final

from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Flat, Names, Offer
from edge.payload.said import COUNTER, GAUGE, Channel, NotData, Unreadable
from edge.payload.value import NOTHING

_LEVELS_MIN: Final = 5
_UNITS: Final = {
    "Voltage": "V", "V": "V", "Current": "A", "I": "A", "Power": "W", "P": "W", "S": "VA",
    "F": "Hz", "Frequency": "Hz", "Soc": "%", "Temperature": "°C", "ConsumedAmphours": "Ah",
    "TimeToGo": "s", "Forward": "kWh", "Reverse": "kWh",
}  # fmt: skip
"""By the last words of Victron's list of dbus paths."""
_COUNTERS: Final = frozenset({"Forward", "Reverse"})
_REQUESTS: Final = frozenset({"R", "W"})


def read(offer: Offer) -> Answer:
    """What a GX device says; None for anything else.

    Raises:
        NotData: a request, the keep-alive, or a value that is not there.
        Unreadable: no JSON where there should be, or a name that is too long.
    """
    levels = offer.levels
    if levels[0] in _REQUESTS and len(levels) >= 3 and levels[2] == "keepalive":
        raise NotData("a request to a GX device")
    if len(levels) < _LEVELS_MIN or not levels[3].isdigit():
        return None
    if levels[0] in _REQUESTS and offer.opening != b"[":
        raise NotData("a request to a GX device")
    if levels[0] != "N" or offer.opening != b"{":
        return None
    tree = offer.mapping()
    if "value" not in tree:
        return None
    if tree["value"] in (None, [], ""):
        raise NotData("a value that is not there at the moment")
    metric = "/".join(levels[4:])
    if len(metric) > NAME_CHARS_MAX:  # each value within would repeat it
        raise Unreadable(f"a topic that names a metric of over {NAME_CHARS_MAX} characters")
    names = Names(_Naming(metric))
    return Flat("/".join(levels[1:4]), tree, names.__getitem__)


class _Naming:
    """The name of the one value, by its path; its bounds are no readings."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, path: str) -> Channel | None:
        if path != "value" and not path.startswith("value."):
            return None
        word = next((w for w in reversed(self._path.split("/")) if not w.isdigit()), "")
        kind = COUNTER if word in _COUNTERS else GAUGE
        return (f"{self._path}{path[5:]}", kind, _UNITS.get(word, ""), NOTHING)


CONVENTION = Convention("victron", TOPIC_RANK, read)
