"""Pure: how much of something was spent in the last 24 hours of running.

Hours of a clock that never steps, so a gateway that wakes up in 1970 counts as well as any. What a
restart brings along counts as if no time had passed between: a budget is never wider for it.
"""

from collections import deque
from typing import Final

import msgspec

HOUR_S: Final = 3600
DAY_HOURS: Final = 24


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives a restart: amounts by hour, the oldest first, and seconds into the last one."""

    hours: list[int] = msgspec.field(default_factory=list)
    into_s: float = 0.0


class RollingDay:
    """Amounts of the running hour and of the 23 whole ones before it.

    Args:
        now_s: seconds of the clock that all calls use.
        kept: what an earlier run left.
    """

    def __init__(self, now_s: float, kept: Kept | None = None) -> None:
        kept = kept or Kept()
        hours = [max(0, amount) for amount in kept.hours[-DAY_HOURS:]]
        self._hours = deque(hours or [0], maxlen=DAY_HOURS)
        self._began_s = now_s - min(max(kept.into_s, 0.0), HOUR_S)

    def add(self, now_s: float, amount: int) -> None:
        """Count an amount as spent now."""
        self._turn(now_s)
        self._hours[-1] += amount

    def total(self, now_s: float) -> int:
        """All of the last 23 to 24 hours."""
        self._turn(now_s)
        return sum(self._hours)

    def kept(self, now_s: float) -> Kept:
        """What the next run begins with."""
        self._turn(now_s)
        return Kept(hours=list(self._hours), into_s=now_s - self._began_s)

    def _turn(self, now_s: float) -> None:
        passed = min(int((now_s - self._began_s) // HOUR_S), DAY_HOURS)
        for _ in range(passed):
            self._hours.append(0)
        if passed:
            self._began_s = now_s - (now_s - self._began_s) % HOUR_S
