"""Does the log of each table tell the truth of its files? Held against the files' own footers.

Questions open a file only where the log's bounds of time, gateway and device say that it may hold
what is asked: bounds that are too narrow hide rows without a word. Wider ones only cost time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from cloud.errors import StorageError
from cloud.lake.table.files import DataFile
from cloud.lake.table.schema import RARE, TABLES, TableSpec
from cloud.lake.table.state import look

TRIES: Final = 20
"""How often a table's list is taken anew because a merge overtook the reading of its files."""
_DAMAGED: Final = "restore the lake from a backup (docs/guide/backup.md)"
_US: Final = {"us": 1, "ms": 1000}


class Told(Protocol):
    """Takes what is found (`cloud.verify.whole.Verdict`)."""

    notes: list[str]

    def blame(self, fault: str) -> None:
        """History is not whole."""


def compare_bounds(lake: Path, told: Told) -> None:
    """Tell which files of which table are not as its log says; reads footers alone.

    Files of `readings` and rollups that are gone or cannot be read are told by whoever counts them.
    StorageError when a log cannot be read.
    """
    for spec in TABLES.values():
        if (lake / spec.name).is_dir():
            _compare(lake, spec, told)


def untrue(path: Path, file: DataFile) -> str:
    """What the log says of a file and the file does not; empty where it is true.

    Raises:
        FileNotFoundError: it is gone.
        StorageError: its footer cannot be read.
    """
    try:
        footer = pq.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"read {path}", str(error).splitlines()[0], _DAMAGED) from error
    if footer.num_rows != file.rows:
        return f"{file.rows:,} rows, it has {footer.num_rows:,}"
    unit = _US[schema.field("ts").type.unit]
    for low, high in _bounds(footer, "ts"):
        if low * unit < file.ts_min or high * unit > file.ts_max:
            said = f"times from {file.ts_min} to {file.ts_max}"
            return f"{said}, it has some from {low * unit} to {high * unit}"
    for at, name in enumerate(("gateway", "device") if file.devices else ()):
        assert file.devices is not None
        first, last = (end[at].encode() for end in file.devices)
        for low, high in _bounds(footer, name):
            if low < first or high > last:
                return f"{name}s {first.decode()!r} to {last.decode()!r}, it has others"
    return ""


def _compare(lake: Path, spec: TableSpec, told: Told) -> None:
    seen: set[str] = set()
    for _ in range(TRIES):
        files = look(lake, spec).files
        path = Path()
        try:
            for file in files.files:
                if file.path not in seen:
                    path = Path(files.path(file))
                    _look_at(path, file, spec, told)
                    seen.add(file.path)
        except FileNotFoundError:
            if look(lake, spec).files.version != files.version:
                continue
            if spec in RARE:
                told.blame(f"the lake's file {path} is missing")
        return
    told.notes.append(f"{spec.name} changes faster than its log can be held against its files")


def _look_at(path: Path, file: DataFile, spec: TableSpec, told: Told) -> None:
    try:
        if said := untrue(path, file):
            told.blame(f"{spec.name}: of {file.path} its log tells {said}: {_DAMAGED}")
    except StorageError as error:
        if spec in RARE:
            told.blame(f"{spec.name}: {error.tried}: {error.cause}: {_DAMAGED}")


def _bounds(footer: pq.FileMetaData, name: str) -> Iterator[tuple[Any, Any]]:
    """Least and greatest value of a column in each row group that tells, as they are stored."""
    at = footer.schema.names.index(name)
    for group in range(footer.num_row_groups):
        found = footer.row_group(group).column(at).statistics
        if found is not None and found.has_min_max:
            yield found.min_raw, found.max_raw
