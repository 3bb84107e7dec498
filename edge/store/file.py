"""The buffer's file: one apsw connection, every commit on the disk when it returns.

Nothing here knows what the tables hold. A full file or disk is an answer (BufferFull) after which
everything is as before; any other failure of SQLite is raised as it is and must end the store: a
failed fsync may not be tried again, for the kernel has forgotten what it could not write.

Checkpoints are ours and not SQLite's own, whose automatic ones swallow errors. The file is locked
for this process alone, so there is no -shm file and no second writer.
"""

import logging
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw

from edge.errors import StorageError
from edge.store.limits import PAGE_BYTES, SCHEMA_VERSION, BufferFull, StoreLimits, backup_name
from edge.store.log_check import BehindTheEnd, behind_the_end

_VACUUM_PAGES: Final = 128
_FREE_PAGES_KEPT: Final = 64
_MISFITS: Final = (TypeError, ValueError, OverflowError, struct.error)
"""What columns of a wrong type or size lead to: a page was torn or turned into another."""

_log = logging.getLogger(__name__)


def prepare(path: Path) -> None:
    """Make or migrate the file in a child process when it is not of this version; StorageError."""
    version = 0
    if path.exists():
        with telling(path, "open"):
            probe = _connect(path)
            try:
                version = probe.pragma("user_version")
            finally:
                probe.close()
    if version == SCHEMA_VERSION:
        for old in path.parent.glob(backup_name(path.name, "*")):
            old.unlink()  # it was opened in this version before, and is again
        return
    child = subprocess.run(
        [sys.executable, "-m", "edge.schema", str(path.absolute())],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode != 0:
        said = child.stderr.strip().splitlines() or [f"it ended with {child.returncode}"]
        hint = "the folder must exist and be ours to write; a newer buffer needs a newer Tidegate"
        raise StorageError(f"make or migrate the buffer {path}", said[-1], hint)
    for line in child.stderr.strip().splitlines():
        _log.warning("%s", line)


@contextmanager
def telling(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite says into a StorageError with the way out."""
    try:
        yield
    except (apsw.Error, *_MISFITS) as error:
        raise StorageError(f"{doing} the buffer {path}", str(error), _way_out(error)) from error


def _way_out(error: Exception) -> str:
    match error:
        case apsw.BusyError():
            return "another agent has it open; stop that one first"
        case apsw.NotADBError() | apsw.CorruptError() | apsw.SQLError():
            return "its structure is damaged: move it aside, keep it, and start anew"
        case TypeError() | ValueError() | OverflowError() | struct.error():
            return "its structure is damaged: move it aside, keep it, and start anew"
        case apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError():
            return "the agent's user must own the file and its folder"
        case _:
            return "look at the disk and the system log; what was acknowledged is in the file"


def _connect(path: Path) -> apsw.Connection:
    """Locked for us alone; nothing is written back on closing unless asked for."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.pragma("locking_mode", "exclusive")
    return db


class BufferFile:
    """An open buffer file; for one thread at a time. StorageError when it cannot be opened.

    With ``keeps_aside`` what is left of a damaged log is kept in a file of its own.
    """

    def __init__(self, path: Path, limits: StoreLimits, *, keeps_aside: bool = True) -> None:
        self.path = path
        self._limits = limits
        self._wal_pages = 0
        self._slice = min(_VACUUM_PAGES, max(8, limits.checkpoint_pages // 2))
        with telling(path, "open"):
            self._db = _connect(path)
            self._db.pragma("journal_mode", "wal")
            self._db.pragma("synchronous", 2)  # FULL
            self._db.pragma("temp_store", 2)  # memory: no temporary files
            self._db.pragma("journal_size_limit", limits.wal_bytes_max)
            self._db.pragma("max_page_count", limits.pages_max)
            self._db.wal_autocheckpoint(0)
            self._db.set_wal_hook(self._logged)
            self._db.pragma("page_count")
            self.behind_the_end = self._look_behind(keeps_aside=keeps_aside)

    def _look_behind(self, *, keeps_aside: bool) -> BehindTheEnd:
        log = self.path.with_name(self.path.name + "-wal")
        if not log.exists():
            return BehindTheEnd()
        read, _ = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        found = behind_the_end(log, max(read, 0))
        if found.is_damage and keeps_aside:
            aside = log.with_name(log.name + ".damaged")
            aside.write_bytes(log.read_bytes())
            _log.error(
                "the buffer's log is damaged behind frame %d: %d commits that were acknowledged "
                "cannot be read; what there is of them is kept in %s, everything else goes on",
                read,
                found.commits,
                aside,
            )
        elif found.frames and not found.is_damage:
            _log.warning("the buffer's last commit is not whole: if the power went, nobody was "
                         "told that it was kept")  # fmt: skip
        return found

    def _logged(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return 0

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """The first row, or None."""
        cursor = self._db.execute(sql, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return row

    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Rows as they are read; close it or read it to its end before the next transaction."""
        return iter(self._db.execute(sql, values))

    def write(self, sql: str, *values: object) -> int:
        """Run a statement inside a transaction; the number of rows it changed."""
        self._db.execute(sql, values).close()
        return self._db.changes()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends; BufferFull when file or disk has no room."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except apsw.FullError as error:
            self._undo()
            raise BufferFull(
                f"write to the buffer {self.path}",
                f"no room: {error}",
                "free the disk, or let the cloud archive what waits",
            ) from error
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._db.in_transaction:  # a full disk rolls back by itself
            self._db.execute("ROLLBACK")

    @property
    def used_pages(self) -> int:
        """Pages that hold something."""
        return int(self._db.pragma("page_count")) - self.free_pages

    @property
    def free_pages(self) -> int:
        """Pages inside the file that are empty."""
        return int(self._db.pragma("freelist_count"))

    @property
    def pages_written(self) -> int:
        """Pages that SQLite wrote since the opening; the log's way back into the file is not in."""
        written, _ = self._db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)
        return int(written)

    @property
    def log_is_stuck(self) -> bool:
        """Whether the log is at its bound and could not be written back: the disk is full."""
        return self._wal_pages >= 2 * self._limits.checkpoint_pages

    def sizes(self) -> tuple[int, int]:
        """Bytes of file and log on the disk."""
        log = self.path.with_name(self.path.name + "-wal")
        return self.path.stat().st_size, log.stat().st_size if log.exists() else 0

    def write_back(self) -> None:
        """Move a long log into the file; on a full disk it stays, and is tried again later."""
        if self._wal_pages >= self._limits.checkpoint_pages:
            try:
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.FullError:
                return
            self._wal_pages = 0

    def give_back(self) -> bool:
        """Return some empty pages to the disk if there are many; whether more wait."""
        free = self.free_pages
        kept = max(_FREE_PAGES_KEPT, (self.used_pages + free) // 8)
        if free <= kept:
            return False
        # One step of the statement frees one page: it has to be run to its end.
        with self.transaction():
            for _ in self._db.execute(f"PRAGMA incremental_vacuum({self._slice})"):
                pass
        return self.free_pages > kept

    def close(self) -> None:
        """Write the log back and close; StorageError when that fails (nothing is lost then)."""
        with telling(self.path, "close"):
            try:
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            finally:
                self._db.close()

    def abandon(self) -> None:
        """Close after a failure, without touching the file: the next opening recovers."""
        with telling(self.path, "close"):
            self._db.close(True)


def pages_for(sizes: list[int]) -> int:
    """Pages that rows of these sizes may newly take, from above: overflow, leaf and split."""
    usable = PAGE_BYTES - 4
    return sum(2 + size // usable for size in sizes) + 8
