"""Pure: what one model said of the readings of a batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detect.judged import Judged


@dataclass(frozen=True, slots=True)
class Looked:
    """What one model said of readings.

    Attributes:
        rows: `(n,)` int64, where they stand among the numbers that were scored.
        judged: all that it judged.
        alarm: `(n,)` which of them became anomalies.
    """

    rows: NDArray[np.int64]
    judged: Judged
    alarm: NDArray[np.bool_]

    def within(self, first: int, end: int) -> "Looked | None":
        """The part whose rows lie in ``first`` to ``end``; None when there is none."""
        at = ((self.rows >= first) & (self.rows < end)).nonzero()[0]
        if not len(at):
            return None
        return Looked(self.rows[at], self.judged.at(at), self.alarm[at])
