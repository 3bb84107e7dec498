"""DuckDB as a function from SQL with parameters to columns: a few cursors, one shared instance.

It is loaded when it is first asked: most questions never do, and it takes some 20 MB.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from cloud.errors import StorageError

if TYPE_CHECKING:
    import duckdb

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
        self._config: dict[str, Any] = {
            "threads": threads,
            "memory_limit": f"{memory_bytes}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": "",
        }
        self._count = cursors
        self._opening = threading.Lock()
        self._is_closed = False
        self._database: duckdb.DuckDBPyConnection | None = None
        self._free: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()
        self._cursors: list[duckdb.DuckDBPyConnection] = []

    def table(self, sql: str, parameters: Sequence[object]) -> pa.Table:
        """All rows of a query. StorageError when a file cannot be read; Busy when overloaded."""
        with self._cursor() as cursor, _told():
            return cursor.sql(sql, params=list(parameters)).to_arrow_table()

    def close(self) -> None:
        """Close all cursors."""
        with self._opening:
            self._is_closed = True
            for cursor in self._cursors:
                cursor.close()
            if self._database is not None:
                self._database.close()

    def _open(self) -> None:
        """Load the engine, once."""
        with self._opening:
            if self._database is not None:
                return
            if self._is_closed:
                raise StorageError("query the lake", "the engine is closed")
            import duckdb

            database = duckdb.connect(":memory:", config=self._config)
            database.execute("SET TimeZone = 'UTC'")
            database.execute("SET parquet_metadata_cache = true")
            database.execute("SET lock_configuration = true")
            self._cursors = [database.cursor() for _ in range(self._count)]
            for cursor in self._cursors:
                self._free.put(cursor)
            self._database = database

    @contextmanager
    def _cursor(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        self._open()
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
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise StorageError("query the lake", str(error).splitlines()[0]) from error
