"""Sealed rows of the buffer: the data key, the openings, and what does not open.

Every row is bound to its gateway, kind, identity and number of rows (edge.seal.bound_to). A row
that does not open is moved to the `quarantine` table with its reason and counted; the rest goes on.
"""

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from edge.errors import StorageError
from edge.seal import (
    KEY_BYTES,
    SALT_BYTES,
    RowKind,
    Sealer,
    SealError,
    WrappedKey,
    bound_to,
    key_id,
    unwrap_key,
    wrap_key,
)
from edge.store.file import BufferFile
from edge.store.limits import QUARANTINE_BYTES_MAX, QUARANTINE_ROWS_MAX
from edge.store.spans import TOP
from protos.block import ChunkRun
from protos.limits import CHUNK_COUNTER_MAX

PREFIX_BYTES = 12
_AGED_TABLES = ("chunks", "blocks", "marks", "rejects", "lessons", "remembered", "state")


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of the store; chunk ``no`` of it has the id prefix ‖ (no - base).

    ``written`` once its row is in the file, which is with the first row sealed under it.
    """

    no: int
    salt: bytes
    prefix: bytes
    base: int
    written: bool


def data_key(file: BufferFile, kek: bytes, gateway: str) -> bytes:
    """The buffer's data key, unwrapped with ``kek``, or made and wrapped when the buffer is new.

    It lies there twice, for without it everything is lost. StorageError when the key is wrong.
    """
    rows = file.rows("SELECT kek_id, salt, sealed FROM keys ORDER BY no")
    if not rows:
        return _make_data_key(file, kek, gateway)
    causes = []
    for row in rows:
        try:
            return unwrap_key(kek, WrappedKey(*row), gateway)
        except SealError as error:
            causes.append(error.cause)
    raise StorageError(
        f"open the buffer {file.path} with the key given",
        causes[0],
        "bring back the key it was made with; without it, move the buffer aside to start anew "
        "(what it holds stays unreadable)",
    )


def key_ids(file: BufferFile) -> set[bytes]:
    """The ids of the key-encryption keys that wrap the buffer's data key."""
    return {bytes(found) for (found,) in file.rows("SELECT kek_id FROM keys")}


def _make_data_key(file: BufferFile, kek: bytes, gateway: str) -> bytes:
    made = os.urandom(KEY_BYTES)
    with file.transaction():
        for no in (1, 2):
            wrapped = wrap_key(kek, made, os.urandom(SALT_BYTES), gateway)
            values = (no, wrapped.kek_id, wrapped.salt, wrapped.sealed)
            file.write("INSERT INTO keys VALUES (?, ?, ?, ?)", *values)
    return made


_FORGET_BYTES: Final = """UPDATE quarantine SET data = x'' WHERE length(data) > 0 AND no IN (
    SELECT no FROM (SELECT no, sum(length(data)) OVER (ORDER BY no DESC) AS kept FROM quarantine)
    WHERE kept > ?)"""
_GONE: Final = "kind != 'entry' AND name NOT GLOB 'rows of block *'"
"""Rows that no table has any more; the others are looked for by name at each opening."""
_FORGET_ROWS: Final = f"""DELETE FROM quarantine WHERE {_GONE} AND no NOT IN (
    SELECT no FROM quarantine WHERE {_GONE} ORDER BY no DESC LIMIT ?)"""


