"""The file of an import ledger: its tables, how it is opened, and its transactions."""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cloud.errors import StorageError
from protos.block import GENESIS_HASH

VERSION: Final = 1
PREFIX_BYTES: Final = 12
_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE series (entry INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE files (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, wish BLOB NOT NULL,
  name TEXT NOT NULL, at_us INTEGER NOT NULL, readings INTEGER NOT NULL,
  UNIQUE (digest, wish)) STRICT;
CREATE TABLE blocks (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  kind INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
  first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, readings INTEGER NOT NULL,
  data BLOB NOT NULL, UNIQUE (epoch, seq)) STRICT;
"""


def connected(path: Path, gateway: str) -> sqlite3.Connection:
    """Open the file, made if there is none; ValueError when it is of a newer version."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise ValueError(f"it was written by a newer version ({version})")
    if version == 0:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        first = {"gateway": gateway.encode(), "prefix": secrets.token_bytes(PREFIX_BYTES),
                 "boot_id": secrets.token_bytes(16), "begun": b"0", "serials": b"", "epoch": b"0",
                 "head": b"0", "head_hash": GENESIS_HASH, "generation": b"0"}  # fmt: skip
        connection.executemany("INSERT INTO meta VALUES (?, ?)", first.items())
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing; StorageError when the disk refuses."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if connection.in_transaction:  # a full disk has undone it already
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        hint = "give the disk room, then import again: it goes on where it stopped"
        raise StorageError(f"write {path}", str(error), hint) from error
