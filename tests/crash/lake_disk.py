"""Where a process that consolidates can be killed, and what the disk holds when the power went.

`watch` is for the process itself: from then on every operation below ``home`` is told to `Points`,
which may end the process there, and every fsync leaves beside the home (`Notes`) what became
durable by it. `after_cut` is for whoever finds the machine later: of what was not synced each name,
and each sector, got to the disk or not. What deltalake writes itself is seen when it is synced.
"""

import json
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw
import deltalake

from tests.crash.lake_points import Points

SECTOR: Final = 512
JOURNAL_LOG: Final = "journal log"
"""Its last commit is there or not: one that is torn has the journal begin a new generation, in
which gateways count anew; the journal's own power cuts have that."""
RUST: Final = ("create_write_transaction", "create_checkpoint", "cleanup_metadata")
_LOGS: Final = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class Notes:
    """What is durable of ``home``, written down in ``folder`` so that it outlives the process."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self._lock = threading.Lock()

    def begin(self) -> None:
        """All that is there is durable, whatever was noted before."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for folder, _, names in os.walk(self.home):
            for name in names:
                self.file(Path(folder, name))
            self.entries(Path(folder))

    def file(self, path: Path) -> None:
        """A file was synced."""
        with self._lock:
            copy = self.folder / f"copy-{time.monotonic_ns()}"
            shutil.copyfile(path, copy)
            inode = self._kept(path)
            self._note({"file": inode, "copy": copy.name})

    def entries(self, folder: Path) -> None:
        """A folder was synced: the names in it."""
        with self._lock:
            found = {}
            for entry in os.scandir(folder):
                is_folder = entry.is_dir(follow_symlinks=False)
                with suppress(FileNotFoundError):  # another thread removed it meanwhile
                    found[entry.name] = 0 if is_folder else self._kept(Path(entry.path))
            self._note({"folder": str(folder.relative_to(self.home)), "entries": found})

    def _kept(self, path: Path) -> int:
        """The number of a file; a name for it here, so that it is not given to another."""
        inode = path.stat().st_ino
        link = self.folder / f"inode-{inode}"
        if not link.exists():
            os.link(path, link)
        return inode

    def _note(self, line: dict[str, Any]) -> None:
        with (self.folder / "notes").open("ab", buffering=0) as notes:
            notes.write(json.dumps(line).encode() + b"\n")


def place_of(home: Path, path: Path) -> str:
    """What a file or folder is, without numbers; "" when it is not below ``home``."""
    if not path.is_relative_to(home):
        return ""
    parts = path.relative_to(home).parts
    if parts[:1] != ("lake",):
        return JOURNAL_LOG if path.name.endswith("-wal") else "journal file"
    table = next((t for t in ("readings", "rollup") if parts[1:2] and t in parts[1]), "rare")
    if len(parts) < 3:
        return "lake folder"
    if parts[1] in ("floors", "retired"):
        return f"{parts[1]} {path.suffix}"
    if parts[2] == "_delta_log":
        return f"{table} log {'folder' if len(parts) == 3 else path.suffix}"
    return f"{table} {'data' if len(parts) == 4 else 'period'}"


