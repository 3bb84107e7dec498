"""Pure: Shelly Gen2 and later: `<prefix>/status/temperature:0` → `{"id":0,"tC":19.8,"tF":67.6}`.

Or `<prefix>/events/rpc` → `{"src":"…","method":"NotifyStatus","params":{"ts":…,"humidity:0":{…}}}`.
The prefix is the device, `component:id.value` the metric. A device may tell the same value both
ways; each component is taken from the way that it came by first, for as long as that one speaks.
Degrees come as Celsius and Fahrenheit; Celsius is taken. What repeats a counter minute by minute
(`by_minute`) is left out. `online`, `rpc`, `command` and `debug` topics are no readings.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from edge.payload.flat_json import flatten
from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Flat, Offer
from edge.payload.said import COUNTER, Channel, NotData, Repeated, Said, Unreadable
from edge.payload.value import NOTHING, gauge, say

_COMPONENT = re.compile(r"[a-z][a-z0-9_]*(?::[0-9]+)?")
_UNITS: Final = {
    "tC": "°C", "rh": "%", "apower": "W", "aprtpower": "VA", "act_power": "W", "voltage": "V",
    "current": "A", "freq": "Hz", "lux": "lx", "percent": "%", "V": "V", "rssi": "dBm",
    "uptime": "s", "aprt_power": "VA", "active_power": "W", "battery": "%", "brightness": "%",
    "current_pos": "%", "target_C": "°C", "current_C": "°C", "ram_free": "B", "fs_free": "B",
    "mem_used": "B", "mem_peak": "B", "mem_free": "B",
}  # fmt: skip
_ENERGIES: Final = {"total_act", "total_act_ret", "total_act_energy", "total_act_ret_energy"}
_PHASES: Final = frozenset({"a", "b", "c", "n", "total"})
_NO_READING: Final = {
    "id", "ts", "minute_ts", "mac", "time", "unixtime", "last_sync_ts", "cfg_rev", "kvs_rev",
    "schedule_rev", "webhook_rev", "btrelay_rev", "last_updated_ts", "packet_id", "sta_ip",
    "sta_ip6", "ssid", "bssid", "ram_size", "fs_size", "reset_reason",
}  # fmt: skip
_NO_READING_WITHIN: Final = {"available_updates", "wakeup_reason"}
_BARE: Final = frozenset({
    "sys", "wifi", "cloud", "ble", "mqtt", "eth", "ws", "bthome", "knx", "matter", "modbus",
    "zigbee", "ui",
})  # fmt: skip
_OF_ADVERT: Final = frozenset({"address", "encryption", "BTHome_version", "pid", "rssi"})
_SENSED: Final = {
    "temperature": "°C", "humidity": "%", "battery": "%", "illuminance": "lx", "rotation": "°",
    "pressure": "hPa", "distance_mm": "mm",
}  # fmt: skip
_METHODS: Final = {"NotifyStatus", "NotifyFullStatus"}
_CALL: Final = frozenset({"method", "result", "error"})
_WAY_STATUS, _WAY_RPC = "status", "rpc"


def read(offer: Offer) -> Answer:
    """What a Shelly's message says; None for anything else.

    Raises:
        NotData: a last will, a command, a log.
        Repeated: every component in it was told by another way.
        Unreadable: no JSON where there should be.
    """
    levels = offer.levels
    if len(levels) < 2:
        return None
    last, word = levels[-1], levels[-2]
    if last == "rpc" and word == "events" and len(levels) > 2:
        return _rpc("/".join(levels[:-2]), offer)
    if last == "rpc" and offer.opening == b"{" and not _CALL.isdisjoint(offer.mapping()):
        raise NotData("a remote call, or its answer")
    if len(levels) < 3:
        return None
    if word == "status" and _COMPONENT.fullmatch(last) and offer.opening == b"{":
        tree = offer.mapping()
        if ":" in last or last in _BARE:
            device = "/".join(levels[:-2])
            return _one(offer, Said(device), {last: tree}, _WAY_STATUS)
    if word == "command" and ":" in last and _COMPONENT.fullmatch(last):
        raise NotData("a command to a device")
    return None


def _rpc(device: str, offer: Offer) -> Answer:
    frame = offer.mapping()
    method, params = frame.get("method"), frame.get("params")
    if not isinstance(method, str) or not isinstance(params, dict):
        return None if "src" not in frame else _answer()
    if method == "NotifyEvent":
        return _events(device, offer, params)
    if method not in _METHODS:
        raise NotData(f"a remote call: {method[:40]}")
    said = Said(device)
    offer.date(said, params.get("ts"))
    parts: dict[str, object] = {key: part for key, part in params.items() if isinstance(part, dict)}
    return _one(offer, said, parts, _WAY_RPC)


def _answer() -> Answer:
    raise NotData("the answer to a remote call")


def _one(offer: Offer, said: Said, parts: dict[str, object], way: str) -> Sequence[Said]:
    """The components of ``parts`` that are to be taken from this way."""
    taken = {
        key: part
        for key, part in parts.items()
        if offer.known.comes_by((said.device, key), way, offer.arrival_us)
    }
    if parts and not taken:
        raise Repeated("told by another way already: status and events/rpc say the same")
    flat = Flat(said.device, taken, _name)
    for key, part in taken.items():
        if isinstance(part, dict):
            _say_part(said, key, part, flat, offer)
    if said.at_us is None and way == _WAY_STATUS and len(taken) == 1:
        _date_of_part(offer, said, taken)
    return (said,)


def _date_of_part(offer: Offer, said: Said, taken: dict[str, object]) -> None:
    """The time of what has one within: the device itself, and what it hears by Bluetooth."""
    for part in taken.values():
        if isinstance(part, dict):
            offer.date(said, part.get("last_updated_ts", part.get("unixtime")))


def _say_part(said: Said, key: str, part: dict[str, object], flat: Flat, offer: Offer) -> None:
    if len(key) > NAME_CHARS_MAX:  # each value within would repeat it
        said.faults.append(f"a component's name over {NAME_CHARS_MAX} characters: {key[:64]!r}")
        return
    for name, value in part.items():
        if (name == "tF" and "tC" in part) or name in _NO_READING_WITHIN:
            continue
        path = f"{key}.{name}"
        if isinstance(value, dict):
            inner = {k: v for k, v in value.items() if k != "by_minute" and not
                     (k == "tF" and "tC" in value)}  # fmt: skip
            flatten(said, path, inner, flat, offer.limits, 3)
        elif isinstance(value, list):
            flatten(said, path, value, flat, offer.limits, 3)
        else:
            channel = _name(path)
            if channel is not None:
                say(said, channel, value, offer.limits)


def _name(path: str) -> Channel | None:
    within, _, last = path.rpartition(".")
    if last in _NO_READING:
        return None
    if last == "total":  # of energy, or of pulses
        unit = "Wh" if within.endswith("energy") else ""
        return (path, COUNTER, unit, NOTHING)
    phase, _, bare = last.partition("_")
    word = last if last in _ENERGIES or phase not in _PHASES else bare
    if word in _ENERGIES:
        return (path, COUNTER, "Wh", NOTHING)
    return gauge(path, "°F" if last == "tF" else _UNITS.get(last) or _UNITS.get(word, ""))


def _events(device: str, offer: Offer, params: dict[str, object]) -> Sequence[Said]:
    """Each event as a text of its component: `input:0.event` = `single_push`."""
    told = [said for said in _each_event(device, offer, params) if said.texts or said.numbers]
    if not told:
        raise NotData("an event without a name")
    return told


def _each_event(device: str, offer: Offer, params: dict[str, object]) -> Iterator[Said]:
    events = params.get("events")
    if not isinstance(events, list):
        raise Unreadable("NotifyEvent without events")
    for event in events:
        if not isinstance(event, dict):
            continue
        component, name = event.get("component"), event.get("event")
        if isinstance(component, str) and isinstance(name, str):
            said = Said(device)
            offer.date(said, event.get("ts", params.get("ts")))
            heard = event.get("data")
            if isinstance(heard, dict) and isinstance(heard.get("address"), str):
                yield _advert(device, offer, said, heard)
                continue
            say(said, f"{component}.event", name, offer.limits)
            yield said


def _advert(gateway: str, offer: Offer, said: Said, heard: dict[str, object]) -> Said:
    """What a script heard of a Bluetooth device, which is the device: by its address."""
    said.device = str(heard["address"])
    if offer.known.comes_by(("beacon", said.device), gateway, offer.arrival_us):
        flat = Flat(said.device, {}, gauge)
        for key, value in heard.items():
            if isinstance(value, dict | list):
                flatten(said, key, value, flat, offer.limits, 4)
            elif key not in _OF_ADVERT:
                say(said, gauge(key, _SENSED.get(key, "")), value, offer.limits)
    if "rssi" in heard:
        say(said, gauge("rssi", "dBm", (("gateway", gateway),)), heard["rssi"], offer.limits)
    return said


CONVENTION = Convention("shelly", TOPIC_RANK, read)
