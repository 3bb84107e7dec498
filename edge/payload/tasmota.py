"""Pure: Tasmota: `tele/NAME/SENSOR` → `{"Time":"…","DS18B20":{"Temperature":20.6},"TempUnit":"C"}`.

The device is the topic between the prefix and the last word, in both of the usual orders
(`tele/NAME/…` and `NAME/tele/…`). Each sensor's values are `SENSOR.Value`. `Time` is local and has
no offset unless SetOption52 gives one. `TempUnit`, `PressureUnit` and `SpeedUnit` are units, not
readings. What a bridge received from Zigbee devices is of the device `BRIDGE/NAME`. `LWT`,
`INFO1` … and everything under `cmnd` are no readings; `RESULT` answers a command and says again
what the device's own topics say, but for buttons, shutters and what was received by radio.
"""

import re
from collections.abc import Sequence
from typing import Final

from edge.payload import scalar
from edge.payload.flat_json import flatten
from edge.payload.known import Bounded, Known
from edge.payload.offer import TOPIC_RANK, Answer, Convention, Flat, Names, Offer
from edge.payload.said import COUNTER, GAUGE, Channel, NotData, Said, Unreadable
from edge.payload.value import NOTHING, gauge, say

_PREFIXES: Final = frozenset({"tele", "stat", "cmnd"})
_TELE: Final = frozenset({"SENSOR", "STATE", "HASS_STATE", "ENERGY"})
_STATUS: Final = {"STATUS8": "StatusSNS", "STATUS10": "StatusSNS", "STATUS11": "StatusSTS"}
_KNOWN_TELE: Final = _TELE | {"LWT", "UPTIME", "RESULT", "MARGINS", "WAKEUP"}
_WORD = re.compile(r"[A-Z][A-Z0-9_]{1,31}")
_NUMBERED = re.compile(r"(?:INFO|STATUS|POWER|SWITCH|SWITCHMODE|EVENT|MARGINS)[0-9]*|RESULT|LWT")
_UNITS: Final = {
    "Humidity": "%", "CarbonDioxide": "ppm", "eCO2": "ppm", "TVOC": "ppb", "Illuminance": "lx",
    "Voltage": "V", "Current": "A", "Power": "W", "ApparentPower": "VA", "ReactivePower": "VAr",
    "Total": "kWh", "Yesterday": "kWh", "Today": "kWh", "Frequency": "Hz", "PM2.5": "µg/m³",
    "PM10": "µg/m³", "PM1": "µg/m³", "CF1": "µg/m³", "CF2.5": "µg/m³", "CF10": "µg/m³",
    "RSSI": "dBm", "Signal": "dBm", "Distance": "cm", "Battery": "%", "BatteryPercentage": "%",
    "LinkQuality": "lqi", "Vcc": "V", "Heap": "kB", "UptimeSec": "s", "Position": "%",
    "ExportActive": "kWh", "ExportTotal": "kWh", "PhaseAngle": "°", "Dimmer": "%", "Noise": "dB",
}  # fmt: skip
_TEMPERATURES: Final = ("Temperature", "DewPoint", "HeatIndex", "ObjectTemperature",
                        "AmbientTemperature")  # fmt: skip
_SPEEDS: Final = ("Speed", "SpeedAvg", "SpeedMax", "SpeedMin")
_CONTEXT: Final = {"Time", "TempUnit", "PressureUnit", "SpeedUnit", "StartupUTC"}
_NO_READING: Final = {"Id", "Address", "TotalStartTime", "Berry", "Uptime", "mac", "MAC", "Sleep",
                      "SleepMode"}  # fmt: skip
_WIFI: Final = {"Wifi.RSSI", "Wifi.Signal", "Wifi.LinkCount"}
_OF_RADIO: Final = {"Device", "Name", "Endpoint", "Group", "Cluster", "ModelId", "Manufacturer"}
_DIGITS: Final = "0123456789"
_UNITS_MAX: Final = 16
_UNIT_CHARS_MAX: Final = 64
_IN_ENERGY: Final = {"Period": "Wh"}
_IN_TOTAL: Final = ("Total", "ExportTotal", "ExportActive")


def read(offer: Offer) -> Answer:
    """What a Tasmota message says; None for anything else.

    Raises:
        NotData: a last will, a command or its answer, or what a device tells when it starts.
        Unreadable: no JSON where there should be.
    """
    levels = offer.levels
    if offer.topic.startswith("tasmota/discovery/"):
        raise NotData("a device's description of itself")
    if len(levels) < 3:
        return None
    if levels[0] in _PREFIXES:
        prefix, device = levels[0], "/".join(levels[1:-1])
    elif levels[-2] in _PREFIXES:
        prefix, device = levels[-2], "/".join(levels[:-2])
    else:
        return None
    last = levels[-1]
    if prefix == "cmnd":
        raise NotData("a command to a device")
    if prefix == "tele" and last in _TELE:
        tree = offer.mapping()
        heard = tree.get("ZbReceived")
        if isinstance(heard, dict):
            return _zigbee(device, offer, heard)
        return _sensors(device, tree, offer.known)
    if last == "RESULT" and offer.opening == b"{":
        tree = {key: value for key, value in offer.mapping().items() if _is_said_here(key, value)}
        if tree:
            return _sensors(device, tree, offer.known)
    if prefix == "stat" and last in _STATUS:
        inner = offer.mapping().get(_STATUS[last])
        if not isinstance(inner, dict):
            raise Unreadable(f"{last} without {_STATUS[last]}")
        return _sensors(device, inner, offer.known)
    if last.startswith(("POWER", "SWITCH", "BUTTON")) and offer.opening != b"{":
        return (scalar.value(offer, device, gauge(last)),)
    if last in _KNOWN_TELE or _NUMBERED.fullmatch(last):
        raise NotData(_what(last))
    if levels[0] in _PREFIXES and offer.opening != b"{" and _WORD.fullmatch(last):
        return (scalar.value(offer, device, gauge(last)),)
    return None


