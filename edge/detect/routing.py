"""Pure: which readings go to which model.

A model is for kinds of series. One that costs more than can be afforded for quick series takes slow
ones alone (`step_s_min`), and then the models that it stands in for (`instead_of`) leave those
series to it, for as long as it is in service.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.detect.pace import Pace

Bools = NDArray[np.bool_]
I8 = NDArray[np.int64]


class Claim(Protocol):
    """What of a manifest decides."""

    @property
    def name(self) -> str:
        """The model's."""
        ...

    @property
    def step_s_min(self) -> float:
        """Mean seconds between readings of the series that it takes, at least."""
        ...

    @property
    def instead_of(self) -> tuple[str, ...]:
        """Names of models that leave those series to it."""
        ...


@dataclass(slots=True)
class Routing:
    """Decides for models in their order.

    Args:
        claims: of each model.

    Attributes:
        paces: of each model that takes slow series alone, how quick each series is.
        left: of the last readings, those that each name leaves, `(n,)`.
    """

    claims: Sequence[Claim]
    paces: list[Pace | None] = field(init=False)
    left: dict[str, Bools] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.paces = [Pace(one.step_s_min) if one.step_s_min else None for one in self.claims]

    def rows(
        self, series: NDArray[np.uint32], ts: I8, wanted: Sequence[Bools | None]
    ) -> list[Bools | None]:
        """The readings of each model.

        Args:
            series: `(n,)` of each reading, those of a series in the order of arrival.
            ts: `(n,)` event times, int64 µs.
            wanted: of each model `(n,)` whether the reading's series is of its kind; None for a
                model out of service.

        Returns:
            Of each model `(n,)`, or None.
        """
        taken: list[Bools | None] = []
        left: dict[str, Bools] = {}
        for claim, pace, mine in zip(self.claims, self.paces, wanted, strict=True):
            if pace is None or mine is None:
                taken.append(mine)
                continue
            at = mine.nonzero()[0]
            slow = np.zeros(len(series), np.bool_)
            slow[at] = pace.slow(series[at], ts[at])
            taken.append(slow)
            for name in claim.instead_of:
                left[name] = left[name] | slow if name in left else slow
        self.left = left
        return [
            mine if mine is None or claim.name not in left else mine & ~left[claim.name]
            for claim, mine in zip(self.claims, taken, strict=True)
        ]
