"""Pure: which gateways' buffers fill up: by the share that is taken, or by the days that are left.

Days are what is free over how fast it was taken in the last hour; less than ten minutes say
nothing. What was found to fill up does so until it is clearly no more, so that a buffer at the
bound is told once.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cloud.notify.fleet import GatewayNow
from cloud.notify.rule import Rule, What
from cloud.notify.standing import Finding, Key, Standing

SPAN_US: Final = 3_600_000_000
SPAN_US_MIN: Final = 600_000_000
SAMPLE_US: Final = 60_000_000
SHARE_BACK: Final = 0.05
DAYS_BACK: Final = 1.5
_DAY_US: Final = 86_400_000_000


@dataclass(slots=True)
class Buffers:
    """How full each buffer was in the last hour, at most once a minute."""

    _samples: dict[str, deque[tuple[int, int]]] = field(default_factory=dict)

    def note(self, gateways: Iterable[GatewayNow]) -> None:
        """Remember how full they are now, as of when they said so."""
        kept = {}
        for one in gateways:
            held = kept[one.name] = self._samples.get(one.name, deque())
            if held and one.heard_us < held[-1][0]:  # its clock or ours was set back
                held.clear()
            if not held or one.heard_us - held[-1][0] >= SAMPLE_US:
                held.append((one.heard_us, one.taken_bytes))
            while held[-1][0] - held[0][0] > SPAN_US:
                held.popleft()
        self._samples = kept

    def days_left(self, one: GatewayNow) -> float | None:
        """Until it is full as it grew; None when it does not, or that is not known."""
        held = self._samples.get(one.name)
        if held is None or len(held) < 2 or held[-1][0] - held[0][0] < SPAN_US_MIN:
            return None
        (from_us, before), (to_us, after) = held[0], held[-1]
        if after <= before:
            return None
        left = max(one.buffer_bytes - one.taken_bytes, 0)
        return left / (after - before) * (to_us - from_us) / _DAY_US

    def filling(
        self,
        name: str,
        rule: Rule,
        gateways: Iterable[GatewayNow],
        open_: Mapping[Key, Standing],
        now_us: int,
    ) -> list[Finding]:
        """Those that are as full, or will be as soon, as the rule says."""
        found = []
        for one in gateways:
            if one.buffer_bytes <= 0:
                continue
            stands = open_.get((name, one.name))
            share, days = one.taken_bytes / one.buffer_bytes, self.days_left(one)
            share_min = rule.full_share - (SHARE_BACK if stands else 0)
            days_most = rule.full_days * (DAYS_BACK if stands else 1)
            if share < share_min and (days is None or days >= days_most):
                continue
            detail = {"share": share} | ({} if days is None else {"days": days})
            since = stands.found.since_us if stands else now_us
            found.append(
                Finding(name, What.BUFFER, one.name, rule.severity, one.name, since, detail=detail)
            )
        return found
