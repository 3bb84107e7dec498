"""Tables of the buffer, and the way forward from every version that ever was.

Runs in a process of its own (``python -m edge.schema FILE``): sqlite-utils brings a second SQLite
library, which may not touch the file while the agent's own has it open, and 26 MB that the agent
need not carry. What each column holds: docs/format/buffer.md.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from edge.store.limits import PAGE_BYTES, SCHEMA_VERSION, backup_name
from protos.durable import sync_folder
from protos.limits import MIB

ROOM_LEFT_BYTES: Final = 32 * MIB
"""Free on the disk beside a copy, so that the copy is not what fills it."""


def _first(db: Database) -> None:
    """From an empty file to version 1."""
    tables: dict[str, tuple[dict[str, type], str | tuple[str, str]]] = {
        "keys": ({"no": int, "kek_id": bytes, "salt": bytes, "sealed": bytes}, "no"),
        "openings": ({"no": int, "salt": bytes, "prefix": bytes, "base": int}, "no"),
        "state": ({"no": int, "data": bytes}, "no"),
        "totals": ({"name": str, "value": int}, "name"),
        "entries": ({"entry": int, "device_no": int, "leaf": bytes, "data": bytes}, "entry"),
        "chunks": ({"no": int, "rows": int, "bytes": int, "data": bytes}, "no"),
        "blocks": (
            {"epoch": int, "seq": int, "first": int, "last": int, "rows": int, "data": bytes},
            ("epoch", "seq"),
        ),
        "marks": ({"no": int, "count": int, "data": bytes}, "no"),
        "rejects": ({"no": int, "bytes": int, "data": bytes}, "no"),
        "quarantine": (
            {"no": int, "kind": str, "name": str, "reason": str, "rows": int, "data": bytes},
            "no",
        ),
    }
    for name, (columns, key) in tables.items():
        db.table(name).create(columns, pk=key, not_null=set(columns), strict=True)


def _second(db: Database) -> None:
    """To version 2: chunks say what may be evicted first, and of which times they are."""
    for name in ("priority", "from_us", "to_us"):
        db.execute(f"ALTER TABLE chunks ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX notes ON chunks (no) WHERE priority = 2")


def _third(db: Database) -> None:
    """To version 3: what devices told of themselves outlives a restart."""
    columns: dict[str, type] = {"no": int, "bytes": int, "data": bytes}
    db.table("lessons").create(columns, pk="no", not_null=set(columns), strict=True)


def _fourth(db: Database) -> None:
    """To version 4: what detection learned, and its open episodes, outlive a restart."""
    columns: dict[str, type] = {"no": int, "data": bytes}
    db.table("remembered").create(columns, pk="no", not_null=set(columns), strict=True)


def _fifth(db: Database) -> None:
    """To version 5: chunks with anomalies are found without looking at the others."""
    db.execute("CREATE INDEX urgent ON chunks (no) WHERE priority = 1")


MIGRATIONS: Final[Sequence[Callable[[Database], None]]] = (
    _first, _second, _third, _fourth, _fifth,
)  # fmt: skip
"""The step from each version to the next; the steps of released versions never change."""

if len(MIGRATIONS) != SCHEMA_VERSION:
    raise AssertionError("every version has its step, and the last one is the version that is run")


def migrate(path: Path) -> int:
    """Bring the file at ``path`` to ``SCHEMA_VERSION``, making it (mode 0600) if it is not there.

    Each step is one transaction together with its version, so a kill leaves a whole version.
    Returns the version it was found in; RuntimeError when that is newer than this code.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = Database(path)
    try:
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        if found > SCHEMA_VERSION:
            raise RuntimeError(f"version {found} is newer than {SCHEMA_VERSION}, the newest known")
        if found == 0:  # these must stand before the first table
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if 0 < found < SCHEMA_VERSION:
            _back_up(db, path, found)
        for version in range(found, SCHEMA_VERSION):
            _step(db, version)
    finally:
        db.close()
    sync_folder(path.parent)
    return found


def _back_up(db: Database, path: Path, version: int) -> None:
    """Put the file as it is beside itself, on the disk, before it is changed.

    Where there is no room for it the migration goes on without: each step is whole or not at all.
    """
    kept = path.with_name(backup_name(path.name, version))
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < size + size // 8 + ROOM_LEFT_BYTES:
        print(f"no room for a copy of {path}: it is migrated without one", file=sys.stderr)
        return
    new = kept.with_name(kept.name + ".new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    copy = sqlite3.connect(new)
    try:
        db.conn.backup(copy)
    finally:
        copy.close()
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(kept)
    sync_folder(path.parent)


def _step(db: Database, version: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        MIGRATIONS[version](db)
        db.execute(f"PRAGMA user_version = {version + 1}")
        db.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        raise


if __name__ == "__main__":
    migrate(Path(sys.argv[1]))
