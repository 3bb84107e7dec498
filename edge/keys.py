"""Where the buffer's key-encryption key comes from, and what each place does not protect.

Two tiers: systemd's credentials directory when the unit hands one over, else a file in the home.
The key itself is 32 random bytes, written as 64 hexadecimal digits in one line so that it can be
copied by hand. The buffer holds only a data key wrapped by it.
"""

import os
import secrets
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from edge.errors import OperatorError
from edge.seal import KEY_BYTES, kek_id
from protos.durable import sync_folder

CREDENTIAL_NAME: Final = "tidegate-buffer-key"
CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"


class KeyTier(Enum):
    """How well the key-encryption key is kept; the value is what `status` shows."""

    FILE = "file"
    SYSTEMD_CREDS = "systemd-creds"

    @property
    def unprotected(self) -> str:
        """What a thief can still do in this tier, in one sentence."""
        return _UNPROTECTED[self]


_UNPROTECTED: Final[Mapping[KeyTier, str]] = {
    KeyTier.FILE: (
        "the key lies on the same disk as the buffer: whoever takes the whole card, or is root on "
        "the gateway, reads the buffer; only a copy of the buffer alone is protected"
    ),
    KeyTier.SYSTEMD_CREDS: (
        "root on the running gateway reads the key; off the gateway it is as safe as what sealed "
        "the credential: a TPM, or else systemd's host key on the same disk"
    ),
}


@dataclass(frozen=True, slots=True)
class KeySource:
    """One place that holds the key-encryption key, and its tier."""

    tier: KeyTier
    path: Path

    def key(self) -> bytes:
        """The 32 bytes; OperatorError when the file is missing, malformed or open to others."""
        tried = f"read the buffer's key {self.path}"
        try:
            mode = stat.S_IMODE(self.path.stat().st_mode)
            text = self.path.read_text("ascii").strip()
            key = bytes.fromhex(text)
        except FileNotFoundError:
            hint = "`tidegate-edge init` makes one; if a buffer exists, bring its own key back"
            raise OperatorError(tried, "there is no such file", hint) from None
        except OSError as error:
            hint = "the agent's user needs to read it"
            raise OperatorError(tried, error.strerror or str(error), hint) from error
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise OperatorError(tried, "it is not 64 hexadecimal digits", "bring your copy back")
        if self.tier is KeyTier.FILE and mode & 0o077:
            hint = f"chmod 600 {self.path}"
            raise OperatorError(tried, f"its mode {mode:04o} lets other users read it", hint)
        return key

    def key_for(self, known: Collection[bytes]) -> bytes:
        """The key, finishing a rotation that was killed: ``known`` are the ids a buffer names.

        OperatorError as `key` raises it.
        """
        new_path = next_key_path(self.path)
        key = self.key()
        if self.tier is KeyTier.FILE and kek_id(key) not in known and new_path.exists():
            new = KeySource(self.tier, new_path).key()
            if kek_id(new) in known:
                replace_key(self.path)
                return new
        return key


def next_key_path(path: Path) -> Path:
    """Where a rotation keeps the key that is to follow the one at ``path``."""
    return path.with_name(f"{path.name}.next")


def replace_key(path: Path) -> None:
    """Put the next key in the place of the one at ``path``, on the disk when this returns."""
    next_key_path(path).replace(path)
    sync_folder(path.parent)


def find_key(path: Path, environment: Mapping[str, str]) -> KeySource:
    """The best tier there is: the unit's credential if it was handed over, else the file."""
    folder = environment.get(CREDENTIALS_VARIABLE)
    if folder and (Path(folder) / CREDENTIAL_NAME).exists():
        return KeySource(KeyTier.SYSTEMD_CREDS, Path(folder) / CREDENTIAL_NAME)
    return KeySource(KeyTier.FILE, path)


def make_key_file(path: Path) -> None:
    """A new random key in a file of mode 0600, on the disk when this returns.

    Its folder is made with mode 0700. OperatorError when the file exists: a key is never replaced,
    for the buffer would be unreadable without it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        hint = "keep it: what it sealed cannot be read with another"
        raise OperatorError(f"make the buffer's key {path}", "it exists", hint) from None
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
