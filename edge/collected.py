"""What collecting did since its start, as `status` tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Collected:
    """What collecting did since its start, for `status`.

    ``totals`` count what is committed, by the names of `edge.reading.Counts` and ``anomalies``.
    ``held`` is true while a full buffer holds a batch back; ``retries`` counts its refusals.
    """

    totals: Mapping[str, int] = field(default_factory=dict)
    commits: int = 0
    retries: int = 0
    held: bool = False
