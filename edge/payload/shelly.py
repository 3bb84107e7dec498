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
    "total": "Wh", "total_act": "Wh", "total_act_ret": "Wh", "pf": "", "uptime": "s",
    "total_act_energy": "Wh", "total_act_ret_energy": "Wh",
}  # fmt: skip
_COUNTERS: Final = {"total", "total_act", "total_act_ret", "total_act_energy",
                    "total_act_ret_energy"}  # fmt: skip
_NO_READING: Final = {"id", "ts", "minute_ts", "mac", "time", "unixtime", "last_sync_ts", "cfg_rev",
                      "kvs_rev", "schedule_rev", "webhook_rev", "btrelay_rev"}  # fmt: skip
_METHODS: Final = {"NotifyStatus", "NotifyFullStatus"}
_WAY_STATUS, _WAY_RPC = "status", "rpc"


def read(offer: Offer) -> Answer:
    """What a Shelly's message says; None for anything else.

    Raises:
        NotData: a last will, a command, a log.
        Repeated: every component in it was told by another way.
        Unreadable: no JSON where there should be.
    """
    levels = offer.levels
    if len(levels) < 3:
        return None
    last, word = levels[-1], levels[-2]
    if word == "events" and last == "rpc":
        return _rpc("/".join(levels[:-2]), offer)
    if word == "status" and _COMPONENT.fullmatch(last) and offer.opening == b"{":
        tree = offer.mapping()
        if ":" in last or last in ("sys", "wifi", "cloud", "ble", "mqtt", "eth", "ws"):
            device = "/".join(levels[:-2])
            return _one(offer, Said(device), {last: tree}, _WAY_STATUS)
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
        _date_of_sys(offer, said, taken)
    return (said,)


def _date_of_sys(offer: Offer, said: Said, taken: dict[str, object]) -> None:
    part = taken.get("sys")
    if isinstance(part, dict):
        offer.date(said, part.get("unixtime"))


def _say_part(said: Said, key: str, part: dict[str, object], flat: Flat, offer: Offer) -> None:
    if len(key) > NAME_CHARS_MAX:  # each value within would repeat it
        said.faults.append(f"a component's name over {NAME_CHARS_MAX} characters: {key[:64]!r}")
        return
    both = "tC" in part
    for name, value in part.items():
        if name == "tF" and both:
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
    last = path.rpartition(".")[2]
    if last in _NO_READING:
        return None
    if last in _COUNTERS:
        return (path, COUNTER, _UNITS[last], NOTHING)
    return gauge(path, "°F" if last == "tF" else _UNITS.get(last, ""))


def _events(device: str, offer: Offer, params: dict[str, object]) -> Sequence[Said]:
    """Each event as a text of its component: `input:0.event` = `single_push`."""
    told = [said for said in _each_event(device, offer, params) if said.texts]
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
            say(said, f"{component}.event", name, offer.limits)
            yield said


CONVENTION = Convention("shelly", TOPIC_RANK, read)
