"""Pure: Milesight: `{"devEUI":"24e124136d391334","deviceName":"EM300-TH","humidity":49}`.

Any topic; the device's EUI is the device, its name a label. What tells of the radio is left out;
`history` holds readings of the past, which are data, and late.
"""

from collections.abc import Sequence
from typing import Final

from edge.payload import decoded
from edge.payload.flat_json import clock_of
from edge.payload.offer import SHAPE_RANK, Convention, Offer
from edge.payload.said import NotData, Repeated, Said, Unreadable

_ABOUT: Final = frozenset({
    "applicationID", "applicationName", "devEUI", "deviceName", "deviceEUI", "rxInfo", "txInfo",
    "fCnt", "fPort", "data", "time", "timestamp", "ts", "adr", "devAddr", "gatewayTime",
    "cellularIP", "cellularEnable", "confirmed", "metadata", "tags", "deduplicationId", "type",
    "class_type", "codeRate", "dr", "gatewayID", "gatewayName", "modulation", "object",
})  # fmt: skip


def read(offer: Offer) -> Sequence[Said] | None:
    """What an object with a device's EUI in it says; None for anything else.

    Raises:
        NotData: a join, or another message without values.
        Repeated: the uplink came already.
        Unreadable: the payload is not decoded.
    """
    if offer.opening != b"{" or b'"devEUI"' not in offer.payload:
        return None
    message = offer.mapping()
    device = message.get("devEUI")
    if not isinstance(device, str) or not device:
        return None
    values = message.get("object")
    values = values if isinstance(values, dict) else message
    if all(key in _ABOUT for key in values):
        if "data" in message:
            raise Unreadable("data is not decoded: give the device a payload codec")
        raise NotData("a message of the network without values")
    if "fCnt" in message and offer.known.came(
        ("milesight", device, str(message["fCnt"]), str(message.get("time")))
    ):
        raise Repeated("this uplink came already")
    said = Said(device)
    clock = clock_of(message)
    if clock is not None:
        offer.date(said, message[clock])
    name = message.get("deviceName")
    labels = (("name", name),) if isinstance(name, str) and name not in ("", device) else ()
    told = decoded.tell(
        offer,
        device,
        values,
        labels=labels,
        at_us=said.at_us,
        dated=said.dated,
        leave=_ABOUT,
        units=decoded.UNITS,
    )
    if told:
        told[0].undated = said.undated
    return told


CONVENTION = Convention("milesight", SHAPE_RANK, read)