class SealedRows:
    """Seals, opens and quarantines the rows of one buffer file; for the writer thread."""

    def __init__(self, file: BufferFile, gateway: str, key: bytes, sealer: Sealer) -> None:
        self.file = file
        self.sealer = sealer
        self._gateway = gateway
        self._key_id = key_id(key)
        rows = file.rows("SELECT no, salt, prefix, base FROM openings ORDER BY base, no")
        self._openings = [Opening(no, salt, prefix, base, True) for no, salt, prefix, base in rows]
        for opening in self._openings:
            sealer.admit(opening.no, opening.salt)
        self._stale: list[int] = []
        self.reopen()

    @property
    def current(self) -> Opening:
        """The opening that new rows are sealed under."""
        return self._openings[-1]

    def reopen(self) -> None:
        """Begin an opening: fresh salt and prefix, chunks numbered behind all there are.

        At most once a transaction; its row is written with the first rows that need it.
        """
        last = self.file.rows(
            "SELECT max(no) FROM chunks UNION ALL SELECT max(last) FROM blocks "
            "UNION ALL SELECT max(base) FROM openings"
        )
        base = 1 + max(value or 0 for (value,) in last)
        no = 1 + max((opening.no for opening in self._openings), default=0)
        salt, prefix = os.urandom(SALT_BYTES), os.urandom(PREFIX_BYTES)
        self.sealer.begin(no, salt)
        self._openings.append(Opening(no, salt, prefix, base, written=False))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction of the file that also holds the opening its rows are sealed under."""
        with self.file.transaction():
            if not self.current.written:
                self._write_opening()
            yield
        self._openings[-1] = replace(self.current, written=True)
        if self._stale:
            self._openings = [o for o in self._openings if o.no not in self._stale]
            self._stale = []

    def _write_opening(self) -> None:
        new = self.current
        values = (new.no, new.salt, new.prefix, new.base)
        self.file.write("INSERT INTO openings VALUES (?, ?, ?, ?)", *values)
        self._stale = self._unneeded()
        for no in self._stale:
            self.file.write("DELETE FROM openings WHERE no = ?", no)

    def _unneeded(self) -> list[int]:
        """Openings that no row was sealed in: rows age in order, only entries stay for ever."""
        oldest = [
            self.file.one(f"SELECT data FROM {table} ORDER BY rowid LIMIT 1")
            for table in _AGED_TABLES
        ]
        lowest = min((self.sealer.opening_of(row[0]) for row in oldest if row), default=1 << 62)
        entries = self.file.stream("SELECT data FROM entries")
        kept = {self.sealer.opening_of(data) for (data,) in entries}
        return [o.no for o in self._openings[:-1] if o.no < lowest and o.no not in kept]

    def seal(self, kind: RowKind, identity: bytes, rows: int, plain: bytes) -> bytes:
        """A sealed row for the table of ``kind``."""
        bound = bound_to(self._gateway, kind, identity, self._key_id, rows)
        return self.sealer.seal(plain, bound)

    def unseal(self, kind: RowKind, identity: bytes, rows: int, data: bytes) -> bytes:
        """The plaintext of a row; SealError when it is not what was sealed at this place."""
        return self.sealer.unseal(data, bound_to(self._gateway, kind, identity, self._key_id, rows))

    def set_aside(self, kind: RowKind, name: str, reason: str, rows: int, data: bytes) -> None:
        """Keep a row that cannot be used, inside a transaction; its table lets go of it apart."""
        values = (kind.name.lower(), name, reason, rows, data)
        columns = "(kind, name, reason, rows, data)"
        self.file.write(f"INSERT INTO quarantine {columns} VALUES (?, ?, ?, ?, ?)", *values)
        self.file.write(_FORGET_BYTES, QUARANTINE_BYTES_MAX)
        self.file.write(_FORGET_ROWS, QUARANTINE_ROWS_MAX)

    def chunk_identity(self, no: int) -> bytes:
        """Chunk id ‖ row number."""
        opening = self._opening_of_chunk(no)
        return opening.prefix + struct.pack(">IQ", (no - opening.base) & CHUNK_COUNTER_MAX, no)

    def runs(self, numbers: list[int]) -> tuple[ChunkRun, ...]:
        """The ids of chunks, ascending numbers, as runs."""
        runs: list[ChunkRun] = []
        for no in numbers:
            opening = self._opening_of_chunk(no)
            counter = no - opening.base
            if runs and (runs[-1].prefix, runs[-1].first + runs[-1].count) == (
                opening.prefix,
                counter,
            ):
                runs[-1] = ChunkRun(opening.prefix, runs[-1].first, runs[-1].count + 1)
            else:
                runs.append(ChunkRun(opening.prefix, counter, 1))
        return tuple(runs)

    def span(self, run: ChunkRun) -> tuple[int, int] | None:
        """First and last chunk number of a run; None when no such opening is known.

        Never numbers of the next opening: a card that was set back has them for other chunks than
        the cloud knows by this run.
        """
        for at, opening in enumerate(self._openings):
            if opening.prefix == run.prefix:
                first = opening.base + run.first
                end = next((after.base for after in self._openings[at + 1 :]), TOP)
                return first, min(first + run.count, end) - 1
        return None

    def _opening_of_chunk(self, no: int) -> Opening:
        at = bisect_right(self._openings, no, key=lambda opening: opening.base)
        return self._openings[max(at - 1, 0)]


def block_identity(epoch: int, seq: int) -> bytes:
    """What names a block row."""
    return struct.pack(">QQ", epoch, seq)


def entry_identity(entry: int, device_no: int, leaf: bytes) -> bytes:
    """What names an entry row."""
    return struct.pack(">II", entry, device_no) + leaf


def number_identity(no: int) -> bytes:
    """What names a row of marks, a reject, a lesson, or the state (1)."""
    return struct.pack(">Q", no)
