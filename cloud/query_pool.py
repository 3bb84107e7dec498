"""DuckDB as a function from SQL with parameters to columns: a few cursors, one shared instance."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import duckdb
import pyarrow as pa

from cloud.errors import StorageError

MEMORY_BYTES: Final = 512 << 20
WAIT_S: Final = 20.0
"""How long a query waits for a free cursor before the caller is told to come back."""


class Busy(Exception):  # noqa: N818 - a state, not a fault
    """Every cursor was busy for WAIT_S."""


class Pool:
    """Runs SQL that is written in this package, with values as parameters; thread-safe.

    It reads local Parquet files by the paths it is given and can reach nothing else: no
    extension is installed or loaded, no file is written.
    """

    def __init__(self, cursors: int, threads: int, memory_bytes: int = MEMORY_BYTES) -> None:
        config: dict[str, Any] = {
            "threads": threads,
            "memory_limit": f"{memory_bytes}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": "",
        }
        self._database = duckdb.connect(":memory:", config=config)
        self._database.execute("SET TimeZone = 'UTC'")
        self._database.execute("SET parquet_metadata_cache = true")
        self._database.execute("SET lock_configuration = true")
        self._free: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()
        self._cursors = [self._database.cursor() for _ in range(cursors)]
        for cursor in self._cursors:
            self._free.put(cursor)

    def table(self, sql: str, parameters: Sequence[object]) -> pa.Table:
        """All rows of a query. StorageError when a file cannot be read; Busy when overloaded."""
        with self._cursor() as cursor, _told():
            return cursor.sql(sql, params=list(parameters)).to_arrow_table()

    def close(self) -> None:
        """Close all cursors."""
        for cursor in self._cursors:
            cursor.close()
        self._database.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            cursor = self._free.get(timeout=WAIT_S)
        except queue.Empty as error:
            raise Busy from error
        try:
            yield cursor
        finally:
            self._free.put(cursor)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise StorageError("query the lake", str(error).splitlines()[0]) from error
