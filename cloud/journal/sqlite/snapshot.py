"""What a journal's folder says of itself at one moment, read without opening it for writing."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw

from cloud.errors import StorageError
from cloud.journal.sqlite.segment import last_offset, list_segments, open_reader, read_opening
from cloud.journal.sqlite.standing import Standing, load_standing

_GROWN = """SELECT gateway, epoch, sum(readings) FROM name
    WHERE offset > ? AND offset <= ? GROUP BY gateway, epoch"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One committed state: offsets ``oldest`` … ``head`` are held, ``archived`` were told.

    ``begun``: the first offset of the generation; above 1 another journal came before.
    """

    generation: int
    begun: int
    oldest: int
    head: int
    archived: int
    standing: Mapping[str, Standing]


def take_snapshot(folder: Path) -> Snapshot:
    """The newest committed state; any process may ask, beside the one that writes.

    Raises:
        StorageError: there is no journal, or it cannot be read.
    """
    segments = list_segments(folder) if folder.is_dir() else []
    if not segments:
        hint = "name the cloud's home with --home; `tidegate-cloud serve` makes the journal, and "
        hint += "begins a lost one anew behind its lake"
        raise StorageError(f"read the journal {folder}", "there is none", hint)
    newest = segments[-1]
    opening = read_opening(newest)
    try:
        with closing(open_reader(newest)) as connection, connection:
            archived = int(connection.execute("SELECT value FROM meta WHERE name='archived'").get)
            head = last_offset(connection, newest.first)
            standing = load_standing(connection)
    except apsw.Error as error:
        raise StorageError(
            f"read the journal {newest.path}", str(error), "check the disk"
        ) from error
    return Snapshot(opening.generation, opening.begun, segments[0].first, head, archived, standing)


def readings_between(folder: Path, above: int, upto: int) -> dict[tuple[str, int], int] | None:
    """Readings of the blocks with offsets in (above, upto], by gateway and epoch.

    None when some of them are trimmed already. StorageError when a segment cannot be read.
    """
    found: dict[tuple[str, int], int] = {}
    if upto <= above:
        return found
    segments = list_segments(folder)
    if not segments or segments[0].first > above + 1:
        return None
    for segment in segments:
        try:
            with closing(open_reader(segment)) as connection:
                rows = list(connection.execute(_GROWN, (above, upto)))
        except apsw.Error as error:
            if not segment.path.exists():
                return None
            raise StorageError(
                f"read the journal {segment.path}", str(error), "check it"
            ) from error
        for gateway, epoch, readings in rows:
            found[gateway, epoch] = found.get((gateway, epoch), 0) + readings
    return found
