"""Pure: for how long a reading is the answer while no other follows, by its series' cadence.

Where a sensor fell silent there shall be a gap, not a line. So a reading goes stale after four
times the mean time between those of its series, and after five minutes at the latest, as in
Prometheus; only of a series that speaks less often than every two and a half minutes after twice
that time.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

USUAL_US: Final = 300_000_000
"""When a reading goes stale whose series is not known well enough."""
LEAST_US: Final = 10_000_000
MOST_US: Final = 172_800_000_000
_FIRST_US: Final = 946_684_800_000_000
"""2000: what claims to be older was told by a clock that nobody had set."""
_AHEAD_US: Final = 86_400_000_000
_READINGS: Final = 3
"""Fewer say nothing of how often a series speaks."""
_Ints = NDArray[np.int64]


def stale_us(readings: _Ints, first_ts: _Ints, last_ts: _Ints, now_us: int) -> _Ints:
    """After how many µs a reading is stale, of each series; a broken clock's times say nothing."""
    known = (readings >= _READINGS) & (first_ts >= _FIRST_US) & (last_ts <= now_us + _AHEAD_US)
    length = np.where(known, last_ts, 0) - np.where(known, first_ts, 0)
    between = length // np.maximum(readings - 1, 1)
    found = np.maximum(np.minimum(4 * between, USUAL_US), 2 * between)
    kept: _Ints = np.where(known, np.clip(found, LEAST_US, MOST_US), USUAL_US)
    return kept
