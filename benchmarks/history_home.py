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
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.history_sets import (
    BOOT,
    METRICS,
    TICKS,
    Fleet,
    Sender,
    Size,
    blocks,
)
from benchmarks.history_year import fill_tables
from cloud.journal.cursor import Decision
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.consolidator import ROWS_AT_ONCE, Batch, Consolidator
from cloud.lake.embedded import Decoded, no_pause
from cloud.lake.floors import FloorKeeper, LakeGround
from cloud.lake.names import Names
from cloud.memory import reuse_pages
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH
from protos.series import EMPTY_ROOT

WAIT_S: Final = 60
DECLARED: Final = 1000
IN_FLIGHT: Final = 64


class Nobody:
    """Readers of a lake that nobody reads."""

    def publish(self, batch: Batch) -> None:
        pass

    def released(self, decoded: Decoded) -> None:
        pass

    def in_use(self) -> frozenset[str]:
        return frozenset()


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
    reuse_pages()  # as a process of the role does
    ground = LakeGround(home / "lake")
    journal = SqliteJournal.open(home / "journal", now_us=_now_us, ground=ground.ground)
    lake = home / "lake"
    consolidator = Consolidator(
        lake, journal, Names(journal.series), Nobody(),
        floors=FloorKeeper(lake, journal), let_go=no_pause,
    )  # fmt: skip
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
        blocks = min(ROWS_AT_ONCE // (size.series * TICKS) + 1, size.ticks // TICKS)
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
