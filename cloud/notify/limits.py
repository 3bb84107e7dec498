"""Pure: which series are past a limit: by their last reading at each look, for the stated time.

What a series said last holds until it says something else. What was past a limit only between two
looks is not found.
"""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.live.series import NEVER, Known
from cloud.notify.rule import Rule, What
from cloud.notify.standing import OPEN_MAX, Finding, Key, Standing

_ID: Final = "{:016x}"


class Book(Protocol):
    """All series as they are shown."""

    def known(self) -> Known:
        """Everything; names only ever come to it."""

    def retired(self) -> frozenset[int]:
        """The ids of series that ended."""


@dataclass(slots=True)
class Pattern:
    """Which series a rule is about; what depends on names alone is kept until one is added."""

    rule: Rule
    _test: re.Pattern[str] = field(init=False)
    _gateway: re.Pattern[str] = field(init=False)
    _book: object = field(init=False, default=None)
    _at: NDArray[np.int64] = field(init=False, default_factory=lambda: np.empty(0, np.int64))
    _seen: int = field(init=False, default=0)
    _last: Name | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Make ready what is asked of every series."""
        self._test = re.compile(fnmatch.translate(self.rule.series.casefold()))
        self._gateway = re.compile(fnmatch.translate(self.rule.gateways))

    def fits(self, name: Name) -> bool:
        """Whether the rule is about a series."""
        path = f"{name.gateway}/{name.device}/{name.metric}".casefold()
        return bool(self._test.match(path) and self._gateway.match(name.gateway))

    def places(self, book: object, names: Sequence[Name]) -> NDArray[np.int64]:
        """Where in ``names`` those of the rule stand; ``book`` is whose names they are.

        New names come at the end, or before those of joined series, which then have moved.
        """
        has_moved = len(names) < self._seen or (self._seen and names[self._seen - 1] != self._last)
        if book is not self._book or has_moved:
            self._book, self._seen, self._at = book, 0, self._at[:0]
        new = [i for i in range(self._seen, len(names)) if self.fits(names[i])]
        if new:
            self._at = np.concatenate([self._at, np.array(new, np.int64)])
        self._seen = len(names)
        self._last = names[-1] if names else None
        return self._at


@dataclass(slots=True)
class Limit:
    """One rule on a limit, and since when which series are past it."""

    name: str
    rule: Rule
    pattern: Pattern = field(init=False)
    _since: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make the pattern ready."""
        self.pattern = Pattern(self.rule)

    def past(
        self,
        book: object,
        known: Known,
        retired: frozenset[int],
        open_: Mapping[Key, Standing],
        now_us: int,
    ) -> list[Finding]:
        """The series that have been past the limit for long enough, and not come back."""
        rule = self.rule
        at = self.pattern.places(book, known.names)
        value, last = known.last_value[at], known.last_ts[at]
        outside = (last > NEVER) & ((value > rule.above) | (value < rule.below))
        inside = ~((value > rule.above - rule.hysteresis) | (value < rule.below + rule.hysteresis))
        near = np.flatnonzero(~inside & (last > NEVER))
        found: list[Finding] = []
        since: dict[int, int] = {}
        for place in near.tolist():
            name = known.names[at[place]]
            subject = _ID.format(name.id)
            stands = open_.get((self.name, subject))
            if name.id in retired or not (outside[place] or stands or name.id in self._since):
                continue
            if not outside[place] and not stands:
                continue  # it had not been past it for long enough, and is near it only
            if len(since) >= 2 * OPEN_MAX:
                break  # no more could be told
            began = self._since.get(name.id, min(int(last[place]), now_us))
            since[name.id] = began
            if stands or now_us - began >= round(rule.for_s * 1e6):
                held = stands.found.since_us if stands else began
                found.append(self._finding(name, subject, held, float(value[place])))
        self._since = since
        return found

    def _finding(self, name: Name, subject: str, since_us: int, value: float) -> Finding:
        rule = self.rule
        detail: dict[str, str | float | int] = {"value": value}
        if rule.above < np.inf:
            detail["above"] = rule.above
        if rule.below > -np.inf:
            detail["below"] = rule.below
        if name.unit:
            detail["unit"] = name.unit
        return Finding(
            self.name, What.LIMIT, subject, rule.severity, name.gateway, since_us, name.device,
            name.metric, detail,
        )  # fmt: skip
