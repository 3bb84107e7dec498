"""Episodes as gateways tell them: which series have one that goes on, or came and went just now.

Where a gateway tells episodes, its word counts, and no calm is waited for. One that was not told of
for a day, as of a gateway that died, is not held to go on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloud.lake.names import Name
from protos.records import EpisodeState

SERIES_MAX: Final = 10_000
"""Series whose episodes are known; those told of longest ago are forgotten first."""
Row = Mapping[str, Any]


@dataclass(slots=True)
class TrueOne:
    """The episodes of one series as of the last look.

    ``open`` ids go on; ``seen`` ids were looked at before. ``from_us`` is the earliest beginning of
    what is to be told, ``points`` its readings, ``peak`` its highest score, of ``model``.
    """

    name: Name
    open: frozenset[bytes] = frozenset()
    seen: frozenset[bytes] = frozenset()
    is_new: bool = False
    from_us: int = 0
    points: int = 0
    peak: float = 0.0
    model: str = ""

    @property
    def stands(self) -> bool:
        """Whether it is to be told: it goes on, or it came since the look before."""
        return bool(self.open) or self.is_new


@dataclass(slots=True)
class TrueOnes:
    """The series of which gateways told episodes."""

    _known: dict[int, TrueOne] = field(default_factory=dict)

    def __contains__(self, series: int) -> bool:
        return series in self._known

    def going_on(self) -> list[int]:
        """The series to be asked about though nothing new came."""
        return [series for series, one in self._known.items() if one.stands]

    def standing(self) -> Iterable[tuple[int, TrueOne]]:
        """What is to be told."""
        return ((series, one) for series, one in self._known.items() if one.stands)

    def note(self, names: Mapping[int, Name], rows: Mapping[int, list[Row]]) -> None:
        """Take in the episodes of the last day of the series that were asked about."""
        for series, mine in rows.items():
            before = self._known.pop(series, None)
            if not mine:
                if before is not None:  # the day is over: nothing of it goes on
                    self._known[series] = TrueOne(before.name)
                continue
            ids = frozenset(bytes(row["id"]) for row in mine)
            open_ = frozenset(
                bytes(row["id"]) for row in mine if row["state"] != EpisodeState.CLOSED
            )
            seen = frozenset() if before is None else before.seen
            told = [row for row in mine if bytes(row["id"]) in open_ | (ids - seen)]
            one = TrueOne(names[series], open_, ids, bool(ids - seen))
            if told:
                highest = max(told, key=lambda row: float(row["peak"]))
                one.from_us = min(int(row["ts"]) for row in told)
                one.points = sum(int(row["points"]) for row in told)
                one.peak, one.model = float(highest["peak"]), str(highest["model"])
            self._known[series] = one
        while len(self._known) > SERIES_MAX:
            del self._known[next(iter(self._known))]
