import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

import edge.schema
from edge.errors import StorageError
from edge.schema import migrate
from edge.store.file import prepare
from edge.store.limits import PAGE_BYTES, SCHEMA_VERSION, backup_name

TABLES = {
    "keys", "openings", "state", "totals", "entries", "chunks", "blocks", "marks", "rejects",
    "quarantine", "lessons", "remembered",
}  # fmt: skip


def pragma(path: Path, name: str) -> object:
    db = Database(path)
    value = db.execute(f"PRAGMA {name}").fetchone()[0]
    db.close()
    return value


def test_an_empty_file_becomes_the_newest_version(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    assert migrate(path) == 0
    db = Database(path)
    assert set(db.table_names()) == TABLES
    db.close()
    found = [pragma(path, name) for name in ("user_version", "page_size", "auto_vacuum")]
    assert found == [SCHEMA_VERSION, PAGE_BYTES, 2]
    assert pragma(path, "journal_mode") == "wal"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    migrate(path)
    before = path.read_bytes()
    assert migrate(path) == SCHEMA_VERSION
    assert path.read_bytes() == before


def test_a_migration_that_dies_leaves_a_whole_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = edge.schema.MIGRATIONS[0]

    def dies(db: Database) -> None:
        first(db)
        raise OSError("the power went")

    path = tmp_path / "buffer.db"
    monkeypatch.setattr(edge.schema, "MIGRATIONS", (dies,))
    with pytest.raises(OSError, match="power"):
        migrate(path)
    monkeypatch.undo()
    assert pragma(path, "user_version") == 0
    assert migrate(path) == 0
    assert pragma(path, "user_version") == SCHEMA_VERSION


def test_a_buffer_of_a_newer_tidegate_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    migrate(path)
    db = Database(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="newer"):
        prepare(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_buffer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    path.write_bytes(os.urandom(8192))
    with pytest.raises(StorageError, match=r"buffer\.db.*move it aside"):
        prepare(path)


def test_a_missing_folder_is_the_operators_to_make(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the folder must exist"):
        prepare(tmp_path / "none" / "buffer.db")


def test_the_agent_never_carries_sqlite_utils() -> None:
    code = "import sys, json, edge.store.store; print(json.dumps([*sys.modules]))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(told.stdout))
    assert "apsw" in loaded
    assert not loaded & {"sqlite_utils", "sqlite3", "edge.schema"}


def older(path: Path) -> None:
    """Make the file at ``path`` one of the version before the newest."""
    db = Database(path)
    db.execute("DROP INDEX urgent")
    db.execute("PRAGMA user_version = 4")
    db.close()


def test_a_migration_keeps_the_file_as_it_was_until_the_new_one_opens_again(
    world: Any,
) -> None:
    store = world.open()
    store.commit(world.chunk(5, new_series=1)).result()
    store.close()
    older(world.path)
    later = world.open()
    kept = world.path.with_name(backup_name(world.path.name, 4))
    assert pragma(kept, "user_version") == 4
    assert pragma(kept, "integrity_check") == "ok"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    later.commit(world.chunk(7)).result()
    later.close()
    before = kept.with_name("restored.db")
    shutil.copy(kept, before)
    again = world.open()
    assert not kept.exists()
    assert again.stats().result().unsealed_rows == 12
    again.close()
    shutil.copy(before, world.path)  # the way back: the file of before, and what it held
    restored = world.open()
    assert restored.stats().result().unsealed_rows == 5
    restored.close()


def test_a_disk_without_room_for_a_copy_stops_no_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "buffer.db"
    migrate(path)
    older(path)
    full = shutil.disk_usage(tmp_path)._replace(free=1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert migrate(path) == 4
    assert pragma(path, "user_version") == SCHEMA_VERSION
    assert not path.with_name(backup_name(path.name, 4)).exists()
    assert "no room for a copy" in capsys.readouterr().err
