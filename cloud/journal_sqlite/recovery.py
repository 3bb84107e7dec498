"""What opening a SQLite journal finds and puts right: leftovers of a crash, a torn segment, a hole.

Nothing that was acknowledged is ever dropped here: a segment is set aside only when its log shows
that it never took a block, and a hole is an error that an operator must know of.
"""

import fcntl
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import apsw

from cloud.errors import OperatorError, StorageError
from cloud.journal_restore import Ground
from cloud.journal_sqlite.rebirth import begin_beside
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A journal ready to be written to. ``lock``: an open file, closing it lets others in.

    ``segments``: all, oldest first. ``opening``: of the newest. ``ignored``: why segments were set
    aside, one line each. ``begun_anew``: why a generation was begun just now, "" when none was.
    """

    lock: BinaryIO
    segments: tuple[Segment, ...]
    opening: Opening
    ignored: tuple[str, ...]
    begun_anew: str = ""


def recover(
    folder: Path, now_us: Callable[[], int], ground: Callable[[], Ground] | None = None
) -> Recovered:
    """Make sense of the folder, which is made if need be, and lock it against other writers.

    ``ground`` is asked for what the lake beside it holds: a journal that does not reach it was
    lost, or is an older copy, and is begun anew behind it.

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
            return _recover(folder, lock, now_us, ground() if ground else Ground(0, 0))
        except BaseException:
            lock.close()
            raise
    except (apsw.Error, OSError) as error:
        raise StorageError(tried, str(error), "check the disk and who owns the folder") from error


def _recover(folder: Path, lock: BinaryIO, now_us: Callable[[], int], ground: Ground) -> Recovered:
    segments = list_segments(folder)
    ignored: list[str] = []
    opening = None
    while segments and opening is None:
        try:
            opening = read_opening(segments[-1])
        except TornSegmentError as error:
            ignored.append(str(error))
            set_aside(segments.pop())
    why = _why_anew(segments, opening, ground)
    if why and not ground.generation:
        cause = f"{why}, and what the lake kept of it cannot be read"
        hint = "restore the cloud from a backup (docs/guide/backup.md)"
        raise StorageError(f"open the journal {folder}", cause, hint)
    if why:
        generation = opening.generation if opening else 0
        made = begin_beside(folder, segments, ground, generation, now_us())
        segments, opening = [made], read_opening(made)
        log.error("the journal %s begins anew, generation %d: %s", folder, opening.generation, why)
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
    return Recovered(lock, tuple(segments), opening, tuple(ignored), why)


def _why_anew(segments: list[Segment], opening: Opening | None, ground: Ground) -> str:
    """Why this journal cannot go on beside its lake; "" when it can."""
    if not ground.offset:
        return ""
    if opening is None:
        return f"it is lost, the lake holds offsets to {ground.offset}"
    with closing(open_reader(segments[-1])) as reader:
        head = last_offset(reader, segments[-1].first)
    if head < ground.offset:
        return f"it ends at offset {head}, the lake holds {ground.offset}: it is an older copy"
    if opening.generation < ground.generation:
        told = f"it is of generation {opening.generation}"
        return f"{told}, the lake was filled by generation {ground.generation}: it is an older copy"
    return ""


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
