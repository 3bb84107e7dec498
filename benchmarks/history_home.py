"""A cloud's home filled for the history benchmark: a journal with set A, tables with set B.

`python -m benchmarks.history_home HOME READINGS DEVICES WHAT`, WHAT one of

- `tables`: set B, straight into the tables, as a year of consolidation would have left it;
- `journal`: set A, through the journal's own door;
- `consolidate`: the journal into the tables, nothing else in the process; prints what it took;
- `baseline`: what the same work costs by an engine, from readings that need no decoding: DuckDB on
  one thread sorts as many as a pass takes, writes them as Parquet, and makes hours and days.
"""

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.history_sets import (
    BOOT,
    METRICS,
    START_US,
    TICKS,
    YEAR_START_US,
    Fleet,
    Sender,
    Size,
    blocks,
)
from cloud.journal_cursor import Decision
from cloud.journal_sqlite.sqlite_journal import SqliteJournal
from cloud.lake import ROWS_PER_PASS, Batch, Consolidator
from cloud.lake_embedded import Decoded
from cloud.lake_floors import FloorKeeper, LakeGround
from cloud.lake_names import Names
from cloud.lake_rollup import merge_rows
from cloud.lake_table import parquet as lake_parquet
from cloud.lake_table.schema import EPISODES, ROLLUP_1D, ROLLUP_1H, TableSpec
from cloud.lake_table.table import LakeTable
from cloud.rollup import HOUR_US
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH
from protos.series import EMPTY_ROOT

WAIT_S: Final = 60
DECLARED: Final = 1000
IN_FLIGHT: Final = 64
EPISODES_A_DAY: Final = 500
_MIDDLE: Final = np.array([21.0, 45.0, 1013.0, 3.2, 230.0, 800.0, 1480.0, 50.0, 0.0, 2.0])


class Nobody:
    """Readers of a lake that nobody reads."""

    def publish(self, batch: Batch) -> None:
        pass

    def released(self, decoded: Decoded) -> None:
        pass

    def in_use(self) -> frozenset[str]:
        return frozenset()


