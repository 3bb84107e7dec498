"""What is read of a table's columns: what a question wants to be told, and no more."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.table.schema import (
    OVER_TIME,
    READINGS,
    ROLLUPS,
    SERIES_COLUMNS,
    TableSpec,
    added,
    has_lists,
    weight,
)
from cloud.query.files import Columns
from cloud.query.rows import LISTS, OVER, More

ROWS_AT_ONCE: Final = 500_000
"""Rows without lists that are read before some of them are used: 30 MB."""
COLUMNS: Final = MappingProxyType(
    {
        spec.name: pa.schema([field for field in spec.schema if field.name not in SERIES_COLUMNS])
        for spec in (READINGS, *ROLLUPS)
    }
)
"""What is read of each table: all but what names the series, which is known."""
_BRIEF: Final = MappingProxyType(
    {
        spec.name: pa.schema([f for f in COLUMNS[spec.name] if f.name not in added(spec)])
        for spec in ROLLUPS
    }
)
"""What is read of a rollup where nobody asks for more."""
_OF_MORE: Final = MappingProxyType(
    {
        More.QUANTILES: frozenset({"bin_exponent", "bins", "bin_counts"}),
        More.DURATIONS: frozenset({"states", *OVER_TIME}),
        **dict.fromkeys(OVER, frozenset(OVER_TIME)),
    }
)
"""What is read besides of those that have it."""
_ENDS: Final = frozenset({"first_ts", "last_ts", "last_quality", "part"})
"""When the first and the last reading of a bucket came: read to settle the order of its rows."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a rollup's rows shall tell beside their numbers: what they know of ``more``.

    Without ``ends``, and where no two rows are of one bucket, all ends lie at its start.
    """

    more: frozenset[More] = frozenset()
    ends: bool = True

    @property
    def with_ends(self) -> "Told":
        """The same, and the ends."""
        return replace(self, ends=True)

    def rows_at_once(self, tier: TableSpec) -> int:
        """Rows of a rollup that are read before some of them are used."""
        lists = has_lists(tier) and not LISTS.isdisjoint(self.more)
        return ROWS_AT_ONCE // weight(tier) if lists else ROWS_AT_ONCE


def _of_readings(*names: str) -> pa.Schema:
    return pa.schema([READINGS.schema.field(name) for name in names])


SAID: Final = _of_readings("ts", "value", "text", "quality")
"""What of a reading is told."""


def columns_of(tier: TableSpec, told: Told, begins: Collection[int]) -> Columns:
    """What to read of a rollup; ``begins`` are the files at which another series begins."""
    whole = _wanted(tier, told.more)
    if told.ends:
        return whole
    brief = pa.schema([field for field in whole if field.name not in _ENDS])

    def columns(ts: NDArray[np.int64], starts: Sequence[int]) -> pa.Schema:
        rises = ts[1:] > ts[:-1]
        others = [starts[at] - 1 for at in begins if 0 < starts[at] < len(ts)]
        rises[others] = True
        return brief if rises.all() else whole

    return columns


def _wanted(tier: TableSpec, more: frozenset[More]) -> pa.Schema:
    if not more:
        return _BRIEF[tier.name]
    besides = frozenset[str]().union(*(_OF_MORE.get(each, frozenset()) for each in more))
    left_out = added(tier) - besides
    return pa.schema([field for field in COLUMNS[tier.name] if field.name not in left_out])
