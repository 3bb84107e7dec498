"""A small SQLite file that the cloud and its command line both open, written by whole transactions.

It keeps SQLite's rollback journal (the bug of WAL resets needs WAL and two connections; the
standard library's SQLite may have it) with `synchronous=EXTRA`, so that what was granted, revoked
or is to be told survives a power cut. One connection and one lock a process; times are µs UTC,
given by the caller.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from sqlite_utils import Database, Migrations

from cloud.errors import StorageError

BUSY_S: Final = 10.0


class KeptFile:
    """One such file; every method may be called from any thread.

    Subclasses say what it is, in the words of errors, and the steps of its schema.
    """

    WHAT: ClassVar[str]
    LOST: ClassVar[str]
    """What to do, beyond the disk, where it cannot be opened."""
    MIGRATIONS: ClassVar[Migrations]
    STEPS: ClassVar[frozenset[str]]
    """Names of the steps that this version knows."""

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
        tried = f"open {cls.WHAT} {path}"
        try:
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=EXTRA")
            connection.execute("PRAGMA foreign_keys=ON")
            made = cls(connection)
            newer = sorted({step.name for step in cls.MIGRATIONS.applied(made._db)} - cls.STEPS)
            if newer:
                cause = f"it was written by a newer version ({', '.join(newer)})"
                raise StorageError(tried, cause, "install that version again")
            cls.MIGRATIONS.apply(made._db)
        except (OSError, sqlite3.Error) as error:
            hint = f"check the disk and who owns the file{cls.LOST}"
            raise StorageError(tried, str(error), hint) from error
        return made

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
                raise StorageError(f"use {self.WHAT}", str(error), hint) from error

    def _rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        with self._lock:
            try:
                return list(self._db.query(sql, arguments))
            except sqlite3.Error as error:
                raise StorageError(f"read {self.WHAT}", str(error), "check the disk") from error
