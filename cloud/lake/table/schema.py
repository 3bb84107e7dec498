"""Pure: the lake's tables: their columns, order, encodings and how finely each is partitioned.

The written form, for people and other engines, is docs/format/lake.md.
"""

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US

PERIOD: Final = "period"
"""The partition column of every table: where a file lies, never what a row means."""

_TIME: Final = pa.timestamp("us", "UTC")
_NAME: Final = pa.dictionary(pa.int32(), pa.string())


class Grain(IntEnum):
    """How much time one partition holds."""

    DAY = 0
    MONTH = 1
    YEAR = 2
    ALL = 3


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table: ``schema`` as held in memory, ``grain`` of its finest partitions.

    ``delta`` are the columns written as DELTA_BINARY_PACKED, all others are dictionary-encoded.
    ``width_us`` is the bucket of a rollup, 0 for a table that is not one.
    """

    name: str
    schema: pa.Schema
    grain: Grain
    delta: tuple[str, ...]
    width_us: int = 0


SERIES_COLUMNS: Final = ("gateway", "device", "metric", "unit", "labels", "kind", "series")
"""What names a series; rows are sorted by these, then by ``ts``."""

_SERIES: Final = (
    ("gateway", _NAME),
    ("device", _NAME),
    ("metric", _NAME),
    ("unit", _NAME),
    ("labels", _NAME),
    ("kind", pa.int8()),
    ("series", pa.int64()),
)
_ORIGIN: Final = (("epoch", pa.int64()), ("seq", pa.int64()))


_OVER_TIME: Final = (
    ("integral", pa.float64()),
    ("held_us", pa.int64()),
    ("reset_sum", pa.float64()),
    ("head", pa.float64()),
    ("tail", pa.float64()),
)
OVER_TIME: Final = tuple(name for name, _ in _OVER_TIME)
"""What a rollup says of time, since version 1 of its columns; null in rows from before."""


_LISTS: Final = (
    ("bin_exponent", pa.int16()),
    ("bins", pa.binary()),
    ("bin_counts", pa.binary()),
    ("states", pa.string()),
)
"""What hours and days say of quantiles and states, since version 2; null in rows from before.

Lists as bytes and text (`cloud.lake.lists`): columns like any other, read a page at a time.
"""


def _of(name: str, grain: Grain, *columns: tuple[str, pa.DataType]) -> TableSpec:
    delta = (*(name for name, kind in columns if kind == _TIME), "seq")
    return TableSpec(name, pa.schema((*_SERIES, *columns, *_ORIGIN)), grain, delta)


def _rollup(name: str, grain: Grain, width_us: int) -> TableSpec:
    numbers = ("sum", "min", "max", "first", "last")
    columns = (
        ("ts", _TIME),
        ("count", pa.int64()),
        ("valid", pa.int64()),
        ("first_ts", _TIME),
        ("last_ts", _TIME),
        *((name, pa.float64()) for name in numbers),
        ("last_text", _NAME),
        ("last_quality", pa.int8()),
        ("part", pa.int64()),
        *_OVER_TIME,
        *(_LISTS if width_us >= HOUR_US else ()),
    )
    delta = ("ts", "first_ts", "last_ts", "part")
    return TableSpec(name, pa.schema((*_SERIES, *columns)), grain, delta, width_us)


READINGS: Final = _of(
    "readings",
    Grain.DAY,
    ("ts", _TIME),
    ("value", pa.float64()),
    ("text", _NAME),
    ("quality", pa.int8()),
    ("lag_us", pa.int64()),
)
ROLLUP_1M: Final = _rollup("rollup_1m", Grain.DAY, MINUTE_US)
ROLLUP_1H: Final = _rollup("rollup_1h", Grain.MONTH, HOUR_US)
ROLLUP_1D: Final = _rollup("rollup_1d", Grain.YEAR, DAY_US)
ANOMALIES: Final = _of(
    "anomalies",
    Grain.MONTH,
    ("ts", _TIME),
    ("value", pa.float64()),
    ("score", pa.float64()),
    ("threshold", pa.float64()),
    ("model", _NAME),
)
EPISODES: Final = _of(
    "episodes",
    Grain.MONTH,
    ("ts", _TIME),
    ("id", pa.binary()),
    ("state", pa.int16()),
    ("end_ts", _TIME),
    ("peak_ts", _TIME),
    ("peak", pa.float64()),
    ("threshold", pa.float64()),
    ("model", _NAME),
    ("points", pa.int64()),
)
GAPS: Final = _of(
    "gaps",
    Grain.YEAR,
    ("ts", _TIME),
    ("to_ts", _TIME),
    ("count", pa.int64()),
    ("reason", pa.int16()),
    ("seq_from", pa.int64()),
    ("seq_to", pa.int64()),
)
CORRECTIONS: Final = _of(
    "corrections",
    Grain.YEAR,
    ("ts", _TIME),
    ("boot_id", pa.binary()),
    ("mono_from", pa.int64()),
    ("mono_to", pa.int64()),
    ("offset_us", pa.int64()),
)

ROLLUPS: Final = (ROLLUP_1M, ROLLUP_1H, ROLLUP_1D)
RARE: Final = (ANOMALIES, EPISODES, GAPS, CORRECTIONS)
"""Tables that most passes have nothing for; `lake.consolidator` says how their offset moves."""
TABLES: Final = MappingProxyType({spec.name: spec for spec in (READINGS, *ROLLUPS, *RARE)})
"""All tables by name, in the order of their commits: `readings`, the authority, is first."""


def is_whole(spec: TableSpec) -> bool:
    """Whether a table accounts for all readings: minutes are kept of frequent series alone."""
    return spec is not ROLLUP_1M


def has_lists(spec: TableSpec) -> bool:
    """Whether a table keeps bins and states: those of a minute would take what its readings do."""
    return spec.width_us >= HOUR_US


def weight(spec: TableSpec) -> int:
    """How many rows without lists take the memory of one row: 390 B where there were 160."""
    return 3 if has_lists(spec) else 1


def former(spec: TableSpec) -> tuple[frozenset[str], ...]:
    """Of each former version of a table, the newest first, the columns that it lacks."""
    lists = frozenset(name for name, _ in _LISTS) if has_lists(spec) else frozenset()
    over_time = frozenset(OVER_TIME) if spec.width_us else frozenset()
    return tuple(lacking for lacking in (lists, lists | over_time) if lacking)


def added(spec: TableSpec) -> frozenset[str]:
    """Columns that files and tables of a former version lack; there they are null."""
    return frozenset().union(*former(spec))


def delta_schema(spec: TableSpec) -> pa.Schema:
    """The schema that other engines see: plain strings, and the partition column."""
    fields = [
        pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type)
        for f in spec.schema
    ]
    return pa.schema([*fields, pa.field(PERIOD, pa.string())])
