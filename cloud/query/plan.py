"""Pure: which resolution answers a question for history, and where its buckets lie."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cloud.lake.table.schema import ROLLUP_1D, ROLLUP_1H, ROLLUP_1M, TableSpec
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US

if TYPE_CHECKING:
    from cloud.live.series import Known

SECOND_US: Final = 1_000_000
POINTS_MAX: Final = 20_000
_MILLI_US: Final = 1_000


class Resolution(Enum):
    """What a caller may ask for; the value is its name on the wire."""

    AUTO = "auto"
    RAW = "raw"
    MINUTE = "1m"
    HOUR = "1h"
    DAY = "1d"


_TIERS: Final = {
    Resolution.MINUTE: ROLLUP_1M,
    Resolution.HOUR: ROLLUP_1H,
    Resolution.DAY: ROLLUP_1D,
}
_WIDTHS: Final = (
    *(n * _MILLI_US for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(n * SECOND_US for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE_US for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR_US for n in (1, 2, 3, 6, 12)),
    *(n * DAY_US for n in (1, 2, 5, 7, 14, 28)),
)
"""Bucket widths that people read; beyond them whole multiples of 28 days."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """``width_us`` buckets made from ``tier`` (None: from raw readings), called ``name``.

    ``edges`` are the starts of a calendar's buckets and the end of the last, ``width_us`` is 0
    where they differ in length; None means buckets of one width from 1970 on.
    """

    width_us: int
    tier: TableSpec | None
    name: str
    edges: NDArray[np.int64] | None = field(default=None, compare=False)

    @property
    def is_tier(self) -> bool:
        """Whether these are the very buckets of ``tier``."""
        own = self.tier is not None and self.width_us == self.tier.width_us
        return own and self.edges is None

    @property
    def fine_us(self) -> int:
        """A width whose buckets fill these: what raw readings are first reduced to."""
        if self.edges is None:
            return self.width_us
        return self.tier.width_us if self.tier is not None else _common_us(self.edges)


def buckets_for(from_us: int, to_us: int, points: int, resolution: Resolution) -> Buckets:
    """The narrowest buckets of which at most ``points`` meet [from, to).

    A resolution other than AUTO names the tier to read; its buckets are joined where there are
    more of them than ``points``.
    """
    finest = _TIERS[resolution].width_us if resolution in _TIERS else _MILLI_US
    width = next((w for w in _WIDTHS if w >= finest and _count(from_us, to_us, w) <= points), 0)
    if not width:
        step = _WIDTHS[-1]
        width = step * -(-(to_us - from_us) // (step * max(points - 1, 1)))
    tier = _TIERS.get(resolution) or _tier_under(width)
    return Buckets(width, tier, tier.name.removeprefix("rollup_") if tier else _name(width))


def span(from_us: int, to_us: int, width_us: int) -> tuple[int, int]:
    """The whole buckets that meet [from, to): the start of the first, the end of the last."""
    return from_us - from_us % width_us, to_us + -to_us % width_us


def _count(from_us: int, to_us: int, width_us: int) -> int:
    first, end = span(from_us, to_us, width_us)
    return (end - first) // width_us


def _tier_under(width_us: int) -> TableSpec | None:
    """The coarsest tier whose buckets fill these exactly."""
    for tier in (ROLLUP_1D, ROLLUP_1H, ROLLUP_1M):
        if width_us % tier.width_us == 0:
            return tier
    return None


def _common_us(edges: NDArray[np.int64]) -> int:
    """The greatest width of which all edges are multiples."""
    return int(np.gcd.reduce(edges)) or _MILLI_US


def _name(width_us: int) -> str:
    if width_us % SECOND_US == 0:
        return f"{width_us // SECOND_US}s"
    return f"{width_us // _MILLI_US}ms"


def expected(known: "Known", from_us: int, to_us: int) -> NDArray[np.float64]:
    """Readings in [from, to) of each series, by its mean rate so far."""
    length = np.maximum(known.last_ts - known.first_ts, 1)
    asked = np.minimum(known.last_ts, to_us) - np.maximum(known.first_ts, from_us)
    found: NDArray[np.float64] = known.readings * np.clip(asked / length, 0, 1)
    return found
