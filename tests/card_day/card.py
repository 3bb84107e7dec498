"""A card for one test: a file with a file system of its own, mounted where a gateway lives.

The kernel counts what is written to it as it does for any disk, its journal included, and nobody
else writes there.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.card import Device

CARD_MB = 256


@contextmanager
def mounted(folder: Path, at: Path) -> Iterator[Device | None]:
    """An ext4 of its own at ``at``, and its device; None where we may not mount."""
    image = folder / "card.img"
    with image.open("wb") as file:
        file.truncate(CARD_MB << 20)
    at.mkdir(parents=True, exist_ok=True)
    made = (
        ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image)],
        ["mount", "-o", "loop,noatime", str(image), str(at)],
    )
    is_there = os.geteuid() == 0 and all(
        subprocess.run(command, capture_output=True, check=False).returncode == 0
        for command in made
    )
    try:
        yield Device(at) if is_there else None
    finally:
        if is_there:
            subprocess.run(["umount", str(at)], capture_output=True, check=False)
