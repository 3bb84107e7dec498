"""A journal begun anew: behind its living lake when it was lost, or from the part that is whole.

Beside a lake the first offset is the one behind it, and no cursor is below its floors. The new
generation tells every gateway to fall back and to send again what it keeps (decisions 0025, 0032).
What was there of the old journal is set aside, never deleted: `aside-<generation>`.
"""

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import apsw
import msgspec

from cloud.errors import OperatorError, StorageError
from cloud.journal.counts import Tally
from cloud.journal.cursor import Closed, Cursor
from cloud.journal.restore import Ground, reborn
from cloud.journal.sqlite.segment import (
    Opening,
    Segment,
    create_segment,
    last_offset,
    list_segments,
    open_reader,
    read_opening,
    remove,
    sync_path,
)
from cloud.journal.sqlite.standing import Standing, cursor_rows, load_standing
from protos.block import GENESIS_HASH

ASIDE: Final = "aside-"
_US: Final = 1_000_000
_ABOVE = """SELECT gateway, epoch, min(seq), count(*), sum(readings) FROM name
    WHERE offset > ? AND offset <= ? GROUP BY gateway, epoch ORDER BY epoch"""


def begin_beside(
    folder: Path, segments: Sequence[Segment], ground: Ground, generation: int, now_us: int
) -> Segment:
    """Set the old segments aside and make the first one of a journal above ``ground``.

    ``generation`` is of the old journal, 0 without any; the new one is above it and the lake's.

    Raises:
        StorageError: the disk refuses; nothing is lost, the next opening goes on from there.
    """
    above = max(generation, ground.generation)
    known = _known(segments[-1]) if segments else {}
    fresh = max(above + 1, now_us // _US)
    set_all_aside(folder, segments, fresh)
    names = known.keys() | {floor.gateway for floor in ground.floors} | ground.tallies.keys()
    standing = [_reborn(known.get(name, Standing(Cursor(name))), ground, fresh) for name in names]
    first = ground.offset + 1
    opening = Opening(fresh, first, ground.offset, now_us, begun=first)
    return create_segment(folder, opening, cursors=cursor_rows(standing))


def set_all_aside(
    folder: Path, segments: Sequence[Segment], generation: int, log: Path | None = None
) -> None:
    """Move segments, oldest first, with their logs, to a folder that no journal looks into.

    ``log`` is of a segment that goes on: a copy of it is kept there too.
    """
    aside = folder / f"{ASIDE}{generation}"
    if log is not None:
        aside.mkdir(exist_ok=True)
        shutil.copy2(log, aside / log.name)
        sync_path(aside / log.name)
        sync_path(aside)
    for segment in segments:
        aside.mkdir(exist_ok=True)
        for path in (segment.wal, segment.path):
            if path.exists():
                path.replace(aside / path.name)
        remove(segment)
        sync_path(aside)
        sync_path(folder)


def _known(segment: Segment) -> dict[str, Standing]:
    """The old copy's cursors, for what only they know: boots, strikes, heads."""
    try:
        with closing(open_reader(segment)) as connection:
            return load_standing(connection)
    except (apsw.Error, StorageError, msgspec.DecodeError, KeyError, TypeError):
        return {}


def _reborn(stood: Standing, ground: Ground, generation: int) -> Standing:
    """What the old copy stored beyond the lake is not held any more: only the floors are."""
    before = stood.cursor
    bare = replace(
        Cursor(before.gateway),
        session=before.session,
        epoch=before.epoch,
        closed=tuple(Closed(c.epoch, 0, GENESIS_HASH, 0, c.deleted) for c in before.closed),
        boots=before.boots,
        strikes=before.strikes,
        forks=before.forks,
    )
    tally = ground.tallies.get(before.gateway, Tally())
    cursor = reborn(bare, ground.floors, generation)
    return Standing(cursor, 0, Tally(tally.epochs, stood.tally.heads))


def begin_generation(folder: Path, archived: int, now_us: int, generation: int = 0) -> int:
    """Begin a generation in a closed journal: a segment whose `archived` is no more than given.

    The cursors are `cloud.journal.restore.reborn`, without floors: the lake is not beyond them.
    ``generation``: its number; 0 takes the second of the clock, as a restored copy must.

    Raises:
        OperatorError: the clock does not give a generation that never was.
        StorageError: the disk refuses.
    """
    newest = list_segments(folder)[-1]
    opening = read_opening(newest)
    with closing(open_reader(newest)) as connection:
        standing = load_standing(connection)
        told = int(connection.execute("SELECT value FROM meta WHERE name = 'archived'").get)
        head = last_offset(connection, newest.first)
    for segment in list_segments(folder):
        with closing(open_reader(segment)) as connection:
            for gateway, epoch, *above in connection.execute(_ABOVE, (archived, told)):
                standing[gateway] = _lowered(standing[gateway], epoch, *above)
    generation = generation or now_us // _US
    if generation <= opening.generation:
        cause = "this machine's clock stands before the time of the copy"
        raise OperatorError(f"begin a generation in {folder}", cause, "set the clock, then restore")
    reborn_rows = (
        replace(stood, cursor=reborn(stood.cursor, (), generation)) for stood in standing.values()
    )
    begun = Opening(generation, head + 1, min(archived, told), now_us, begun=head + 1)
    previous = newest
    if head < newest.first:
        # It holds no block and has the name of the one to be made: what it knew goes over.
        previous = Segment(newest.first, newest.path.with_name(newest.path.name + ".before"))
        newest.path.replace(previous.path)
        remove(newest)
    create_segment(folder, begun, cursors=cursor_rows(reborn_rows), previous=previous)
    if previous is not newest:
        remove(previous)
    return generation


def _lowered(stood: Standing, epoch: int, first: int, blocks: int, readings: int) -> Standing:
    """Without these blocks, from seq ``first`` of the epoch on, among the archived."""
    cursor = stood.cursor
    if epoch == cursor.epoch:
        cursor = replace(cursor, archived=min(cursor.archived, first - 1))
    closed = tuple(
        replace(past, archived=min(past.archived, first - 1)) if past.epoch == epoch else past
        for past in cursor.closed
    )
    tally: Tally = stood.tally.archived(epoch, -blocks, -readings)
    lowered: Cursor = replace(cursor, closed=closed)
    return Standing(lowered, stood.last, tally)