# --- set B ------------------------------------------------------------------------------------


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
    columns: dict[str, Any] = {
        "ts": ts,
        "count": np.full(len(ts), 360),
        "valid": np.full(len(ts), 360),
        "first_ts": ts + random.integers(0, 10_000, len(ts)) * 1000,
        "last_ts": ts + HOUR_US - 1000 * (1 + random.integers(0, 10_000, len(ts))),
        "sum": np.round(mean * 360, 1).ravel(),
        "min": (mean - spread).ravel(),
        "max": (mean + spread).ravel(),
        "first": np.round(mean + spread / 2, 1).ravel(),
        "last": np.round(mean - spread / 2, 1).ravel(),
        "last_quality": np.ones(len(ts), np.int8),
        "part": np.zeros(len(ts), np.int64),
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


# --- set A ------------------------------------------------------------------------------------


def fill_journal(home: Path, size: Size) -> None:
    """Set A into the journal, as gateways deliver it."""
    fleet = Fleet(size)
    journal = SqliteJournal.open(home / "journal", now_us=_now_us)
    try:
        sessions = {gateway: _session(journal, fleet, gateway) for gateway in fleet.gateways}
        waiting: list[Future[Decision]] = []
        for gateway, seq, data in blocks(fleet):
            waiting.append(journal.append(gateway, sessions[gateway], 1, seq, data))
            if len(waiting) >= IN_FLIGHT:
                _stored(waiting)
        _stored(waiting)
    finally:
        journal.close()


def _session(journal: SqliteJournal, fleet: Fleet, gateway: str) -> int:
    hello = pb.Hello(
        protocol_min=1, protocol_max=1, gateway=gateway, epoch=0, head=0, head_hash=GENESIS_HASH,
        oldest_kept=1, boot_id=BOOT, series_high=0, series_root=EMPTY_ROOT,
    )  # fmt: skip
    replies = journal.hello(gateway, hello, 1 << 22).result(WAIT_S).replies
    session: int = replies[0].resume.session
    request = pb.EpochRequest(session=session, closed_epoch=0, why="a benchmark")
    journal.request_epoch(gateway, request).result(WAIT_S)
    table = fleet.tables[gateway]
    for first in range(0, len(table), DECLARED):
        part = table[first : first + DECLARED]
        journal.declare(gateway, session, 1, first + 1, part).result(WAIT_S)
    return session


def _stored(waiting: list[Future[Decision]]) -> None:
    for future in waiting:
        if not future.result(WAIT_S).append:
            raise SystemExit("the journal refused a block of set A")
    waiting.clear()


def consolidate(home: Path) -> dict[str, float]:
    """Every block of the journal into the tables, and all merges; CPU of all threads."""
    ground = LakeGround(home / "lake")
    journal = SqliteJournal.open(home / "journal", now_us=_now_us, ground=ground.ground)
    lake = home / "lake"
    consolidator = Consolidator(
        lake, journal, Names(journal.series), Nobody(), floors=FloorKeeper(lake, journal)
    )
    wall, cpu, readings = time.perf_counter(), time.process_time(), 0
    try:
        consolidator.recover()
        while True:
            progress = consolidator.run_once()
            readings += progress.readings
            if not progress.more and not progress.merged:
                break
    finally:
        consolidator.close()
        journal.close()
    return {
        "readings": readings,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": _peak_mb(),
    }


_SORTED: Final = """
COPY (SELECT * FROM readings ORDER BY series, ts) TO '{folder}/readings.parquet'
(FORMAT parquet, COMPRESSION zstd)"""
_ROLLED: Final = """
COPY (SELECT series, time_bucket(INTERVAL 1 {unit}, ts) AS bucket, count(*), sum(value), min(value),
      max(value), arg_min(value, ts), arg_max(value, ts), min(ts), max(ts)
      FROM readings GROUP BY ALL ORDER BY ALL)
TO '{folder}/{unit}.parquet' (FORMAT parquet, COMPRESSION zstd)"""


def baseline(home: Path, size: Size) -> dict[str, float]:
    """Readings of set A, as they arrive, through DuckDB; CPU of its one thread."""
    found = []
    for number, sender in enumerate(map(partial(Sender, Fleet(size)), Fleet(size).gateways)):
        blocks = min(ROWS_PER_PASS // (size.series * TICKS) + 1, size.ticks // TICKS)
        for block in range(blocks):
            rows = sender.columns()
            sender.seq += 1
            rows["series"] = rows["series"] + number * size.series
            found.append((block, rows))
    found.sort(key=lambda one: one[0])
    columns = {name: np.concatenate([rows[name] for _, rows in found]) for name in found[0][1]}
    readings = pa.table(columns)
    at = readings.schema.get_field_index("ts")
    readings = readings.set_column(at, "ts", readings["ts"].cast(pa.timestamp("us")))
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.register("readings", readings)
        cpu = time.process_time()
        engine.execute(_SORTED.format(folder=home))
        for unit in ("HOUR", "DAY"):
            engine.execute(_ROLLED.format(folder=home, unit=unit))
        return {"readings": readings.num_rows, "cpu_s": time.process_time() - cpu}


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _now_us() -> int:
    return time.time_ns() // 1000


def main() -> None:
    home, size, what = Path(sys.argv[1]), Size(int(sys.argv[2]), int(sys.argv[3])), sys.argv[4]
    assert size.series % METRICS == 0
    if what == "tables":
        fill_tables(home, size)
    elif what == "journal":
        fill_journal(home, size)
    elif what == "baseline":
        print(json.dumps(baseline(home, size)))
    else:
        print(json.dumps(consolidate(home)))


if __name__ == "__main__":
    main()
