"""Who a request is of: what it brings along, held against users, sessions and tokens.

All of them are few and lie in memory; to say who asks is a hash and a look into a dictionary. What
another process changes of them (the command line: a user removed, a token revoked) is seen by
SQLite's `data_version`, looked at while there are requests, and counts within a second. What is
unknown is looked for once more before it is refused, for it may be new. Where the registry cannot
be read nobody is let in.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cloud.access.people import ApiToken, Session, User
from cloud.access.role import Role
from cloud.access.secret import digest
from cloud.errors import StorageError
from cloud.registry.people import PeopleRows

_log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
"""So old a look is renewed beside the requests that go on with it …"""
STALE_S: Final = 1.0
"""… and this old none is relied on: requests wait for the next."""
SEEN_EVERY_US: Final = 60_000_000
"""When somebody was last here is written down so seldom; memory knows it at once."""


class Way(Enum):
    """How a caller came in; the value is its name in the API."""

    OPEN = "open"
    """No user is set up, and only this machine can ask."""
    SESSION = "session"
    TOKEN = "token"
    LOCAL = "local"
    """A token that a command made for itself, in the cloud's own home."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may do; ``expires_us`` is 0 where nothing ends."""

    name: str
    role: Role
    way: Way
    digest: bytes = field(default=b"", repr=False)
    expires_us: int = 0

    @property
    def author(self) -> str:
        """In whose name this caller writes; empty where that is theirs to say."""
        return self.name if self.way in (Way.SESSION, Way.TOKEN) else ""


NOBODY: Final = Caller("", Role.ANYONE, Way.NOBODY)
OPEN: Final = Caller("", Role.ADMIN, Way.OPEN)


class BadToken(Exception):  # noqa: N818 - the caller's fault, told as HTTP
    """A token that is unknown, expired or revoked; which of them is not told."""


@dataclass(frozen=True, slots=True)
class Lives:
    """How long a session lasts, µs: unused, and at all."""

    idle_us: int = 12 * 3_600_000_000
    whole_us: int = 14 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """All that may come in, by what they prove it with; ``changes`` says as of when."""

    changes: int
    users: Mapping[str, User]
    sessions: Mapping[bytes, Session]
    tokens: Mapping[bytes, ApiToken]


def wall_us() -> int:
    """This machine's clock, µs UTC."""
    return time.time_ns() // 1000


