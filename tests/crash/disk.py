"""A small real disk for one half: ext4 in a file behind a loop device; needs root.

It can be filled, and its power can be cut: `cut` shuts ext4 down without flushing anything, so that
what nobody fsynced is gone and all later calls get EIO, and `restore` mounts what is left, which
ext4's own journal mends as after any power cut. What had been fsynced lies in the image.

What this disk cannot show: sectors torn or reordered within what was not synced. Those are below
`tests.crash.power`.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN of fs/ext4/ext4.h, as xfstests' `godown` uses it
NO_FLUSH = struct.pack("I", 2)
UNMOUNT_S = 30.0
BALLAST = "ballast"


class DiskError(Exception):
    """The disk of a campaign could not be mounted or unmounted; the text says why."""


@dataclass(slots=True)
class Disk:
    """A disk at ``folder``; while ``mounted`` is False the folder is one like any other."""

    folder: Path
    mib: int
    mounted: bool = False

    @property
    def image(self) -> Path:
        """The file behind the loop device."""
        return self.folder.with_suffix(".ext4")

    def mount(self) -> bool:
        """Make the disk, empty; False where nobody may mount."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0 or not all(map(shutil.which, ("mount", "mkfs.ext4"))):
            return False
        with self.image.open("wb") as image:
            image.truncate(self.mib << 20)
        made = run("mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", str(self.image))
        self.mounted = made and run("mount", "-o", "loop", str(self.image), str(self.folder))
        if self.mounted:
            (self.folder / "lost+found").rmdir()
            self.folder.chmod(0o700)  # as a home must be
        return self.mounted

    def fill(self) -> None:
        """Leave no block; what the halves free meanwhile is taken as well by the next call."""
        with (self.folder / BALLAST).open("ab") as ballast:
            size = self.mib << 20
            while size >= 4096:
                try:
                    os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, size)
                except OSError:
                    size //= 2

    def relieve(self) -> None:
        """Give back what `fill` took."""
        (self.folder / BALLAST).unlink(missing_ok=True)

    def cut(self) -> None:
        """The power goes: what was not synced is lost, whoever uses the disk gets EIO from now."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, SHUTDOWN, NO_FLUSH)
        finally:
            os.close(handle)

    def restore(self) -> None:
        """The power is back; no process may have a file open there."""
        self._unmount()
        if not run("mount", "-o", "loop", str(self.image), str(self.folder)):
            raise DiskError(f"{self.image} cannot be mounted again")

    def remove(self, keep_in: Path | None) -> None:
        """Take it away; its files are copied to ``keep_in`` first when that is given."""
        if not self.mounted:
            return
        if keep_in is not None:
            with suppress(OSError, shutil.Error):
                shutil.copytree(self.folder, keep_in, dirs_exist_ok=True)
        self._unmount()
        self.mounted = False
        self.image.unlink(missing_ok=True)

    def _unmount(self) -> None:
        """Never lazily: one image behind two mounts would be the campaign's own corruption."""
        deadline = time.monotonic() + UNMOUNT_S
        while not run("umount", str(self.folder)):
            if time.monotonic() > deadline:
                raise DiskError(f"{self.folder} is still in use")
            time.sleep(0.05)


@dataclass(slots=True)
class InMemory:
    """A home that lies on a small tmpfs for a while; its half must not run at either move."""

    home: Path
    aside: Path
    mib: int

    def enter(self) -> None:
        """Copy the home to a tmpfs over its own folder."""
        shutil.copytree(self.home, self.aside, symlinks=True, ignore=sockets)
        options = f"mode=0700,size={self.mib}m"
        if not run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.home)):
            raise DiskError(f"no tmpfs can be mounted at {self.home}")
        refill(self.home, self.aside)

    def leave(self) -> None:
        """Copy it back to the disk below, durably, and take the tmpfs away."""
        shutil.copytree(self.home, self.aside, symlinks=True, ignore=sockets)
        deadline = time.monotonic() + UNMOUNT_S
        while not run("umount", str(self.home)):
            if time.monotonic() > deadline:
                raise DiskError(f"the tmpfs at {self.home} is still in use")
            time.sleep(0.05)
        for old in self.home.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        refill(self.home, self.aside)
        run("sync", "-f", str(self.home))


def refill(home: Path, aside: Path) -> None:
    shutil.copytree(aside, home, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(aside)


def sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
