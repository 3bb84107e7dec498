"""Set B of the history benchmark: hourly rollups of a year, and episodes, straight into tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.history_sets import START_US, YEAR_START_US, Fleet, Size
from cloud.lake.names import Names
from cloud.lake.rollup import merge_rows
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.schema import EPISODES, ROLLUP_1D, ROLLUP_1H, TableSpec
from cloud.lake.table.table import LakeTable
from cloud.rollup.partials import HOUR_US

EPISODES_A_DAY: Final = 500
_MIDDLE: Final = np.array([21.0, 45.0, 1013.0, 3.2, 230.0, 800.0, 1480.0, 50.0, 0.0, 2.0])


def names_of(fleet: Fleet) -> pa.Table:
    """A row a series, in the tables' order, with the columns that name it."""
    names = Names(lambda gateway, _epoch, _after: fleet.tables[gateway])
    numbers = [n for gateway, t in fleet.tables.items() for n in names.of_epoch(gateway, 1, len(t))]
    found = [names.name(int(number)) for number in numbers]
    found = sorted(
        (one for one in found if one.id),
        key=lambda one: (one.gateway, one.device, one.metric, one.unit, one.labels, one.kind),
    )
    columns = {
        name: pa.array([getattr(one, name) for one in found]).dictionary_encode()
        for name in ("gateway", "device", "metric", "unit", "labels")
    }
    kinds = pa.array([one.kind for one in found], pa.int8())
    ids = pa.array([one.id for one in found], pa.int64())
    return pa.table({**columns, "kind": kinds, "series": ids})


def month_of_hours(names: pa.Table, start_us: int, end_us: int) -> pa.Table:
    """Set B's rows of `rollup_1h` with buckets in [start, end), a random walk a series."""
    random = np.random.default_rng([11, start_us // HOUR_US])
    hours = np.arange(start_us, end_us, HOUR_US)
    count = names.num_rows
    shape = (count, len(hours))
    middle = np.resize(_MIDDLE, count)[:, None]
    mean = np.round(middle + np.cumsum(random.normal(0, 0.3, shape), axis=1), 2)
    spread = np.round(np.abs(random.normal(0, 1, shape)), 1)
    ts = np.tile(hours, count)
    first_ts = ts + random.integers(0, 10_000, len(ts)) * 1000
    last_ts = ts + HOUR_US - 1000 * (1 + random.integers(0, 10_000, len(ts)))
    columns: dict[str, Any] = {
        "ts": ts,
        "count": np.full(len(ts), 360),
        "valid": np.full(len(ts), 360),
        "first_ts": first_ts,
        "last_ts": last_ts,
        "sum": np.round(mean * 360, 1).ravel(),
        "min": (mean - spread).ravel(),
        "max": (mean + spread).ravel(),
        "first": np.round(mean + spread / 2, 1).ravel(),
        "last": np.round(mean - spread / 2, 1).ravel(),
        "last_quality": np.ones(len(ts), np.int8),
        "part": np.zeros(len(ts), np.int64),
        "held_us": last_ts - first_ts,
        "integral": mean.ravel() * (last_ts - first_ts) + random.normal(0, 1e9, len(ts)),
        "reset_sum": np.round(mean * 180 + random.normal(0, 50, shape), 1).ravel(),
    }
    return _rows(names, len(hours), columns, ROLLUP_1H)


def episodes_of(names: pa.Table, start_us: int, end_us: int) -> pa.Table:
    """Episodes of random series, EPISODES_A_DAY, with starts in [start, end)."""
    random = np.random.default_rng([13, start_us // HOUR_US])
    count = EPISODES_A_DAY * (end_us - start_us) // (24 * HOUR_US)
    ts = random.integers(start_us, end_us, count)
    length = random.integers(60, 7200, count) * 1_000_000
    ids = [random.bytes(16) for _ in range(count)]
    columns: dict[str, Any] = {
        "ts": ts,
        "id": pa.array(ids, pa.binary()),
        "state": np.full(count, 2, np.int16),
        "end_ts": ts + length,
        "peak_ts": ts + length // 2,
        "peak": random.gamma(3, 2, count) + 3,
        "threshold": np.full(count, 3.0),
        "model": pa.array(["drift-1"] * count).dictionary_encode(),
        "points": length // 10_000_000,
        "epoch": np.ones(count, np.int64),
        "seq": np.arange(count),
    }
    of = names.take(pa.array(random.integers(0, names.num_rows, count)))
    return _rows(of, 1, columns, EPISODES)


def _rows(names: pa.Table, times: int, columns: dict[str, Any], spec: TableSpec) -> pa.Table:
    """Rows of a table: each series' name so many times, beside the columns."""
    at = pa.array(np.repeat(np.arange(names.num_rows), times))
    given = {name: names[name].take(at) for name in names.column_names}
    made = []
    for field in spec.schema:
        column = given.get(field.name, columns.get(field.name))
        if column is None:
            made.append(pa.nulls(len(at), field.type))
        elif pa.types.is_timestamp(field.type):
            made.append(pa.array(column).view(field.type))
        else:
            array = column if isinstance(column, (pa.Array, pa.ChunkedArray)) else pa.array(column)
            made.append(array.cast(field.type))
    return lake_parquet.arrange(pa.table(made, schema=spec.schema))


def months() -> Iterator[tuple[int, int]]:
    """The calendar months of set B's year, as (start, end) in µs."""
    first = np.datetime64(YEAR_START_US, "us").astype("M8[M]")
    edges = (first + np.arange(13)).astype("M8[us]").astype(np.int64)
    yield from zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


def fill_tables(home: Path, size: Size) -> None:
    """Set B into the lake: hours and days of a year of every series, and episodes."""
    names = names_of(Fleet(size))
    opened = {
        spec.name: LakeTable.open(home / "lake", spec) for spec in (ROLLUP_1H, ROLLUP_1D, EPISODES)
    }
    days = []
    for start, end in months():
        hours = month_of_hours(names, start, min(end, START_US))
        opened[ROLLUP_1H.name].append(hours, 0)
        days.append(merge_rows(hours, ROLLUP_1D))
        opened[EPISODES.name].append(episodes_of(names, start, end), 0)
    opened[ROLLUP_1D.name].append(lake_parquet.arrange(pa.concat_tables(days)), 0)