def _is_said_here(key: str, value: object) -> bool:
    """Whether a part of a RESULT is said by no other topic."""
    if not isinstance(value, dict):
        return False
    return key.endswith("Received") or key.startswith("Shutter") or "Action" in value


def _zigbee(bridge: str, offer: Offer, heard: dict[str, object]) -> Sequence[Said]:
    """What a bridge received: each Zigbee device by its name, or else its short address."""
    names = offer.known.of(_Units).of(("", "", "")).__getitem__
    told = []
    for address, values in heard.items():
        if not isinstance(values, dict):
            continue
        named: object = values.get("Name", address)
        name = named if isinstance(named, str) and named else address
        said = Said(bridge if address.endswith(bridge) else f"{bridge}/{name}")
        flat = Flat(said.device, {}, names)
        for key, value in values.items():
            if key in _OF_RADIO or (channel := names(key)) is None:
                continue
            if isinstance(value, dict | list):
                flatten(said, key, value, flat, offer.limits, 3)
            else:
                say(said, channel, value, offer.limits)
        told.append(said)
    return told


def _what(last: str) -> str:
    if last == "LWT":
        return "a last will: the state of a connection"
    if last.startswith("INFO"):
        return "what the device tells of itself at its start"
    return "the answer to a command; the device's own topics say the same"


def _sensors(device: str, tree: dict[str, object], known: Known) -> Flat:
    clock = "Time" if "Time" in tree else None
    fixed = tuple(key for key in ("TempUnit", "PressureUnit", "SpeedUnit") if key in tree)
    units = (tree.get("TempUnit"), tree.get("PressureUnit"), tree.get("SpeedUnit"))
    return Flat(device, tree, known.of(_Units).of(units).__getitem__, clock, fixed=fixed)


class _Units:
    """Names of values, by the units that a message carries."""

    def __init__(self) -> None:
        self._names: Bounded[tuple[str, ...], Names] = Bounded(_UNITS_MAX)

    def of(self, units: Sequence[object]) -> Names:
        """Names by the texts of `TempUnit`, `PressureUnit` and `SpeedUnit`."""
        key = tuple(unit[:_UNIT_CHARS_MAX] if isinstance(unit, str) else "" for unit in units)
        names = self._names.get(key)
        if names is None:
            names = Names(_Naming(*key))
            self._names.put(key, names)
        return names


class _Naming:
    """Names of one message's values, by the units that it carries."""

    __slots__ = ("_pressure", "_speed", "_temperature")

    def __init__(self, degree: str, pressure: str, speed: str) -> None:
        self._temperature = f"°{degree}" if degree in ("C", "F") else "°C"
        self._pressure = pressure or "hPa"
        self._speed = speed

    def __call__(self, path: str) -> Channel | None:
        if path in _CONTEXT:
            return None
        sensor, last = _split(path)
        if last in _NO_READING or (sensor == "Wifi" and path not in _WIFI):
            return None
        if sensor == "COUNTER":
            return (path, COUNTER, "", NOTHING)
        if last.rstrip(_DIGITS) in _TEMPERATURES:
            return gauge(path, self._temperature)
        if last in _SPEEDS:
            return gauge(path, self._speed)
        if last in ("Pressure", "SeaPressure"):
            return gauge(path, self._pressure)
        if sensor == "ENERGY" or sensor.startswith("ENERGY."):
            return _energy(path)
        if path == "Wifi.RSSI":  # the one that is a share
            return gauge(path, "%")
        return gauge(path, _UNITS.get(last, ""))


def _split(path: str) -> tuple[str, str]:
    """Sensor and value of a path; some values have a dot in their names (`PM2.5`)."""
    sensor, _, last = path.rpartition(".")
    before = sensor.rpartition(".")[2]
    if f"{before}.{last}" in _UNITS:
        return (sensor[: -len(before) - 1], f"{before}.{last}")
    return (sensor, last)


def _energy(path: str) -> Channel:
    words = path.split(".")
    name = words[1]
    unit = _IN_ENERGY.get(name, _UNITS.get(name, ""))
    kind = COUNTER if name in _IN_TOTAL else GAUGE
    return (path, kind, unit, NOTHING)


CONVENTION = Convention("tasmota", TOPIC_RANK, read)
