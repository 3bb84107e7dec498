"""Passwords, kept as Argon2id hashes (RFC 9106) in the form of the PHC.

64 MiB and two passes: some 150 ms of one core, while other threads go on. The hash says what it was
made with, so that it is made anew at the next sign-in when these change.
"""

import secrets
import unicodedata
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

CHARS_MIN: Final = 10
CHARS_MAX: Final = 256
MEMORY_KIB: Final = 64 << 10
PASSES: Final = 2
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_FORM: Final = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1$"
NOBODYS: Final = _FORM + "A" * 22 + "$" + "A" * 43
"""A hash of no password: checking one against it takes as long as against a user's."""


def hashed(password: str) -> str:
    """The hash of a password, with a salt of its own."""
    made = Argon2id(
        salt=secrets.token_bytes(_SALT_BYTES), length=_HASH_BYTES, iterations=PASSES, lanes=1,
        memory_cost=MEMORY_KIB,
    )  # fmt: skip
    return made.derive_phc_encoded(_bytes(password))


def is_right(password: str, kept: str) -> bool:
    """Whether this is the password of a hash; a damaged hash has none."""
    try:
        Argon2id.verify_phc_encoded(_bytes(password), kept)
    except InvalidKey:
        return False
    return True


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than those of now."""
    return not kept.startswith(_FORM)


def password_problem(password: str, name: str) -> str:
    """Say what is wrong with a new password of this user, or nothing."""
    if not CHARS_MIN <= len(password) <= CHARS_MAX:
        return f"it has {len(password)} characters; {CHARS_MIN} to {CHARS_MAX} are taken"
    if password.casefold() == name.casefold():
        return "it is the user's name"
    if len(set(password)) < 4:
        return "it has fewer than four different characters"
    return ""


def _bytes(password: str) -> bytes:
    """One spelling for what keyboards compose differently."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")
