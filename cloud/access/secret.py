"""Secrets of our own making: 256 random bits, of which only a SHA-256 is kept.

So many bits cannot be guessed, so a plain hash keeps them; and who has the hash has no secret.
Found by their hash, they are compared by nothing whose time would tell how much was right.
"""

import hashlib
import secrets
from typing import Final

TOKEN_MARK: Final = "tga-"
"""What an API token begins with, so that a search for leaked secrets finds it."""
CHARS_MAX: Final = 128
_BYTES: Final = 32


def session_secret() -> str:
    """What a session's cookie holds."""
    return secrets.token_urlsafe(_BYTES)


def token_secret() -> str:
    """A new API token."""
    return TOKEN_MARK + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """What is kept of a secret; whatever is too long to be one has the digest of none."""
    return hashlib.sha256(secret[: CHARS_MAX + 1].encode(errors="replace")).digest()
