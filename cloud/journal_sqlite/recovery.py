"""What opening a SQLite journal finds and puts right: leftovers of a crash, a torn segment, a hole.

Nothing that was acknowledged is ever dropped here: a segment is set aside only when its log shows
that it never took a block, and a hole is an error that an operator must know of.
"""

import fcntl
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import apsw

from cloud.errors import OperatorError, StorageError
from cloud.journal_sqlite.segment import (
    SQLITE_MIN,
    Opening,
    Segment,
    TornSegmentError,
    create_segment,
    last_offset,
    list_segments,
    open_reader,
    read_opening,
    set_aside,
    sweep,
    sync_path,
)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A journal ready to be written to. ``lock``: an open file, closing it lets others in.

    ``segments``: all, oldest first. ``opening``: of the newest. ``ignored``: why segments were set
    aside, one line each.
    """

    lock: BinaryIO
    segments: tuple[Segment, ...]
    opening: Opening
    ignored: tuple[str, ...]


def recover(folder: Path, now_us: Callable[[], int]) -> Recovered:
    """Make sense of the folder, which is made if need be, and lock it against other writers.

    Raises:
        OperatorError: another process writes to it.
        StorageError: the disk fails, or what it holds is damaged or of a newer version.
    """
    tried = f"open the journal {folder}"
    if tuple(map(int, apsw.sqlite_lib_version().split("."))) < SQLITE_MIN:
        wanted = ".".join(map(str, SQLITE_MIN))
        cause = f"SQLite {apsw.sqlite_lib_version()} may corrupt it"
        raise StorageError(tried, cause, f"install an apsw with SQLite {wanted} or newer")
    try:
        lock = _lock(folder)
        try:
            sweep(folder)
            return _recover(folder, lock, now_us)
        except BaseException:
            lock.close()
            raise
    except (apsw.Error, OSError) as error:
        raise StorageError(tried, str(error), "check the disk and who owns the folder") from error


def _recover(folder: Path, lock: BinaryIO, now_us: Callable[[], int]) -> Recovered:
    segments = list_segments(folder)
    ignored: list[str] = []
    opening = None
    while segments and opening is None:
        try:
            opening = read_opening(segments[-1])
        except TornSegmentError as error:
            ignored.append(str(error))
            set_aside(segments.pop())
    if opening is None:
        now = now_us()
        made = create_segment(folder, Opening(max(1, now // 1_000_000), 1, 0, now))
        segments, opening = [made], read_opening(made)
    _check_chain(segments)
    for segment in segments:
        # What a killed process had written but not fsynced is read now, and will be acknowledged:
        # so it must be on the disk before the first answer.
        if segment.wal.exists():
            sync_path(segment.wal)
    sync_path(folder)
    return Recovered(lock, tuple(segments), opening, tuple(ignored))


def _check_chain(segments: list[Segment]) -> None:
    for segment, after in pairwise(segments):
        with closing(open_reader(segment)) as reader:
            last = last_offset(reader, segment.first)
        if last + 1 != after.first:
            cause = f"blocks {last + 1} to {after.first - 1} are missing behind {segment.path.name}"
            hint = "restore the journal from its backup; the gateways send again what they keep"
            raise StorageError(f"open the journal {segment.path.parent}", cause, hint)


def _lock(folder: Path) -> BinaryIO:
    if not folder.exists():
        folder.mkdir(parents=True)
        sync_path(folder.parent)
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        cause = "another process is writing to it"
        hint = "stop the other tidegate-cloud, or give this one a home of its own"
        raise OperatorError(f"open the journal {folder}", cause, hint) from error
    return lock
