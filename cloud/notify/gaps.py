"""Pure: which gateways declare readings lost: evicted from a full buffer, damaged, deleted.

Declarations come one by one while a buffer is full, so what is told is a time in which they came.
What was declared before is kept in `notify.db`: no start of the cloud tells it again, and none
leaves out what came while it was away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cloud.notify.rises import Rises, risen
from cloud.notify.rule import Rule, What
from cloud.notify.standing import Finding, Key, Standing

Lost = Mapping[tuple[str, str], int]
"""Readings that gateways declared lost for reasons, ever."""

LOOKED: Final = ("", "")
"""Kept once somebody looked, so that the first gap ever is news."""


@dataclass(slots=True)
class Gaps:
    """``known`` is what was declared before; None where nobody ever looked."""

    known: dict[tuple[str, str], int] | None
    rises: Rises[tuple[str, str]]
    _resumed: set[Key] = field(default_factory=set)

    def note(self, lost: Lost, now_us: int) -> dict[tuple[str, str], int]:
        """Take in what is declared now; returns what is to be kept in place of what was known."""
        known = dict(lost) if self.known is None else self.known
        for key, more in risen(known, lost).items():
            self.rises.note(key, more, now_us)
        changed = {key: count for key, count in lost.items() if known.get(key) != count}
        if self.known is None:
            changed = {**lost, LOOKED: 0}
        self.known = known | dict(lost)
        return changed

    def losing(
        self, name: str, rule: Rule, open_: Mapping[Key, Standing], now_us: int
    ) -> list[Finding]:
        """Those that declared something within the rule's calm."""
        calm_us = round(rule.calm_s * 1e6)
        for key, stands in open_.items():
            # Begun under an earlier process: it ends a calm after this one began to look.
            if key[0] == name and key not in self._resumed:
                self._resumed.add(key)
                reason = str(stands.found.detail.get("reason", ""))
                self.rises.note((stands.found.gateway, reason), 0, now_us)
        found = []
        for (gateway, reason), rise in self.rises.within(calm_us, now_us):
            subject = f"{gateway}/{reason}"
            stands_now = open_.get((name, subject))
            since = stands_now.found.since_us if stands_now else rise.since_us
            detail: dict[str, str | float | int] = {"reason": reason, "readings": rise.count}
            found.append(
                Finding(name, What.GAP, subject, rule.severity, gateway, since, detail=detail)
            )
            self._resumed.add((name, subject))
        return found
