"""How tables that fell behind come level without the journal, and when a lake may be opened.

A crash between two commits of a pass leaves tables behind `readings`. The lake's own last pass
brings them level: rollups are made of the rows that `readings` took in it, and rows of rare tables
lie beside the floors until the next. So a journal that is lost is not missed, and no block is
decoded again once its rows are in history: were it one that kills, it would be set apart as well.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from cloud.errors import OperatorError, StorageError
from cloud.lake.derive import rollups_of
from cloud.lake.lock import take_lock
from cloud.lake.made import Made
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.log import mend
from cloud.lake.table.parquet import no_step
from cloud.lake.table.schema import READINGS
from cloud.lake.table.table import LakeTable


class Source(Protocol):
    """What is asked of the journal."""

    def head(self) -> int:
        """The highest durable offset."""

    def archived(self) -> int:
        """The highest offset that was marked archived."""


def mend_before_looking(root: Path) -> None:
    """The log of `readings`, in case the power went in a commit, before the journal looks at it.

    Who has the lake's lock mended it already.
    """
    with suppress(OperatorError):
        handle = take_lock(root, f"open the lake {root}")
        try:
            mend(root / READINGS.name)
        finally:
            os.close(handle)


def check_reach(root: Path, offset: int, journal: Source) -> None:
    """StorageError when the lake stands further than the journal: new blocks would be passed by."""
    if offset > journal.head():
        raise StorageError(
            f"consolidate into {root}",
            f"the lake stands at offset {offset}, the journal ends at {journal.head()}: it was lost"
            " or is an older copy",
            "start `tidegate-cloud serve`, which begins it anew behind the lake",
        )


def check_promises(
    tables: Mapping[str, LakeTable], offsets: Mapping[str, int], journal: Source
) -> None:
    """StorageError when a table holds less than the journal was told is archived."""
    archived = journal.archived()
    for name, offset in offsets.items():
        if offset < archived:
            table = tables[name]
            torn = ", ".join(path.name for path in table.aside) or "no torn entry"
            raise StorageError(
                f"open the lake's table {table.folder}",
                f"it holds offsets to {offset}, {archived} were archived ({torn})",
                "restore the lake from a backup, or rebuild it while the journal has them",
            )


def catch_up(
    tables: Mapping[str, LakeTable],
    offsets: Mapping[str, int],
    start: int,
    rare: Mapping[str, pa.Table],
) -> None:
    """Bring tables that stand at ``start``, where the last pass of `readings` began, level with it.

    ``rare``: what that pass had for each rare table; one that is not named had nothing.
    """
    end = offsets[READINGS.name]
    behind = [name for name, offset in offsets.items() if offset == start < end]
    if not behind:
        return
    parts: dict[str, list[Path]] = {}
    readings = tables[READINGS.name]
    for file in readings.state.files.files:
        if (file.start, file.end) == (start, end) and not file.is_release:
            name = file.path.rsplit("/", 1)[-1]
            parts.setdefault(name, []).append(readings.folder / file.path)
    made = Made(tables, frozenset(behind), end, len(parts))
    made.add(rare)
    for paths in parts.values() or [[]]:
        rows = lake_parquet.read(paths, READINGS) if paths else READINGS.schema.empty_table()
        made.add(dict(rollups_of(lake_parquet.arrange(rows), start)))
    made.commit(no_step)
