"""PostgreSQL beside our history: a cluster of its own with the same rollups and episodes, by psql.

It gets no raw readings, of which a table with an index takes forty times our bytes, so it is not
asked for any.
"""

import re
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

from benchmarks.history_ask import Times
from benchmarks.history_questions import QUESTIONS, keys
from benchmarks.history_rows import COLUMNS, LakeRows
from benchmarks.history_sets import Size
from cloud.lake.table.schema import READINGS

BIN: Final = Path("/usr/lib/postgresql/15/bin")
TABLES: Final = tuple(table for table in COLUMNS if table != READINGS.name)
COPIES: Final = 3
"""Connections that bring rows in."""
_EPOCH_US: Final = int(np.datetime64("2000-01-01", "us").astype(np.int64))
_TYPES: Final = {pa.int32(): ">i4", pa.int64(): ">i8", pa.int8(): ">i2", pa.float64(): ">f8"}
_SQL: Final = {">i4": "int4", ">i8": "int8", ">i2": "int2", ">f8": "float8"}


class Postgres:
    """A cluster in a temporary folder, of the user `postgres` if we are root; gone at the end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="history-postgres-"))
        self._as = ["runuser", "-u", "postgres", "--"] if _is_root() else []

    def __enter__(self) -> Self:
        self._folder.chmod(0o755)
        if self._as:
            shutil.chown(self._folder, "postgres")
        made = ["-D", str(self._folder / "data"), "-A", "trust", "-U", "postgres", "--no-sync"]
        self._run(str(BIN / "initdb"), *made)
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self._folder} -c shared_buffers=1GB"
            " -c max_wal_size=4GB -c maintenance_work_mem=512MB -c work_mem=64MB -c jit=off"
            " -c fsync=off"  # it is loaded once and asked then
        )
        self._run(
            str(BIN / "pg_ctl"), "-D", str(self._folder / "data"), "-o", options, "-w",
            "-l", str(self._folder / "log"), "start",
        )  # fmt: skip
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        data = str(self._folder / "data")
        self._run(str(BIN / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder)

    def load(self, rows: LakeRows) -> None:
        """All of TABLES with an index by series and time."""
        for table in TABLES:
            self._copy(table, rows.batches(table))
            index = "(ts, series)" if table == "episodes" else "(series, ts)"
            self._ask(f"CREATE INDEX ON {table} {index}; VACUUM ANALYZE {table}")

    def ask(self, size: Size, count: int) -> dict[str, Times]:
        """The questions that it has the rows for, by one client that waits for each answer."""
        found = {}
        for question in QUESTIONS:
            if question.is_raw:
                continue
            asked = keys(question, size, count)
            script = [question.ask(key, time_of, postgres=True) + ";" for key in asked]
            found[question.name] = self._timed(script)
        return found

    def _timed(self, statements: list[str]) -> Times:
        """By psql's own clock, from the statement sent to its rows taken in."""
        script = "\n".join(["\\timing on", "SELECT 1;", *statements])
        command = self._psql("-o", "/dev/null", "-f", "-")
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
        told = re.findall(r"^Time: ([0-9.]+) ms", done.stdout, re.MULTILINE)
        return Times.of([float(each) / 1e3 for each in told[1:]])

    def _copy(self, table: str, batches: Iterator[pa.Table]) -> None:
        """All rows by COPIES connections at once, each the next batch that there is."""
        first = next(batches)
        columns = ", ".join(f'"{f.name}" {_type(f.type)}' for f in first.schema)
        self._ask(f"CREATE UNLOGGED TABLE {table} ({columns})")
        left, lock = chain((first,), batches), threading.Lock()

        def taken() -> Iterator[pa.Table]:
            while True:
                with lock:
                    batch = next(left, None)
                if batch is None:
                    return
                yield batch

        with ThreadPoolExecutor(COPIES) as copies:
            for done in [copies.submit(self._put, table, taken()) for _ in range(COPIES)]:
                done.result()

    def _put(self, table: str, batches: Iterator[pa.Table]) -> None:
        command = self._psql("-c", f"COPY {table} FROM STDIN (FORMAT binary)")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as psql:
            assert psql.stdin is not None
            psql.stdin.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
            for batch in batches:
                psql.stdin.write(_binary(batch))
            psql.stdin.write(struct.pack(">h", -1))
        if psql.returncode:
            raise SystemExit(f"PostgreSQL did not take the rows of {table}")

    def _ask(self, statement: str) -> str:
        parts = [more for one in statement.split("; ") for more in ("-c", one)]
        done = subprocess.run(self._psql(*parts), capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def _psql(self, *more: str) -> list[str]:
        psql = [str(BIN / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        return [*psql, "-h", str(self._folder), "-U", "postgres", *more]

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [*self._as, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/"
        )
        if done.returncode:
            raise SystemExit(f"{command[0]} failed: {done.stderr.decode().strip()}")


def time_of(us: int) -> str:
    """A time as PostgreSQL writes it."""
    return f"'{np.datetime64(us, 'us')}Z'::timestamptz"


def _type(kind: pa.DataType) -> str:
    return "timestamptz" if pa.types.is_timestamp(kind) else _SQL[_TYPES[kind]]


def _binary(rows: pa.Table) -> Any:
    """Rows as COPY takes them: how many fields, then a length and the bytes of each."""
    fields = [("fields", ">i2")]
    for field in rows.schema:
        kind = ">i8" if pa.types.is_timestamp(field.type) else _TYPES[field.type]
        fields += [(f"length of {field.name}", ">i4"), (field.name, kind)]
    packed = np.empty(rows.num_rows, np.dtype(fields))
    packed["fields"] = rows.num_columns
    for field in rows.schema:
        packed[f"length of {field.name}"] = packed.dtype[field.name].itemsize
        if pa.types.is_timestamp(field.type):
            ts = rows[field.name].combine_chunks().view(pa.int64()).to_numpy()
            packed[field.name] = ts - _EPOCH_US
        else:
            packed[field.name] = rows[field.name].to_numpy()
    return packed.view(np.uint8)


def _is_root() -> bool:
    done = subprocess.run(["id", "-u"], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "0"
