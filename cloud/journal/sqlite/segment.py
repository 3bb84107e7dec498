"""One file of the journal: a SQLite database in WAL mode that is filled, sealed and unlinked whole.

`seg-<first offset, 16 digits>.db` holds blocks from that offset on, beside the state that an
acknowledgement needs: cursors, series tables, marks. A segment is built aside under a `.new` name
with the whole opening state copied from its predecessor, fsynced, renamed, and its folder fsynced:
under its own name it is complete or it was never used. The layout is told in
`docs/format/journal.md`.

Why files and not one database: a checkpoint or a DELETE of hundreds of megabytes stalls the writer
for 37–186 ms, an unlink does not.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw

from cloud.errors import StorageError

FORMAT = 2
APPLICATION_ID = 0x54474A4C  # "TGJL"
PAGE_BYTES = 16384  # a 64 KB block fills four; at 4 KB the overflow chains double the page count
BUSY_MS = 10_000
# Up to 3.51.2 SQLite can corrupt a WAL that is reset while a second connection reads it.
SQLITE_MIN = (3, 51, 3)
WRITER_CACHE_KB = 16_384
READER_CACHE_KB = 2_048

_NAME = re.compile(r"seg-(\d{16})\.db")

_SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursor (
    gateway TEXT PRIMARY KEY, epoch INTEGER NOT NULL, last INTEGER NOT NULL, counts BLOB NOT NULL,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE series (
    gateway TEXT NOT NULL, epoch INTEGER NOT NULL, entry INTEGER NOT NULL, root BLOB NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (gateway, epoch, entry)
) STRICT, WITHOUT ROWID;
CREATE TABLE name (
    offset INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL, hash BLOB NOT NULL, stored_us INTEGER NOT NULL,
    previous INTEGER NOT NULL, readings INTEGER NOT NULL, chunks BLOB NOT NULL
) STRICT;
CREATE TABLE block (offset INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
"""

_NEWER = "install the version of Tidegate that wrote it, or a newer one"
_OLDER = "no release wrote it: move the folder away; the gateways send again what they keep"

# Series tables of epochs that have ended stay in the segments that hold their last blocks.
_CARRY_SERIES = """
INSERT INTO series SELECT s.gateway, s.epoch, s.entry, s.root, s.data
    FROM old.series s JOIN main.cursor c ON s.gateway = c.gateway AND s.epoch = c.epoch
"""

ARCHIVE = """UPDATE meta SET value = CASE name WHEN 'archived' THEN ?1 ELSE ~?1 END
    WHERE name IN ('archived', 'archived_not')"""
"""Moves `archived`, which stands there twice: a flipped bit in it could let blocks be trimmed."""

CursorRow = tuple[str, int, int, bytes, bytes]
"""gateway, epoch, offset of its newest block (0: none), the encoded tally, the encoded cursor."""


class TornSegmentError(StorageError):
    """A segment without its whole opening state: it was never used, nothing was acked from it."""


class DamagedSegmentError(StorageError):
    """A segment that was in use and whose opening state is not whole."""


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A segment by the offset of its first block, and where it lies."""

    first: int
    path: Path

    @property
    def wal(self) -> Path:
        """The write-ahead log beside it; non-empty from the first use until it is settled."""
        return self.path.with_name(self.path.name + "-wal")

    def bytes(self) -> int:
        """What it takes on disk, its log included; 0 once it is unlinked."""
        return _size(self.path) + _size(self.wal)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a segment said of itself when it was made.

    ``begun``: the first offset of its generation; above 1 another journal came before.
    """

    generation: int
    first: int
    archived: int
    opened_us: int
    begun: int = 1


def list_segments(folder: Path) -> list[Segment]:
    """All segments of a journal, oldest first."""
    found = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    return sorted(Segment(int(match[1]), path) for path, match in found if match)


def create_segment(
    folder: Path,
    opening: Opening,
    *,
    cursors: Iterable[CursorRow] = (),
    previous: Segment | None = None,
) -> Segment:
    """Make a segment with its whole opening state; durable, folder entry included, on return.

    `cursors` are all there are; the series tables of their epochs are copied from `previous`.

    Raises:
        StorageError: the disk refused; nothing is left under the segment's own name.
    """
    segment = Segment(opening.first, folder / f"seg-{opening.first:016d}.db")
    new = segment.path.with_name(segment.path.name + ".new")
    new.unlink(missing_ok=True)
    with _told("create the journal segment", segment.path):
        connection = apsw.Connection(str(new))
        try:
            list(connection.execute(_SCHEMA))  # a PRAGMA that answers holds up what follows it
            with connection:
                connection.executemany("INSERT INTO cursor VALUES (?, ?, ?, ?, ?)", cursors)
            if previous is not None:
                connection.execute("ATTACH ? AS old", (str(previous.path),))
                connection.execute(_CARRY_SERIES)
                connection.execute("DETACH old")
            _write_meta(connection, opening)
            connection.pragma("journal_mode", "WAL")
        finally:
            connection.close()
        sync_path(new)
        new.rename(segment.path)
        sync_path(folder)
    return segment


