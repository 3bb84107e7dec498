"""The tables of a Home Assistant recorder, as far as they are read, in their newer and older forms.

Newer ones (from 2023.4) name entities in `states_meta` and keep times as seconds; older ones have
`states.entity_id` and times as texts in UTC.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloud.errors import OperatorError

CELL_BYTES_MAX: Final = 1 << 20
"""Of one cell: Home Assistant writes 16 KB at most. SQLite itself would take a thousand times."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a recorder's database for reading alone; one that is in use may be read too.

    Raises:
        OperatorError: it cannot be opened.
    """
    # Without a log beside it nobody writes, and a folder that is not ours needs no lock files.
    alone = "" if path.with_name(path.name + "-wal").exists() else "&immutable=1"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{alone}", uri=True)
        connection.text_factory = _text
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, CELL_BYTES_MAX)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.Error, UnicodeError) as error:  # its own messages may hold any bytes
        raise unreadable(path, error) from error
    return connection


def unreadable(path: Path, error: Exception) -> OperatorError:
    """What SQLite said of a file."""
    hint = "is it whole? take a backup of Home Assistant, or stop it and copy the file"
    return OperatorError(f"read {path}", str(error), hint)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Recorder:
    """The queries that fit a database, empty where it has no such table.

    Each row of ``states``: id, entity, state, seconds or a text in UTC, attributes or their id;
    of ``statistics``: id, statistic, start, mean, min, max, last, sum, unit.
    """

    states: str
    statistics: str
    attributes: str


def look(connection: sqlite3.Connection, path: Path) -> Recorder:
    """Tell the form of the tables.

    Raises:
        OperatorError: it is no recorder's database.
    """
    columns = {
        name: _columns(connection, name)
        for name in ("states", "states_meta", "state_attributes", "statistics", "statistics_meta")
    }
    states = columns["states"]
    has_meta = "metadata_id" in states and {"metadata_id", "entity_id"} <= columns["states_meta"]
    if not {"state_id", "state"} <= states or not (has_meta or "entity_id" in states):
        cause = "it is a SQLite database, and not of a Home Assistant recorder"
        hint = "name the recorder's file, home-assistant_v2.db"
        raise OperatorError(f"read {path}", cause, hint)
    return Recorder(
        _states(states, has_meta),
        _statistics(columns["statistics"], columns["statistics_meta"]),
        "SELECT shared_attrs FROM state_attributes WHERE attributes_id = ?"
        if {"attributes_id", "shared_attrs"} <= columns["state_attributes"]
        else "",
    )


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Of a table: a view may have no end, and a virtual table is another program's."""
    kinds = connection.execute("SELECT type FROM pragma_table_list WHERE name = ?", (table,))
    if kinds.fetchone() != ("table",):
        return set()
    rows: list[tuple[Any, ...]] = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return {str(row[1]) for row in rows}


def _states(columns: set[str], has_meta: bool) -> str:
    times = [name for name in ("last_updated_ts", "last_updated") if name in columns]
    time = f"coalesce({', '.join(f's.{name}' for name in times)}, NULL)" if times else "NULL"
    entity = "s.entity_id" if "entity_id" in columns else "NULL"
    entity = f"coalesce(m.entity_id, {entity})" if has_meta else entity
    join = " LEFT JOIN states_meta m ON m.metadata_id = s.metadata_id" if has_meta else ""
    attributes = "s.attributes_id" if "attributes_id" in columns else "NULL"
    if "attributes" in columns:
        attributes = f"coalesce({attributes}, s.attributes)"
    return (
        f"SELECT s.state_id, {entity}, s.state, {time}, {attributes} FROM states s{join}"
        " ORDER BY s.state_id"
    )


def _statistics(columns: set[str], meta: set[str]) -> str:
    if not {"id", "metadata_id"} <= columns or not {"id", "statistic_id"} <= meta:
        return ""
    starts = [f"s.{name}" for name in ("start_ts", "start") if name in columns]
    values = [f"s.{n}" if n in columns else "NULL" for n in ("mean", "min", "max", "state", "sum")]
    unit = "m.unit_of_measurement" if "unit_of_measurement" in meta else "NULL"
    return (
        f"SELECT s.id, m.statistic_id, coalesce({', '.join(starts)}, NULL), {', '.join(values)},"
        f" {unit} FROM statistics s JOIN statistics_meta m ON m.id = s.metadata_id ORDER BY s.id"
    )
