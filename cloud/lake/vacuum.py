"""Files in the lake's folders that no table names: what a process that died left behind.

A start of the cloud removes them by itself. Here they are told, and removed while it is stopped.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.lake.alone import check_sound, check_there
from cloud.lake.lock import take_lock
from cloud.lake.table.log import mend
from cloud.lake.table.schema import PERIOD, TABLES
from cloud.lake.table.state import look


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file that no table names, its size and age."""

    path: Path
    bytes: int
    age_s: float


def orphans(root: Path, older_s: float, now_s: float) -> list[Orphan]:
    """All that are older; beside a running cloud some may be files that it is writing.

    Raises:
        OperatorError: there is no lake.
        StorageError: a table's log cannot be read.
    """
    check_there(root, f"look at the lake {root}")
    found = []
    for spec in TABLES.values():
        paths = sorted((root / spec.name).glob(f"{PERIOD}=*/*"))
        named = set(look(root, spec).files.paths())  # after the listing: what came since is named
        for path in (one for one in paths if str(one) not in named):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            age_s = now_s - stat.st_mtime
            if age_s >= older_s:
                found.append(Orphan(path, stat.st_size, age_s))
    return found


def vacuum(root: Path, older_s: float, now_s: float) -> Sequence[Orphan]:
    """Remove them, with the cloud stopped: it may be about to name what it writes.

    Raises:
        OperatorError: a cloud is running; and as `orphans`.
        StorageError: a table's log is damaged, and what it named cannot be told from the rest.
    """
    check_there(root, f"look at the lake {root}")
    tried = f"remove files from the lake {root}"
    handle = take_lock(root, tried)
    try:
        check_sound(tried, [path for name in TABLES for path in mend(root / name)])
        found = orphans(root, older_s, now_s)
        for one in found:
            one.path.unlink(missing_ok=True)
        return found
    finally:
        os.close(handle)