def _write_meta(connection: apsw.Connection, opening: Opening) -> None:
    count = "SELECT count(*) FROM "
    rows = {
        "archived": opening.archived,
        "archived_not": ~opening.archived,
        "begun": opening.begun,
        "cursors": connection.execute(count + "cursor").get,
        "first": opening.first,
        "generation": opening.generation,
        "opened_us": opening.opened_us,
        "series": connection.execute(count + "series").get,
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows.items())


def read_opening(segment: Segment) -> Opening:
    """Check that a segment is whole enough to serve, and return what it says.

    Raises:
        TornSegmentError: the opening state is missing and the segment was never used.
        StorageError: it was used and cannot be read, or another version of Tidegate wrote it.
    """
    tried = f"open the journal segment {segment.path}"
    try:
        with contextlib.closing(open_reader(segment)) as reader:
            if reader.pragma("application_id") != APPLICATION_ID:
                return _torn(segment, tried, "it is no journal segment")
            version = reader.pragma("user_version")
            if version != FORMAT:
                cause = f"its format is {version}, this version reads {FORMAT}"
                raise StorageError(tried, cause, _NEWER if version > FORMAT else _OLDER)
            meta = dict(reader.execute("SELECT name, value FROM meta"))
            for table, counted in (("cursor", "cursors"), ("series", "series")):
                if reader.execute(f"SELECT count(*) FROM {table}").get < meta[counted]:
                    return _torn(segment, tried, f"its opening table `{table}` is short")
            if (
                meta["first"] != segment.first
                or meta.get("archived_not", ~meta["archived"]) != ~(meta["archived"])
            ):
                return _torn(segment, tried, "its opening state contradicts itself")
            generation, begun = meta["generation"], meta.get("begun", 1)
            return Opening(generation, meta["first"], meta["archived"], meta["opened_us"], begun)
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, KeyError) as error:
        return _torn(segment, tried, f"its opening state cannot be read: {error}")


def _torn(segment: Segment, tried: str, cause: str) -> Opening:
    # A segment that was ever appended to keeps its log until a successor stands: see `open_writer`.
    if _size(segment.wal):
        hint = "`tidegate-cloud serve` sets it aside; the gateways send again what they keep"
        raise DamagedSegmentError(tried, f"{cause}, and it has been in use", hint)
    raise TornSegmentError(tried, cause, "it was never used: the journal goes on without it")


def open_writer(segment: Segment) -> apsw.Connection:
    """Open for appending: WAL, fsync at each commit, no checkpoint while it is filled.

    Neither is there one when the connection closes: so the log tells a used segment from one that
    a crash left behind unused, and stopping the service takes no longer with a full segment.
    """
    with _told("open the journal segment", segment.path):
        connection = apsw.Connection(str(segment.path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_MS)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.pragma("synchronous", "FULL")
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("cache_size", -WRITER_CACHE_KB)
        connection.pragma("temp_store", "MEMORY")
    return connection


def open_reader(segment: Segment) -> apsw.Connection:
    """Open read-only, beside the writer or without one; any process may."""
    connection = apsw.Connection(str(segment.path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_MS)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.pragma("cache_size", -READER_CACHE_KB)
    return connection


def last_offset(connection: apsw.Connection, first: int) -> int:
    """The offset of the newest committed block, or the one before `first` when there is none."""
    found = connection.execute("SELECT max(offset) FROM name").get
    return first - 1 if found is None else int(found)


def settle(segment: Segment) -> bool:
    """Move a sealed segment's log into its file; False when a reader holds part of it back.

    Never called for the segment that is being filled.
    """
    if not _size(segment.wal):
        return True
    with _told("settle the journal segment", segment.path):
        connection = apsw.Connection(str(segment.path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.pragma("synchronous", "FULL")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            return False
        finally:
            connection.close()
    return True


def remove(segment: Segment) -> None:
    """Unlink a segment. Readers that have it open keep what they see."""
    segment.path.unlink(missing_ok=True)
    for suffix in ("-wal", "-shm"):
        segment.path.with_name(segment.path.name + suffix).unlink(missing_ok=True)


def set_aside(segment: Segment) -> Path:
    """Take a torn segment out of the journal, keeping its bytes for whoever asks."""
    aside = segment.path.with_name(segment.path.name + ".torn")
    segment.path.replace(aside)
    remove(segment)
    return aside


def sync_path(path: Path) -> None:
    """Fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def _told(tried: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (apsw.Error, OSError) as error:
        hint = "check the disk and its free space; nothing unacknowledged is lost at the gateways"
        raise StorageError(f"{tried} {path}", str(error), hint) from error
