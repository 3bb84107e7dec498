"""Simulated time: what is due next happens next, and no time passes in between."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

FRAME_BYTES: Final = 100
"""What a message costs beside its bytes: gRPC, HTTP/2, TLS, TCP and IP."""


@dataclass
class Clockwork:
    """The time, µs UTC, and what is due."""

    now_us: int
    _due: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)

    def at(self, when_us: int, do: Callable[[], None]) -> None:
        """Have something done at a time; what is due together is done in order of asking."""
        heapq.heappush(self._due, (max(when_us, self.now_us), next(self._order), do))

    def after(self, pause_us: int, do: Callable[[], None]) -> None:
        """The same, counted from now."""
        self.at(self.now_us + pause_us, do)

    def leap(self, to_us: int) -> None:
        """Go to a time at once; what was due before or after is forgotten."""
        self.now_us = to_us
        self._due.clear()

    def run_until(self, end_us: int, is_over: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass up to ``end_us``, or until it is over; whether it was."""
        while self._due and self._due[0][0] <= end_us:
            self.now_us, _, do = heapq.heappop(self._due)
            do()
            if is_over():
                return True
        self.now_us = end_us
        return is_over()


@dataclass
class Link:
    """One way of a line: a byte after the other, then the way itself. ``carried`` counts bytes."""

    clock: Clockwork
    bytes_per_s: float
    latency_us: int
    carried: int = 0
    is_up: bool = True
    _free_us: int = 0

    def send(self, size: int, arrives: Callable[[], None]) -> None:
        """Put a message of so many bytes onto it; nothing arrives of what a broken line held."""
        size += FRAME_BYTES
        self.carried += size
        begins = max(self.clock.now_us, self._free_us)
        self._free_us = begins + int(size * 1e6 / self.bytes_per_s)
        self.clock.at(self._free_us + self.latency_us, lambda: arrives() if self.is_up else None)
