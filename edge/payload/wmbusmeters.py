"""Pure: wmbusmeters: `{"media":"water","meter":"multical21","id":"12345678","total_m3":6.408,…}`.

Any topic; the meter's name, or its id, is the device. Field names end in their units, by
wmbusmeters' own rule, and what begins with `total_` is a counter.
"""

from typing import Final

from edge.payload.flat_json import clock_of
from edge.payload.offer import SHAPE_RANK, Convention, Flat, Names, Offer
from edge.payload.said import COUNTER, GAUGE, Channel
from edge.payload.value import NOTHING

_ABOUT: Final = ("media", "meter", "name", "id", "device", "_")
_MARKS: Final = frozenset({"media", "meter", "id", "timestamp"})
_UNITS: Final = {
    "kwh": "kWh", "kvarh": "kVArh", "kvah": "kVAh", "mj": "MJ", "gj": "GJ", "m3": "m³",
    "m3h": "m³/h", "l": "l", "lh": "l/h", "kw": "kW", "w": "W", "v": "V", "mv": "mV", "a": "A",
    "c": "°C", "f": "°F", "hz": "Hz", "bar": "bar", "pa": "Pa", "rh": "%", "dbm": "dBm",
    "hca": "hca", "h": "h", "min": "min", "s": "s", "pct": "%", "deg": "°",
}  # fmt: skip


def read(offer: Offer) -> Flat | None:
    """What a meter says; None for anything else.

    Raises:
        Unreadable: broken JSON.
    """
    if offer.opening != b"{" or b'"meter"' not in offer.payload or b'"media"' not in offer.payload:
        return None
    tree = offer.mapping()
    if not tree.keys() >= _MARKS or not isinstance(tree["meter"], str):
        return None
    named: object = tree.get("name") or tree["id"]
    if not isinstance(named, str) or not named:
        return None
    # One topic may bring several meters, so the plan of one must not take another's message.
    fixed = tuple(key for key in ("name", "id") if isinstance(tree.get(key), str))
    return Flat(named, tree, offer.known.of(_Fields).names.__getitem__, clock_of(tree), fixed=fixed)


class _Fields:
    """Names of values, by the rule for the names of fields."""

    def __init__(self) -> None:
        self.names = Names(_channel)


def _channel(path: str) -> Channel | None:
    if path in _ABOUT:
        return None
    name, _, end = path.rpartition("_")
    unit = _UNITS.get(end, "") if name else ""
    is_total = name.startswith("total") and unit in ("kWh", "kVArh", "kVAh", "MJ", "GJ", "m³", "l")
    return (path, COUNTER if is_total else GAUGE, unit, NOTHING)


CONVENTION = Convention("wmbusmeters", SHAPE_RANK, read)
