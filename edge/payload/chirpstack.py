"""Pure: ChirpStack v3 and v4: `application/ID/device/DEV_EUI/event/up` → `{"object":{…}}`.

The device's EUI is the device, its name a label; the metrics are those of `object` (v4) or
`objectJSON` (v3). `event/status` brings battery and margin, `event/location` a place; other events,
commands and the gateways' frames (`gateway/…`) are no readings. An uplink that comes twice counts
once.
"""

from collections.abc import Sequence
from typing import Final

from edge.payload import decoded, json_text
from edge.payload.offer import TOPIC_RANK, Convention, Offer
from edge.payload.said import Labels, NotData, Repeated, Said, Unreadable
from edge.payload.value import finite, gauge, say

_OTHER: Final = frozenset({"join", "ack", "txack", "log", "error", "integration", "down", "tx"})
_PLACE: Final = {"latitude": "°", "longitude": "°", "altitude": "m", "accuracy": "m"}
_FRAMES: Final = frozenset({"event", "command", "state"})


def read(offer: Offer) -> Sequence[Said] | None:
    """What a message of ChirpStack says; None for anything else.

    Raises:
        NotData: another event, a command, a gateway's frame.
        Repeated: the uplink came already.
        Unreadable: no decoded object, or no JSON.
    """
    levels = offer.levels
    if "application" in levels:  # a broker that is shared has a prefix before it
        levels = levels[levels.index("application") :]
    if levels[0] != "application" or len(levels) < 5 or levels[2] not in ("device", "node"):
        if len(levels) >= 4 and levels[-4] == "gateway" and levels[-2] in _FRAMES:
            raise NotData("a LoRaWAN gateway's frame; readings come under application/")
        return None
    if levels[4] == "command":
        raise NotData("a command to a device")
    event = levels[5] if levels[4] == "event" and len(levels) > 5 else levels[4]
    if event in _OTHER:
        raise NotData(f"the network's own affairs: {event}")
    if event in ("up", "rx"):
        return _uplink(offer, levels[3], offer.mapping())
    if event in ("status", "location"):
        return _about(offer, levels[3], offer.mapping(), event)
    return None


def _labels(message: dict[str, object], device: str) -> Labels:
    info = message.get("deviceInfo")
    name = (info if isinstance(info, dict) else message).get("deviceName")
    return (("name", name),) if isinstance(name, str) and name and name != device else ()


def _uplink(offer: Offer, device: str, message: dict[str, object]) -> Sequence[Said]:
    values = _values(message)
    once = message.get("deduplicationId") or message.get("time") or message.get("publishedAt")
    counter = message.get("fCnt", 0)
    if once is not None and offer.known.came(("chirpstack", device, str(counter), str(once))):
        raise Repeated("this uplink came already")
    labels = _labels(message, device)
    gateways = message.get("rxInfo")
    said = Said(device)
    offer.date(said, message.get("time") or _heard(gateways) or message.get("publishedAt"))
    told = decoded.tell(offer, device, values, labels=labels, at_us=said.at_us, dated=said.dated)
    if told:
        told[0].undated = said.undated
        v3 = isinstance(gateways, list) and any("loRaSNR" in str(one) for one in gateways)
        decoded.say_radio(told[0], gateways, labels, ("rssi", "loRaSNR" if v3 else "snr"))
    return told


def _heard(gateways: object) -> object:
    for one in gateways if isinstance(gateways, list) else ():
        if isinstance(one, dict) and one.get("time"):
            return one["time"]
    return None


def _values(message: dict[str, object]) -> dict[str, object]:
    values = message.get("object")
    if values is None and isinstance(message.get("objectJSON"), str):
        text = str(message["objectJSON"])
        values = json_text.decode(text.encode(errors="surrogatepass")) if text else None
    if isinstance(values, dict) and values:
        return values
    if not message.get("data"):
        raise NotData("an uplink without application data")
    raise Unreadable("data is not decoded: give the device profile a codec")


def _about(offer: Offer, device: str, message: dict[str, object], event: str) -> Sequence[Said]:
    labels = _labels(message, device)
    said = Said(device)
    offer.date(said, message.get("time"))
    if event == "location":
        place = message.get("location")
        for name, unit in _PLACE.items():
            value = finite(place.get(name)) if isinstance(place, dict) else None
            if value is not None:
                said.numbers.append((gauge(f"location.{name}", unit, labels), value))
        return (said,)
    said.numbers.append((gauge("margin", "dB", labels), _number(message.get("margin", 0))))
    if message.get("batteryLevelUnavailable") is not True and not message.get(
        "externalPowerSource"
    ):
        level = _number(message.get("batteryLevel", 0))
        said.numbers.append((gauge("battery", "%", labels), level))
    if message.get("externalPowerSource") is True:
        say(said, gauge("externalPowerSource", labels=labels), True, offer.limits)
    return (said,)


def _number(value: object) -> float:
    number = finite(value)
    if number is None:
        raise Unreadable("a device's status without a number where one should be")
    return number


CONVENTION = Convention("chirpstack", TOPIC_RANK, read)
