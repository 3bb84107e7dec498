"""Pure: how long the history of a series is kept, and which of its rows are past that.

The age of a reading is counted from its event time, or from its arrival at the gateway where that
came later: what a sensor kept back stays as long as what was just measured. Of an imported past
nothing is known but when it was measured. A reading stamped by a clock that was never right has no
age and stays (promise 10). Rows leave by whole days UTC, so that a rollup's bucket has all its
readings or none that are due.
"""

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cloud.journal.counts import EARLIER, EPOCHS_MAX
from cloud.retention.order import Order
from cloud.rollup.partials import DAY_US, Ints, bucket_of
from cloud.settings import Retention
from protos.records import Quality

Bools = NDArray[np.bool_]
NEVER: Final = np.iinfo(np.int64).max
_SERIES_MAX: Final = 262_144
_AGES_MAX: Final = 1 << 61
"""Times beyond this are taken for it: sums with a keep do not overflow."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One section of the settings; 0 keeps for ever."""

    name: str
    pattern: str
    readings_us: int
    rollups_us: int


NO_RULE: Final = Rule("", "", 0, 0)


@dataclass(slots=True)
class Rules:
    """The rules in their order; the first whose pattern fits a series decides."""

    rules: Sequence[Rule]
    _tests: list[re.Pattern[str]] = field(init=False)
    _known: dict[int, Rule] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make ready what is asked of every series."""
        patterns = (fnmatch.translate(rule.pattern.casefold()) for rule in self.rules)
        self._tests = [re.compile(pattern) for pattern in patterns]

    @classmethod
    def of(cls, told: Mapping[str, Retention]) -> "Rules":
        """As the settings tell them."""
        return cls(
            [
                Rule(name, one.series, one.readings_days * DAY_US, one.rollups_days * DAY_US)
                for name, one in told.items()
            ]
        )

    def rule(self, series: int, path: str) -> Rule:
        """The rule of a series by its id and `gateway/device/metric`; NO_RULE where none fits."""
        found = self._known.get(series)
        if found is None:
            if len(self._known) >= _SERIES_MAX:
                self._known.clear()
            found = self._known[series] = self._find(path.casefold())
        return found

    def fits(self, paths: Iterable[str]) -> bool:
        """Whether any rule fits one of these `gateway/device/metric`."""
        return any(self._find(path.casefold()) is not NO_RULE for path in paths)

    def shortest_us(self, *, rollups: bool) -> int:
        """After how long the first rows leave; 0: none ever."""
        keeps = (rule.rollups_us if rollups else rule.readings_us for rule in self.rules)
        return min((keep for keep in keeps if keep), default=0)

    def _find(self, path: str) -> Rule:
        tests = zip(self._tests, self.rules, strict=True)
        return next((rule for test, rule in tests if test.match(path)), NO_RULE)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Which rows leave now, and when the next of the others will, µs (NEVER: none)."""

    rows: Bools
    due_us: int


def past_readings(keep: Ints, ts: Ints, lag: Ints, quality: NDArray[Any], now_us: int) -> Past:
    """Of readings with the ``keep`` (µs, 0 for ever) of their series."""
    came = np.clip(np.maximum(ts, ts + lag), -_AGES_MAX, _AGES_MAX)
    is_aged = (keep > 0) & (quality != int(Quality.GATEWAY_UNSYNCED))
    return _past(keep, came, is_aged, now_us)


def past_buckets(keep: Ints, ts: Ints, without_readings: Bools, now_us: int) -> Past:
    """Of rows of a rollup: only where the readings left before."""
    found = _past(keep, np.clip(ts, -_AGES_MAX, _AGES_MAX), keep > 0, now_us)
    waits = bool((found.rows & ~without_readings).any())
    due = min(found.due_us, now_us + DAY_US) if waits else found.due_us
    return Past(found.rows & without_readings, due)


def _past(keep: Ints, came: Ints, is_aged: Bools, now_us: int) -> Past:
    due = bucket_of(came, DAY_US) + DAY_US + keep
    gone = is_aged & (due <= now_us)
    left = is_aged & ~gone
    return Past(gone, int(due[left].min()) if left.any() else int(NEVER))


Hulls = Mapping[int, tuple[int, int]]
"""By series, from which day on and up to which (µs) readings were removed."""


NO_HULLS: Final[Hulls] = MappingProxyType({})


