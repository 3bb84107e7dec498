"""How much of a simulated world is the product, by its seed (docs/decisions/0027)."""

from enum import Enum

DISKS_IN = 10
"""One seed in so many has real stores and a real journal, over disks that fail."""
LAKE_IN = 100
"""One in so many has the product's consolidator and tables as well."""


class Kind(Enum):
    """What is real beside the rules of both sides, which always are."""

    RULES = "rules"
    DISKS = "disks"
    LAKE = "lake"


def kind_of(seed: int) -> Kind:
    """The kind of a seed's world."""
    if seed % LAKE_IN == 0:
        return Kind.LAKE
    return Kind.DISKS if seed % DISKS_IN == 0 else Kind.RULES
