"""The tables of `notify.db`, as steps that only go forward.

A step that was ever released is never changed; a new one is added below it.
"""

from typing import Final

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("tidegate-notify")


@MIGRATIONS()
def m0001_first_tables(db: Database) -> None:
    """Make what stands, what waits to be told, the messages, and what was dropped of them."""
    db.execute(
        "CREATE TABLE standings (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " rule TEXT NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL, severity TEXT NOT NULL,"
        " gateway TEXT NOT NULL, device TEXT NOT NULL, metric TEXT NOT NULL, detail TEXT NOT NULL,"
        " since_us INTEGER NOT NULL, told_us INTEGER NOT NULL, ended_us INTEGER) STRICT"
    )
    db.execute("CREATE INDEX standings_open ON standings (ended_us)")
    db.execute(
        "CREATE TABLE turns (number INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL,"
        " rule TEXT NOT NULL, standing TEXT NOT NULL, change TEXT NOT NULL,"
        " at_us INTEGER NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE notices (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " channel TEXT NOT NULL, severity TEXT NOT NULL, subject TEXT NOT NULL,"
        " document TEXT NOT NULL, made_us INTEGER NOT NULL, due_us INTEGER NOT NULL,"
        " attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, error TEXT NOT NULL DEFAULT '',"
        " done_us INTEGER) STRICT"
    )
    db.execute("CREATE INDEX notices_waiting ON notices (state, channel, due_us)")
    db.execute(
        "CREATE TABLE dropped (channel TEXT NOT NULL, reason TEXT NOT NULL,"
        " count INTEGER NOT NULL, PRIMARY KEY (channel, reason)) STRICT"
    )
    db.execute(
        "CREATE TABLE seen (kind TEXT NOT NULL, subject TEXT NOT NULL, value INTEGER NOT NULL,"
        " PRIMARY KEY (kind, subject)) STRICT"
    )


STEPS: Final = frozenset(name for name in globals() if name.startswith("m0"))
"""Names of the steps that this version knows."""
