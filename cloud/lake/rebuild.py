"""Rollups made anew from `readings`, which is their authority: after damage, or to be sure.

With the cloud stopped: it takes the lake's lock. A file of a rollup that cannot be read is let go
of; then, by rollup, gateway and day, what `readings` or the next finer rollup gives comes in place
of what is there. Each commit is whole and carries the table's offset as any other; a rebuild that
is cut short is done again from its beginning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cloud.errors import StorageError
from cloud.lake.alone import alone
from cloud.lake.days import make_days_anew
from cloud.lake.table.schema import READINGS, ROLLUPS, is_whole
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable
from cloud.ledger.of_lake import counted_by
from cloud.retention.retired import take_up
from cloud.rollup.partials import DAY_US

_MAX = int(np.iinfo(np.int64).max) // DAY_US * DAY_US - 1
_EVER = (-_MAX - 1, _MAX)

Told = Callable[[str], None]
"""Told what is made anew next."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done: rows of all rollups, and files that could not be read and were let go of.

    ``aged``: retention removed readings, whose rollups stayed as they are. They alone have them: of
    a file that was let go of they are gone.
    """

    rows: int
    unreadable: int
    aged: bool


def rebuild(root: Path, told: Told = lambda _: None) -> Rebuilt:
    """Make all rollups of the lake under ``root`` anew; durable on return.

    Raises:
        OperatorError: there is no lake, or a cloud is running.
        StorageError: `readings` cannot be read, the tables are not level, or the disk refuses.
    """
    with alone(root, f"rebuild the lake {root}") as tables:
        unreadable = sum(_let_go(tables[spec.name]) for spec in ROLLUPS)
        sweeper, finer = Sweeper(), tables[READINGS.name]
        hulls = take_up(root, finer.state.retired).hulls
        gateways = sorted(_gateways(finer))
        for spec in ROLLUPS:
            for gateway in gateways:
                told(f"{spec.name} of {gateway}")
                make_days_anew(tables[spec.name], finer, gateway, [_EVER], sweeper, hulls=hulls)
            if is_whole(spec):
                finer = tables[spec.name]
        return Rebuilt(
            sum(tables[spec.name].state.files.rows for spec in ROLLUPS), unreadable, bool(hulls)
        )


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
