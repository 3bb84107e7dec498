"""A journal begun anew beside a living lake: it was lost, or is an older copy than the lake.

The first offset is the one behind the lake, the cursors are not below its floors, and the new
generation tells every gateway to fall back and to send again what it keeps (decisions 0025, 0032).
What was there of the old journal is set aside, never deleted: `aside-<generation>`.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import apsw

from cloud.errors import StorageError
from cloud.journal_counts import Tally
from cloud.journal_cursor import Closed, Cursor
from cloud.journal_restore import Ground, reborn
from cloud.journal_sqlite.segment import (
    Opening,
    Segment,
    create_segment,
    open_reader,
    remove,
    sync_path,
)
from cloud.journal_sqlite.standing import Standing, cursor_rows, load_standing
from protos.block import GENESIS_HASH

ASIDE: Final = "aside-"
_US: Final = 1_000_000


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


def set_all_aside(folder: Path, segments: Sequence[Segment], generation: int) -> None:
    """Move segments, oldest first, with their logs, to a folder that no journal looks into."""
    aside = folder / f"{ASIDE}{generation}"
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
    except (apsw.Error, StorageError):
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
