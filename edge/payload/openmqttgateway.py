"""Pure: OpenMQTTGateway, Theengs: `home/NAME/BTtoMQTT/4C33A6603C79` → `{"hum":"52.6"}`.

What stands after `…toMQTT` is the device (a MAC for Bluetooth), or the model and id in the payload,
or the gateway itself. Several gateways may hear one beacon: its values are taken from the first,
for as long as that one speaks; strength and distance are of each gateway, which is their label.
Degrees come as Celsius and Fahrenheit; Celsius is taken.
"""

import re
from collections.abc import Sequence
from typing import Final

from edge.payload.flat_json import flatten
from edge.payload.offer import TOPIC_RANK, Convention, Flat, Offer
from edge.payload.said import Channel, NotData, Repeated, Said
from edge.payload.value import gauge, say

_TO_MQTT = re.compile(r"[A-Z0-9_a-z]{1,16}toMQTT")
_NO_READING: Final = frozenset({
    "id", "mac", "mac_type", "adv_type", "name", "brand", "model", "model_id", "type", "cidc",
    "acts", "cont", "track", "prmac", "servicedata", "servicedatauuid", "manufacturerdata", "uuid",
    "mic", "protocol", "encr", "dupl", "hex", "raw", "version", "ip", "ethernet", "modules",
    "duration", "time", "UTCtime", "mfid", "major", "minor", "txpower", "protocol_name", "bits",
    "length", "delay", "pferror", "packetSize", "SSID", "BSSID", "env", "mqttp", "mqtts", "eth",
    "disc", "powermode",
})  # fmt: skip
_UNITS: Final = {
    "tempc": "°C", "hum": "%", "batt": "%", "rssi": "dBm", "volt": "V", "lux": "lx", "pres": "hPa",
    "distance": "m", "moi": "%", "fer": "µS/cm", "temperature_C": "°C", "humidity": "%",
    "pressure_hPa": "hPa", "wind_avg_km_h": "km/h", "wind_max_km_h": "km/h", "rain_mm": "mm",
    "weight": "kg", "power": "W", "energy": "kWh", "current": "A", "snr": "dB", "tempf": "°F",
    "uptime": "s", "freemem": "B", "tempc2": "°C", "for": "m", "co2": "ppm", "pm25": "µg/m³",
    "pm10": "µg/m³", "accx": "m/s²", "accy": "m/s²", "accz": "m/s²",
}  # fmt: skip
_OF_GATEWAY: Final = frozenset({"rssi", "distance", "snr"})
_COMMAND = re.compile(r"MQTTto[A-Za-z0-9_]{1,16}")


def read(offer: Offer) -> Sequence[Said] | None:
    """What a gateway heard; None for anything else.

    Raises:
        NotData: a command, or a beacon that says nothing but its name.
        Repeated: another gateway heard the same.
        Unreadable: no JSON where there should be.
    """
    levels = offer.levels
    at = next((n for n in range(1, len(levels)) if _TO_MQTT.fullmatch(levels[n])), 0)
    if not at:
        if "commands" in levels and any(map(_COMMAND.fullmatch, levels)):
            raise NotData("a command to a gateway")
        return None
    if offer.opening != b"{":
        return None
    tree = offer.mapping()
    gateway, rest = levels[at - 1], "/".join(levels[at + 1 :])
    device = rest or _named(tree) or gateway
    lead = offer.known.comes_by(("beacon", device), gateway, offer.arrival_us)
    naming = _Naming(gateway, is_tyre=tree.get("type") == "TIRE")
    said = Said(device)
    clock = next((key for key in ("UTCtime", "time") if key in tree), None)
    if clock is not None:
        offer.date(said, tree[clock])
    flat = Flat(device, {}, naming)
    for key, value in tree.items():
        if key in _NO_READING or _is_double(key, tree) or not (lead or key in _OF_GATEWAY):
            continue
        if isinstance(value, dict | list):
            flatten(said, key, value, flat, offer.limits, 2)
        else:
            say(said, naming(key), value, offer.limits)
    if not said.numbers and not said.texts and not said.faults and not said.missing:
        if not lead:
            raise Repeated("another gateway heard the same")
        raise NotData("a beacon that says nothing but its name")
    return (said,)


def _named(tree: dict[str, object]) -> str:
    """The device as its payload names it: `model/id`, or its address."""
    name, model = tree.get("id"), tree.get("model")
    if isinstance(model, str) and model and isinstance(name, int | str):
        return f"{model}/{name}"
    return name.replace(":", "") if isinstance(name, str) else ""


def _is_double(key: str, tree: dict[str, object]) -> bool:
    """Whether the same value stands there in Celsius as well."""
    if key.startswith("tempf"):
        return f"tempc{key[5:]}" in tree
    return key == "temperature_F" and "temperature_C" in tree


class _Naming:
    """Names of what one gateway hears."""

    __slots__ = ("_is_tyre", "_labels")

    def __init__(self, gateway: str, *, is_tyre: bool) -> None:
        self._labels = (("gateway", gateway),)
        self._is_tyre = is_tyre

    def __call__(self, path: str) -> Channel:
        if path in _OF_GATEWAY:
            return gauge(path, _UNITS[path], self._labels)
        if path == "pres" and self._is_tyre:  # of the air it is hPa
            return gauge(path, "bar")
        return gauge(path, _UNITS.get(path, ""))


CONVENTION = Convention("openmqttgateway", TOPIC_RANK, read)
