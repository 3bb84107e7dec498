"""What is written to the card, as the kernel counts it, and what kind of card that is.

Two counts, and neither is the whole truth: the process's own (`/proc/self/io`) has every page that
the agent had written and leaves out the filesystem's journal; the device's (`/sys/dev/block`) has
that too, and what everybody else wrote there. Linux alone; elsewhere nothing is known.
"""

import os
import time
from pathlib import Path
from typing import Final

from edge.wear import Wear

_IO: Final = Path("/proc/self/io")
_BLOCK: Final = Path("/sys/dev/block")
SECTOR_BYTES: Final = 512
"""The kernel's unit in `stat`, whatever the device's own sectors are."""
_WRITTEN_FIELD: Final = 6
"""Of `stat`: sectors written [Documentation/block/stat.rst]."""
_WORN: Final = ("mmcblk",)
"""Names of SD cards and eMMC: the devices whose life is a number of writes and not much more."""


def process_written() -> int | None:
    """Bytes that this process had written to disks since it began; None: the kernel does not say.

    Memory file systems do not count, pages that were given up before they were written are off.
    """
    try:
        lines = _IO.read_text().splitlines()
    except OSError:
        return None
    figures = dict(line.split(": ", 1) for line in lines if ": " in line)
    try:
        return max(0, int(figures["write_bytes"]) - int(figures["cancelled_write_bytes"]))
    except (KeyError, ValueError):
        return None


class Device:
    """The block device that a folder lies on; there may be none, as under a tmpfs or an overlay.

    ``name`` is the kernel's (`mmcblk0p2`), empty without one.
    """

    def __init__(self, folder: Path) -> None:
        number = os.stat(folder).st_dev
        self._place = _BLOCK / f"{os.major(number)}:{os.minor(number)}"
        try:
            self.name = self._place.resolve(strict=True).name
        except OSError:
            self.name = ""

    @property
    def is_worn_by_writing(self) -> bool:
        """Whether it is an SD card or eMMC."""
        return self.name.startswith(_WORN)

    def written(self) -> int | None:
        """Bytes that anybody wrote to it since the machine began; None: the kernel does not say."""
        try:
            figures = (self._place / "stat").read_text().split()
            return int(figures[_WRITTEN_FIELD]) * SECTOR_BYTES
        except (OSError, IndexError, ValueError):
            return None


class Spared:
    """How far apart commits are, by what the kernel counts and `edge.wear` makes of it.

    ``committed`` is for the thread that commits, ``spacing_s`` for any.
    """

    def __init__(self, wear: Wear) -> None:
        self._wear = wear

    def committed(self) -> None:
        """A commit is being made."""
        written = process_written() if self._wear.is_bounded else None
        if written is not None:
            self._wear.committed(time.monotonic(), written)

    @property
    def spacing_s(self) -> float:
        """Seconds from one commit to the next."""
        return self._wear.spacing_s
