"""The rules for values told anew, reading by reading, in the plainest words."""

from dataclasses import dataclass, field

from edge.detect.rules_order import LATE_RUN
from edge.settings_watch import Watch, When

Reading = tuple[int, int, float]
"""Series, µs, value."""


@dataclass
class OneSeries:
    """What the rule knows of one series; every reading that it kept, for ever."""

    watch: Watch
    is_open: bool = False
    late: int = 0
    kept: list[tuple[int, float]] = field(default_factory=list)

    def take(self, ts: int, value: float) -> tuple[bool, bool] | None:
        """Whether it was open, and is; None for what is not judged."""
        watch = self.watch
        if watch.when in (When.ABOVE, When.BELOW):
            sign = 1 if watch.when is When.ABOVE else -1
            over = sign * value > sign * watch.limit
            back = sign * value <= sign * (watch.limit - sign * watch.back)
            return self._turn(over, back)
        if not self._in_order(ts):
            return None
        self.kept.append((ts, value))
        if watch.when is When.STUCK:
            return self._stuck(ts, value)
        return self._rate(ts, value)

    def _stuck(self, ts: int, value: float) -> tuple[bool, bool]:
        since = ts
        for at, other in reversed(self.kept):
            if other != value:
                break
            since = at
        over = (ts - since) / 1e6 / self.watch.limit > 1.0
        return self._turn(over, not over)

    def _rate(self, ts: int, value: float) -> tuple[bool, bool] | None:
        watch = self.watch
        span = max(1, round(watch.over_s * 1e6))
        older = [one for one in self.kept if one[0] // span <= ts // span - 2]
        if not older:
            return None
        at, other = older[-1]
        rate = (value - other) / float(ts - at) * (watch.per_s * 1e6)
        rate = {When.RISES: rate, When.FALLS: -rate}.get(watch.when, abs(rate))
        return self._turn(rate > watch.limit, not rate > watch.limit - watch.back)

    def _in_order(self, ts: int) -> bool:
        if self.kept and ts < self.kept[-1][0]:
            self.late += 1
            if self.late < LATE_RUN:
                return False
            self.kept.clear()
        self.late = 0
        return True

    def _turn(self, over: bool, back: bool) -> tuple[bool, bool]:
        before = self.is_open
        self.is_open = over or (before and not back)
        return before, self.is_open


def judged(watch: Watch, readings: list[Reading]) -> dict[int, tuple[bool, bool]]:
    """By the number of the reading: whether its series was open before it, and after it."""
    series: dict[int, OneSeries] = {}
    found = {}
    for number, (who, ts, value) in enumerate(readings):
        told = series.setdefault(who, OneSeries(watch)).take(ts, value)
        if told is not None:
            found[number] = told
    return found
