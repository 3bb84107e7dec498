"""What opening a SQLite journal finds and puts right: leftovers of a crash, damage, a loss.

Nothing that was acknowledged is dropped without a word. A segment whose log shows that it never
took a block is set aside. When blocks that are not in the lake are damaged or missing, the journal
goes on from what is sound in a new generation, and every gateway sends again what it keeps.
"""

import fcntl
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import apsw

from cloud.errors import OperatorError, StorageError
from cloud.journal.restore import Ground
from cloud.journal.sqlite.rebirth import begin_beside, begin_generation, set_all_aside
from cloud.journal.sqlite.segment import (
    SQLITE_MIN,
    DamagedSegmentError,
    Opening,
    Segment,
    TornSegmentError,
    create_segment,
    last_offset,
    list_segments,
    open_reader,
    read_opening,
    set_aside,
    sync_path,
)
from cloud.journal.sqlite.soundness import Sound, examine

_LEFTOVER = re.compile(r"seg-\d{16}\.db(\.new(-journal|-wal|-shm)?|-wal|-shm)")
_LOG_HEAD: Final = 32  # bytes before a log's first frame

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
            return _recover(folder, lock, now_us, ground() if ground else Ground(0, 0))
        except BaseException:
            lock.close()
            raise
    except (apsw.Error, OSError) as error:
        raise StorageError(tried, str(error), "check the disk and who owns the folder") from error


def _recover(folder: Path, lock: BinaryIO, now_us: Callable[[], int], ground: Ground) -> Recovered:
    orphan = sweep(folder)
    segments, ignored = _used(folder)
    now = now_us()
    why = _why_anew(segments, ground)
    if why:
        _beside(folder, segments, ground, now, why)
    elif segments:
        why = _mend(folder, segments, ground, now, orphan)
    else:
        create_segment(folder, Opening(max(1, now // 1_000_000), 1, 0, now))
    segments = list_segments(folder)
    opening = read_opening(segments[-1])
    if why:
        log.error("the journal %s begins anew, generation %d: %s", folder, opening.generation, why)
    for segment in segments:
        # What a killed process had written but not fsynced is read now, and will be acknowledged:
        # so it must be on the disk before the first answer.
        if segment.wal.exists():
            sync_path(segment.wal)
    sync_path(folder)
    return Recovered(lock, tuple(segments), opening, tuple(ignored), why)


def _used(folder: Path) -> tuple[list[Segment], list[str]]:
    """The segments that were ever used, and why others were set aside."""
    segments, ignored = list_segments(folder), []
    while segments:
        try:
            read_opening(segments[-1])
        except TornSegmentError as error:
            ignored.append(str(error))
            set_aside(segments.pop())
            continue
        except DamagedSegmentError:
            pass  # `_mend` says so
        break
    return segments, ignored


def _why_anew(segments: Sequence[Segment], ground: Ground) -> str:
    """Why this journal cannot go on beside its lake; "" when it can, or is damaged."""
    if not ground.offset:
        return ""
    if not segments:
        return f"it is lost, the lake holds offsets to {ground.offset}"
    try:
        generation = read_opening(segments[-1]).generation
        head = _last(segments[-1])
    except (DamagedSegmentError, apsw.CorruptError, apsw.NotADBError):
        return ""
    if generation < ground.generation:
        told = f"it is of generation {generation}"
        return f"{told}, the lake was filled by generation {ground.generation}: it is an older copy"
    if head < ground.offset:
        return f"it ends at offset {head}, the lake holds {ground.offset}: it is an older copy"
    return ""


def _mend(
    folder: Path, segments: Sequence[Segment], ground: Ground, now_us: int, orphan: str
) -> str:
    """Go on from what is sound, in a new generation, when not all is; why, "" when all is."""
    told = _told(segments)
    archived = ground.offset or told.archived
    sound = examine(segments, archived)
    if not sound.why and orphan > segments[-1].wal.name:
        sound = Sound(len(segments), f"the segment of {orphan} is lost")
    if sound.spent:
        log.warning("%d segments that the lake has are damaged and were set aside", sound.spent)
        set_all_aside(folder, segments[: sound.spent], told.generation)
    if not sound.why:
        return ""
    kept, rest = segments[sound.spent : sound.segments], segments[sound.segments :]
    if not kept or _last(kept[-1]) < archived:
        if archived > ground.offset:
            cause = f"{sound.why}, and no lake beside it holds what it had archived"
            hint = "restore the cloud from a backup (docs/guide/backup.md)"
            raise StorageError(f"open the journal {folder}", cause, hint)
        _beside(folder, segments[sound.spent :], ground, now_us, sound.why)
    else:
        generation = max(told.generation + 1, now_us // 1_000_000)
        set_all_aside(folder, rest, generation, sound.log)
        begin_generation(folder, archived, now_us, generation)
    return sound.why


def _beside(
    folder: Path, segments: Sequence[Segment], ground: Ground, now_us: int, why: str
) -> None:
    if ground.offset and not ground.generation:
        cause = f"{why}, and what the lake kept of it cannot be read"
        hint = "restore the cloud from a backup (docs/guide/backup.md)"
        raise StorageError(f"open the journal {folder}", cause, hint)
    begin_beside(folder, segments, ground, _told(segments).generation, now_us)


def _told(segments: Sequence[Segment]) -> Opening:
    """What the newest segment says that can be read."""
    for segment in reversed(segments):
        with suppress(DamagedSegmentError, TornSegmentError):
            return read_opening(segment)
    return Opening(0, 1, 0, 0)


def _last(segment: Segment) -> int:
    with closing(open_reader(segment)) as reader:
        return last_offset(reader, segment.first)


def is_written(folder: Path) -> bool:
    """Whether a process has the journal open for writing."""
    try:
        _lock(folder).close()
    except OperatorError:
        return True
    return False


def sweep(folder: Path) -> str:
    """Clear what a crash left: segments half built, logs whose segment was unlinked.

    The newest such log's name, "" without any: one behind all segments had one that was lost.
    """
    orphan = ""
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            owner = path.with_name(path.name.split(".db")[0] + ".db")
            if ".new" in path.name or not owner.exists():
                if path.name.endswith(".db-wal") and path.stat().st_size > _LOG_HEAD:
                    orphan = max(orphan, path.name)
                path.unlink(missing_ok=True)
    return orphan


def _lock(folder: Path) -> BinaryIO:
    if not folder.exists():
        folder.mkdir(parents=True)
    sync_path(folder.parent)  # also where another made it, and died before this
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        cause = "another process is writing to it"
        hint = "stop the other tidegate-cloud, or give this one a home of its own"
        raise OperatorError(f"open the journal {folder}", cause, hint) from error
    return lock
