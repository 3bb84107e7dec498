"""The import gateway's buffer: what was brought in, durably, before any of it is sent.

One SQLite file per import gateway (`imports/NAME.db` in the home), written by one process. A block
is sealed and kept in the transaction that gives it its number, and is never deleted: a cloud that
lost its journal gets it again, and later imports are compared with it. Layout and reasons:
`docs/decisions/0082`.
"""

import fcntl
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

import numpy as np

from cloud.errors import OperatorError, StorageError
from cloud.imports.ledger_file import connected, transaction
from cloud.imports.piece import SERIES_MAX, Numbers, Words
from cloud.imports.sieve import box_of
from protos.block import GENESIS_HASH, Block, ChunkRun, build_block, read_block
from protos.durable import sync_folder
from protos.records import Batch, Kind, Quality, numbers, texts
from protos.series import (
    EMPTY_ROOT,
    SeriesEntry,
    SeriesKey,
    decode_entry,
    encode_entry,
    make_entry,
    roll,
)

SERIALS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Kept:
    """A block as it is to be sent."""

    id: int
    epoch: int
    seq: int
    data: bytes


@dataclass(slots=True)
class Standing:
    """Where the import gateway stands: its epoch and the last block of it."""

    epoch: int
    head: int
    head_hash: bytes
    generation: int


@dataclass(frozen=True, slots=True)
class Done:
    """A file that was brought in whole."""

    name: str
    at_us: int
    readings: int


