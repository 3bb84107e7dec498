"""A token for a command that works in the cloud's own home: who can write there owns it already."""

import os
import secrets
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from cloud.access.people import ApiToken
from cloud.access.role import Role
from cloud.access.secret import digest, token_secret
from cloud.registry.registry import Registry

LIFE_US: Final = 600_000_000
"""Ten minutes; a command that takes longer makes itself another."""
NAME: Final = "command line"


def local_token(registry_path: Path) -> str:
    """A new one of an admin; empty where nobody has to sign in, or the registry is another's.

    Raises:
        StorageError: the registry cannot be read or written.
    """
    if not os.access(registry_path, os.R_OK | os.W_OK):
        return ""
    with closing(Registry.open(registry_path)) as registry:
        if not registry.users():
            return ""
        secret, now_us = token_secret(), time.time_ns() // 1000
        identifier, ends_us = secrets.token_hex(8), now_us + LIFE_US
        token = ApiToken(
            identifier, NAME, Role.ADMIN, digest(secret), now_us, ends_us, local=True
        )  # fmt: skip
        registry.add_api_token(token, NAME)
    return secret
