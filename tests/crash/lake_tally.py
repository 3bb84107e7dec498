"""What rounds of the lake's campaign came to, from home to home."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

ENDS: Final = ("kill", "cut")
"""How a life ends: by kill -9, or with the power."""


@dataclass(slots=True)
class Tally:
    """What rounds came to, summed over homes.

    ``seen``: points, and how many lives came past each; ``died``: by how its process ended, those
    that one died at.
    """

    counts: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    died: dict[str, set[str]] = field(default_factory=lambda: {end: set() for end in ENDS})
    problems: list[str] = field(default_factory=list)

    @property
    def never(self) -> frozenset[str]:
        """Points that no process died at, in whatever way."""
        return frozenset(set(self.seen).difference(*self.died.values()))

    def told(self) -> dict[str, Any]:
        """For another process."""
        died = {end: sorted(points) for end, points in self.died.items()}
        return {
            "counts": self.counts, "seen": self.seen, "died": died,
            "problems": self.problems,
        }  # fmt: skip

    def add(self, other: dict[str, Any]) -> None:
        """What another process told."""
        self.counts.update(other["counts"])
        self.seen.update(other["seen"])
        for end, points in other["died"].items():
            self.died[end].update(points)
        self.problems += other["problems"]
