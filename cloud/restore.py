"""A backup made a cloud again: checked, copied into an empty home, and a new generation begun.

The gateways see the new generation, fall back to what the restored journal holds, and send again
what they keep. The journal's `archived` is set to what the restored lake has, which may be less
than the journal knew: consolidation goes on from there. The settings come last, so that a restore
cut short leaves no home that would start.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from cloud.backup import MANIFEST, Manifest, digest, write_last
from cloud.config import FILE_NAME
from cloud.errors import OperatorError, StorageError
from cloud.journal.sqlite.quarantine import Quarantine
from cloud.journal.sqlite.rebirth import begin_generation
from cloud.lake.table.schema import TABLES
from cloud.lake.table.table import look

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
        write_last(home / FILE_NAME, (source / FILE_NAME).read_bytes())
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


def _release_again(home: Path) -> None:
    """Blocks that were released after the lake was copied are released once more."""
    held = min(look(home / "lake", spec).released for spec in TABLES.values())
    with closing(Quarantine(home / "journal" / "quarantine.db")) as quarantine:
        quarantine.reopen(held)
