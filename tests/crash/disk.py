"""A small disk of its own for one half, which can be filled and emptied; needs root for tmpfs."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class SmallDisk:
    """A tmpfs at ``folder``; ``mounted`` is False where nobody may mount, and nothing is filled."""

    folder: Path
    mib: int
    mounted: bool = False

    def mount(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"mode=0700,size={self.mib}m",
            "tmpfs",
            str(self.folder),
        ]
        if os.geteuid() == 0 and shutil.which("mount"):
            self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        return self.mounted

    def fill(self) -> None:
        """Leave no byte; what the halves free meanwhile is taken as well by the next call."""
        with (self.folder / "ballast").open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        ballast.write(bytes(size))
                except OSError:
                    continue

    def relieve(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def unmount(self, keep_in: Path | None) -> None:
        """Take it away; its files are copied to ``keep_in`` first when that is given."""
        if not self.mounted:
            return
        if keep_in is not None:
            shutil.copytree(self.folder, keep_in, dirs_exist_ok=True)
        subprocess.run(["umount", "-l", str(self.folder)], check=False)
        self.mounted = False
