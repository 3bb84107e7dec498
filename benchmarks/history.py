"""History beside ClickHouse and PostgreSQL: what consolidation costs, its bytes, five questions.

`python -m benchmarks.history [--readings N] [--devices N] [--keys N] [--clients N] [--site DIR]`.
Set A (N readings of ten metrics a device) goes through a journal into the tables, alone in a
process, until every day is sorted; set B is a year of hourly rollups of the same series
(`history_sets`). ClickHouse gets the tables' own rows, PostgreSQL all of them but raw readings. The
questions go to ours over HTTP, to `tidegate-cloud serve` as it is installed (readers in processes
of their own where there are cores), by CLIENTS clients at once (`api_p99_ms`,
`api_clients_p50_ms`) and then by one (`api_p50_ms`), as they go to the others, which are asked by
one client without HTTP. No result is cached anywhere. What takes minutes is generating and loading:
progress goes to stderr. Ends with one JSON line.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.history_ask import Times, over_http
from benchmarks.history_postgres import BIN as POSTGRES
from benchmarks.history_postgres import Postgres
from benchmarks.history_questions import QUESTIONS, keys
from benchmarks.history_rows import LakeRows
from benchmarks.history_sets import Fleet, Size
from benchmarks.history_year import names_of
from cloud.lake.table.schema import READINGS
from cloud.lake.table.table import look
from deploy.demo.broker import free_port, wait_for_port
from deploy.demo.stack import Half, run

WARM_UP: Final = 20
BEGUN: Final = time.monotonic()
Found = dict[str, Any]


def child(module: str, *arguments: object) -> Found:
    """What a part of the benchmark prints as its last line, in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Found = json.loads((done.stdout.strip() or "{}").splitlines()[-1])
    return found


def ours(home: Path, size: Size, count: int, clients: int) -> dict[str, list[Times | None]]:
    """Every question at the API: by all clients, then by one."""
    ids = [f"{each:016x}" for each in names_of(Fleet(size))["series"].to_pylist()]
    port = free_port()
    listen = f'http = "127.0.0.1:{port}"\nsync = "127.0.0.1:{free_port()}"\n'
    (home / "cloud.toml").write_text(
        f'[listen]\n{listen}enrol = "127.0.0.1:{free_port()}"\n', encoding="utf-8"
    )
    binary = Path(sys.executable).parent / "tidegate-cloud"
    cloud = Half([str(binary), "--home", str(home), "serve"], home / "log")
    cloud.start()
    assert cloud.process is not None
    try:
        wait_for_port(port, cloud.process, 300)
        found = {}
        for question in QUESTIONS:
            paths = [question.path(key, ids) for key in keys(question, size, count + WARM_UP)]
            over_http(port, paths[count:], clients)
            found[question.name] = [over_http(port, paths[:count], n) for n in (clients, 1)]
    finally:
        cloud.stop()
    return found


def compared(answers: list[Times | None], clickhouse: Found, postgres: Found, name: str) -> Found:
    """One question's figures; null where somebody was not asked."""
    together, alone = answers
    return {
        "api_p50_ms": alone and alone.p50_ms,
        "api_p99_ms": together and together.p99_ms,
        "api_clients_p50_ms": together and together.p50_ms,
        "clickhouse_p50_ms": clickhouse[name][0] if name in clickhouse else None,
        "postgres_p50_ms": postgres[name]["p50_ms"] if name in postgres else None,
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.history")
    parser.add_argument("--readings", type=int, default=100_000_000)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=200, help="keys a question")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--site", type=Path, default=Path(".servers/history"), help="where chdb is")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    size = Size(asked.readings, asked.devices)
    home = Path(tempfile.mkdtemp(prefix="history-"))
    try:
        print(json.dumps(measured(home, size, asked)))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measured(home: Path, size: Size, asked: argparse.Namespace) -> Found:
    """All of it; progress goes to stderr."""
    of = (home, asked.readings, asked.devices)
    run("tidegate-cloud", "--home", str(home), "init")
    told(f"set B: {size.series} series, a year of hours")
    child("history_home", *of, "tables")
    told(f"set A: {size.series * size.ticks} readings into a journal")
    child("history_home", *of, "journal")
    told("consolidation, until all is sorted")
    passes = child("history_home", *of, "consolidate")
    engine = child("history_home", *of, "baseline")
    told(f"consolidated: {passes}, beside it {engine}; questions")
    answers = ours(home, size, asked.keys, asked.clients)
    clickhouse: Found = {}
    if (asked.site / "chdb").is_dir():
        told("ClickHouse")
        clickhouse = child("history_clickhouse", *of, asked.keys, asked.site)
        shutil.rmtree(home / "clickhouse", ignore_errors=True)
    else:
        told(f"no chdb in {asked.site}: ClickHouse is left out")
    postgres = beside_postgres(home, size, asked.keys)
    told("done")
    return {
        "readings": passes["readings"],
        "consolidation_readings_per_s_core": round(passes["readings"] / passes["cpu_s"]),
        "consolidation_cpu_s": round(passes["cpu_s"], 1),
        "sorting_cpu_s": round(passes["sort_cpu_s"], 1),
        "duckdb_readings_per_s_core": round(engine["readings"] / engine["cpu_s"]),
        "consolidation_peak_mb": round(passes["peak_mb"]),
        "sorting_peak_mb": round(passes["sort_peak_mb"]),
        **bytes_of(home, clickhouse),
        "queries": {
            name: compared(found, clickhouse, postgres, name) for name, found in answers.items()
        },
    }


def bytes_of(home: Path, clickhouse: Found) -> Found:
    """What a reading takes on the disk, here and there."""
    files = look(home / "lake", READINGS).files
    return {
        "bytes_per_reading": round(files.bytes / files.rows, 3),
        "clickhouse_bytes_per_reading": round(clickhouse.get("bytes_per_reading", 0), 3) or None,
    }


def beside_postgres(home: Path, size: Size, count: int) -> Found:
    """Its figures; nothing where it is not installed."""
    if not POSTGRES.is_dir():
        told(f"no PostgreSQL in {POSTGRES}: it is left out")
        return {}
    told("PostgreSQL")
    rows = LakeRows(home / "lake", names_of(Fleet(size))["series"].to_numpy())
    with Postgres() as postgres:
        postgres.load(rows)
        return {name: asdict(each) for name, each in postgres.ask(size, count).items()}


def told(what: str) -> None:
    """Progress, with the seconds since the benchmark began."""
    print(f"{time.monotonic() - BEGUN:6.0f} s  {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
