"""What retention removed from `readings`, so that history stays accounted for to the last reading.

One small file, `retired/upto-<ticket>.mp` in the lake's folder: rows removed by gateway and epoch,
and by series the days that they were of. It is on the disk before the commit that carries its
ticket (`state.RETIRED`), so a table never misses rows that no file tells of. SHA-256 of the rest ‖
MessagePack.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from cloud.errors import StorageError
from cloud.lake.table.log import LOG
from cloud.lake.table.parquet import fsync, make_folder
from cloud.lake.table.schema import READINGS
from cloud.lake.table.state import look
from cloud.retention.rules import NOTHING, Retired

FOLDER: Final = "retired"
KEPT: Final = 16
"""Files that stay, the newest: who reads beside the committer has a table some commits old."""
TRIES: Final = 10
"""How often it is looked for anew, because the committer went on meanwhile."""
_DIGEST: Final = hashlib.sha256().digest_size
_LOST: Final = "restore the lake from a backup (docs/guide/backup.md)"


def retired_path(root: Path, ticket: int) -> Path:
    """Where the lake under ``root`` tells what was removed up to a ticket."""
    return root / FOLDER / f"upto-{ticket:016d}.mp"


def read_retired(root: Path, ticket: int) -> Retired:
    """What was removed up to a ticket from the lake under ``root``.

    Raises:
        FileNotFoundError: there is no such file any more.
        StorageError: it cannot be believed.
    """
    if ticket == 0:
        return NOTHING
    path = retired_path(root, ticket)
    data = path.read_bytes()
    if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
        raise StorageError(f"read {path}", "it is damaged", _LOST)
    return msgspec.msgpack.decode(data[_DIGEST:], type=Retired)


def retired_now(root: Path) -> Retired:
    """What was removed as of the newest commit of `readings`, read beside its committer.

    Nothing of a lake that was never made. StorageError when it is not known.
    """
    if not (root / READINGS.name / LOG).is_dir():
        return NOTHING
    for _ in range(TRIES):
        with suppress(FileNotFoundError):
            return read_retired(root, look(root, READINGS).retired)
    raise StorageError(f"read {root / FOLDER}", "what retention removed is not there", _LOST)


def take_up(root: Path, ticket: int) -> Retired:
    """The same for the committer; files of later tickets, which were never committed, go.

    StorageError also when the file is not there: what was removed would be taken for lost.
    """
    for path in (root / FOLDER).glob("upto-*"):
        if path != retired_path(root, ticket) and path.name > retired_path(root, ticket).name:
            path.unlink()
    try:
        return read_retired(root, ticket)
    except FileNotFoundError as error:
        raise StorageError(f"read {error.filename}", "it is not there", _LOST) from error


def write_retired(root: Path, retired: Retired) -> None:
    """Bring the file to the disk, before the commit that carries its ticket."""
    data = msgspec.msgpack.encode(retired)
    path = retired_path(root, retired.ticket)
    make_folder(path.parent)
    new = path.with_suffix(".new")
    new.write_bytes(hashlib.sha256(data).digest() + data)
    fsync(new)
    os.replace(new, path)
    fsync(path.parent)
    retired_path(root, retired.ticket - KEPT).unlink(missing_ok=True)
