"""Pure: OwnTracks: `owntracks/USER/PHONE` → `{"_type":"location","lat":52.1,"lon":4.3,"tst":…}`.

Any topic; it is the device, and `tst` the time. A transition is the name of its region and the
word. Last wills, waypoints, cards, commands and encrypted messages are no readings.
"""

from typing import Final

from edge.payload.offer import SHAPE_RANK, Convention, Flat, Names, Offer
from edge.payload.said import Channel, NotData
from edge.payload.value import gauge

_UNITS: Final = {
    "lat": "°", "lon": "°", "acc": "m", "alt": "m", "vac": "m", "vel": "km/h", "cog": "°",
    "batt": "%", "p": "kPa", "rad": "m",
}  # fmt: skip
_NO_READING: Final = frozenset({
    "_type", "_id", "tid", "topic", "tst", "created_at", "wtst", "t", "SSID", "BSSID", "conn", "m",
    "bs", "rid", "inrids", "poi", "tag", "image", "imagename", "isotst", "disptst", "_http",
})  # fmt: skip
_SAID: Final = frozenset({"location", "transition", "steps"})
_OTHERS: Final = frozenset({
    "lwt", "waypoint", "waypoints", "configuration", "card", "cmd", "encrypted", "beacon",
    "request", "status", "dump",
})  # fmt: skip


def read(offer: Offer) -> Flat | None:
    """What a phone says of its place; None for anything else.

    Raises:
        NotData: another kind of message of OwnTracks.
        Unreadable: broken JSON.
    """
    if offer.opening != b"{" or b'"_type"' not in offer.payload:
        return None
    tree = offer.mapping()
    kind = tree.get("_type")
    if not isinstance(kind, str):
        return None
    if kind in _OTHERS:
        raise NotData(f"no place: {kind}")
    if kind not in _SAID:
        return None
    names = offer.known.of(_Places).names.__getitem__
    topic = offer.topic.removesuffix("/event").removesuffix("/step")
    return Flat(topic, tree, names, "tst" if "tst" in tree else None, fixed=("_type",))


class _Places:
    """Names of a place's values."""

    def __init__(self) -> None:
        self.names = Names(_channel)


def _channel(path: str) -> Channel | None:
    first = path.partition(".")[0]
    return None if first in _NO_READING else gauge(path, _UNITS.get(path, ""))


CONVENTION = Convention("owntracks", SHAPE_RANK, read)
