"""Files that are on the disk when a call returns: whole or not at all, whatever the power does."""

import os
from pathlib import Path


def put(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in place whole, with its mode from the first byte, on the disk when it returns.

    Until then a file of that name stays as it was. A `.new` that a power cut left is overwritten.

    Raises:
        OSError: the disk refuses.
    """
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; OSError when it refuses."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
