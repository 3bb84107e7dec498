"""Blocks set apart: what cannot be decoded, and the other stream of a fork, kept by name.

In a database of its own beside the segments, so that trimming the journal leaves them alone. Past
its bytes only names, sizes and reasons are kept. Any process may open it.
"""

import threading
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import apsw

from cloud.errors import StorageError

BYTES_MAX = 256 << 20
_BUSY_MS = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS quarantine (
    gateway TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
    cause INTEGER NOT NULL, offset INTEGER NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL, since_us INTEGER NOT NULL, bytes INTEGER NOT NULL, data BLOB,
    PRIMARY KEY (gateway, epoch, seq, hash)
) STRICT
"""
_PUT = """
INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
ON CONFLICT DO UPDATE SET attempts = attempts + 1, reason = excluded.reason
"""
_LIST = """
SELECT gateway, epoch, seq, hash, cause, offset, reason, attempts, since_us, bytes
FROM quarantine ORDER BY offset, gateway, epoch, seq
"""


class Cause(IntEnum):
    """Why a block is set apart; the numbers are stored."""

    POISON = 1
    """It is in the journal, and consolidation cannot take it."""
    FORK = 2
    """It is not in the journal: another block holds its seq."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A block set apart. ``offset`` is 0 for one that the journal never took."""

    gateway: str
    epoch: int
    seq: int
    hash: bytes
    cause: Cause
    offset: int
    reason: str
    attempts: int
    since_us: int
    bytes: int


class Quarantine:
    """The list of blocks set apart; thread-safe, durable on return of each call.

    Raises:
        StorageError: from every method, when the database cannot be read or written.
    """

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        self._path, self._bytes_max = path, bytes_max
        self._lock = threading.Lock()
        try:
            self._connection = apsw.Connection(str(path))
            self._connection.set_busy_timeout(_BUSY_MS)
            self._connection.pragma("synchronous", "EXTRA")
            self._connection.execute(_SCHEMA)
        except apsw.Error as error:
            raise self._failed(error) from error

    def put(self, block: Quarantined, data: bytes) -> None:
        """Set a block apart; one that already is has its attempts counted and reason renewed."""
        with self._lock:
            try:
                used = self._connection.execute("SELECT total(length(data)) FROM quarantine").get
                kept = data if used + len(data) <= self._bytes_max else None
                name = (block.gateway, block.epoch, block.seq, block.hash)
                why = (int(block.cause), block.offset, block.reason, block.since_us)
                self._connection.execute(_PUT, (*name, *why, len(data), kept))
            except apsw.Error as error:
                raise self._failed(error) from error

    def list(self) -> list[Quarantined]:
        """All blocks set apart: what the journal never took first, then by offset."""
        with self._lock:
            try:
                rows = list(self._connection.execute(_LIST))
            except apsw.Error as error:
                raise self._failed(error) from error
        return [
            Quarantined(gateway, epoch, seq, hash, Cause(cause), offset, reason, *counted)
            for gateway, epoch, seq, hash, cause, offset, reason, *counted in rows
        ]

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _failed(self, error: apsw.Error) -> StorageError:
        return StorageError(f"use the quarantine {self._path}", str(error), "check the disk")
