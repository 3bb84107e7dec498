"""Pure: Ruuvi Gateway: `ruuvi/GATEWAY/TAG` → `{"rssi":-71,"ts":"…","data":"0201061BFF9904 05…"}`.

The tag's address is the device. Its values stand in the advertisement as Ruuvi's data format 5;
several gateways may hear one tag: its values are taken from the first, for as long as that one
speaks, and the strength is of each gateway, which is its label.
Source: Ruuvi's data format 5 (RAWv2).
"""

import re
import struct
from collections.abc import Sequence
from typing import Final

from edge.payload.offer import TOPIC_RANK, Convention, Offer
from edge.payload.said import NotData, Repeated, Said, Unreadable
from edge.payload.value import gauge, say

_ADDRESS = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_COMPANY: Final = b"\xff\x99\x04\x05"
_FORM: Final = struct.Struct(">hHHhhhHBH")
_GAP_SIGNED: Final = -0x8000
_GAP: Final = 0xFFFF


def read(offer: Offer) -> Sequence[Said] | None:
    """What a gateway heard of a tag; None for anything else.

    Raises:
        NotData: the gateway's own status, or an advertisement of something else.
        Repeated: another gateway told it.
        Unreadable: an advertisement that is broken.
    """
    levels = offer.levels
    if len(levels) < 3 or _ADDRESS.fullmatch(levels[-2]) is None or offer.opening != b"{":
        return None
    gateway, tag = levels[-2], levels[-1]
    if tag in ("gw_status", "status"):
        raise NotData("a gateway's own state")
    tree = offer.mapping()
    data = tree.get("data")
    if _ADDRESS.fullmatch(tag) is None or not isinstance(data, str):
        return None
    said = Said(tag)
    offer.date(said, tree.get("ts", tree.get("gwts")))
    if offer.known.comes_by(("ruuvi", tag), gateway, offer.arrival_us):
        _say_format_5(said, data)
    rssi = tree.get("rssi")
    if rssi is not None:
        say(said, gauge("rssi", "dBm", (("gateway", gateway),)), rssi, offer.limits)
    if not said.numbers:
        raise Repeated("another gateway heard the same")
    return (said,)


def _say_format_5(said: Said, data: str) -> None:
    """Add the values of an advertisement; all ones, or the lowest number, are a gap."""
    try:
        raw = bytes.fromhex(data)
    except ValueError as error:
        raise Unreadable("an advertisement that is no hexadecimal") from error
    at = raw.find(_COMPANY)
    if at < 0:
        raise NotData("an advertisement of something else than Ruuvi's data format 5")
    body = raw[at + len(_COMPANY) :]
    if len(body) < _FORM.size:
        raise Unreadable("an advertisement that is cut off")
    kelvin, humid, pressure, x, y, z, power, moves, count = _FORM.unpack_from(body)
    rows = (
        ("temperature", "°C", kelvin * 0.005, kelvin == _GAP_SIGNED),
        ("humidity", "%", humid * 0.0025, humid == _GAP),
        ("pressure", "hPa", (pressure + 50_000) / 100, pressure == _GAP),
        ("acceleration_x", "g", x / 1000, x == _GAP_SIGNED),
        ("acceleration_y", "g", y / 1000, y == _GAP_SIGNED),
        ("acceleration_z", "g", z / 1000, z == _GAP_SIGNED),
        ("voltage", "V", ((power >> 5) + 1600) / 1000, power >> 5 == 0x7FF),
        ("tx_power", "dBm", float((power & 31) * 2 - 40), power & 31 == 31),
        ("movements", "", float(moves), moves == 0xFF),
        ("sequence", "", float(count), count == _GAP),
    )
    for name, unit, value, is_gap in rows:
        if is_gap:
            said.missing += 1
        else:
            said.numbers.append((gauge(name, unit), round(value, 6)))


CONVENTION = Convention("ruuvi-gateway", TOPIC_RANK, read)
