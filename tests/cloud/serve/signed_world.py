"""A cloud with users, sessions and tokens of every role, beside `World`."""

import time
from typing import Any

from cloud.access.access import STALE_S
from cloud.access.people import ApiToken, Session, User
from cloud.access.role import Role
from cloud.access.secret import digest, session_secret, token_secret
from cloud.registry.people import PeopleRows
from cloud.serve.guard import COOKIE, OWN_HEADER
from tests.cloud.serve_world import World

HOUR_US = 3_600_000_000
UNUSABLE = "no hash"
"""Of users who come in by a session that was made for them."""


def now_us() -> int:
    return time.time_ns() // 1000


def add_user(registry: PeopleRows, name: str, role: Role, password: str = UNUSABLE) -> User:
    """A user; ``password`` is the hash."""
    user = User(name, role, password, now_us(), now_us())
    registry.add_user(user, "a test")
    return user


def add_session(registry: PeopleRows, user: User, **more: Any) -> str:
    """The secret of a session of this user."""
    secret, now = session_secret(), now_us()
    said = {"created_us": now, "seen_us": now, "address": "127.0.0.1"} | more
    assert registry.add_session(Session(digest(secret), user.name, **said), user, (0, 0))
    return secret


def add_token(registry: PeopleRows, name: str, role: Role, **more: Any) -> str:
    """A token of this role."""
    secret, now = token_secret(), now_us()
    said = {"created_us": now, "expires_us": now + HOUR_US} | more
    registry.add_api_token(
        ApiToken(digest(secret).hex()[:8], name, role, digest(secret), **said), "a test"
    )
    return secret


def by_token(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def by_session(secret: str) -> dict[str, str]:
    """As our own page would send it, over plain HTTP."""
    return {"cookie": f"{COOKIE}={secret}", OWN_HEADER: "page"}


class People:
    """One user, one session and one token of each role; ``ways`` are their headers."""

    def __init__(self, world: World) -> None:
        self.users = {role: add_user(world.registry, role.word, role) for role in list(Role)[1:]}
        self.sessions = {r: add_session(world.registry, user) for r, user in self.users.items()}
        self.tokens = {r: add_token(world.registry, f"t-{r.word}", r) for r in self.users}
        world.ahead_s += STALE_S

    def ways(self, role: Role) -> list[dict[str, str]]:
        """Every way in of a role."""
        if role is Role.ANYONE:
            return [{}, by_session("no such session")]
        return [by_session(self.sessions[role]), by_token(self.tokens[role])]

    def leave(self, world: World) -> None:
        """Nobody of them is known any more."""
        for user in self.users.values():
            world.registry.remove_user(user.name, "a test", now_us())
        world.registry.revoke_api_tokens(world.registry.api_tokens(), "a test", now_us())
        world.ahead_s += STALE_S
