"""A backup of a whole cloud while it runs: lake, journal, registry, models, authority, settings.

The order makes it consistent without stopping anybody. `readings` first, because it speaks for the
tables of rare rows; then the other tables, each at a version of its own; then the journal's
segments, oldest first, by SQLite's online backup: they must begin where the lake's copy ends, or
all is taken anew. The manifest, with every file's size and SHA-256, is written last: without it a
folder is no backup.
"""

import contextlib
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw
import msgspec

from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError
from cloud.journal.sqlite.quarantine import Quarantine
from cloud.journal.sqlite.segment import list_segments, open_reader, read_opening, sync_path
from cloud.lake.floors import floors_path
from cloud.lake.table.log import LOG
from cloud.lake.table.schema import READINGS, TABLES, TableSpec
from cloud.lake.table.table import covered, look
from cloud.retention.retired import retired_path
from protos.model import SUFFIX

MANIFEST: Final = "backup.json"
TRIES: Final = 10
"""How often a part is taken anew because the running cloud overtook the copying of it."""

Told = Callable[[str], None]
"""Told what is copied next."""


class File(msgspec.Struct, frozen=True):
    """A file of the backup: its path in it, size and SHA-256 (hex)."""

    path: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. ``lake``: the offset up to which all its tables have everything."""

    taken_us: int
    generation: int
    lake: int
    files: tuple[File, ...]
    version: int = 1


def take(config: CloudConfig, target: Path, now_us: int, told: Told = lambda _: None) -> Manifest:
    """Copy the cloud of ``config`` into the new folder ``target``; durable on return.

    Raises:
        OperatorError: ``target`` holds something already, or there is nothing to back up.
        StorageError: something cannot be read or written, or changes too fast.
    """
    if target.exists() and any(target.iterdir()):
        raise OperatorError(f"back up into {target}", "it is not empty", "name a new folder")
    if not any(any(path.glob("*")) for path in (config.lake_folder, config.journal_folder)):
        hint = "name the cloud's home with --home, or start `tidegate-cloud serve` there first"
        raise OperatorError(f"back up {config.home}", "no cloud was ever served from it", hint)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)
    try:
        lake, generation = _history(config, target, told)
        told("quarantine, registry, imports, models, authority, settings")
        with closing(Quarantine(config.journal_folder / "quarantine.db")) as quarantine:
            quarantine.copy_to(target / "journal" / "quarantine.db")
        _copy_small(config.registry_path, target / "registry.db")
        # After the journal: of what a ledger has beyond it, the restored cloud gets all again.
        for ledger in sorted(config.imports_folder.glob("*.db")):
            _copy_small(ledger, target / "imports" / ledger.name)
        _copy_models(config, target)
        shutil.copytree(config.authority_folder, target / "ca")
        shutil.copy2(config.settings_path, target / config.settings_path.name)
        told("digests")
        manifest = Manifest(now_us, generation, lake, tuple(_files(target)))
        write_last(target / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    except (OSError, apsw.Error, sqlite3.Error) as error:
        hint = "check the disk and its free space; the folder is no backup, remove it"
        raise StorageError(f"back up into {target}", str(error), hint) from error
    return manifest


def write_last(path: Path, data: bytes) -> None:
    """Write a file; it, its folder and all that lies in it are on the disk when this returns."""
    path.write_bytes(data)
    for found in path.parent.rglob("*"):
        sync_path(found)
    sync_path(path.parent)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex; a megabyte in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _history(config: CloudConfig, target: Path, told: Told) -> tuple[int, int]:
    """Copy lake and journal so that they fit; the lake's offset and the journal's generation."""
    for _ in range(TRIES):
        for name in ("lake", "journal"):
            shutil.rmtree(target / name, ignore_errors=True)
        for spec in TABLES.values():
            told(f"lake {spec.name}")
            _copy_table(config.lake_folder, target / "lake", spec)
        _copy_floors(config.lake_folder, target / "lake")
        told("journal")
        oldest, generation = _copy_journal(config.journal_folder, target / "journal")
        lake = covered(target / "lake")
        if oldest <= lake + 1:
            return lake, generation
    raise StorageError("back up", "the journal is trimmed as fast as it is copied", "try again")


def _copy_floors(lake: Path, target: Path) -> None:
    """What the copied `readings` keep of their journal; if overtaken, it is made anew later."""
    path = floors_path(lake, look(target, READINGS).offset)
    with contextlib.suppress(FileNotFoundError):
        _copy(path, target / path.relative_to(lake))


def _copy_table(lake: Path, target: Path, spec: TableSpec) -> None:
    """Copy one version of a table; what a merge or a checkpoint overtook is repeated."""
    for _ in range(TRIES):
        shutil.rmtree(target / spec.name, ignore_errors=True)
        state = look(lake, spec)
        with contextlib.suppress(FileNotFoundError):
            if state.retired:  # first: the files of earlier tickets go
                told = retired_path(lake, state.retired)
                _copy(told, target / told.relative_to(lake))
            for file in state.files.files:
                _copy(lake / spec.name / file.path, target / spec.name / file.path)
            _copy_log(lake / spec.name / LOG, target / spec.name / LOG, state.files.version)
            with contextlib.suppress(StorageError):
                copied = look(target, spec)
                if copied.files.files == state.files.files and copied.offset == state.offset:
                    return
    raise StorageError(f"back up the table {spec.name}", "it changes too fast", "try again")


def _copy_log(log: Path, target: Path, version: int) -> None:
    """The entries and checkpoints up to a version; a pointer to a later checkpoint is left out."""
    target.mkdir(parents=True)
    for path in sorted(log.iterdir()):
        number = path.name.split(".")[0]
        if number.isdigit() and int(number) <= version and not path.name.endswith(".torn"):
            _copy(path, target / path.name)


def _copy_journal(folder: Path, target: Path) -> tuple[int, int]:
    """Copy all segments, oldest first, and those that come meanwhile; first offset, generation."""
    target.mkdir()
    copied: list[Path] = []
    while missing := [one for one in list_segments(folder) if target / one.path.name not in copied]:
        segment, path = missing[0], target / missing[0].path.name
        try:
            with (
                closing(open_reader(segment)) as source,
                closing(apsw.Connection(str(path))) as to,
                to.backup("main", source, "main") as backup,
            ):
                backup.step(-1)
        except apsw.Error:
            if segment.path.exists():
                raise
            # Trimmed meanwhile, and so are all before it.
            for old in (path, *copied):
                old.unlink(missing_ok=True)
            copied.clear()
            continue
        copied.append(path)
    segments = list_segments(target)
    return segments[0].first, read_opening(segments[-1]).generation


def _copy_small(path: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    # These files are the standard library's SQLite's; never two libraries on one file.
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as to:
        source.backup(to)
    target.chmod(0o600)


def _copy_models(config: CloudConfig, target: Path) -> None:
    """Packages of models, which never change, and the key that signs them, if there is one."""
    packages = sorted(config.models_folder.glob(f"*{SUFFIX}"))
    if packages:
        (target / config.models_folder.name).mkdir(mode=0o700)
    for package in packages:
        shutil.copy2(package, target / config.models_folder.name / package.name)
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(config.model_key_path, target / config.model_key_path.name)


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _files(folder: Path) -> Iterator[File]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = os.fspath(path.relative_to(folder))
            yield File(name, path.stat().st_size, digest(path))