class Ledger:
    """The ledger of one import gateway, locked for this process; made by `Ledger.open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: BinaryIO) -> None:
        self.path = path
        self._connection, self._lock = connection, lock
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        self.gateway = bytes(meta["gateway"]).decode()
        self.prefix, self.boot_id = bytes(meta["prefix"]), bytes(meta["boot_id"])
        self.has_begun = bool(int(meta["begun"]))
        self.serials: tuple[str, ...] = tuple(bytes(meta["serials"]).decode().split())
        """Of the newest certificates that imports of this gateway were enrolled with."""
        self.standing = Standing(
            int(meta["epoch"]), int(meta["head"]), bytes(meta["head_hash"]), int(meta["generation"])
        )
        self.series: list[SeriesEntry] = []
        self.root = EMPTY_ROOT
        self._entries: dict[SeriesKey, int] = {}
        self._devices: dict[str, int] = {}
        for (data,) in connection.execute("SELECT data FROM series ORDER BY entry"):
            self._adopt(decode_entry(bytes(data)))

    @classmethod
    def open(cls, folder: Path, gateway: str) -> Self:
        """Open a gateway's ledger, or begin one.

        Raises:
            OperatorError: another import of this gateway is running.
            StorageError: it cannot be read or written.
        """
        path = folder / f"{gateway}.db"
        tried = f"open the import ledger {path}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (folder / f"{gateway}.lock").open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.close()
                cause, hint = "another import is using it", "wait, or use another --gateway"
                raise OperatorError(tried, cause, hint) from error
            is_new = not path.exists()
            ledger = cls(path, connected(path, gateway), lock)
            if is_new:
                sync_folder(folder)
                sync_folder(folder.parent)
            return ledger
        except (OSError, sqlite3.Error, KeyError, ValueError) as error:
            hint = "check the disk, or restore the file from a backup"
            raise StorageError(tried, str(error), hint) from error

    def begin(self) -> None:
        """Note, durably, that the cloud may know this gateway from now on."""
        with transaction(self._connection, self.path):
            self._set("begun", 1)
        self.has_begun = True

    def add_serial(self, serial: str) -> None:
        """Note, durably, a certificate that this import is about to be enrolled with."""
        self.serials = (*self.serials, serial)[-SERIALS_MAX:]
        with transaction(self._connection, self.path):
            self._set("serials", " ".join(self.serials).encode())

    def close(self) -> None:
        """Close the file and let others in."""
        self._connection.close()
        self._lock.close()

    def done(self, digest: bytes, wish: bytes) -> Done | None:
        """When a file of this content was brought in whole, read in this way."""
        sql = "SELECT name, at_us, readings FROM files WHERE digest = ? AND wish = ?"
        row = self._connection.execute(sql, (digest, wish)).fetchone()
        return None if row is None else Done(*row)

    def finish(self, digest: bytes, wish: bytes, name: str, readings: int) -> None:
        """Note that a file was brought in whole."""
        with transaction(self._connection, self.path):
            self._connection.execute(
                "INSERT OR REPLACE INTO files (digest, wish, name, at_us, readings)"
                " VALUES (?, ?, ?, ?, ?)",
                (digest, wish, name, _now_us(), readings),
            )

    def entries(self, keys: Sequence[SeriesKey]) -> list[int]:
        """The numbers of these series in the table; new ones are added to it, durably.

        Raises:
            OperatorError: the table has no room for more.
        """
        new = [key for key in dict.fromkeys(keys) if key not in self._entries]
        if len(self.series) + len(new) > SERIES_MAX:
            cause = f"there would be more than {SERIES_MAX:,} series"
            hint = "is a column of values taken for device, metric or label? or use --gateway"
            raise OperatorError("import", cause, hint)
        if new:
            with transaction(self._connection, self.path):
                for key in new:
                    entry = self._next(key)
                    row = (entry.entry, encode_entry(entry))
                    self._connection.execute("INSERT INTO series VALUES (?, ?)", row)
                    self._adopt(entry)
        return [self._entries[key] for key in keys]

    def known(self, key: SeriesKey) -> int:
        """The number of a series, 0 when it is not in the table."""
        return self._entries.get(key, 0)

    def boxes(self) -> Iterator[tuple[int, tuple[int, int, int, int], bool]]:
        """Of every block: its id, its box (`sieve.box_of`), and whether it holds numbers."""
        sql = "SELECT id, low, high, first_us, last_us, kind FROM blocks ORDER BY id"
        for block, low, high, first, last, kind in self._connection.execute(sql):
            yield block, (low, high, first, last), kind == Kind.NUMBERS

    def rows(self, block: int) -> tuple[Numbers, Words]:
        """The readings of a block."""
        sql = "SELECT data FROM blocks WHERE id = ?"
        _, _, batch = read_block(bytes(self._connection.execute(sql, (block,)).fetchone()[0]))
        many, words = batch.kind(Kind.NUMBERS), batch.kind(Kind.TEXTS)
        return (
            Numbers(many["series"], many["ts"], many["value"]),
            Words(words["series"], words["ts"], words["text"]),
        )

    def keep(self, batches: Sequence[Numbers | Words]) -> list[tuple[Kept, Numbers | Words]]:
        """Seal each batch into the next block of the epoch and keep them all, durably."""
        kept = []
        with transaction(self._connection, self.path):
            for rows in batches:
                kind = Kind.NUMBERS if isinstance(rows, Numbers) else Kind.TEXTS
                cursor = self._connection.execute(
                    "INSERT INTO blocks (epoch, seq, kind, low, high, first_us, last_us, readings,"
                    " data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (self.standing.epoch, self.standing.head + 1, kind, *box_of(rows), len(rows),
                     b""),
                )  # fmt: skip
                assert cursor.lastrowid is not None
                kept.append((self._seal(cursor.lastrowid, _batch(rows)), rows))
            self._note_standing()
        return kept

    def begin_epoch(self, epoch: int, generation: int, again: Sequence[int]) -> None:
        """Go on in an epoch that was granted; the blocks ``again`` are sealed anew in it."""
        self.standing = Standing(epoch, 0, GENESIS_HASH, generation)
        with transaction(self._connection, self.path):
            for block in again:
                sql = "SELECT data FROM blocks WHERE id = ?"
                data = bytes(self._connection.execute(sql, (block,)).fetchone()[0])
                self._seal(block, read_block(data)[2])
            self._note_standing()

    def heard(self, generation: int) -> None:
        """Note the journal's generation."""
        if generation != self.standing.generation:
            self.standing.generation = generation
            with transaction(self._connection, self.path):
                self._set("generation", generation)

    def after(self, epoch: int, seq: int) -> list[int]:
        """The ids of all blocks behind (epoch, seq), in the order they were made."""
        sql = "SELECT id FROM blocks WHERE (epoch, seq) > (?, ?) ORDER BY id"
        return [row[0] for row in self._connection.execute(sql, (epoch, seq))]

    def has(self, prefix: bytes, counter: int) -> bool:
        """Whether a chunk that the cloud names is a block of ours."""
        sql = "SELECT 1 FROM blocks WHERE id = ?"
        found = self._connection.execute(sql, (counter,)).fetchone()
        return prefix == self.prefix and found is not None

    def unsent(self, after_seq: int) -> Iterator[Kept]:
        """Blocks of this epoch behind a seq, in their order."""
        epoch = self.standing.epoch
        sql = "SELECT id, seq, data FROM blocks WHERE epoch = ? AND seq = ?"
        for seq in range(after_seq + 1, self.standing.head + 1):
            row = self._connection.execute(sql, (epoch, seq)).fetchone()
            yield Kept(row[0], epoch, row[1], bytes(row[2]))

    def _seal(self, block: int, batch: Batch) -> Kept:
        standing = self.standing
        device_of = np.array([0, *(entry.device_no for entry in self.series)], np.uint32)
        sealed: Block = build_block(
            gateway=self.gateway,
            epoch=standing.epoch,
            seq=standing.head + 1,
            prev_hash=standing.head_hash,
            boot_id=self.boot_id,
            sealed_mono_us=0,
            sealed_wall_us=_now_us(),
            series_high=len(self.series),
            series_root=self.root,
            chunks=(ChunkRun(self.prefix, block, 1),),
            batch=batch,
            device_of=device_of,
            secret=secrets.token_bytes(16),
        )
        standing.head, standing.head_hash = standing.head + 1, sealed.hash
        sql = "UPDATE blocks SET epoch = ?, seq = ?, data = ? WHERE id = ?"
        self._connection.execute(sql, (standing.epoch, standing.head, sealed.data, block))
        return Kept(block, standing.epoch, standing.head, sealed.data)

    def _next(self, key: SeriesKey) -> SeriesEntry:
        device = self._devices.get(key.device, len(self._devices) + 1)
        return make_entry(len(self.series) + 1, device, key, secrets.token_bytes(16))

    def _adopt(self, entry: SeriesEntry) -> None:
        assert entry.key is not None, "the ledger erases nothing"
        self.series.append(entry)
        self.root = roll(self.root, entry.leaf)
        self._entries[entry.key] = entry.entry
        self._devices[entry.key.device] = entry.device_no

    def _note_standing(self) -> None:
        one = self.standing
        self._set("epoch", one.epoch)
        self._set("head", one.head)
        self._set("head_hash", one.head_hash)
        self._set("generation", one.generation)

    def _set(self, name: str, value: int | bytes) -> None:
        data = value if isinstance(value, bytes) else b"%d" % value
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, data))


def _batch(rows: Numbers | Words) -> Batch:
    # Of a past nothing is known of its arrival: it is taken to have come when it was measured.
    quality = np.full(len(rows), Quality.SENSOR, np.uint8)
    if isinstance(rows, Numbers):
        return numbers(rows.series, rows.ts, rows.value, quality, rows.ts)
    return texts(rows.series, rows.ts, rows.text, quality, rows.ts)


def _now_us() -> int:
    return time.time_ns() // 1000