@dataclass(slots=True)
class Watch:
    """The hooks in this process, for as long as it lives; ``syncs``: False for a mutant's disk."""

    notes: Notes
    points: Points
    syncs: Callable[[str], bool]

    def place(self, path: Path) -> str:
        """What a file or folder is, without numbers; "" when it is not below the home."""
        return place_of(self.notes.home, path)

    def synced(self, path: Path) -> None:
        """It is on the disk now."""
        if path.is_dir():
            self.notes.entries(path)
        else:
            self.notes.file(path)

    def install(self) -> None:
        """From now on; SQLite's through a VFS, which stays."""
        for name in ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir"):
            setattr(os, name, self._told_of(name, getattr(os, name)))
        for name in RUST:
            setattr(
                deltalake.DeltaTable, name, self._rust(name, getattr(deltalake.DeltaTable, name))
            )
        VFS.append(_Vfs(self))

    def _told_of(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def told(target: Any, *more: Any, **named: Any) -> Any:
            is_sync = name == "fsync"
            path = Path(os.readlink(f"/proc/self/fd/{target}") if is_sync else os.fspath(target))
            place = self.place(path.absolute())
            if not place:
                return original(target, *more, **named)
            self.points.visit(f"before {name} of {place}")
            done = None if is_sync else original(target, *more, **named)
            if is_sync and self.syncs(place):
                self.synced(path)
            self.points.visit(f"after {name} of {place}")
            return done

        return told

    def _rust(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def told(*args: Any, **named: Any) -> Any:
            self.points.visit(f"during {name}")
            done = original(*args, **named)
            self.points.visit(f"after {name}")
            return done

        return told


VFS: Final[list[apsw.VFS]] = []
"""Of this process: SQLite has it until it ends."""


class _Vfs(apsw.VFS):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        super().__init__("lake-crash", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's name
        told = name.filename() if isinstance(name, apsw.URIFilename) else name
        if told is None or not self._watch.place(Path(told)):
            return apsw.VFSFile("unix", name, flags)
        return _File(self._watch, Path(told), name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        super().xDelete(name, sync_folder)
        if sync_folder and self._watch.place(Path(name)):
            self._watch.synced(Path(name).parent)


class _File(apsw.VFSFile):
    def __init__(self, watch: Watch, path: Path, name: Any, flags: list[int]) -> None:
        self._watch, self._path, self._place = watch, path, watch.place(path)
        self._enters = bool(flags[0] & _LOGS)
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._watch.points.visit(f"after write of {self._place}")

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._watch.points.visit(f"before sync of {self._place}")
        if self._watch.syncs(self._place):
            self._watch.synced(self._path)
            if self._enters:  # SQLite syncs the folder of a log it has just made
                self._enters = False
                self._watch.synced(self._path.parent)
        self._watch.points.visit(f"after sync of {self._place}")


@dataclass(slots=True)
class Card:
    """The disk after a power cut, as ``notes`` and chance have it; see `after_cut`.

    ``torn``: of unsynced files of this place the name got there, and not all sectors.
    """

    notes: Notes
    chance: random.Random
    mood: float
    entries: dict[str, dict[str, int]]
    copies: dict[int, Path]
    torn: str = ""
    unsynced: int = 0

    def put(self, folder: str, into: Path) -> None:
        """One folder, with all below it."""
        into.mkdir(parents=True, exist_ok=True)
        durable, now = self.entries.get(folder, {}), self._now(folder)
        for name in sorted(durable.keys() | now.keys()):
            if name.endswith("-shm"):
                continue
            held = durable.get(name)
            if held != now.get(name):
                self.unsynced += 1
                is_there = self._is_torn(self.notes.home / folder / name)
                is_there |= self.chance.random() < self.mood
                held = now.get(name) if is_there else held
            if held == 0:
                self.put(os.path.normpath(f"{folder}/{name}"), into / name)
            elif held is not None:
                (into / name).write_bytes(self._content(held, self.notes.home / folder / name))

    def _now(self, folder: str) -> dict[str, int]:
        path = self.notes.home / folder
        if not path.is_dir():
            return {}
        return {e.name: 0 if e.is_dir() else e.inode() for e in os.scandir(path)}

    def _content(self, inode: int, path: Path) -> bytes:
        copy, kept = self.copies.get(inode), self.notes.folder / f"inode-{inode}"
        durable = copy.read_bytes() if copy is not None else b""
        is_there = path.exists() and path.stat().st_ino == inode
        current = path.read_bytes() if is_there else kept.read_bytes()
        if current == durable:
            return durable
        self.unsynced += 1
        is_torn = is_there and self._is_torn(path)
        if not is_torn and self.chance.random() >= self.mood:
            return durable
        if place_of(self.notes.home, path) == JOURNAL_LOG:
            return current
        held = bytearray(durable[: len(current)].ljust(len(current), b"\0"))
        sectors = range(0, len(current), SECTOR)
        lost = self.chance.choice(sectors) if is_torn and sectors else -1
        for at in sectors:
            if at != lost and self.chance.random() < self.mood:
                held[at : at + SECTOR] = current[at : at + SECTOR]
        return bytes(held)

    def _is_torn(self, path: Path) -> bool:
        return bool(self.torn) and place_of(self.notes.home, path) == self.torn


def after_cut(notes: Notes, into: Path, chance: random.Random, torn: str = "") -> int:
    """Write to ``into`` what the disk holds; how many names and files were not synced.

    ``torn``: unsynced files of this place are torn for certain.
    """
    entries: dict[str, dict[str, int]] = {}
    copies: dict[int, Path] = {}
    for line in map(json.loads, (notes.folder / "notes").read_bytes().splitlines()):
        if "file" in line:
            copies[line["file"]] = notes.folder / line["copy"]
        else:
            entries[line["folder"]] = line["entries"]
    mood = 0.0 if chance.random() < 0.5 else chance.random()
    card = Card(notes, chance, mood, entries, copies, torn)
    card.put(".", into)
    return card.unsynced
