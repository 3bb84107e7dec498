"""The disks of a simulated world, and everything else that must come from its seed.

While `Disks.on` holds, SQLite and Python write to drives that forget, `os.urandom` is the seed's,
and the journal has no threads of its own: its writer's and its settler's work is done when the
world says so.
"""

import os
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest import mock

from cloud.journal.sqlite import sealed, writer
from edge.keys import KeySource, KeyTier
from edge.store.file import prepare
from tests.crash.power import Drive, Drives
from tests.sim.card import Unit

Files = dict[str, bytes]
CUT_SOON_STEPS = 40
SHARED_MEMORY = Path("/dev/shm")


class Unstarted(threading.Thread):
    """The journal's writer thread: never begun, the world does its work."""

    def start(self) -> None:
        """Nothing begins."""


class Later:
    """An executor whose work waits until `work` is called."""

    def __init__(self, *_: object) -> None:
        self.waiting: deque[Callable[[], object]] = deque()

    def submit(self, run: Callable[..., object], *args: object) -> None:
        self.waiting.append(lambda: run(*args))

    def shutdown(self, *, cancel_futures: bool) -> None:
        assert cancel_futures
        self.waiting.clear()

    def work(self) -> None:
        while self.waiting:
            self.waiting.popleft()()


@cache
def young_buffer() -> bytes:
    """The file of a buffer in which nothing was ever kept, as the product makes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "buffer.db")
        prepare(path)
        return path.read_bytes()


class Disks:
    """All drives of one world, below one folder that goes with it."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.young = {"buffer.db": young_buffer()}  # made before chance is the seed's
        where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="sim-", dir=where))
        self.vfs = Drives()
        self.opened: dict[bytes, tuple[Unit, ...]] = {}  # what sealed rows of chunks hold
        self._folders = 0
        key = self.root / "buffer.key"
        key.write_text(chance.randbytes(32).hex())
        key.chmod(0o600)
        self.keys = KeySource(KeyTier.FILE, key)

    def folder(self, name: str) -> Path:
        self._folders += 1
        made = self.root / f"{name}-{self._folders}"
        made.mkdir()
        return made

    def drive(self, name: str, files: Files) -> Drive:
        """A disk that holds these files, durably."""
        folder = self.folder(name)
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)  # a journal set aside
            (folder / path).write_bytes(data)
        return self._use(Drive(folder, self.chance.getrandbits(32)))

    def after_crash(self, name: str, drive: Drive) -> Drive:
        """What the next process finds: after a cut what the card holds, after a kill all."""
        folder, seed = self.folder(name), self.chance.getrandbits(32)
        new = Drive(drive.card(folder), seed) if drive.is_cut else drive.moved_on(folder, seed)
        self.vfs.drives.remove(drive)
        shutil.rmtree(drive.folder)
        return self._use(new)

    def gone(self, drive: Drive) -> None:
        """Nobody uses this disk again."""
        drive.is_cut = True
        self.vfs.drives.remove(drive)
        shutil.rmtree(drive.folder)

    def _use(self, drive: Drive) -> Drive:
        self.vfs.drives.append(drive)
        return drive

    @contextmanager
    def on(self) -> Iterator["Disks"]:
        quiet = SimpleNamespace(
            Lock=threading.Lock, Condition=threading.Condition, Thread=Unstarted
        )
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.root, ignore_errors=True)
            stack.enter_context(mock.patch.object(os, "urandom", self.chance.randbytes))
            stack.enter_context(mock.patch.object(writer, "threading", quiet))
            stack.enter_context(mock.patch.object(sealed, "ThreadPoolExecutor", Later))
            stack.enter_context(self.vfs.on())
            yield self
