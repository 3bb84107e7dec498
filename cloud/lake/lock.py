"""One process at a time has a lake: the lock in its folder, held as long as its handle is open."""

import fcntl
import os
from pathlib import Path

from cloud.errors import OperatorError
from cloud.lake.table.parquet import SyncFailedError, fsync, make_folder


def take_lock(root: Path, tried: str) -> int:
    """Lock the lake under ``root``; the handle to close.

    A process may have died between making a folder in it and that folder's fsync: the names there
    are brought to the disk before anyone builds on them.

    Raises:
        OperatorError: another process has it.
        SyncFailedError: the disk refuses.
    """
    make_folder(root)
    handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        hint = "stop the other `tidegate-cloud serve`"
        cause = "the cloud is running, or another process holds the lake's lock"
        raise OperatorError(tried, cause, hint) from error
    try:
        fsync(root.parent)
        fsync(root)
    except SyncFailedError:
        os.close(handle)
        raise
    return handle
