"""A disk that forgets: below SQLite, what was not synced is dropped or torn when the power goes.

Every write goes to the real file at once, so that the living process reads what it wrote, and is
kept beside what is durable. `sync` of a file makes its writes durable, `sync` of a folder its
entries. At a drawn operation the power goes: that operation and all later ones fail, and
`Power.cards` says what the card holds then. Each unsynced write of 512-byte sectors survives whole,
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


def put(held: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del held[offset:]
        return
    if len(held) < offset:
        held.extend(bytes(offset - len(held)))
    held[offset : offset + len(data)] = data


class Power(apsw.VFS):
    """The disk below ``folder``; the default of SQLite while `on` holds.

    ``cut_at``: the number of the operation at which the power goes; 0: it stays until `cut`.
    """

    def __init__(self, folder: Path, seed: int, *, cut_at: int = 0, lying: bool = False) -> None:
        self.folder, self.cut_at, self.lying = folder.resolve(), cut_at, lying
        self.chance = random.Random(seed)
        self.name = f"power-{os.urandom(4).hex()}"
        self.operations = 0
        self.is_cut = False
        self._now = {path: Inode(bytearray(path.read_bytes())) for path in self._files()}
        self._durable = dict(self._now)
        self._card: dict[Path, bytes] = {}
        super().__init__(self.name, "unix")

    def _files(self) -> list[Path]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return [path for path in files if not path.name.endswith("-shm")]

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

    def cut(self) -> None:
        """The power goes; a second time changes nothing."""
        if self.is_cut:
            return
        self.is_cut = True
        entries = dict(self._durable)
        if self.chance.random() < 0.5:
            entries = dict(self._now)
        self._card = {path: inode.after_cut(self.chance) for path, inode in entries.items()}

    def card(self, folder: Path) -> Path:
        """The card as it is found when the power is back, in another folder."""
        for path, data in self._card.items():
            copy = folder / path.relative_to(self.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
        return folder

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

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not Path(path).resolve().is_relative_to(self.folder):
            return apsw.VFSFile("unix", name, flags)
        return PowerFile(self, Path(path).resolve(), name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        self.moved(Path(name).resolve(), None)
        super().xDelete(name, sync_folder)
        if sync_folder:
            self.sync_folder()

    @contextmanager
    def on(self) -> Iterator["Power"]:
        """Have SQLite and Python's own renames and syncs use this disk."""
        spared = {name: getattr(os, name) for name in ("fsync", "rename", "unlink")}
        apsw.set_default_vfs(self.name)
        try:
            for name in spared:
                setattr(os, name, self._watched(name, spared[name]))
            yield self
        finally:
            for name, function in spared.items():
                setattr(os, name, function)
            apsw.set_default_vfs("unix")

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(target: Any, *more: Any, **named: Any) -> Any:
            told = f"/proc/self/fd/{target}" if name == "fsync" else os.fspath(target)
            path = Path(os.readlink(told) if name == "fsync" else told).absolute()
            if not path.is_relative_to(self.folder):
                return function(target, *more, **named)
            try:
                if name == "fsync":
                    self.sync_folder() if path.is_dir() else self.sync_file(path)
                else:
                    new = Path(os.fspath(more[0])).absolute() if name == "rename" else None
                    self.moved(path, new)
            except apsw.IOError as error:
                raise OSError(5, str(error)) from error
            return function(target, *more, **named)

        return watched


class PowerFile(apsw.VFSFile):
    def __init__(self, power: Power, path: Path, name: Any, flags: list[int]) -> None:
        self._power, self._path = power, path
        self._enters = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        if power.is_cut:
            raise apsw.IOError("the power is gone")
        super().__init__("unix", name, flags)
        self._inode = power.inode(path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._power.step()
        self._inode.pending.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._power.step()
        self._inode.pending.append((size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._power.step()
        if not self._power.lying:
            self._inode.sync()
        super().xSync(flags)
        if self._enters:  # SQLite syncs the folder of a log it has just made
            self._enters = False
            self._power.sync_folder()
