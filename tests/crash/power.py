"""Disks that forget: below SQLite, what was not synced is dropped or torn when the power goes.

Every write goes to the real file at once, so that the living process reads what it wrote, and is
kept beside what is durable. `sync` of a file makes its writes durable, `sync` of a folder its
entries. At a drawn operation the power goes: that operation and all later ones fail, and
`Drive.card` says what the card holds then. Each unsynced write of 512-byte sectors survives whole,
in part or not at all, in any order, as a card without a write barrier may do.

What is believed of the disk: a sector is written whole or not, and what `fsync` returned for stays.
A disk that lies about the second (``lying``) can lose what was acknowledged; no software can help.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
WATCHED = ("fsync", "rename", "replace", "unlink")


@dataclass(eq=False)
class Inode:
    """One file's durable bytes, and the writes (offset, bytes; None: cut there) since its sync."""

    durable: bytearray
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, data in self.pending:
            put(self.durable, offset, data)
        self.pending.clear()

    def after_cut(self, chance: random.Random) -> bytes:
        """What is on the card: the durable bytes and whatever of the rest had got there."""
        held, mood = bytearray(self.durable), chance.random()
        for offset, data in self.pending:
            if chance.random() < mood:
                continue
            if data is None:
                put(held, offset, None)
                continue
            torn = chance.random() < 0.3
            for at in range(0, len(data), SECTOR):
                if not torn or chance.random() < 0.5:
                    put(held, offset + at, data[at : at + SECTOR])
        return bytes(held)

    def copy(self) -> "Inode":
        return Inode(bytearray(self.durable), list(self.pending))


def put(held: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del held[offset:]
        return
    if len(held) < offset:
        held.extend(bytes(offset - len(held)))
    held[offset : offset + len(data)] = data


class Drive:
    """The disk below ``folder``, of which `Drives` tells SQLite.

    ``cut_at``: the number of the operation at which the power goes; 0: it stays until `cut`.
    ``is_full``: nothing can be written. ``lying``: a sync does nothing. ``torn``: writes that a
    cut found unsynced.
    """

    def __init__(self, folder: Path, seed: int, *, cut_at: int = 0, lying: bool = False) -> None:
        self.folder, self.cut_at, self.lying = folder.resolve(), cut_at, lying
        self.chance = random.Random(seed)
        self.operations = 0
        self.is_cut = self.is_full = False
        self.torn = 0
        self._now = {path: Inode(bytearray(path.read_bytes())) for path in self._files()}
        self._durable = dict(self._now)
        self._card: dict[Path, bytes] = {}

    def _files(self) -> list[Path]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path for path in files if not path.name.endswith("-shm"))

    def inode(self, path: Path) -> Inode:
        if path not in self._now:
            self._now[path] = Inode(bytearray())
        return self._now[path]

    def step(self) -> None:
        """One operation reaches the disk, unless the power is gone."""
        self.operations += 1
        if self.operations == self.cut_at:
            self.cut()
        if self.is_cut:
            raise apsw.IOError("the power is gone")

    def write(self) -> None:
        """One write is about to be made."""
        self.step()
        if self.is_full:
            raise apsw.FullError("no space is left")

    def cut(self) -> None:
        """The power goes; a second time changes nothing."""
        if self.is_cut:
            return
        self.is_cut = True
        entries = dict(self._durable)
        if self.chance.random() < 0.5:
            entries = dict(self._now)
        self.torn = sum(bool(inode.pending) for inode in entries.values())
        self._card = {path: inode.after_cut(self.chance) for path, inode in entries.items()}

    def card(self, folder: Path) -> Path:
        """The card as it is found when the power is back, in another folder."""
        for path, data in self._card.items():
            self._put(folder, path, data)
        return folder

    def durable(self) -> dict[str, bytes]:
        """What would be there if nothing unsynced were: files by their path below the folder."""
        return {
            str(path.relative_to(self.folder)): bytes(inode.durable)
            for path, inode in self._durable.items()
        }

    def settle(self) -> None:
        """All that was written is durable from now on."""
        for path, inode in self._now.items():
            inode.durable, inode.pending = bytearray(path.read_bytes()), []
        self._durable = dict(self._now)

    def moved_on(self, folder: Path, seed: int) -> "Drive":
        """The same disk under another folder, for a process that follows one that was killed.

        What was written and not synced is there to be read, and may still be lost.
        """
        self.is_cut = True
        after = Drive(folder, seed, lying=self.lying)
        for path in self._now:
            self._put(folder, path, path.read_bytes())
        copies = {inode: inode.copy() for inode in (*self._now.values(), *self._durable.values())}
        there = folder.resolve()
        for mine, theirs in ((self._now, after._now), (self._durable, after._durable)):
            for path, inode in mine.items():
                theirs[there / path.relative_to(self.folder)] = copies[inode]
        return after

    def _put(self, folder: Path, path: Path, data: bytes) -> None:
        copy = folder / path.relative_to(self.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)

    def sync_file(self, path: Path) -> None:
        self.step()
        if not self.lying:
            self.inode(path).sync()

    def sync_folder(self) -> None:
        self.step()
        if not self.lying:
            self._durable = dict(self._now)

    def moved(self, old: Path, new: Path | None) -> None:
        """A file was renamed, or (None) unlinked."""
        self.step()
        inode = self._now.pop(old, None)
        if inode is not None and new is not None:
            self._now[new] = inode

    def holds(self, path: Path) -> bool:
        return path.is_relative_to(self.folder)


