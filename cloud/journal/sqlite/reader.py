"""Reading the journal while it is written: from any offset, in any thread or process.

A reader has its own read-only connection, sees whole commits only, and holds one answer's bytes.
It takes no lock that a writer waits for, and keeps no transaction open between answers, so that a
sealed segment can be settled and unlinked under it.
"""

import contextlib
import threading
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import apsw

from cloud.errors import StorageError
from cloud.journal.contract import Entry, TrimmedError
from cloud.journal.sqlite.segment import Segment, last_offset, list_segments, open_reader
from cloud.journal.sqlite.standing import load_series
from protos.series import SeriesEntry

_READ = """SELECT offset, gateway, epoch, seq, hash, data, stored_us
    FROM name JOIN block USING (offset) WHERE name.offset > ? ORDER BY name.offset"""


class JournalReader:
    """Blocks of a journal's folder in offset order. Not to be shared between threads.

    Args:
        folder: the journal's folder; it need not be open for writing anywhere.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segment: Segment | None = None
        self._connection: apsw.Connection | None = None

    def __enter__(self) -> "JournalReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Committed blocks with offsets above `after_offset`, oldest first, without a hole.

        At least one when there is one, else as many as have at most `bytes_max` bytes of data.

        Raises:
            TrimmedError: the block after `after_offset` is trimmed already.
            StorageError: a segment cannot be read.
        """
        entries: list[Entry] = []
        room = bytes_max
        while True:
            at = after_offset + len(entries)
            connection = self._seek(at + 1)
            if connection is None:
                return entries
            try:
                taken = self._take(connection, at, room, first=not entries)
            except apsw.Error as error:
                raise self._unreadable(self._folder, error) from error
            entries += taken
            room -= sum(len(entry.data) for entry in taken)
            if not taken or room <= 0:
                return entries

    def iterate(self, after_offset: int, bytes_max: int = 4 << 20) -> Iterator[Entry]:
        """All committed blocks above `after_offset`, holding `bytes_max` bytes at a time."""
        while entries := self.read(after_offset, bytes_max):
            yield from entries
            after_offset = entries[-1].offset

    def readings(self, offset: int) -> int:
        """The readings of the block at an offset just read, as its name counts them."""
        connection = self._seek(offset)
        found = (
            connection
            and connection.execute("SELECT readings FROM name WHERE offset = ?", (offset,)).get
        )
        return int(found or 0)

    def head(self) -> int:
        """The offset of the newest committed block; 0 when there is none."""
        newest = list_segments(self._folder)[-1:]
        if not newest:
            return 0
        try:
            return last_offset(self._open(newest[0]), newest[0].first)
        except apsw.Error as error:
            raise self._unreadable(self._folder, error) from error

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        """Declared entries of an epoch above ``after``, from the newest segment that has its table.

        Empty when none has, or no more than ``after`` are declared.
        """
        for segment in reversed(list_segments(self._folder)):
            try:
                found = load_series(self._open(segment), gateway, epoch, after)
            except apsw.Error as error:
                if segment.path.exists():
                    raise self._unreadable(segment.path, error) from error
                return []
            if found is not None:
                return found
        return []

    def close(self) -> None:
        """Let go of the segment it has open."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._segment = None, None

    def _take(
        self, connection: apsw.Connection, after: int, room: int, *, first: bool
    ) -> list[Entry]:
        taken: list[Entry] = []
        cursor = connection.execute(_READ, (after,))
        for row in cursor:
            room -= len(row[5])
            if room < 0 and (taken or not first):
                break
            taken.append(Entry(*row))
        cursor.close()
        return taken

    def _seek(self, offset: int) -> apsw.Connection | None:
        """The segment that holds `offset` or will; None when the journal is empty."""
        if self._connection is not None and self._segment and self._segment.path.exists():
            last = last_offset(self._connection, self._segment.first)
            if self._segment.first <= offset <= last:
                return self._connection
        # Only now does the folder have to be listed: the segment in hand may have a successor.
        segments = list_segments(self._folder)
        if not segments:
            return None
        index = bisect_right([segment.first for segment in segments], offset) - 1
        if index < 0:
            raise _trimmed(offset)
        segment = segments[index]
        try:
            connection = self._open(segment)
            whole = index == len(segments) - 1 or offset <= last_offset(connection, segment.first)
        except apsw.Error as error:
            self.close()
            if segment.path.exists():
                raise self._unreadable(segment.path, error) from error
            raise _trimmed(offset) from error
        if whole:
            return connection
        self.close()
        if segment.path.exists():
            raise self._unreadable(segment.path, f"block {offset} is missing from it")
        raise _trimmed(offset)

    def _open(self, segment: Segment) -> apsw.Connection:
        if self._connection is None or self._segment != segment:
            self.close()
            self._connection, self._segment = open_reader(segment), segment
        return self._connection

    def _unreadable(self, path: Path, cause: object) -> StorageError:
        hint = "check the disk; restore the journal from its backup if the file is damaged"
        return StorageError(f"read the journal at {path}", str(cause), hint)


def _trimmed(offset: int) -> TrimmedError:
    hint = "start from the oldest block kept, or take the older ones from the lake or a backup"
    return TrimmedError(f"read the journal from offset {offset}", "it is trimmed already", hint)


class ReaderPool:
    """Readers for as many threads as read at once; idle ones are kept for the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: list[JournalReader] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def reader(self) -> Iterator[JournalReader]:
        """A reader for the caller's thread; one under which something failed is not used again."""
        with self._lock:
            reader = self._idle.pop() if self._idle else JournalReader(self._folder)
        yield reader
        with self._lock:
            self._idle.append(reader)

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """As `JournalReader.read`, from any thread."""
        with self.reader() as reader:
            return reader.read(after_offset, bytes_max)

    def close(self) -> None:
        """Close the idle readers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()