class Access:
    """The users of one cloud, as its page and API ask for them; on one loop.

    ``may_be_open``: whether everybody may do everything while no user is set up, which is so where
    only this machine can ask.
    """

    def __init__(
        self,
        registry: PeopleRows,
        now_us: Callable[[], int] = wall_us,
        *,
        may_be_open: bool,
        lives: Lives = Lives(),
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self.now_us = now_us
        self.lives = lives
        self.may_be_open = may_be_open
        self._clock_s = clock_s
        self._known = Known(-1, {}, {}, {})
        self._seen: dict[bytes, int] = {}
        self._looked_s = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._is_changed = True
        self._has_failed = False

    @property
    def is_open(self) -> bool:
        """Whether no user is set up, and nobody is asked who they are."""
        return self.may_be_open and not self._known.users

    @property
    def has_users(self) -> bool:
        """Whether anybody could sign in."""
        return bool(self._known.users)

    def user(self, name: str) -> User | None:
        """The user of a name."""
        return self._known.users.get(name)

    def session(self, caller: Caller) -> Session | None:
        """The session that a caller came by."""
        return self._known.sessions.get(caller.digest) if caller.way is Way.SESSION else None

    async def caller(self, token: str | None, cookie: str | None) -> Caller:
        """Who brings this token, or else this session's secret.

        Raises:
            BadToken: the token is none that serves; a session that does not is nobody's.
            StorageError: the registry cannot be read.
        """
        await self.fresh()
        if token is not None:
            held = digest(token)
            if held not in self._known.tokens:
                await self.look()
            found = self._of_token(held)
            if found is None:
                raise BadToken
            return found
        if cookie is not None:
            held = digest(cookie)
            if (found := self._of_session(held)) is not None:
                return found
        return OPEN if self.is_open else NOBODY

    def holds(self, caller: Caller) -> bool:
        """Whether a caller may still do what it could when it came; as far as is known."""
        match caller.way:
            case Way.OPEN:
                return self.is_open
            case Way.SESSION:
                found = self._of_session(caller.digest)
            case Way.TOKEN | Way.LOCAL:
                found = self._of_token(caller.digest)
            case Way.NOBODY:
                return True
        return found is not None and found.role >= caller.role

    async def fresh(self) -> None:
        """Know of what was changed until a second ago. StorageError: the registry is unreadable."""
        age_s = self._clock_s() - self._looked_s
        if age_s < LOOK_S:
            return
        if age_s < STALE_S:
            self._begin()
            return
        await self.look()

    async def look(self) -> None:
        """Know of all that was changed until now. StorageError: the registry is unreadable."""
        if self._looking is not None:  # it may have read already what is asked for
            await asyncio.wait([self._looking])
        await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[None]":
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="look at who may come in")
            self._looking.add_done_callback(self._looked)
        return self._looking

    def _looked(self, task: "asyncio.Task[None]") -> None:
        self._looking = None
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._has_failed:
            _log.error("nobody can be let in: %s", error)
        self._has_failed = error is not None

    async def _look(self) -> None:
        begun_s, is_changed = self._clock_s(), self._is_changed
        self._is_changed = False
        try:
            known = await asyncio.to_thread(self._read, dict(self._seen), is_changed)
        except StorageError:
            self._is_changed = True
            raise
        if known is not None:
            self._known = known
            held = known.sessions.keys() | known.tokens.keys()
            self._seen = {key: at_us for key, at_us in self._seen.items() if key in held}
        self._looked_s = begun_s

    async def changed(self) -> None:
        """Know of what this process itself has changed, which no number tells."""
        self._is_changed = True
        await self.look()

    def _read(self, seen: Mapping[bytes, int], is_changed: bool) -> Known | None:
        """What may come in now, None when that is what is known; notes who was here."""
        known, registry = self._known, self.registry
        late = {
            key: at_us for key, at_us in seen.items() if at_us - _last(known, key) >= SEEN_EVERY_US
        }
        is_changed |= bool(late)
        if late:
            _note(registry, known, late)
        changes = registry.changes()
        if changes == known.changes and not is_changed:
            return None
        return Known(
            changes,
            {user.name: user for user in registry.users()},
            {session.digest: session for session in registry.sessions()},
            {token.digest: token for token in registry.api_tokens()},
        )

    def _of_token(self, held: bytes) -> Caller | None:
        token, now_us = self._known.tokens.get(held), self.now_us()
        if token is None or not token.serves(now_us):
            return None
        self._seen[held] = now_us
        way = Way.LOCAL if token.local else Way.TOKEN
        return Caller(token.name, token.role, way, held, token.expires_us)

    def _of_session(self, held: bytes) -> Caller | None:
        session, now_us = self._known.sessions.get(held), self.now_us()
        user = self._known.users.get(session.user) if session is not None else None
        if session is None or user is None:
            return None
        seen_us = max(session.seen_us, self._seen.get(held, 0))
        ends_us = session.created_us + self.lives.whole_us
        if now_us >= min(ends_us, seen_us + self.lives.idle_us):
            return None
        self._seen[held] = now_us
        return Caller(user.name, user.role, Way.SESSION, held, ends_us)


def _note(registry: PeopleRows, known: Known, seen: Mapping[bytes, int]) -> None:
    """Write down who was here; on a full disk they are let in all the same."""
    try:
        registry.note_seen(
            {key: at_us for key, at_us in seen.items() if key in known.sessions},
            {key: at_us for key, at_us in seen.items() if key in known.tokens},
        )
    except StorageError as error:
        _log.warning("who was here is not written down: %s", error)


def _last(known: Known, key: bytes) -> int:
    """When the registry last heard of whom this is of."""
    if (session := known.sessions.get(key)) is not None:
        return session.seen_us
    token = known.tokens.get(key)
    return token.used_us if token is not None else 0
