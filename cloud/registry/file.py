"""The registry's file: opened, brought forward, and written by whole transactions; its audit trail.

One SQLite file, small and rarely written. Both the running cloud and the command line open it, so
it keeps SQLite's rollback journal (the bug of WAL resets needs WAL and two connections; the
standard library's SQLite may have it) with `synchronous=EXTRA`: what was granted or revoked
survives a power cut. One connection and one lock a process; times are µs UTC, given by the caller.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from sqlite_utils import Database

from cloud.errors import StorageError
from cloud.registry.rows import LIFE_US
from cloud.registry.schema import MIGRATIONS, unknown_migrations

BUSY_S: Final = 10.0
AUDIT_ROWS_MAX: Final = 100_000


class RegistryFile:
    """The file of one cloud's registry; every method may be called from any thread.

    ``life_us``: how long a gateway's certificate serves from its issue.
    """

    def __init__(self, connection: sqlite3.Connection, life_us: int = LIFE_US) -> None:
        self.life_us = life_us
        self._connection = connection
        self._db = Database(connection)
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, life_us: int = LIFE_US) -> Self:
        """Open or create the file and bring its schema forward.

        Raises:
            StorageError: the file cannot be opened, is no registry, or is of a newer version.
        """
        tried = f"open the registry {path}"
        try:
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=EXTRA")
            connection.execute("PRAGMA foreign_keys=ON")
            registry = cls(connection, life_us)
            newer = unknown_migrations(registry._db)
            if newer:
                cause = f"it was written by a newer version ({', '.join(newer)})"
                raise StorageError(tried, cause, "install that version again")
            MIGRATIONS.apply(registry._db)
        except (OSError, sqlite3.Error) as error:
            hint = "check the disk and who owns the file, or restore it from a backup"
            raise StorageError(tried, str(error), hint) from error
        return registry

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Everything inside happens as a whole or not at all, alone among all processes.

        Raises:
            StorageError: the registry cannot be read or written.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield self
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self
                except BaseException:
                    self._connection.rollback()
                    raise
                self._connection.commit()
            except sqlite3.Error as error:
                hint = "check the disk; nothing was changed"
                raise StorageError("use the registry", str(error), hint) from error

    def _rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        with self._lock:
            try:
                return list(self._db.query(sql, arguments))
            except sqlite3.Error as error:
                raise StorageError("read the registry", str(error), "check the disk") from error

    def audit(self, now_us: int, action: str, subject: str, actor: str, outcome: str) -> None:
        """Write down who did what to whom and how it ended; the oldest rows leave."""
        with self.transaction():
            row = {"at_us": now_us, "action": action, "subject": subject}
            done = self._db.table("audit").insert(row | {"actor": actor, "outcome": outcome})
            oldest = (done.last_rowid or 0) - AUDIT_ROWS_MAX
            self._connection.execute("DELETE FROM audit WHERE id <= ?", (oldest,))

    def audit_rows(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest audit rows: id, at_us, action, subject, actor, outcome."""
        return self._rows("SELECT * FROM audit ORDER BY id DESC LIMIT ?", limit)
