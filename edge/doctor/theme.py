"""A theme: one part of a gateway that is looked at, within a time limit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.doctor.case import Case
from edge.doctor.kind import OURS, Finding, Kind, fault


@dataclass(frozen=True, slots=True)
class Theme:
    """One part, all that may be found there, and who looks.

    ``examine`` yields findings as they come and runs on a thread of its own; ``limit_s`` is how
    long it may take, and ``hung`` (to do, exit code) what is told of one that takes longer.
    """

    name: str
    kinds: tuple[Kind, ...]
    examine: Callable[[Case], Iterator[Finding]]
    limit_s: float
    hung: tuple[str, int]
    needs_settings: bool = True

    @property
    def hangs(self) -> Kind:
        """It did not come to an end."""
        return fault(f"{self.name}.hangs", f"{self.name}, within its time limit", *self.hung)

    @property
    def fails(self) -> Kind:
        """The look itself failed: our fault."""
        to_do = "this is a fault of Tidegate: report it with these words"
        return fault(f"{self.name}.fails", f"{self.name}, by a look that failed", to_do, OURS)
