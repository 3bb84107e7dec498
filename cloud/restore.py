"""A backup made a cloud again: checked, copied into an empty home, and a new generation begun.

The gateways see the new generation, fall back to what the restored journal holds, and send again
what they keep. The journal's `archived` is set to what the restored lake has, which may be less
than the journal knew: consolidation goes on from there. The settings come last, so that a restore
cut short leaves no home that would start.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import msgspec

from cloud.backup import MANIFEST, Manifest, digest, write_durably
from cloud.config import FILE_NAME
from cloud.errors import OperatorError, StorageError
from cloud.journal_counts import Tally
from cloud.journal_cursor import Cursor
from cloud.journal_restore import reborn
from cloud.journal_sqlite.quarantine import Quarantine
from cloud.journal_sqlite.segment import (
    Opening,
    Segment,
    create_segment,
    last_offset,
    list_segments,
    open_reader,
    read_opening,
    remove,
)
from cloud.journal_sqlite.standing import Standing, cursor_rows, load_standing
from cloud.lake_table.schema import TABLES
from cloud.lake_table.table import look

_ABOVE = """SELECT gateway, epoch, min(seq), count(*), sum(readings) FROM name
    WHERE offset > ? AND offset <= ? GROUP BY gateway, epoch ORDER BY epoch"""

Told = Callable[[str], None]


def restore(source: Path, home: Path, now_us: int, told: Told = lambda _: None) -> int:
    """Make ``home``, which must be empty, the cloud of the backup; the new generation.

    Raises:
        OperatorError: no backup, a damaged one, or a home that is in use.
        StorageError: the disk refuses.
    """
    manifest = read_manifest(source)
    if home.exists() and any(home.iterdir()):
        hint = "name an empty home with --home, or move this one away"
        raise OperatorError(f"restore into {home}", "it is not empty", hint)
    told("digests")
    check(source, manifest)
    told("files")
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in manifest.files:
            if file.path != FILE_NAME:
                (home / file.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.copy2(source / file.path, home / file.path)
        told("journal")
        generation = begin_generation(home / "journal", manifest.lake, now_us)
        _release_again(home)
        write_durably(home / FILE_NAME, (source / FILE_NAME).read_bytes())
    except (OSError, apsw.Error) as error:
        hint = "check the disk and its free space, empty the home, and try again"
        raise StorageError(f"restore into {home}", str(error), hint) from error
    return generation


def read_manifest(source: Path) -> Manifest:
    """What a backup says it holds; OperatorError when it is none."""
    try:
        return msgspec.json.decode((source / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        hint = "a backup that was cut short has no manifest; take another one"
        cause = f"its {MANIFEST} cannot be read"
        raise OperatorError(f"restore from {source}", cause, hint) from error


def check(source: Path, manifest: Manifest) -> None:
    """Hold every file against the manifest; OperatorError names the first that differs."""
    for file in manifest.files:
        path = source / file.path
        inside = path.resolve().is_relative_to(source.resolve())
        if not inside or not path.is_file() or digest(path) != file.sha256:
            cause = f"{file.path} is not as it was backed up"
            raise OperatorError(f"restore from {source}", cause, "use another backup")


def begin_generation(folder: Path, archived: int, now_us: int) -> int:
    """Begin a generation in a closed journal: a segment whose `archived` is no more than given.

    The cursors are `cloud.journal_restore.reborn`, without floors: the lake is not beyond them.

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
    generation = now_us // 1_000_000
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


def _release_again(home: Path) -> None:
    """Blocks that were released after the lake was copied are released once more."""
    held = min(look(home / "lake", spec).released for spec in TABLES.values())
    with closing(Quarantine(home / "journal" / "quarantine.db")) as quarantine:
        quarantine.reopen(held)
