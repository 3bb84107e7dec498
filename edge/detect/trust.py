"""Whose models a gateway runs: its cloud's, those of keys in its settings, and the shipped ones."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.detect.models import SHIPPED, ModelRefusedError, read_manifest
from edge.errors import OperatorError
from protos.durable import put
from protos.model_key import public_line, read_public

CLOUD_KEYS_FILE: Final = "model-keys"
"""Public keys of the cloud, a line each, beside the gateway's certificate."""
KEYS_MAX: Final = 16
_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Trust:
    """``keys`` are public keys of 32 bytes, ``hashes`` SHA-256 of graphs in hexadecimal digits."""

    keys: frozenset[bytes] = frozenset()
    hashes: frozenset[str] = frozenset()


def trust_of(identity: Path | None, lines: Iterable[str], shipped: Path = SHIPPED) -> Trust:
    """Whom a gateway trusts.

    Args:
        identity: the folder of its identity, which holds the cloud's keys; None leaves those out.
        lines: keys as the settings name them, checked already.
        shipped: the folder of the installed package's models.

    Raises:
        OperatorError: the file of the cloud's keys cannot be read.
    """
    known = cloud_keys(identity) if identity is not None else set()
    keys = known | {read_public(line) for line in lines}
    return Trust(frozenset(keys), frozenset(_hashes(shipped)))


def _hashes(folder: Path) -> Iterable[str]:
    for path in sorted(folder.glob("*.toml")):
        try:
            yield read_manifest(path).sha256
        except ModelRefusedError:
            continue  # it is told when it is loaded


def cloud_keys(identity: Path) -> set[bytes]:
    """The keys of the gateway's cloud; none before it told any.

    Raises:
        OperatorError: the file cannot be read, or a line of it is no key.
    """
    path = identity / CLOUD_KEYS_FILE
    tried = f"read the cloud's model keys {path}"
    try:
        with path.open("rb") as file:
            lines = file.read(_BYTES_MAX + 1).decode().split()
        return {read_public(line) for line in lines[:KEYS_MAX]}
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        hint = "remove it: the cloud tells its keys again"
        raise OperatorError(tried, str(error), hint) from error


def keep_cloud_keys(identity: Path, keys: Iterable[bytes]) -> bool:
    """Keep what the cloud says its keys are, in place of what it said before; whether that differs.

    Raises:
        OSError: the disk refuses.
        ValueError: more than `KEYS_MAX`.
    """
    text = "".join(f"{public_line(key)}\n" for key in sorted(set(keys)))
    if text.count("\n") > KEYS_MAX:
        raise ValueError(f"more than {KEYS_MAX} keys")
    path = identity / CLOUD_KEYS_FILE
    if path.exists() and path.read_text() == text:
        return False
    os.makedirs(identity, mode=0o700, exist_ok=True)
    put(path, text.encode(), 0o644)
    return True
