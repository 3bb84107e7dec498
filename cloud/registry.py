"""Who may connect, and what is known of them: gateways, tokens, certificates, and an audit trail.

One SQLite file, small and rarely written. Both the running cloud and the command line open it, so
it keeps SQLite's rollback journal (the bug of WAL resets needs WAL and two connections; the
standard library's SQLite may have it) with `synchronous=EXTRA`: what was granted or revoked
survives a power cut. One connection and one lock a process; times are µs UTC, given by the caller.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Self

from sqlite_utils import Database

from cloud.errors import StorageError
from cloud.registry_schema import MIGRATIONS, unknown_migrations

BUSY_S: Final = 10.0
AUDIT_ROWS_MAX: Final = 100_000
STATUS_CHARS_MAX: Final = 16_384


class Admission(Enum):
    """Whether a certificate may open a session."""

    ADMITTED = "admitted"
    NOT_ENROLLED = "not enrolled here"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One enrolment token; its secret is kept only as a SHA-256 of 256 random bits."""

    id: str
    gateway: str
    secret_sha256: bytes
    created_us: int
    expires_us: int
    used_us: int | None = None
    used_key: str | None = None
    serial: str | None = None
    revoked_us: int | None = None


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate of a gateway; `serial` and `key_sha256` are hexadecimal."""

    serial: str
    gateway: str
    key_sha256: str
    der: bytes
    issued_us: int
    not_after_us: int
    revoked_us: int | None = None
    revoked_why: str = ""


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """One gateway; `status` is the last that it sent, `first_seen_us` 0 until it connected."""

    name: str
    enrolled_us: int
    first_seen_us: int
    last_seen_us: int
    agent_version: str
    status: Mapping[str, object]
    certificate_not_after_us: int


class Registry:
    """The registry of one cloud; every method may be called from any thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._db = Database(connection)
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file and bring its schema forward.

        Raises:
            StorageError: the file cannot be opened, is no registry, or is of a newer version.
        """
        tried = f"open the registry {path}"
        try:
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=EXTRA")
            connection.execute("PRAGMA foreign_keys=ON")
            registry = cls(connection)
            newer = unknown_migrations(registry._db)
            if newer:
                cause = f"it was written by a newer version ({', '.join(newer)})"
                raise StorageError(tried, cause, "install that version again")
            MIGRATIONS.apply(registry._db)
        except (OSError, sqlite3.Error) as error:
            hint = "check the disk and who owns the file, or restore it from a backup"
            raise StorageError(tried, str(error), hint) from error
        return registry

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Everything inside happens as a whole or not at all, alone among all processes.

        Raises:
            StorageError: the registry cannot be read or written.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield self
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self
                except BaseException:
                    self._connection.rollback()
                    raise
                self._connection.commit()
            except sqlite3.Error as error:
                hint = "check the disk; nothing was changed"
                raise StorageError("use the registry", str(error), hint) from error

    def _rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        with self._lock:
            try:
                return list(self._db.query(sql, arguments))
            except sqlite3.Error as error:
                raise StorageError("read the registry", str(error), "check the disk") from error

    # --- tokens -----------------------------------------------------------------------------

    def add_token(self, token: TokenRow) -> None:
        """Keep a new token."""
        with self.transaction():
            self._db.table("tokens").insert(_columns(token))

    def token(self, identifier: str) -> TokenRow | None:
        """Find one token by its id (hexadecimal)."""
        rows = self._rows("SELECT * FROM tokens WHERE id = ?", identifier)
        return TokenRow(**rows[0]) if rows else None

    def tokens(self) -> list[TokenRow]:
        """Every token, newest first."""
        return [TokenRow(**r) for r in self._rows("SELECT * FROM tokens ORDER BY created_us DESC")]

    def revoke_tokens(self, id_or_gateway: str, now_us: int) -> int:
        """Withdraw the unused tokens of this id or gateway; says how many."""
        with self.transaction():
            return self._connection.execute(
                "UPDATE tokens SET revoked_us = ? WHERE (id = ? OR gateway = ?)"
                " AND used_us IS NULL AND revoked_us IS NULL",
                (now_us, id_or_gateway, id_or_gateway),
            ).rowcount

    # --- certificates -----------------------------------------------------------------------

    def grant(self, token: TokenRow, certificate: CertificateRow) -> None:
        """Spend a token on a certificate; the gateway's earlier ones are revoked with it."""
        now_us = certificate.issued_us
        with self.transaction():
            self._connection.execute(
                "UPDATE tokens SET used_us = ?, used_key = ?, serial = ? WHERE id = ?",
                (now_us, certificate.key_sha256, certificate.serial, token.id),
            )
            self.revoke_gateway(certificate.gateway, now_us, "enrolled again")
            self._db.table("certificates").insert(_columns(certificate))
            self._connection.execute(
                "INSERT INTO gateways (name, enrolled_us) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET enrolled_us = excluded.enrolled_us",
                (certificate.gateway, now_us),
            )

    def certificate(self, serial: str) -> CertificateRow | None:
        """Find one certificate by its serial number (hexadecimal)."""
        rows = self._rows("SELECT * FROM certificates WHERE serial = ?", serial)
        return CertificateRow(**rows[0]) if rows else None

    def revoke_gateway(self, name: str, now_us: int, why: str) -> int:
        """Revoke every certificate of a gateway; says how many."""
        with self.transaction():
            return self._connection.execute(
                "UPDATE certificates SET revoked_us = ?, revoked_why = ?"
                " WHERE gateway = ? AND revoked_us IS NULL",
                (now_us, why, name),
            ).rowcount

    def admission(self, name: str, serial: str) -> Admission:
        """Say whether the certificate of this serial number may speak for this gateway now."""
        row = self.certificate(serial)
        if row is None or row.gateway != name:
            return Admission.NOT_ENROLLED
        return Admission.ADMITTED if row.revoked_us is None else Admission.REVOKED

    # --- gateways ---------------------------------------------------------------------------

    def seen(
        self, name: str, now_us: int, agent_version: str, status: Mapping[str, object]
    ) -> None:
        """Note that a gateway was heard, and what it said of itself; unknown names are not kept."""
        told = json.dumps(status, default=str)
        with self.transaction():
            self._connection.execute(
                "UPDATE gateways SET last_seen_us = ?1, agent_version = ?2, status = ?3,"
                " first_seen_us = CASE first_seen_us WHEN 0 THEN ?1 ELSE first_seen_us END"
                " WHERE name = ?4",
                (now_us, agent_version[:64], told if len(told) < STATUS_CHARS_MAX else "{}", name),
            )

    def gateways(self) -> list[GatewayRow]:
        """Every gateway that ever enrolled, by name."""
        rows = self._rows(
            "SELECT g.*, coalesce((SELECT max(c.not_after_us) FROM certificates c WHERE"
            " c.gateway = g.name AND c.revoked_us IS NULL), 0) AS certificate_not_after_us"
            " FROM gateways g ORDER BY g.name"
        )
        return [GatewayRow(**(row | {"status": json.loads(row["status"])})) for row in rows]

    # --- audit ------------------------------------------------------------------------------

    def audit(self, now_us: int, action: str, subject: str, actor: str, outcome: str) -> None:
        """Write down who did what to whom and how it ended; the oldest rows leave."""
        with self.transaction():
            row = {"at_us": now_us, "action": action, "subject": subject}
            done = self._db.table("audit").insert(row | {"actor": actor, "outcome": outcome})
            oldest = (done.last_rowid or 0) - AUDIT_ROWS_MAX
            self._connection.execute("DELETE FROM audit WHERE id <= ?", (oldest,))

    def audit_rows(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest audit rows: id, at_us, action, subject, actor, outcome."""
        return self._rows("SELECT * FROM audit ORDER BY id DESC LIMIT ?", limit)


def _columns(row: TokenRow | CertificateRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in type(row).__dataclass_fields__}
