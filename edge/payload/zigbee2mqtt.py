"""Pure: Zigbee2MQTT: `zigbee2mqtt/FRIENDLY_NAME` → `{"temperature":27.34,"humidity":44.72}`.

The friendly name is the device, whatever slashes and blanks it holds. `bridge/…` and
`…/availability` are no readings, `…/set` and `…/get` are commands; `bridge/devices` tells the
units of every device. With `output: attribute` each value has a topic of its own; of a device that
speaks both ways the JSON is taken. `last_seen` is the time. Firmware updates and the codes of locks
are no readings. A base topic other than `zigbee2mqtt` is known from its `bridge` topics on.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from edge.payload import scalar
from edge.payload.flat_json import clock_of
from edge.payload.known import Bounded
from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Flat, Names, Offer
from edge.payload.said import COUNTER, GAUGE, Channel, NotData, Repeated, Said, Unreadable
from edge.payload.value import NOTHING

BASE: Final = "zigbee2mqtt"
BASES_MAX: Final = 16
DEVICES_MAX: Final = 2_000
UNITS_MAX: Final = 64
"""Values of one device whose units are remembered."""
UNITS: Final = {
    "temperature": "°C", "device_temperature": "°C", "local_temperature": "°C", "humidity": "%",
    "soil_moisture": "%", "pressure": "hPa", "battery": "%", "linkquality": "lqi", "power": "W",
    "energy": "kWh", "current": "A", "illuminance": "lx", "illuminance_lux": "lx", "co2": "ppm",
    "pm25": "µg/m³", "pm10": "µg/m³", "voc": "µg/m³", "eco2": "ppm", "formaldehyd": "µg/m³",
    "occupied_heating_setpoint": "°C", "current_heating_setpoint": "°C",
    "local_temperature_calibration": "°C", "position": "%", "tilt": "%", "valve_position": "%",
    "pi_heating_demand": "%", "moisture": "%", "ac_frequency": "Hz", "produced_energy": "kWh",
    "color_temp": "mired", "target_distance": "m", "noise": "dB", "elapsed": "ms",
}  # fmt: skip
"""What the documentation of exposes says; `bridge/devices` knows better. Voltage is V of a plug and
mV of a battery, so it has no unit until then."""
_COUNTERS: Final = {"energy", "produced_energy", "energy_produced", "energy_consumed"}
_PHASES: Final = {"a", "b", "c", "l1", "l2", "l3"}
_OF_PHASE: Final = {**UNITS, "voltage": "V", "energy_produced": "kWh", "energy_consumed": "kWh"}
_NO_READING: Final = {"last_seen", "device", "update", "update_available", "pin_code"}
_COMMANDS: Final = {"set", "get"}


class Bridges:
    """What bridges told: base topics, names and units of values, and which devices speak JSON."""

    def __init__(self) -> None:
        self.bases: list[str] = []
        self.plain = Names(_Naming({}))
        self.whole: Bounded[tuple[str, str], None] = Bounded(DEVICES_MAX)
        self.names: Bounded[tuple[str, str], Names] = Bounded(DEVICES_MAX)

    def add(self, base: str) -> None:
        """Remember a base topic."""
        if base not in self.bases and len(self.bases) < BASES_MAX and len(base) <= NAME_CHARS_MAX:
            self.bases.append(base)


def read(offer: Offer) -> Answer:
    """What a message below a base topic says; None for anything else.

    Raises:
        NotData: the bridge's own affairs, a last will, a command.
        Repeated: one value of a device whose JSON says the same.
        Unreadable: no JSON where there should be.
    """
    topic, bridges = offer.topic, offer.known.of(Bridges)
    base = _base(topic, bridges)
    if base is None:
        if learn(offer):
            raise NotData("Zigbee2MQTT's bridge: no reading")
        return None
    name = topic[len(base) + 1 :]
    if name == "bridge" or name.startswith("bridge/"):
        learn(offer)
        raise NotData("Zigbee2MQTT's bridge: no reading")
    device, _, last = name.rpartition("/")
    if last == "availability":
        raise NotData("a last will: the state of a connection")
    if device and (last in _COMMANDS or device.rpartition("/")[2] in _COMMANDS):
        raise NotData("a command to a device")
    if offer.opening != b"{":
        if (base, device) in bridges.whole:
            raise Repeated("the device's own topic says the same as JSON")
        return _attribute(offer, device, last, bridges.names.get((base, device), bridges.plain))
    names = bridges.names.get((base, name), bridges.plain)
    tree = offer.mapping()
    if (base, name) not in bridges.whole and len(name) <= NAME_CHARS_MAX:
        bridges.whole.put((base, name), None)
    clock = "last_seen" if tree.get("last_seen") is not None else clock_of(tree)
    return Flat(name, tree, names.__getitem__, clock)


def learn(offer: Offer) -> bool:
    """Take what the bridge says of itself; False: it is no topic of a bridge."""
    base, _, about = offer.topic.rpartition("/bridge/")
    if not base or about not in ("state", "info", "devices", "groups", "definitions", "config"):
        return False
    bridges = offer.known.of(Bridges)
    if base != BASE:
        if about not in ("info", "devices"):
            return base in bridges.bases
        bridges.add(base)
        offer.known.teach(f"{base}/bridge/info", b"{}")
    if about == "devices":
        _learn_devices(offer, base, bridges)
    return True


def _base(topic: str, bridges: Bridges) -> str | None:
    if topic.startswith("zigbee2mqtt/"):
        return BASE
    return next((base for base in bridges.bases if topic.startswith(f"{base}/")), None)


def _attribute(offer: Offer, device: str, metric: str, names: Names) -> Sequence[Said]:
    """One value with a topic of its own."""
    if not device:
        raise Unreadable("no JSON object, as a device's state should be")
    channel = names[metric]
    if channel is None:
        raise NotData("when the device was last heard, or its firmware: no reading")
    return (scalar.value(offer, device, channel),)


class _Naming:
    """Names of one device's values."""

    __slots__ = ("_units",)

    def __init__(self, units: dict[str, str]) -> None:
        self._units = units

    def __call__(self, path: str) -> Channel | None:
        if path.partition(".")[0] in _NO_READING:
            return None
        unit, name = UNITS.get(path, ""), path
        base, _, end = path.rpartition("_")
        if end in _PHASES:
            name = base.removesuffix("_phase")
            unit = _OF_PHASE.get(name, "")
        elif end == "temperature":
            unit = "°C"
        unit = self._units.get(path) or unit
        return (path, COUNTER if name in _COUNTERS else GAUGE, unit, NOTHING)


