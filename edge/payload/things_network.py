"""Pure: The Things Network v3: `v3/app1@tenant1/devices/dev1/up` → `{"uplink_message":{…}}`.

The device id is the device; the metrics are those of `decoded_payload`, or of `normalized_payload`
where there is no other, whose rows may have times of their own. The time is when the network heard
the uplink. The raw `bytes` that a default formatter repeats, joins, downlinks and service messages
are no readings; `location/solved` is one. An uplink that comes twice counts once. Fields that are
empty, 0 or false are omitted by the server: an absent `f_cnt` is 0.
"""

from collections.abc import Sequence
from typing import Final

from edge.payload import decoded
from edge.payload.offer import TOPIC_RANK, Convention, Offer
from edge.payload.said import NotData, Repeated, Said, Unreadable
from edge.payload.value import finite, gauge

_OTHER: Final = frozenset({"join", "down", "service", "uplink"})
_RAW: Final = frozenset({"bytes"})
_NORMALIZED: Final = {
    "air.temperature": "°C", "air.relativeHumidity": "%", "air.pressure": "hPa", "air.co2": "ppm",
    "air.lightIntensity": "lx", "soil.temperature": "°C", "soil.moisture": "%", "soil.ec": "dS/m",
    "wind.speed": "m/s", "wind.direction": "°", "water.temperature.current": "°C", "battery": "V",
    "rain.intensity": "mm/h", "metering.water.total": "l",
}  # fmt: skip
"""Of the network's schema for normalized payloads."""
_SCHEMA: Final = frozenset({"air", "soil", "wind", "water", "rain", "metering", "action"})
_PLACE: Final = {"latitude": "°", "longitude": "°", "altitude": "m", "accuracy": "m"}


def read(offer: Offer) -> Sequence[Said] | None:
    """What a message of The Things Stack says; None for anything else.

    Raises:
        NotData: a join, a downlink, a simulated or an empty uplink.
        Repeated: the uplink came already.
        Unreadable: no decoded payload, or no JSON.
    """
    levels = offer.levels
    if len(levels) < 5 or levels[0] != "v3" or levels[2] != "devices":
        return None
    message = offer.mapping()
    device = levels[3]
    if levels[4:] == ["up"]:
        return _uplink(offer, device, message)
    if levels[4:] == ["location", "solved"]:
        return _location(offer, device, message)
    if levels[4] in _OTHER:
        raise NotData("the network's own affairs: a join, a downlink, or service data")
    return None


def _uplink(offer: Offer, device: str, message: dict[str, object]) -> Sequence[Said]:
    uplink = message.get("uplink_message")
    if not isinstance(uplink, dict):
        raise Unreadable("an uplink without uplink_message")
    if message.get("simulated") is True:
        raise NotData("a simulated uplink")
    rows = _values(uplink)
    received = uplink.get("received_at", message.get("received_at"))
    if offer.known.came(("ttn", offer.topic, str(uplink.get("f_cnt", 0)), str(received))):
        raise Repeated("this uplink came already")
    said = Said(device)
    offer.date(said, received)
    told = [one for row in rows for one in _row(offer, row, said)]
    if told:
        decoded.say_radio(told[0], uplink.get("rx_metadata"), ())
    return told


def _row(offer: Offer, row: dict[str, object], heard: Said) -> Sequence[Said]:
    """One row of values, at its own time where a normalized one has it."""
    leave = frozenset(key for key in _RAW & row.keys() if isinstance(row[key], list))
    at = Said(heard.device, at_us=heard.at_us, dated=heard.dated)
    if "time" in row and offer.date(at, row["time"]):
        leave |= {"time"}
    units = _NORMALIZED if _SCHEMA & row.keys() else {}
    return decoded.tell(
        offer, at.device, row, at_us=at.at_us, dated=at.dated, leave=leave, units=units
    )


def _values(uplink: dict[str, object]) -> Sequence[dict[str, object]]:
    values = uplink.get("decoded_payload")
    if isinstance(values, dict) and values:
        return (values,)
    normalized = uplink.get("normalized_payload")
    rows = normalized if isinstance(normalized, list) else [normalized]
    found = [row for row in rows if isinstance(row, dict) and row]
    if len(found) > decoded.ROWS_MAX:
        raise Unreadable(f"{len(found)} normalized rows are over {decoded.ROWS_MAX}")
    if found:
        return found
    if "frm_payload" not in uplink:
        raise NotData("an uplink without application data")
    raise Unreadable("frm_payload is not decoded: give the application a payload formatter")


def _location(offer: Offer, device: str, message: dict[str, object]) -> Sequence[Said]:
    solved = message.get("location_solved")
    location = solved.get("location") if isinstance(solved, dict) else None
    if not isinstance(location, dict):
        raise Unreadable("location/solved without a location")
    said = Said(device)
    offer.date(said, message.get("received_at"))
    for name, unit in _PLACE.items():
        value = finite(location.get(name))
        if value is not None:
            said.numbers.append((gauge(f"location.{name}", unit), value))
    return (said,)


CONVENTION = Convention("things-network", TOPIC_RANK, read)
