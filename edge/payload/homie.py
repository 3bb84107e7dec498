"""Pure: Homie 3 to 5: `homie/DEVICE/NODE/PROPERTY` → `21.2`; Valetudo speaks it too.

The device is what stands before the node, `NODE/PROPERTY` the metric. Attributes, whose levels
begin with `$`, are no readings; `$unit` and Homie 5's `$description` tell units. A base topic other
than `homie` is known from its devices' `$homie`.
"""

from typing import Final

from edge.payload import scalar
from edge.payload.known import TOPIC_CHARS_MAX, Bounded
from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Offer
from edge.payload.said import NotData, Unreadable
from edge.payload.value import gauge

BASE: Final = "homie"
BASES_MAX: Final = 16
UNITS_MAX: Final = 5_000
_VERSION_5: Final = "5"


class Homes:
    """What devices told of themselves: their base topics, and units by the topic of the value."""

    def __init__(self) -> None:
        self.bases: list[str] = [BASE]
        self.units: Bounded[str, str] = Bounded(UNITS_MAX)

    def add_unit(self, topic: str, unit: object) -> None:
        """Remember the unit of the value on ``topic``."""
        if isinstance(unit, str) and len(topic) <= TOPIC_CHARS_MAX and len(unit) <= NAME_CHARS_MAX:
            self.units.put(topic, unit)


def read(offer: Offer) -> Answer:
    """What a Homie device says; None for anything else.

    Raises:
        NotData: an attribute, or a command.
        Unreadable: no value.
    """
    if learn(offer):
        raise NotData("what a device says of itself, by Homie's convention")
    homes = offer.known.of(Homes)
    base = next((one for one in homes.bases if offer.topic.startswith(f"{one}/")), None)
    if base is None or offer.opening == b"{":
        return None
    levels = offer.topic[len(base) + 1 :].split("/")
    if levels[0] == _VERSION_5:
        base, levels = f"{base}/{_VERSION_5}", levels[1:]
    if levels[-1] == "set" and len(levels) == 4:
        raise NotData("a command to a device")
    if len(levels) != 3:
        return None
    metric = "/".join(levels[1:])
    if len(metric) > NAME_CHARS_MAX:
        raise Unreadable(f"a topic that names a metric of over {NAME_CHARS_MAX} characters")
    unit = homes.units.get(offer.topic, "")
    return (scalar.value(offer, levels[0], gauge(metric, unit)),)


def learn(offer: Offer) -> bool:
    """Take what an attribute tells; False: it is none."""
    levels = offer.levels
    at = next((n for n in range(1, len(levels)) if levels[n][:1] == "$"), 0)
    if not at or levels[0][:1] == "$":
        return False
    homes = offer.known.of(Homes)
    if levels[at] in ("$homie", "$unit", "$description"):
        offer.known.teach(offer.topic, offer.payload)
    match levels[at]:
        case "$homie" if at >= 2:
            base = "/".join(levels[: at - 1])
            if base not in homes.bases and len(homes.bases) < BASES_MAX:
                homes.bases.append(base[:NAME_CHARS_MAX])
        case "$unit":
            homes.add_unit("/".join(levels[:at]), offer.text())
        case "$description" if offer.opening == b"{":
            _describe(homes, "/".join(levels[:at]), offer.mapping().get("nodes"))
    return True


def _describe(homes: Homes, device: str, nodes: object) -> None:
    """Units of a device's properties, as Homie 5 describes them."""
    for node, told in nodes.items() if isinstance(nodes, dict) else ():
        properties = told.get("properties") if isinstance(told, dict) else None
        for name, one in properties.items() if isinstance(properties, dict) else ():
            if isinstance(one, dict):
                homes.add_unit(f"{device}/{node}/{name}", one.get("unit"))


CONVENTION = Convention("homie", TOPIC_RANK, read, learn)