def within(series: Ints, ts: Ints, hulls: Hulls) -> Bools:
    """Which rows lie in days of their series from which readings were removed."""
    if not hulls:
        return np.zeros(len(series), bool)
    known, at = np.unique(series, return_inverse=True)
    found = [hulls.get(one, (0, 0)) for one in known.tolist()]
    low, high = np.array(found, np.int64).reshape(-1, 2).T
    inside: Bools = (ts >= low[at]) & (ts < high[at])
    return inside


def hulls_of(series: Ints, ts: Ints) -> dict[int, tuple[int, int]]:
    """The days of rows, which are sorted by series."""
    if not len(series):
        return {}
    starts = np.flatnonzero(np.append(True, series[1:] != series[:-1]))
    low = bucket_of(np.minimum.reduceat(ts, starts), DAY_US).tolist()
    high = bucket_of(np.maximum.reduceat(ts, starts), DAY_US).tolist()
    ids = series[starts].tolist()
    return {one: (low[at], high[at] + DAY_US) for at, one in enumerate(ids)}


def united(one: Hulls, other: Hulls) -> dict[int, tuple[int, int]]:
    """Hulls that hold both."""
    found = dict(one)
    for series, (low, high) in other.items():
        before = found.get(series, (low, high))
        found[series] = (min(before[0], low), max(before[1], high))
    return found


ByEpoch = Mapping[str, Mapping[int, int]]
"""Readings by gateway and epoch (EARLIER: those too old to be told apart)."""


class Retired(msgspec.Struct, frozen=True):
    """All that was removed up to a ticket, by rule or by orders to erase.

    ``rows`` left by rule; ``hulls`` by series, from which day on and up to which these readings
    were, µs. ``erased`` left by ``orders``, which are told in the order of their numbers.
    """

    ticket: int = 0
    rows: ByEpoch = {}
    hulls: Mapping[int, tuple[int, int]] = {}
    erased: ByEpoch = {}
    orders: tuple[Order, ...] = ()

    @property
    def total(self) -> int:
        """Readings removed by rule in all."""
        return sum(count for epochs in self.rows.values() for count in epochs.values())

    @property
    def unfinished(self) -> tuple[Order, ...]:
        """Orders of which not all is done."""
        return tuple(order for order in self.orders if not order.is_done)

    def by_epoch(self) -> Counter[tuple[str, int]]:
        """Readings removed by rule, by (gateway, epoch)."""
        return _flat(self.rows)

    def erased_by_epoch(self) -> Counter[tuple[str, int]]:
        """Readings erased, by (gateway, epoch)."""
        return _flat(self.erased)

    def after(
        self, removed: Mapping[tuple[str, int], int], hulls: Mapping[int, tuple[int, int]]
    ) -> "Retired":
        """With these readings removed by rule as well, which were of these days."""
        rows, all_hulls = _with(self.rows, removed), united(self.hulls, hulls)
        return replace(self, ticket=self.ticket + 1, rows=rows, hulls=all_hulls)

    def ordered(self, order: Order) -> "Retired":
        """With an order as well."""
        return replace(self, ticket=self.ticket + 1, orders=(*self.orders, order))

    def erasing(self, removed: Mapping[int, Mapping[tuple[str, int], int]]) -> "Retired":
        """With these readings erased as well, by the number of their order."""
        erased, orders = self.erased, list(self.orders)
        for at, order in enumerate(orders):
            if own := removed.get(order.number):
                erased = _with(erased, own)
                orders[at] = replace(order, readings=order.readings + sum(own.values()))
        return replace(self, ticket=self.ticket + 1, erased=erased, orders=tuple(orders))

    def done(self, number: int) -> "Retired":
        """With an order carried out."""
        orders = [replace(one, is_done=one.is_done or one.number == number) for one in self.orders]
        return replace(self, ticket=self.ticket + 1, orders=tuple(orders))


def _flat(rows: ByEpoch) -> Counter[tuple[str, int]]:
    found: Counter[tuple[str, int]] = Counter()
    for gateway, epochs in rows.items():
        found.update({(gateway, epoch): count for epoch, count in epochs.items()})
    return found


def _with(before: ByEpoch, removed: Mapping[tuple[str, int], int]) -> ByEpoch:
    rows = {gateway: dict(epochs) for gateway, epochs in before.items()}
    for (gateway, epoch), count in removed.items():
        own = rows.setdefault(gateway, {})
        own[epoch] = own.get(epoch, 0) + count
        while len(own) - (EARLIER in own) > EPOCHS_MAX:
            oldest = min(one for one in own if one != EARLIER)
            own[EARLIER] = own.get(EARLIER, 0) + own.pop(oldest)
    return rows


NOTHING: Final = Retired()
