"""The Delta log of one table on a local disk: made durable, and mended after a power cut.

Neither deltalake nor the kernel beneath it fsyncs, and both take a torn log entry for a whole one
when the tear falls on a line's end or leaves nothing (tried: an empty `N.json` loads as an empty
commit). So an entry counts here only if it is whole: every line parses, the app transaction, which
deltalake writes last, is there, and the files it adds are there in full size.

A checkpoint has no sum over its pages: torn in the middle it reads as one of files with empty
names (tried). So a checkpoint counts if it is known to be on the disk, by a note that is written
after its fsync, or if the log cannot be read without it: entries go only after that fsync.
"""

import json
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cloud.lake.table.parquet import SyncFailedError, fsync
from protos.durable import put

LOG: Final = "_delta_log"
_ASIDE: Final = ".torn"
_LAST_CHECKPOINT: Final = "_last_checkpoint"
_CHECKPOINT: Final = ".checkpoint.parquet"
_SYNCED: Final = "_synced_checkpoint"
"""The version of the last checkpoint that is known to be on the disk, in digits."""


def make_durable(folder: Path, version: int) -> None:
    """Bring log entry ``version`` of the table in ``folder``, and its name, to the disk.

    SyncFailedError: the disk refused. The entry is set aside, because a second fsync would call
    pages durable that the first one dropped; the journal still has what was in it.
    """
    entry = folder / LOG / f"{version:020d}.json"
    try:
        fsync(entry)
        fsync(folder / LOG)
    except SyncFailedError:
        _set_aside(entry)
        raise


def make_checkpoint_durable(folder: Path, version: int) -> None:
    """Bring the checkpoint at ``version`` to the disk; only then may older entries go."""
    fsync(folder / LOG / f"{version:020d}{_CHECKPOINT}")
    fsync(folder / LOG / _LAST_CHECKPOINT)
    fsync(folder / LOG)
    put(folder / LOG / _SYNCED, str(version).encode(), 0o644)


def mend(folder: Path) -> list[Path]:
    """Set torn ends of the log aside and bring what is left to the disk.

    A process may have died between a commit and its fsync: the entry is then readable now and gone
    after a power cut, so everything is fsynced again before anyone builds on it, names of folders
    too: it may as well have died after it made a period's. Returns what is set aside, also by those
    before (renamed, not deleted): the caller checks that nothing promised was in it.
    """
    log = folder / LOG
    if not log.is_dir():
        return []
    _mend_checkpoints(log)
    for entry in sorted(log.glob("*.json"), reverse=True):
        if _whole(entry, folder):
            break
        _set_aside(entry)
    for path in log.iterdir():
        if path.suffix == ".json" or path.name.endswith((_CHECKPOINT, _LAST_CHECKPOINT)):
            fsync(path)
    fsync(log)
    fsync(folder)
    return sorted(log.glob(f"*{_ASIDE}"))


def forget(aside: list[Path]) -> None:
    """Delete what `mend` set aside, once nothing promised was in it."""
    for path in aside:
        path.unlink(missing_ok=True)


def exists(folder: Path) -> bool:
    """Whether the table was ever created: its log has an entry or a checkpoint."""
    return any(path.suffix in (".json", ".parquet") for path in (folder / LOG).glob("[0-9]*"))


def _set_aside(path: Path) -> Path:
    torn = path.with_name(path.name + _ASIDE)
    path.replace(torn)
    return torn


def _mend_checkpoints(log: Path) -> None:
    """Set aside checkpoints that may be torn; the entries before the last one are kept long.

    What names them goes first: others may open the table between any two steps.
    """
    log.joinpath(f"{_SYNCED}.new").unlink(missing_ok=True)
    synced, read = _synced(log), -1
    entries = {int(path.stem) for path in log.glob("[0-9]*.json")}
    torn = []
    for path in sorted(log.glob(f"*{_CHECKPOINT}")):
        version = int(path.name.removesuffix(_CHECKPOINT))
        is_spare = entries.issuperset(range(read + 1, version + 1))
        if (version > synced and is_spare) or not _reads(path):
            torn.append(path)
        else:
            read = version
    last = log / _LAST_CHECKPOINT
    if last.exists():
        named = _named_by(last)
        if named is None or named in torn or not named.exists():
            _set_aside(last)
    for path in torn:
        _set_aside(path)


def _synced(log: Path) -> int:
    """The last checkpoint that is known to be on the disk; -1: none is."""
    try:
        return int((log / _SYNCED).read_bytes())
    except (FileNotFoundError, ValueError):
        return -1


def _reads(checkpoint: Path) -> bool:
    try:
        pq.read_metadata(checkpoint)
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def _named_by(last: Path) -> Path | None:
    """The checkpoint that the note of the last one names; None: it names none."""
    try:
        version = int(json.loads(last.read_bytes())["version"])
    except (ValueError, KeyError, TypeError):
        return None
    return last.with_name(f"{version:020d}{_CHECKPOINT}")


def _whole(entry: Path, folder: Path) -> bool:
    try:
        actions = [json.loads(line) for line in entry.read_bytes().splitlines()]
    except ValueError:
        return False
    if not actions or not all(isinstance(action, dict) for action in actions):
        return False
    if int(entry.stem) == 0:
        return any("metaData" in action for action in actions)
    if "txn" not in actions[-1]:
        return False
    return all(_added_in_full(action["add"], folder) for action in actions if "add" in action)


def _added_in_full(add: dict[str, Any], folder: Path) -> bool:
    size: int = add["size"]
    try:
        return size == Path(folder, add["path"]).stat().st_size
    except FileNotFoundError:
        return False
