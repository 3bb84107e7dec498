"""Pure: a device's reported state: `{"state":{"reported":{"temperature":21.5,"ts":…}}}`.

As Teltonika's trackers and cloud shadows write it. A level of the topic that is an IMEI is the
device, else the topic is. `latlng` is two numbers. What is desired of a device is no reading.
"""

import re
from collections.abc import Sequence
from typing import Final

from edge.payload.flat_json import clock_of, flatten
from edge.payload.offer import SHAPE_RANK, Convention, Flat, Offer
from edge.payload.said import NotData, Said
from edge.payload.value import gauge, number_of, say

_IMEI = re.compile(r"[0-9]{15}")
_UNITS: Final = {"alt": "m", "ang": "°", "sp": "km/h"}
_STATE: Final = b'"state"'


def read(offer: Offer) -> Sequence[Said] | None:
    """What a device reports; None for anything else.

    Raises:
        NotData: nothing but what is desired of it.
        Unreadable: broken JSON.
    """
    if offer.opening != b"{" or _STATE not in offer.payload[:256]:
        return None
    state = offer.mapping().get("state")
    if not isinstance(state, dict) or not state.keys() <= {"reported", "desired", "delta"}:
        return None
    values = state.get("reported")
    if not isinstance(values, dict) or not values:
        if "desired" in state:
            raise NotData("what is desired of a device")
        return None
    device = next((level for level in offer.levels if _IMEI.fullmatch(level)), offer.topic)
    said = Said(device)
    clock = clock_of(values)
    if clock is not None:
        offer.date(said, values[clock])
    flat = Flat(device, {}, gauge)
    for key, value in values.items():
        if key == clock:
            continue
        place = _place(value) if key == "latlng" else None
        if place is not None:
            said.numbers += [
                (gauge("latitude", "°"), place[0]),
                (gauge("longitude", "°"), place[1]),
            ]
        elif isinstance(value, dict | list):
            flatten(said, key, value, flat, offer.limits, 4)
        else:
            say(said, gauge(key, _UNITS.get(key, "")), value, offer.limits)
    return (said,)


def _place(value: object) -> tuple[float, float] | None:
    if not isinstance(value, str) or len(value) > 64:
        return None
    parts = [number_of(part.strip()) for part in value.split(",")]
    return (parts[0], parts[1]) if len(parts) == 2 and None not in parts else None  # type: ignore[return-value] # both are numbers


CONVENTION = Convention("device-shadow", SHAPE_RANK, read)
