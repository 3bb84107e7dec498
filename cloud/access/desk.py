"""Where people sign in: a name and a password against a session.

A name that there is not takes as long as a wrong password and is answered the same. Attempts count
before their password is looked at, by the name and by the address, and one that was right is given
back; passwords are hashed one at a time (64 MiB each), and few wait for that.
"""

import asyncio
import logging
from typing import Final

from cloud.access import password as passwords
from cloud.access.access import Access
from cloud.access.attempts import Attempts, source_of
from cloud.access.people import NAME_CHARS_MAX, Session, User
from cloud.access.secret import digest, session_secret

_log = logging.getLogger(__name__)

WAITING_MAX: Final = 8
ADDRESS_CHARS_MAX: Final = 64


class WrongError(Exception):
    """The name or the password is wrong; which of them is not told."""


class MustWaitError(Exception):
    """This name, or this address, had too many refusals in a minute."""


class CrowdedError(Exception):
    """Too many sign in at this moment."""


class Desk:
    """Signs people in and out; on one loop."""

    def __init__(self, access: Access, failures_per_minute_max: int) -> None:
        self._access = access
        self._by_address = Attempts(failures_per_minute_max)
        self._by_name = Attempts(failures_per_minute_max)
        self._hashing = asyncio.Lock()
        self._waiting = 0

    async def sign_in(self, name: str, password: str, address: str) -> str:
        """The secret of a new session.

        Raises:
            WrongError, MustWaitError, CrowdedError: nobody is signed in.
            StorageError: the registry cannot be read or written.
        """
        name, now_us = name.strip().lower()[: NAME_CHARS_MAX + 1], self._access.now_us()
        source = source_of(address)
        if self._by_name.must_wait(name, now_us) or self._by_address.must_wait(source, now_us):
            raise MustWaitError
        if self._waiting >= WAITING_MAX:
            raise CrowdedError
        self._by_name.failed(name, now_us)
        self._by_address.failed(source, now_us)
        self._waiting += 1
        try:
            secret = await self._secret(name, password, address)
        finally:
            self._waiting -= 1
        if not secret:
            # What is no name may be a password, typed where the name belongs.
            who = "an unknown name" if self._access.user(name) is None else name
            _log.warning("a sign-in as %s from %s was refused", who, ascii(address[:64]))
            raise WrongError
        self._by_name.forgiven(name)
        self._by_address.forgiven(source)
        return secret

    async def sign_out(self, session: Session) -> None:
        """End a session. StorageError: it goes on."""
        end = self._access.registry.end_session
        await asyncio.to_thread(end, session, self._access.now_us())
        await self._access.changed()

    async def _secret(self, name: str, password: str, address: str) -> str:
        """The secret of a new session; empty when there is to be none."""
        await self._access.look()
        user = self._access.user(name)
        kept = passwords.NOBODYS if user is None else user.password
        async with self._hashing:
            right = await asyncio.to_thread(passwords.is_right, password, kept)
        return await self._begun(user, password, address) if right and user is not None else ""

    async def _begun(self, user: User, password: str, address: str) -> str:
        """The secret of a new session; empty when the user was changed meanwhile."""
        registry, now_us, lives = self._access.registry, self._access.now_us(), self._access.lives
        secret = session_secret()
        session = Session(digest(secret), user.name, now_us, now_us, address[:ADDRESS_CHARS_MAX])
        ended = (now_us - lives.whole_us, now_us - lives.idle_us)

        def keep() -> bool:
            if passwords.is_outdated(user.password):
                registry.hash_anew(user.name, user.password, passwords.hashed(password))
            return registry.add_session(session, user, ended)

        is_kept = await asyncio.to_thread(keep)
        await self._access.changed()
        return secret if is_kept else ""
