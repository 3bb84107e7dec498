"""`notify.db`, the file of being told: opened, brought forward, and written by whole transactions.

One SQLite file of its own, so that nothing that is told can hold up who stores readings. It keeps
SQLite's rollback journal with `synchronous=EXTRA`, as the registry does and for its reasons: the
command line reads it too, and what is to be told survives a power cut. One connection and one lock
a process; times are µs UTC, given by the caller.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from sqlite_utils import Database

from cloud.errors import StorageError
from cloud.notify.schema import MIGRATIONS, unknown_migrations

log = logging.getLogger(__name__)

BUSY_S: Final = 10.0


class NotifyFile:
    """The file of one cloud; every method may be called from any thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._db = Database(connection)
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file and bring its schema forward.

        Raises:
            StorageError: it cannot be opened, is no such file, or is of a newer version.
        """
        tried = f"open what is told, {path}"
        try:
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=EXTRA")
            made = cls(connection)
            newer = unknown_migrations(made._db)
            if newer:
                cause = f"it was written by a newer version ({', '.join(newer)})"
                raise StorageError(tried, cause, "install that version again")
            MIGRATIONS.apply(made._db)
        except (OSError, sqlite3.Error) as error:
            hint = "check the disk and who owns the file; without it nothing is known of the past"
            raise StorageError(tried, str(error), hint) from error
        return made

    @classmethod
    def open_or_begin(cls, path: Path) -> Self:
        """As `open`; what is no database any more is put aside, `.damaged`, and a new one begun.

        That the past of what was told is lost must not keep a cloud from taking readings in.
        """
        try:
            return cls.open(path)
        except StorageError as error:
            if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
                error.__cause__, sqlite3.OperationalError
            ):
                raise
            aside = path.with_name(path.name + ".damaged")
            log.error("%s; it is put aside as %s, and what is told begins anew", error, aside)
            path.replace(aside)
            return cls.open(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Everything inside happens as a whole or not at all, alone among all processes.

        Raises:
            StorageError: the file cannot be read or written.
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
                raise StorageError("keep what is told", str(error), hint) from error

    def rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        """The rows of a question. StorageError."""
        with self._lock:
            try:
                return list(self._db.query(sql, arguments))
            except sqlite3.Error as error:
                raise StorageError("read what is told", str(error), "check the disk") from error

    def change(self, sql: str, *arguments: object) -> int:
        """Change rows, alone or in a transaction; says how many. StorageError."""
        with self.transaction():
            return self._connection.execute(sql, arguments).rowcount

    def dropped(self, channel: str, reason: str, count: int) -> None:
        """Count what was dropped of a channel, and why; nothing is dropped without."""
        if count:
            self.change(
                "INSERT INTO dropped VALUES (?1, ?2, ?3)"
                " ON CONFLICT DO UPDATE SET count = count + ?3",
                channel, reason, count,
            )  # fmt: skip

    def drops(self) -> list[dict[str, Any]]:
        """How much was ever dropped, by channel and reason."""
        return self.rows("SELECT channel, reason, count FROM dropped ORDER BY channel, reason")
