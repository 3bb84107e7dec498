"""A cloud's home filled for the history benchmark: a journal with set A, tables with set B.

`python -m benchmarks.history_home HOME READINGS DEVICES WHAT`, WHAT one of

- `tables`: set B, straight into the tables, as a year of consolidation would have left it;
- `journal`: set A, through the journal's own door;
- `consolidate`: the journal into the tables until every day is sorted, nothing else in the process;
  prints what it took;
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
from cloud.lake.consolidator import ROWS_AT_ONCE, Batch, Consolidator, Progress
from cloud.lake.embedded import Decoded, no_pause
from cloud.lake.floors import FloorKeeper, LakeGround
from cloud.lake.names import Names
from cloud.lake.sorter import Sorter
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable
from cloud.lake.upkeep import Upkeep
from cloud.memory import reuse_pages
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH
from protos.series import EMPTY_ROOT

WAIT_S: Final = 60
DECLARED: Final = 1000
IN_FLIGHT: Final = 64
SORT_AFTER_S: Final = 1.0
"""A day into which nothing came for so long is sorted; passes come more often."""
SORT_WAIT_S: Final = 60.0
_HIGH_WATER: Final = "5"
"""What `clear_refs` takes to have the kernel forget the most memory so far."""


class Nobody:
    """Readers of a lake that nobody reads."""

    def publish(self, batch: Batch) -> None:
        pass

    def released(self, decoded: Decoded) -> None:
        pass

    def in_use(self) -> frozenset[str]:
        return frozenset()


class MeasuredSorter(Sorter):
    """Sorts a day soon after nothing comes into it, and tells what that alone took.

    ``pass_mb`` and ``sort_mb`` are the most memory between its slices and in them.
    """

    def __init__(self) -> None:
        super().__init__(quiet_s=SORT_AFTER_S)
        self.cpu_s = self.pass_mb = self.sort_mb = 0.0

    def carry_out(self, table: LakeTable, sweeper: Sweeper) -> int:
        """As `Sorter.carry_out`."""
        self.pass_mb = max(self.pass_mb, peak_mb())
        forget_peak()
        cpu = time.process_time()
        try:
            return super().carry_out(table, sweeper)
        finally:
            self.cpu_s += time.process_time() - cpu
            self.sort_mb = max(self.sort_mb, peak_mb())
            forget_peak()


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
    """Every block of the journal into the tables, all merges, and every day sorted.

    CPU is of all threads, that of passes (merges with them) apart from that of sorting, and so is
    the most memory of both.
    """
    reuse_pages()  # as a process of the role does
    ground = LakeGround(home / "lake")
    journal = SqliteJournal.open(home / "journal", now_us=_now_us, ground=ground.ground)
    lake, sorter = home / "lake", MeasuredSorter()
    consolidator = Consolidator(
        lake, journal, Names(journal.series), Nobody(), upkeep=Upkeep(sorter),
        floors=FloorKeeper(lake, journal), let_go=no_pause,
    )  # fmt: skip
    wall, cpu, readings, idle = time.perf_counter(), time.process_time(), 0, 0
    try:
        consolidator.recover()
        forget_peak()
        is_done = False
        while not is_done:
            progress = consolidator.run_once()
            readings += progress.readings
            is_done = not _goes_on(progress) and not progress.sorting.unsorted
            idle = 0 if _goes_on(progress) else idle + 1
            if idle:
                time.sleep(SORT_AFTER_S / 4)  # the last day is not quiet yet
            if idle * SORT_AFTER_S / 4 > SORT_WAIT_S:
                raise SystemExit(f"a day of set A is not sorted: {progress.sorting}")
    finally:
        consolidator.close()
        journal.close()
    return {
        "readings": readings,
        "cpu_s": time.process_time() - cpu - sorter.cpu_s,
        "sort_cpu_s": sorter.cpu_s,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": max(sorter.pass_mb, peak_mb()),
        "sort_peak_mb": sorter.sort_mb,
    }


def _goes_on(progress: Progress) -> bool:
    return bool(progress.more or progress.merged or progress.is_upkeep_behind)


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


def peak_mb() -> float:
    """The most memory since `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Count the most memory anew, from what is held now."""
    Path("/proc/self/clear_refs").write_text(_HIGH_WATER)


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
