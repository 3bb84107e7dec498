"""What a gateway keeps of rollouts on its disk.

    rollout/state.json    what is in service, tried and refused (`edge.detect.rollout.Held`)
    rollout/SHA256.part   a package while it is fetched: its first bytes
    rollout/SHA256.tgm    a package, whole and of that hash

A part grows without fsync: bytes that a power cut took are fetched again, and ones that it spoilt
are found by the hash. The state and whole packages are put durably, the package first.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from edge.detect.rollout import Held
from edge.errors import StorageError
from protos.durable import put, sync_folder

log = logging.getLogger(__name__)

STATE: Final = "state.json"
STATE_BYTES_MAX: Final = 1 << 20


class RolloutFolder:
    """The folder of one gateway, made when something is kept.

    Its methods raise StorageError when the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self) -> Held:
        """The state as it was saved last; one that cannot be read counts as none, and is told."""
        path = self.folder / STATE
        try:
            with path.open("rb") as file:
                return msgspec.json.decode(file.read(STATE_BYTES_MAX), type=Held)
        except FileNotFoundError:
            return Held()
        except (OSError, msgspec.DecodeError) as error:
            log.error("could not read %s: %s; the gateway's own models serve", path, error)
            return Held()

    def save(self, held: Held) -> None:
        """Keep a state, durably."""
        with _told(f"keep the state of models in {self.folder}"):
            self._made()
            put(self.folder / STATE, msgspec.json.encode(held))

    def held_bytes(self, sha256: str, size: int) -> int:
        """Bytes of a package that are here; a part that is too long is none."""
        with _told(f"look at what there is in {self.folder}"):
            if self.path(sha256).exists():
                return size
            part = self._part(sha256)
            found = part.stat().st_size if part.exists() else 0
        return found if found <= size else 0

    def is_full(self, sha256: str, size: int) -> bool:
        """Whether a part has all its bytes and is not yet a package."""
        is_part = not self.path(sha256).exists()
        return is_part and size > 0 and self.held_bytes(sha256, size) == size

    def append(self, sha256: str, offset: int, data: bytes) -> int:
        """Add bytes to a part that has ``offset``; says how many it has then."""
        with _told(f"keep a piece of a model in {self.folder}"):
            self._made()
            with self._part(sha256).open("r+b" if offset else "wb") as file:
                file.seek(offset)
                file.truncate()
                file.write(data)
            return offset + len(data)

    def complete(self, sha256: str) -> bool:
        """Make a part that has all its bytes a package; False, and it is gone, if it is not it."""
        part = self._part(sha256)
        with _told(f"keep a model in {self.folder}"):
            with part.open("r+b") as file:
                os.fsync(file.fileno())
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    part.unlink()
                    return False
            part.replace(self.path(sha256))
            sync_folder(self.folder)
        return True

    def read(self, sha256: str) -> bytes | None:
        """A package, None when it is not here or no longer what it was."""
        with _told(f"read a model in {self.folder}"):
            try:
                data = self.path(sha256).read_bytes()
            except FileNotFoundError:
                return None
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
            log.error("the package %s is damaged and is fetched again", self.path(sha256))
            self.path(sha256).unlink()
            return None

    def keep_only(self, packages: set[str]) -> None:
        """Remove packages and parts of other hashes."""
        with _told(f"tidy {self.folder}"):
            for path in self.folder.glob("*"):
                if path.suffix in (".tgm", ".part") and path.stem not in packages:
                    path.unlink()

    def path(self, sha256: str) -> Path:
        """Where a whole package lies."""
        return self.folder / f"{sha256}.tgm"

    def _part(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.part"

    def _made(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self.folder.parent)


@contextmanager
def _told(tried: str) -> Iterator[None]:
    """Tell what the disk refuses as a StorageError."""
    try:
        yield
    except OSError as error:
        hint = "check the disk; the models in service go on"
        raise StorageError(tried, error.strerror or str(error), hint) from error
