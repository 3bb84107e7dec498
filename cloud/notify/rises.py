"""Pure: counts that rise: since when, to when, by how much; a rise after a calm is another one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K")
RISES_MAX: Final = 10_000
"""Counts that are known to rise at a time; those that rose longest ago are forgotten first."""


@dataclass(slots=True)
class Rise:
    """``since_us`` and ``last_us`` by the cloud's clock; ``count`` is what came meanwhile."""

    since_us: int
    last_us: int
    count: int


@dataclass(slots=True)
class Rises(Generic[K]):
    """What rises now; what was calm for ``calm_us`` has ended."""

    calm_us: int
    _rises: dict[K, Rise] = field(default_factory=dict)

    def note(self, key: K, more: int, now_us: int) -> Rise:
        """Something came."""
        held = self._rises.pop(key, None)
        if held is None or now_us - held.last_us > self.calm_us:
            held = Rise(now_us, now_us, 0)
        self._rises[key] = held  # the newest last
        held.last_us, held.count = now_us, held.count + more
        if len(self._rises) > RISES_MAX:
            del self._rises[next(iter(self._rises))]
        return held

    def within(self, calm_us: int, now_us: int) -> Iterator[tuple[K, Rise]]:
        """Those of which something came within so long."""
        for key, held in self._rises.items():
            if now_us - held.last_us <= calm_us:
                yield key, held


def risen(before: Mapping[K, int], now: Mapping[K, int]) -> dict[K, int]:
    """By how much each count rose; one that fell has been erased, and began anew."""
    return {key: count - before.get(key, 0) for key, count in now.items()
            if count > before.get(key, 0)}  # fmt: skip
