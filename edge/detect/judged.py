"""Pure: what a detector judged, which is all that episodes are made from.

A model's scorer and every rule speak in these columns; whoever makes episodes need not know which
of them did.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Judged:
    """Readings judged by one detector, those of a series in the order of arrival.

    Readings that it did not judge (a window that is not full, a threshold not learned) are absent.

    Attributes:
        detector: `name@version` of a model, or `rule:name`.
        series: `(n,)` uint32 series entries.
        ts: `(n,)` int64, event time in µs UTC.
        value: `(n,)` float64, the reading.
        score: `(n,)` float64, larger is stranger, never negative.
        threshold: `(n,)` float64, the threshold in force; the reading is strange when its score is
            above it.
        channel: `(n,)` uint32 series entries: which of the series that are judged together made
            this reading strangest, where `series` only names them all; None: it is itself.
    """

    detector: str
    series: NDArray[np.uint32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    channel: NDArray[np.uint32] | None = None

    def at(self, rows: NDArray[np.int64]) -> "Judged":
        """Those of the readings that stand at these places."""
        channel = None if self.channel is None else self.channel[rows]
        return Judged(
            self.detector, self.series[rows], self.ts[rows], self.value[rows], self.score[rows],
            self.threshold[rows], channel,
        )  # fmt: skip
