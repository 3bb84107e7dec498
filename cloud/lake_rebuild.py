"""Rollups made anew from `readings`, which is their authority: after damage, or to be sure.

With the cloud stopped: it takes the lake's lock. A file of a rollup that cannot be read is let go
of; then, by rollup, gateway and day, what `readings` or the next finer rollup gives comes in place
of what is there. Each commit is whole and carries the table's offset as any other; a rebuild that
is cut short is done again from its beginning.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cloud.errors import OperatorError, StorageError
from cloud.lake_days import make_days_anew
from cloud.lake_table.schema import RARE, READINGS, ROLLUPS, is_whole
from cloud.lake_table.sweep import Sweeper
from cloud.lake_table.table import LakeTable
from cloud.ledger_lake import counted_by
from cloud.rollup import DAY_US

_MAX = int(np.iinfo(np.int64).max) // DAY_US * DAY_US - 1
_EVER = (-_MAX - 1, _MAX)

Told = Callable[[str], None]
"""Told what is made anew next."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done: rows of all rollups, and files that could not be read and were let go of."""

    rows: int
    unreadable: int


def rebuild(root: Path, told: Told = lambda _: None) -> Rebuilt:
    """Make all rollups of the lake under ``root`` anew; durable on return.

    Raises:
        OperatorError: there is no lake, or a cloud is running.
        StorageError: `readings` cannot be read, the tables are not level, or the disk refuses.
    """
    if not (root / READINGS.name).is_dir():
        hint = "name the cloud's home with --home"
        raise OperatorError(f"rebuild the lake {root}", "there is none", hint)
    with _alone(root):
        names = (READINGS, *ROLLUPS)
        speaks = tuple(spec.name for spec in RARE)
        tables = {
            spec.name: LakeTable.open(root, spec, speaks_for=speaks if spec is READINGS else ())
            for spec in names
        }
        _check_level(root, tables)
        for table in tables.values():
            table.accept()
        unreadable = sum(_let_go(tables[spec.name]) for spec in ROLLUPS)
        sweeper, finer = Sweeper(), tables[READINGS.name]
        gateways = sorted(_gateways(finer))
        for spec in ROLLUPS:
            for gateway in gateways:
                told(f"{spec.name} of {gateway}")
                make_days_anew(tables[spec.name], finer, gateway, [_EVER], sweeper)
            if is_whole(spec):
                finer = tables[spec.name]
        for table in tables.values():
            table.accept()  # nobody reads: what was replaced goes at once
        return Rebuilt(sum(tables[spec.name].state.files.rows for spec in ROLLUPS), unreadable)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        tried, cause = f"rebuild the lake {root}", "the cloud is running"
        raise OperatorError(tried, cause, "stop `tidegate-cloud serve` meanwhile") from error
    finally:
        os.close(handle)


def _check_level(root: Path, tables: dict[str, LakeTable]) -> None:
    stands = {name: (one.state.offset, one.state.released) for name, one in tables.items()}
    if len(set(stands.values())) > 1:
        cause = f"its tables stand at different offsets: {stands}"
        hint = "start `tidegate-cloud serve` and stop it again: they come level by themselves"
        raise StorageError(f"rebuild the lake {root}", cause, hint)


def _let_go(table: LakeTable) -> int:
    """Files of a rollup that are gone or damaged leave the table."""
    bad = []
    for file in table.state.files.files:
        try:
            counted_by(table.folder / file.path)
        except (StorageError, FileNotFoundError):
            bad.append(file)
    if bad:
        table.replace(bad, [])
    return len(bad)


def _gateways(readings: LakeTable) -> set[str]:
    found: set[str] = set()
    for file in readings.state.files.files:
        path = readings.folder / file.path
        try:
            names = pq.read_table(path, columns=["gateway"])["gateway"].unique().to_pylist()
        except (pa.ArrowException, OSError) as error:
            hint = "restore the lake from a backup (docs/guide/backup.md)"
            raise StorageError(f"read {path}", str(error), hint) from error
        found |= {str(name) for name in names}
    return found
