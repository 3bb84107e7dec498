"""Pure: users, their sessions and API tokens, as the registry keeps them; times are µs UTC."""

import re
from dataclasses import dataclass
from typing import Final

from cloud.access.role import Role

NAME_CHARS_MAX: Final = 64
USERS_MAX: Final = 1000
TOKENS_MAX: Final = 1000
"""API tokens that are neither expired nor revoked; of the local ones as many again."""
SESSIONS_OF_USER_MAX: Final = 20
"""Then the one that was seen longest ago ends."""
TOKEN_DAYS_MAX: Final = 3650
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]*")


@dataclass(frozen=True, slots=True)
class User:
    """One person; ``password`` is an Argon2id hash in PHC form."""

    name: str
    role: Role
    password: str
    created_us: int
    changed_us: int
    signed_in_us: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of a user; ``digest`` is the SHA-256 of what its cookie holds."""

    digest: bytes
    user: str
    created_us: int
    seen_us: int
    address: str


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token; ``digest`` is its SHA-256. ``local``: made by a command for itself."""

    id: str
    name: str
    role: Role
    digest: bytes
    created_us: int
    expires_us: int
    revoked_us: int | None = None
    used_us: int = 0
    local: bool = False

    def serves(self, now_us: int) -> bool:
        """Whether it still opens anything."""
        return self.revoked_us is None and now_us < self.expires_us


def name_problem(name: str) -> str:
    """Say what is wrong with the name of a user or a token, or nothing."""
    if len(name) > NAME_CHARS_MAX:
        return f"the name is {len(name)} characters long, {NAME_CHARS_MAX} are allowed"
    if not _NAME.fullmatch(name):
        return f"the name {name!r} may hold small letters, digits, and behind the first . _ @ -"
    return ""