class Drives(apsw.VFS):
    """The disks that SQLite, and Python's own renames and syncs, use while `on` holds.

    Files that are on none of them are the real disk's.
    """

    def __init__(self, *drives: Drive) -> None:
        self.drives = list(drives)
        self.name = f"power-{id(self)}"
        super().__init__(self.name, "unix")

    def of(self, path: Path) -> Drive | None:
        return next((drive for drive in self.drives if drive.holds(path)), None)

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's name
        told = name.filename() if isinstance(name, apsw.URIFilename) else name
        path = None if told is None else Path(told).resolve()
        drive = None if path is None else self.of(path)
        if path is None or drive is None:
            return apsw.VFSFile("unix", name, flags)
        return DriveFile(drive, path, name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        path = Path(name).resolve()
        drive = self.of(path)
        if drive is not None:
            drive.moved(path, None)
        super().xDelete(name, sync_folder)
        if drive is not None and sync_folder:
            drive.sync_folder()

    @contextmanager
    def on(self) -> Iterator[None]:
        spared = {name: getattr(os, name) for name in WATCHED}
        apsw.set_default_vfs(self.name)
        try:
            for name in spared:
                setattr(os, name, self._watched(name, spared[name]))
            yield
        finally:
            for name, function in spared.items():
                setattr(os, name, function)
            apsw.set_default_vfs("unix")
            self.unregister()

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(target: Any, *more: Any, **named: Any) -> Any:
            told = f"/proc/self/fd/{target}" if name == "fsync" else os.fspath(target)
            path = Path(os.readlink(told) if name == "fsync" else told).absolute()
            drive = self.of(path)
            if drive is None:
                return function(target, *more, **named)
            try:
                if name == "fsync":
                    drive.sync_folder() if path.is_dir() else drive.sync_file(path)
                else:
                    new = None if name == "unlink" else Path(os.fspath(more[0])).absolute()
                    drive.moved(path, new)
            except apsw.IOError as error:
                raise OSError(5, str(error)) from error
            return function(target, *more, **named)

        return watched


class Power(Drive):
    """One disk, which is all there is while `on` holds."""

    @contextmanager
    def on(self) -> Iterator["Power"]:
        with Drives(self).on():
            yield self


class DriveFile(apsw.VFSFile):
    def __init__(self, drive: Drive, path: Path, name: Any, flags: list[int]) -> None:
        self._drive, self._path = drive, path
        self._enters = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        if drive.is_cut:
            raise apsw.IOError("the power is gone")
        super().__init__("unix", name, flags)
        self._inode = drive.inode(path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._drive.write()
        self._inode.pending.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._drive.step()
        self._inode.pending.append((size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._drive.step()
        if not self._drive.lying:
            self._inode.sync()
        super().xSync(flags)
        if self._enters:  # SQLite syncs the folder of a log it has just made
            self._enters = False
            self._drive.sync_folder()
