"""Pure: what detection found in a batch of readings: records, changes to tell, items to keep."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from edge.detect.episode import Change
from protos.records import Batch, Kind
from protos.series import SeriesKey

_ROW_BYTES: Final = 128
"""Of a row of SCORES or EPISODES in a chunk, at most about."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one batch of readings gave.

    Attributes:
        batch: SCORES, a row for each anomaly, and EPISODES.
        kept: what must be kept in the same commit, by name; no bytes: let it go.
        changes: what is to be told at once.
    """

    batch: Batch = field(default_factory=lambda: Batch({}))
    kept: tuple[tuple[str, bytes], ...] = ()
    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.batch.rows or self.kept or self.changes)

    @property
    def cost(self) -> int:
        """What it may take in a chunk, beside the anomalies' own allowance."""
        kept = sum(_ROW_BYTES + len(name) + len(body) for name, body in self.kept)
        return _ROW_BYTES * self.batch.count(Kind.EPISODES) + kept

    def totals(self) -> dict[str, int]:
        """What it adds to the persisted totals."""
        states = [one.state.name.lower() for one in self.changes]
        counted = {
            "anomalies": self.batch.count(Kind.SCORES),
            "episodes_opened": states.count("opened"),
            "episodes_closed": states.count("closed"),
        }
        return {name: count for name, count in counted.items() if count}


class Names(Protocol):
    """What knows the names of series: `edge.catalog.Catalog`."""

    def key(self, entry: int) -> SeriesKey | None:
        """The name of an entry; None for an erased one."""
        ...


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A change of an episode with the name of its series, and of those that contributed."""

    series: SeriesKey
    change: Change
    channels: tuple[SeriesKey, ...]


def named(found: Found, names: Names) -> tuple[Occurrence, ...]:
    """The changes with the names of their series; those of erased series are left out."""
    told = []
    for change in found.changes:
        key = names.key(change.series)
        if key is not None:
            channels = (names.key(entry) for entry, _ in change.channels)
            told.append(Occurrence(key, change, tuple(one for one in channels if one is not None)))
    return tuple(told)
