"""May the journal grow? Not past its own bytes, and not into what the lake needs to empty it."""

import os
from pathlib import Path


def no_room(used: int, bytes_max: int, folder: Path, free_bytes_min: int) -> str:
    """Why blocks must wait at the gateways; "" when there is room.

    Consolidation writes before it frees: on a disk that the journal filled to the last byte neither
    could ever move again. OSError when the disk cannot be asked.
    """
    if used >= bytes_max:
        return "its bytes are used up"
    if not free_bytes_min:
        return ""
    free = free_bytes(folder)
    if free >= free_bytes_min:
        return ""
    return f"{free:,} bytes of its disk are free, {free_bytes_min:,} are kept for the lake's tables"


def free_bytes(folder: Path) -> int:
    """What may be written yet to the disk of a folder. OSError when it cannot be asked."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
