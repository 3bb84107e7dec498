"""Rotation: the buffer's data key under a new key-encryption key, no row of readings touched.

A kill between any two steps leaves a buffer that opens: the new key is on the disk beside the old
one before the buffer needs it, both copies of the wrapped key change in one transaction, and
`KeySource.key_for` puts the new file in the old one's place should that step be missing. From the
transaction on the old key opens nothing.
"""

import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from edge.errors import OperatorError
from edge.keys import KeySource, KeyTier, make_key_file, next_key_path, replace_key
from edge.seal import SALT_BYTES, kek_id, wrap_key
from edge.store.file import BufferFile, prepare, telling
from edge.store.limits import StoreLimits
from edge.store.rows import data_key, key_ids


class Step(Enum):
    """What was done; told after each, in this order."""

    KEY_WRITTEN = "the new key is on the disk"
    REWRAPPED = "the buffer opens with it alone"
    LOG_EMPTIED = "the old wrapping is gone from file and log"
    KEY_IN_PLACE = "the new key has the old one's name"


def rotate(
    path: Path,
    *,
    gateway: str,
    keys: KeySource,
    limits: StoreLimits,
    on_step: Callable[[Step], None] = lambda _: None,
) -> bytes:
    """Give the closed buffer at ``path`` a new random key in the file of ``keys``; its id.

    Raises:
        OperatorError: the key is no file of ours, or cannot be read.
        StorageError: the buffer is in use, does not open with its key, or cannot be written. The
            buffer opens as before then, or with the new key if that was reached.
    """
    if keys.tier is not KeyTier.FILE:
        raise OperatorError(
            "rotate the buffer's key",
            f"it is handed over by systemd ({keys.tier.value}), which we cannot change",
            "put the old key into keys/buffer.key, rotate without the credential, and seal the "
            "new one as the credential",
        )
    prepare(path)
    file = BufferFile(path, limits)
    try:
        with telling(path, "rotate the key of"):
            kek = keys.key_for(key_ids(file))
            held = data_key(file, kek, gateway)
            new_path = next_key_path(keys.path)
            new_path.unlink(missing_ok=True)  # of a rotation that never reached the buffer
            make_key_file(new_path)
            on_step(Step.KEY_WRITTEN)
            new = KeySource(KeyTier.FILE, new_path).key()
            _rewrap(file, new, held, gateway)
            on_step(Step.REWRAPPED)
    except BaseException:
        file.abandon()
        raise
    file.close()
    on_step(Step.LOG_EMPTIED)
    replace_key(keys.path)
    on_step(Step.KEY_IN_PLACE)
    return kek_id(new)


def _rewrap(file: BufferFile, kek: bytes, held: bytes, gateway: str) -> None:
    file.rows("PRAGMA secure_delete = ON")  # what is replaced is overwritten, not only unlinked
    with file.transaction():
        file.write("DELETE FROM keys")
        for no in (1, 2):
            wrapped = wrap_key(kek, held, os.urandom(SALT_BYTES), gateway)
            values = (no, wrapped.kek_id, wrapped.salt, wrapped.sealed)
            file.write("INSERT INTO keys VALUES (?, ?, ?, ?)", *values)
