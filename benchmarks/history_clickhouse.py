"""ClickHouse embedded, beside our history: the same rows, with the codecs that suit them best.

`python -m benchmarks.history_clickhouse HOME READINGS DEVICES KEYS SITE`: loads the tables of a
home into HOME/clickhouse, asks the questions by one client, in process, and prints what it took.
SITE is the folder where `chdb` is, which stays out of our own environment.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from benchmarks.history_ask import one_by_one
from benchmarks.history_questions import QUESTIONS, keys
from benchmarks.history_rows import COLUMNS, LakeRows
from benchmarks.history_sets import Fleet, Size
from benchmarks.history_year import names_of

_WHOLE: Final = "CODEC(T64, ZSTD(3))"
_FLOAT: Final = "Float64 CODEC(ZSTD(3))"
_ROLLUP: Final = f"""series UInt32 CODEC(ZSTD(3)), ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(3)),
count UInt32 {_WHOLE}, valid UInt32 {_WHOLE}, sum {_FLOAT}, min {_FLOAT}, max {_FLOAT},
first {_FLOAT}, last {_FLOAT},
first_ts DateTime64(3, 'UTC') CODEC(Delta, T64('bit'), ZSTD(3)),
last_ts DateTime64(3, 'UTC') CODEC(Delta, T64('bit'), ZSTD(3))"""
TABLES: Final = {
    "readings": (
        "series UInt32 CODEC(ZSTD(3)), "
        "ts DateTime64(3, 'UTC') CODEC(Delta, T64('bit'), ZSTD(3)), "
        "value Float64 CODEC(Delta, ZSTD(3)), quality UInt8 CODEC(ZSTD(3))",
        "(series, ts)",
    ),
    "rollup_1h": (_ROLLUP, "(series, ts)"),
    "rollup_1d": (_ROLLUP, "(series, ts)"),
    "episodes": (
        "series UInt32, ts DateTime64(3, 'UTC'), end_ts DateTime64(3, 'UTC'), "
        "peak_ts DateTime64(3, 'UTC'), peak Float64, threshold Float64, points UInt32",
        "(ts, series)",
    ),
}
"""Columns and order of each table. Of the codecs that were tried for times (DoubleDelta, Delta,
T64 and Delta with T64, each with zstd) and values (zstd alone, Delta, DoubleDelta, Gorilla, FPC and
ALP, each with zstd) the smallest at one level of zstd (decision 0093)."""


def load(session: Any, home: Path, size: Size) -> dict[str, float]:
    """All tables, merged into as few parts as ClickHouse makes; what they take on the disk."""
    ids = names_of(Fleet(size))["series"].to_numpy()
    rows = LakeRows(home / "lake", ids)
    staged = home / "clickhouse-staged.parquet"
    begun = time.process_time()
    for table, (columns, order) in TABLES.items():
        session.query(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY {order}")
        for batch in rows.batches(table):
            pq.write_table(batch, staged)
            names = ", ".join(COLUMNS[table])
            session.query(f"INSERT INTO {table} ({names}) SELECT {names} FROM file('{staged}')")
        session.query(f"OPTIMIZE TABLE {table} FINAL")
    staged.unlink()
    told = session.query(
        "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts"
        " WHERE active AND table = 'readings'"
    )
    return {"bytes_per_reading": float(str(told)), "load_cpu_s": time.process_time() - begun}


def time_of(us: int) -> str:
    """A time as ClickHouse writes it."""
    return f"fromUnixTimestamp64Micro({us})"


def main() -> None:
    home, size, count = Path(sys.argv[1]), Size(int(sys.argv[2]), int(sys.argv[3])), sys.argv[4]
    sys.path.append(sys.argv[5])
    session_of = importlib.import_module("chdb.session").Session  # in no environment of ours

    session = session_of(str(home / "clickhouse"))
    found: dict[str, Any] = load(session, home, size)
    found["version"] = str(session.query("SELECT version()")).strip().strip('"')
    for question in QUESTIONS:
        asked = [question.ask(key, time_of) for key in keys(question, size, int(count))]
        taken = one_by_one(lambda sql: session.query(sql, "Arrow"), asked)
        found[question.name] = (taken.p50_ms, taken.p99_ms)
    session.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
