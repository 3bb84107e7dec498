"""Blocks set apart: what cannot be decoded, and the other stream of a fork, kept by name.

In a database of its own beside the segments, so that trimming the journal leaves them alone. Any
process may open it: what an operator decides about a block (and the pardon of a gateway) is
written here, and the running cloud carries it out. A discarded block leaves its row: the ledger
counts it with its reason.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import apsw

from cloud.errors import OperatorError, StorageError
from cloud.journal.counts import readings_of
from protos.block import MalformedBlock, read_header

BYTES_MAX = 256 << 20
FORMAT = 2
_BUSY_MS = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS quarantine (
    gateway TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
    cause INTEGER NOT NULL, offset INTEGER NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL, since_us INTEGER NOT NULL, bytes INTEGER NOT NULL, data BLOB,
    PRIMARY KEY (gateway, epoch, seq, hash)
) STRICT;
CREATE TABLE IF NOT EXISTS pardon (gateway TEXT PRIMARY KEY, asked_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ticket (one INTEGER PRIMARY KEY, upto INTEGER NOT NULL) STRICT
"""
_GROWN = """
ALTER TABLE quarantine ADD COLUMN readings INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN settled_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN why TEXT NOT NULL DEFAULT ''
"""
_PUT = """
INSERT INTO quarantine (gateway, epoch, seq, hash, cause, offset, reason, since_us, attempts,
    bytes, data, readings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
ON CONFLICT DO UPDATE SET attempts = attempts + 1, reason = excluded.reason
"""
_LIST = """
SELECT gateway, epoch, seq, hash, cause, offset, reason, attempts, since_us, bytes,
    readings, state, ticket, settled_us, why
FROM quarantine ORDER BY offset, gateway, epoch, seq
"""
_ADOPT = """
INSERT OR IGNORE INTO quarantine (gateway, epoch, seq, hash, cause, offset, reason, attempts,
    since_us, bytes, readings, state, ticket, settled_us, why, data)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)
"""
_TICKET = """
SELECT 1 + max(coalesce((SELECT max(ticket) FROM quarantine), 0),
    coalesce((SELECT upto FROM ticket), 0))
"""
_NAMED = " WHERE (gateway, epoch, seq, hash) = (?, ?, ?, ?)"


class Cause(IntEnum):
    """Why a block is set apart; the numbers are stored."""

    POISON = 1
    """It is in the journal, and consolidation cannot take it."""
    FORK = 2
    """It is not in the journal: another block holds its seq."""


