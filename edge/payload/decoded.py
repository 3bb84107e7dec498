"""Pure: what a LoRaWAN payload decoder made of an uplink: values, and rows of a device's own past.

Decoders put backdated readings into a list, `history`, whose rows carry a time each. Such rows are
readings of that time. Metrics are the dotted paths within the decoded object.
"""

from collections.abc import Sequence
from typing import Final

from edge.payload.flat_json import TIME_KEYS, flatten
from edge.payload.offer import Flat, Offer
from edge.payload.said import Channel, Labels, Said, Unreadable
from edge.payload.value import finite, gauge, say

HISTORY: Final = frozenset({"history", "datalog", "historical_data"})
ROWS_MAX: Final = 2048
UNITS: Final = {
    "temperature": "°C", "humidity": "%", "battery": "%", "co2": "ppm", "pressure": "hPa",
    "barometric_pressure": "hPa", "tvoc": "", "illumination": "lx", "illuminance": "lx",
    "voltage": "V", "current": "", "power": "", "distance": "mm", "water_leak": "",
}  # fmt: skip
"""Of Milesight's decoders, by their documentation; nobody else's names are so settled."""


def tell(
    offer: Offer,
    device: str,
    decoded: dict[str, object],
    *,
    labels: Labels = (),
    at_us: int | None = None,
    dated: bool = False,
    leave: frozenset[str] = frozenset(),
    units: dict[str, str] | None = None,
) -> list[Said]:
    """What a decoded object says, the present first, then the rows of the past in their order.

    ``leave`` are keys at the top that are no readings.
    """
    said = Said(device, at_us=at_us, dated=dated)
    naming = _Naming(labels, units or {})
    told = [said]
    for key, value in decoded.items():
        if key in leave:
            continue
        if key in HISTORY and isinstance(value, list) and value and isinstance(value[0], dict):
            told += _past(offer, device, value, naming)
        else:
            _say(offer, said, key, value, naming)
    return [one for one in told if one.numbers or one.texts or one.faults or one.missing]


def _past(offer: Offer, device: str, rows: list[object], naming: "_Naming") -> Sequence[Said]:
    if len(rows) > ROWS_MAX:
        raise Unreadable(f"a history of {len(rows)} rows is over {ROWS_MAX}")
    told = []
    for row in rows:
        if not isinstance(row, dict):
            continue
        said = Said(device)
        clock = next((key for key in row if key.lower() in TIME_KEYS), None)
        if clock is None or not offer.date(said, row[clock]) or said.at_us is None:
            said.faults.append("a row of the past without a time that can be used")
        else:
            for key, value in row.items():
                if key != clock:
                    _say(offer, said, key, value, naming)
        told.append(said)
    return told


def _say(offer: Offer, said: Said, key: str, value: object, naming: "_Naming") -> None:
    if isinstance(value, dict | list):
        flatten(said, key, value, Flat(said.device, {}, naming), offer.limits, 2)
    else:
        say(said, naming(key), value, offer.limits)


class _Naming:
    """Names of decoded values."""

    __slots__ = ("_labels", "_units")

    def __init__(self, labels: Labels, units: dict[str, str]) -> None:
        self._labels = labels
        self._units = units

    def __call__(self, path: str) -> Channel:
        return gauge(path, self._units.get(path, ""), self._labels)


def say_radio(
    said: Said, gateways: object, labels: Labels, keys: tuple[str, str] = ("rssi", "snr")
) -> None:
    """Add the signal at the gateway that heard the uplink best, unless the device says its own."""
    taken = {channel[0] for channel, _ in said.numbers}
    best: dict[str, object] | None = None
    for one in gateways if isinstance(gateways, list) else ():
        if isinstance(one, dict) and _strength(one, keys[0]) > _strength(best or {}, keys[0]):
            best = one
    for key, name, unit in ((keys[0], "rssi", "dBm"), (keys[1], "snr", "dB")):
        value = finite(best.get(key)) if best is not None else None
        if value is not None and name not in taken:
            said.numbers.append((gauge(name, unit, labels), value))


def _strength(gateway: dict[str, object], key: str) -> float:
    value = finite(gateway.get(key))
    return -1e9 if value is None else value
