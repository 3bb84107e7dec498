"""The registry's tables, as steps that only go forward.

A step that was ever released is never changed; a new one is added below it.
"""

from typing import Final

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("tidegate-registry")


@MIGRATIONS()
def m0001_first_tables(db: Database) -> None:
    """Make gateways, tokens, certificates and audit."""
    db.execute(
        "CREATE TABLE gateways (name TEXT PRIMARY KEY, enrolled_us INTEGER NOT NULL,"
        " first_seen_us INTEGER NOT NULL DEFAULT 0, last_seen_us INTEGER NOT NULL DEFAULT 0,"
        " agent_version TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT '{}') STRICT"
    )
    db.execute(
        "CREATE TABLE certificates (serial TEXT PRIMARY KEY, gateway TEXT NOT NULL,"
        " key_sha256 TEXT NOT NULL, der BLOB NOT NULL, issued_us INTEGER NOT NULL,"
        " not_after_us INTEGER NOT NULL, revoked_us INTEGER,"
        " revoked_why TEXT NOT NULL DEFAULT '') STRICT"
    )
    db.execute("CREATE INDEX certificates_gateway ON certificates (gateway)")
    db.execute(
        "CREATE TABLE tokens (id TEXT PRIMARY KEY, gateway TEXT NOT NULL,"
        " secret_sha256 BLOB NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
        " used_us INTEGER, used_key TEXT, serial TEXT REFERENCES certificates (serial)"
        " DEFERRABLE INITIALLY DEFERRED, revoked_us INTEGER) STRICT"
    )
    db.execute(
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL,"
        " action TEXT NOT NULL, subject TEXT NOT NULL, actor TEXT NOT NULL,"
        " outcome TEXT NOT NULL) STRICT"
    )


@MIGRATIONS()
def m0002_renewal(db: Database) -> None:
    """Know which certificate replaces which, which were shown, and whose renewal is asked for."""
    db.execute("ALTER TABLE certificates ADD COLUMN replaces TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE certificates ADD COLUMN shown_us INTEGER")
    db.execute("ALTER TABLE gateways ADD COLUMN renewal_asked_us INTEGER")
    db.execute("ALTER TABLE gateways ADD COLUMN renewed_us INTEGER NOT NULL DEFAULT 0")


@MIGRATIONS()
def m0003_marks(db: Database) -> None:
    """Keep what people say of intervals; `series` are ids in hexadecimal, joined by commas."""
    db.execute(
        "CREATE TABLE marks (id TEXT PRIMARY KEY, kind TEXT NOT NULL, from_us INTEGER NOT NULL,"
        " to_us INTEGER NOT NULL, series TEXT NOT NULL, gateway TEXT NOT NULL,"
        " device TEXT NOT NULL, note TEXT NOT NULL, author TEXT NOT NULL,"
        " created_us INTEGER NOT NULL, withdrawn_us INTEGER,"
        " withdrawn_by TEXT NOT NULL DEFAULT '') STRICT"
    )


@MIGRATIONS()
def m0004_operations(db: Database) -> None:
    """Keep operations on series, in their order; `told` is what one says, as JSON."""
    db.execute(
        "CREATE TABLE operations (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created_us INTEGER NOT NULL,"
        " author TEXT NOT NULL, note TEXT NOT NULL, told TEXT NOT NULL) STRICT"
    )


@MIGRATIONS()
def m0005_sign_in(db: Database) -> None:
    """Keep users, their sessions and API tokens; of secrets only their SHA-256."""
    db.execute(
        "CREATE TABLE users (name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL,"
        " created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL,"
        " signed_in_us INTEGER NOT NULL DEFAULT 0) STRICT"
    )
    db.execute(
        "CREATE TABLE sessions (digest BLOB PRIMARY KEY,"
        " user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,"
        " created_us INTEGER NOT NULL, seen_us INTEGER NOT NULL, address TEXT NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX sessions_user ON sessions (user)")
    db.execute(
        "CREATE TABLE api_tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,"
        " digest BLOB NOT NULL UNIQUE, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
        " revoked_us INTEGER, used_us INTEGER NOT NULL DEFAULT 0,"
        " local INTEGER NOT NULL DEFAULT 0) STRICT"
    )


@MIGRATIONS()
def m0006_verdicts(db: Database) -> None:
    """Keep what people say of episodes, in its order; `series` is an id in hexadecimal."""
    db.execute(
        "CREATE TABLE verdicts (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, episode TEXT NOT NULL, series TEXT NOT NULL,"
        " from_us INTEGER NOT NULL, kind TEXT NOT NULL, note TEXT NOT NULL,"
        " author TEXT NOT NULL, created_us INTEGER NOT NULL) STRICT"
    )


@MIGRATIONS()
def m0007_rollouts(db: Database) -> None:
    """Keep published models, rollouts, and what gateways say of models, as protobuf in base 85."""
    db.execute(
        "CREATE TABLE published (sha256 TEXT PRIMARY KEY, name TEXT NOT NULL,"
        " version TEXT NOT NULL, size INTEGER NOT NULL, published_us INTEGER NOT NULL,"
        " published_by TEXT NOT NULL, about TEXT NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE rollouts (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
        " version TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, stage TEXT NOT NULL,"
        " share REAL NOT NULL, is_auto INTEGER NOT NULL, hold_us INTEGER NOT NULL,"
        " trial_us INTEGER NOT NULL, downgrade INTEGER NOT NULL, created_us INTEGER NOT NULL,"
        " created_by TEXT NOT NULL, note TEXT NOT NULL, stage_us INTEGER NOT NULL,"
        " changed_by TEXT NOT NULL, why TEXT NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE behaviours (gateway TEXT NOT NULL, name TEXT NOT NULL,"
        " rollout INTEGER NOT NULL, at_us INTEGER NOT NULL, told TEXT NOT NULL,"
        " PRIMARY KEY (gateway, name, rollout)) STRICT"
    )


STEPS: Final = frozenset(name for name in globals() if name.startswith("m0"))
"""Names of the steps that this version knows."""
