"""What a table's log says: its files, and how far it stands by its own app transactions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from cloud.errors import StorageError
from cloud.lake.table.files import DataFile, FileList, from_add_actions
from cloud.lake.table.schema import RARE, READINGS, TABLES, TableSpec

APP: Final = "tidegate"
"""App id of all commits; `APP:table` in the log of `readings` speaks for a table of rare rows."""
RELEASE: Final = "release"
"""`APP:release` in the log of every table: the newest ticket whose rows are in it (`release`)."""
RETIRED: Final = "retired"
"""`APP:retired` in the log of `readings`: up to which ticket retention removed rows of it
(`cloud.retention.retired`)."""
CORRECTED: Final = "corrected"
"""`APP:corrected` in the log of tables that have times of readings: the offset up to which every
correction of times was applied to all their rows (`cloud.lake.correct`)."""
CORRECTED_RELEASE: Final = "corrected-release"
"""The same by the ticket, for corrections in blocks that were released."""


@dataclass(frozen=True, slots=True)
class State:
    """A table as of one version: the offset of its own commits, and what it says for others.

    ``released``: rows of quarantined blocks are in it up to this ticket. ``corrected``: so are
    corrections of times, in all its rows, of offsets up to the first and of tickets up to the
    second. ``retired``: rows are removed up to this ticket.
    """

    offset: int
    says: Mapping[str, int]
    files: FileList
    released: int = 0
    corrected: tuple[int, int] = (0, 0)
    retired: int = 0


def look(root: Path, spec: TableSpec, speaks_for: Iterable[str] = ()) -> State:
    """The newest version of a table, read beside its committer and without touching anything.

    StorageError when there is none, or its log cannot be read.
    """
    folder = root / spec.name
    try:
        return read_state(DeltaTable(str(folder)), folder, speaks_for)
    except DeltaError as error:
        hint = (
            "start `tidegate-cloud serve`, which mends what a power cut tore;"
            " if that fails, restore the lake from a backup (docs/guide/backup.md)"
        )
        cause = str(error).splitlines()[0]
        raise StorageError(f"read the table {folder}", cause, hint) from error


def covered(root: Path) -> int:
    """The offset up to which all tables have everything, by their commits or `readings`' word."""
    rare = tuple(spec.name for spec in RARE)
    says = look(root, READINGS, rare).says
    return min(max(look(root, spec).offset, says.get(name, 0)) for name, spec in TABLES.items())


def read_state(handle: DeltaTable, folder: Path, speaks_for: Iterable[str]) -> State:
    """What a handle's log says of the table in ``folder``."""

    def told(app: str) -> int:
        return handle.transaction_version(app) or 0

    files = FileList(str(folder), handle.version(), _files(handle))
    says = {name: told(f"{APP}:{name}") for name in speaks_for}
    corrected = (told(f"{APP}:{CORRECTED}"), told(f"{APP}:{CORRECTED_RELEASE}"))
    released, retired = told(f"{APP}:{RELEASE}"), told(f"{APP}:{RETIRED}")
    return State(told(APP), says, files, released, corrected, retired)


def _files(handle: DeltaTable) -> tuple[DataFile, ...]:
    actions = pa.table(cast(Any, handle.get_add_actions(flatten=True)))
    for column in ("min.ts", "max.ts"):
        if column in actions.column_names:
            index = actions.column_names.index(column)
            actions = actions.set_column(index, column, actions[column].cast(pa.int64()))
    return from_add_actions(actions.to_pylist())