def _learn_devices(offer: Offer, base: str, bridges: Bridges) -> None:
    """Units from `definition.exposes`: features with `property` and `unit`, at any depth."""
    devices, lesson = offer.tree(), []
    for device in devices if isinstance(devices, list) else ():
        if not isinstance(device, dict) or not isinstance(device.get("definition"), dict):
            continue
        units: dict[str, str] = {}
        _collect(device["definition"].get("exposes"), units, 0)
        name = device.get("friendly_name")
        if isinstance(name, str) and units and len(name) <= NAME_CHARS_MAX:
            bridges.names.put((base, name), Names(_Naming(units)))
            exposes = [{"property": key, "unit": unit} for key, unit in units.items()]
            lesson.append({"friendly_name": name, "definition": {"exposes": exposes}})
    if lesson:  # what matters of it: a bridge's own is a hundred times that
        offer.known.teach(offer.topic, msgspec.json.encode(lesson))


def _collect(exposes: object, units: dict[str, str], depth: int) -> None:
    for expose in exposes if isinstance(exposes, list) and depth < 4 else ():
        if not isinstance(expose, dict):
            continue
        name, unit = expose.get("property"), expose.get("unit")
        if isinstance(name, str) and isinstance(unit, str) and len(units) < UNITS_MAX:
            units[name[:NAME_CHARS_MAX]] = unit[:NAME_CHARS_MAX]
        _collect(expose.get("features"), units, depth + 1)


CONVENTION = Convention("zigbee2mqtt", TOPIC_RANK, read, learn)
