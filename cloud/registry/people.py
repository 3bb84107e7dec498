"""Users, sessions and API tokens in the registry's file, with an audit row for what is changed."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from cloud.access.people import SESSIONS_OF_USER_MAX, TOKENS_MAX, ApiToken, Session, User
from cloud.access.role import ROLES
from cloud.errors import StorageError
from cloud.registry.file import RegistryFile


class PeopleRows(RegistryFile):
    """Who may sign in; every method may be called from any thread."""

    def changes(self) -> int:
        """A number that is another one when another process has changed the file."""
        with self._lock:
            try:
                (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as error:
                raise StorageError("read the registry", str(error), "check the disk") from error
        return int(version)

    # --- users ------------------------------------------------------------------------------

    def users(self) -> list[User]:
        """Every user, by name."""
        return [User(**_with_role(row)) for row in self._rows("SELECT * FROM users ORDER BY name")]

    def add_user(self, user: User, actor: str) -> None:
        """Keep a new user."""
        with self.transaction():
            self._db.table("users").insert(_columns(user))
            self.audit(user.created_us, "user add", user.name, actor, user.role.word)

    def change_user(self, user: User, actor: str, outcome: str) -> None:
        """Keep another role or password of a user; all sessions of the user end with it."""
        with self.transaction():
            self._connection.execute(
                "UPDATE users SET role = ?, password = ?, changed_us = ? WHERE name = ?",
                (user.role.word, user.password, user.changed_us, user.name),
            )
            self._connection.execute("DELETE FROM sessions WHERE user = ?", (user.name,))
            self.audit(user.changed_us, "user change", user.name, actor, outcome)

    def hash_anew(self, name: str, before: str, password: str) -> None:
        """Keep another hash of the same password, unless it was changed meanwhile."""
        with self.transaction():
            self._connection.execute(
                "UPDATE users SET password = ? WHERE name = ? AND password = ?",
                (password, name, before),
            )

    def remove_user(self, name: str, actor: str, now_us: int) -> None:
        """Forget a user with all sessions."""
        with self.transaction():
            self._connection.execute("DELETE FROM users WHERE name = ?", (name,))
            self.audit(now_us, "user remove", name, actor, "removed")

    # --- sessions ---------------------------------------------------------------------------

    def sessions(self) -> list[Session]:
        """Every session that was not ended, those past their time too."""
        return [Session(**row) for row in self._rows("SELECT * FROM sessions")]

    def add_session(self, session: Session, user: User, before_us: tuple[int, int]) -> bool:
        """Keep a sign-in; the oldest of the user's make room.

        Not, and False, when ``user`` was changed or removed since it was read. ``before_us``:
        sessions begun, and seen, before these have ended, and are forgotten.
        """
        with self.transaction():
            same = "SELECT 1 FROM users WHERE name = ? AND changed_us = ?"
            if not self._rows(same, user.name, user.changed_us):
                return False
            self._connection.execute(
                "DELETE FROM sessions WHERE created_us < ? OR seen_us < ?", before_us
            )
            self._db.table("sessions").insert(_columns(session))
            self._connection.execute(
                "DELETE FROM sessions WHERE user = ? AND digest NOT IN (SELECT digest FROM sessions"
                " WHERE user = ? ORDER BY seen_us DESC, rowid DESC LIMIT ?)",
                (session.user, session.user, SESSIONS_OF_USER_MAX),
            )
            self._connection.execute(
                "UPDATE users SET signed_in_us = ? WHERE name = ?",
                (session.created_us, session.user),
            )
            self.audit(session.created_us, "sign in", session.user, session.address, "signed in")
        return True

    def end_session(self, session: Session, now_us: int) -> None:
        """End one session."""
        with self.transaction():
            self._connection.execute("DELETE FROM sessions WHERE digest = ?", (session.digest,))
            self.audit(now_us, "sign out", session.user, session.address, "signed out")

    def note_seen(self, sessions: Mapping[bytes, int], tokens: Mapping[bytes, int]) -> None:
        """Note when sessions and tokens were last used, by their digests; unknown ones stay so."""
        with self.transaction():
            for table, column, seen in (
                ("sessions", "seen_us", sessions),
                ("api_tokens", "used_us", tokens),
            ):
                self._connection.executemany(
                    f"UPDATE {table} SET {column} = ? WHERE digest = ?",
                    [(at_us, digest) for digest, at_us in seen.items()],
                )

    # --- API tokens -------------------------------------------------------------------------

    def api_tokens(self) -> list[ApiToken]:
        """Every token, newest first, those that serve no more too."""
        rows = self._rows("SELECT * FROM api_tokens ORDER BY created_us DESC, rowid DESC")
        return [ApiToken(**(_with_role(row) | {"local": bool(row["local"])})) for row in rows]

    def add_api_token(self, token: ApiToken, actor: str) -> None:
        """Keep a new token; of local ones the expired leave, and the oldest beyond TOKENS_MAX."""
        with self.transaction():
            self._db.table("api_tokens").insert(_columns(token))
            if not token.local:
                self.audit(token.created_us, "api-token create", token.name, actor, token.role.word)
                return
            self._connection.execute(
                "DELETE FROM api_tokens WHERE local AND (expires_us <= ? OR id NOT IN"
                " (SELECT id FROM api_tokens WHERE local"
                " ORDER BY created_us DESC, rowid DESC LIMIT ?))",
                (token.created_us, TOKENS_MAX),
            )

    def revoke_api_tokens(self, tokens: Iterable[ApiToken], actor: str, now_us: int) -> None:
        """Let these tokens open nothing from now on."""
        with self.transaction():
            for token in tokens:
                self._connection.execute(
                    "UPDATE api_tokens SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL",
                    (now_us, token.id),
                )
                self.audit(now_us, "api-token revoke", token.name, actor, "revoked")


def _columns(row: User | Session | ApiToken) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in type(row).__dataclass_fields__}
    if isinstance(row, User | ApiToken):
        columns["role"] = row.role.word
    return columns


def _with_role(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its role; one that a damaged or edited file made up may do nothing."""
    if row["role"] not in ROLES:
        tried = f"read the role of {row['name']!r} in the registry"
        raise StorageError(tried, f"there is no role {row['role']!r}", "restore a backup")
    return row | {"role": ROLES[row["role"]]}