class State(IntEnum):
    """What became of a block set apart; the numbers are stored."""

    HELD = 0
    RELEASING = 1
    """The lake is to try it again."""
    RELEASED = 2
    """Its rows are in the lake."""
    DISCARDED = 3
    """Given up by an operator; its bytes are gone."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A block set apart. ``offset`` is 0 for one that the journal never took.

    ``readings``: as its header says them. ``ticket``: the number of its release, 0 for none.
    """

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
    readings: int = 0
    state: State = State.HELD
    ticket: int = 0
    settled_us: int = 0
    why: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether the journal holds it and the lake does not."""
        return self.cause is Cause.POISON and self.state is not State.RELEASED


class Quarantine:
    """The list of blocks set apart; thread-safe, durable on return of each call.

    Raises:
        StorageError: from every method, when the database cannot be read or written.
    """

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        self._path, self._bytes_max = path, bytes_max
        self._lock = threading.Lock()
        with self._told():
            self._connection = apsw.Connection(str(path))
            self._connection.set_busy_timeout(_BUSY_MS)
            self._connection.pragma("synchronous", "EXTRA")
            with self._connection:
                self._bring_forward()

    def put(self, block: Quarantined, data: bytes) -> None:
        """Set a block apart; one that already is has its attempts counted and reason renewed."""
        with self._told():
            used = self._connection.execute("SELECT total(length(data)) FROM quarantine").get
            readings = block.readings or _readings(data)
            kept = data if used + len(data) <= self._bytes_max else None
            name = (block.gateway, block.epoch, block.seq, block.hash)
            why = (int(block.cause), block.offset, block.reason, block.since_us)
            self._connection.execute(_PUT, (*name, *why, len(data), kept, readings))

    def list(self) -> list[Quarantined]:
        """All blocks set apart: what the journal never took first, then by offset."""
        with self._told():
            rows = list(self._connection.execute(_LIST))
        return [_of_row(*row) for row in rows]

    def data(self, block: Quarantined) -> bytes | None:
        """The block's bytes; None when there was no room for them, or it was discarded."""
        with self._told():
            found = self._connection.execute("SELECT data FROM quarantine" + _NAMED, _name(block))
            data = found.get
        return None if data is None else bytes(data)

    def release(self, block: Quarantined) -> int:
        """Have the lake try a poisoned block again; the ticket it goes under.

        Raises:
            OperatorError: it is none that could be tried, or no longer held.
        """
        if block.cause is not Cause.POISON:
            cause, hint = "another block holds its place in the journal", "see `gateways pardon`"
            raise OperatorError(f"release block {block.hash.hex()[:12]}", cause, hint)
        with self._told(), self._connection:
            ticket = int(self._connection.execute(_TICKET).get)
            self._move(block, State.HELD, State.RELEASING, 0, "")
            self._connection.execute(
                "UPDATE quarantine SET ticket = ?" + _NAMED, (ticket, *_name(block))
            )
        return ticket

    def discard(self, block: Quarantined, now_us: int, why: str) -> None:
        """Give a block up: its bytes go, its row stays for the ledger.

        Raises:
            OperatorError: it is no longer held.
        """
        with self._told(), self._connection:
            self._move(block, State.HELD, State.DISCARDED, now_us, why)
            self._connection.execute("UPDATE quarantine SET data = NULL" + _NAMED, _name(block))

    def released(self, block: Quarantined, now_us: int) -> None:
        """The lake holds the rows of a block that was being released."""
        with self._told(), self._connection:
            self._move(block, State.RELEASING, State.RELEASED, now_us, "")

    def refused(self, block: Quarantined, reason: str) -> None:
        """The lake could not take a block that was being released: it is held again."""
        with self._told(), self._connection:
            self._move(block, State.RELEASING, State.HELD, 0, "")
            self._connection.execute(
                "UPDATE quarantine SET attempts = attempts + 1, reason = ?" + _NAMED,
                (reason, *_name(block)),
            )

    def reopen(self, ticket: int) -> None:
        """Have the lake take again what was released after this ticket: it is an older copy."""
        with self._told():
            self._connection.execute(
                "UPDATE quarantine SET state = ? WHERE state = ? AND ticket > ?",
                (int(State.RELEASING), int(State.RELEASED), ticket),
            )

    def adopt(self, blocks: Iterable[Quarantined], released: int) -> None:
        """List blocks that were set apart before this file was lost; their bytes went with it.

        The lake holds what was released up to ticket ``released``: later ones go on above it.
        """
        rows = []
        for one in blocks:
            is_in = one.state is State.RELEASING and one.ticket <= released
            values = astuple(replace(one, state=State.RELEASED) if is_in else one)
            rows.append(values)
        with self._told(), self._connection:
            self._connection.executemany(_ADOPT, rows)
            sql = "INSERT INTO ticket VALUES (1, ?1) ON CONFLICT DO UPDATE SET upto = max(upto, ?1)"
            self._connection.execute(sql, (released,))

    def ask_pardon(self, gateway: str, now_us: int) -> None:
        """Ask the cloud, running or not, to settle the gateway's fork in its favour."""
        with self._told():
            self._connection.execute(
                "INSERT OR IGNORE INTO pardon VALUES (?, ?)", (gateway, now_us)
            )

    def pardons(self) -> tuple[str, ...]:
        """Gateways for which a pardon was asked and not carried out."""
        with self._told():
            return tuple(name for (name,) in self._connection.execute("SELECT gateway FROM pardon"))

    def pardoned(self, gateway: str) -> None:
        """A pardon was carried out, durably."""
        with self._told():
            self._connection.execute("DELETE FROM pardon WHERE gateway = ?", (gateway,))

    def copy_to(self, path: Path) -> None:
        """A whole copy, as of one moment, in a new file."""
        with self._told():
            self._connection.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _move(self, block: Quarantined, before: State, after: State, now_us: int, why: str) -> None:
        update = "UPDATE quarantine SET state = ?, settled_us = ?, why = ?" + _NAMED
        values = (int(after), now_us, why, *_name(block), int(before))
        self._connection.execute(update + " AND state = ?", values)
        if not self._connection.changes():
            tried = f"settle block {block.hash.hex()[:12]}"
            hint = "`tidegate-cloud quarantine list` shows how it stands now"
            raise OperatorError(tried, f"it is not {before.name.lower()} any more", hint)

    def _bring_forward(self) -> None:
        list(self._connection.execute(_SCHEMA))
        if self._connection.pragma("user_version") >= FORMAT:
            return
        list(self._connection.execute(_GROWN))
        rows = list(self._connection.execute("SELECT rowid, data FROM quarantine"))
        self._connection.executemany(
            "UPDATE quarantine SET readings = ? WHERE rowid = ?",
            [(_readings(data or b""), rowid) for rowid, data in rows],
        )
        self._connection.pragma("user_version", FORMAT)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except apsw.Error as error:
                tried = f"use the quarantine {self._path}"
                raise StorageError(tried, str(error), "check the disk") from error


def _of_row(*row: Any) -> Quarantined:
    columns = [*row]
    columns[4], columns[11] = Cause(row[4]), State(row[11])
    return Quarantined(*columns)


def _name(block: Quarantined) -> tuple[str, int, int, bytes]:
    return block.gateway, block.epoch, block.seq, block.hash


def _readings(data: bytes) -> int:
    """By the header; 0 when even that cannot be read, which the journal never lets in."""
    try:
        return readings_of(read_header(data)[0])
    except MalformedBlock:
        return 0
