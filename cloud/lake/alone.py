"""A lake whose cloud is stopped, for a command that changes it: locked, and its tables level."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloud.errors import OperatorError, StorageError
from cloud.lake.lock import take_lock
from cloud.lake.table.parquet import Step, no_step
from cloud.lake.table.schema import RARE, READINGS, ROLLUPS, TableSpec
from cloud.lake.table.table import LakeTable


def check_there(root: Path, tried: str) -> None:
    """OperatorError when there is no lake under ``root``."""
    if not (root / READINGS.name).is_dir():
        raise OperatorError(tried, "there is none", "name the cloud's home with --home")


@contextmanager
def alone(
    root: Path, tried: str, more: Sequence[TableSpec] = (), step: Step = no_step
) -> Iterator[dict[str, LakeTable]]:
    """`readings`, the rollups and ``more``, nobody else's while inside; errors tell the ``tried``.

    Raises:
        OperatorError: there is no lake, or a cloud is running.
        StorageError: a table cannot be read, is damaged, or they are not level.
    """
    check_there(root, tried)
    handle = take_lock(root, tried)
    try:
        speaks = tuple(spec.name for spec in RARE)
        tables = {
            spec.name: LakeTable.open(root, spec, step, speaks if spec is READINGS else ())
            for spec in (READINGS, *ROLLUPS, *more)
        }
        check_sound(tried, tables[READINGS.name].aside)  # rollups are made again of it
        check_level(tried, {spec.name: tables[spec.name] for spec in (READINGS, *ROLLUPS)})
        for table in tables.values():
            table.accept()
        yield tables
        for table in tables.values():
            table.accept()  # nobody reads: what was replaced goes at once
    finally:
        os.close(handle)


def check_sound(tried: str, aside: Sequence[Path]) -> None:
    """StorageError when entries of a log had to be set aside: files of them may be all there is."""
    if aside:
        cause = f"the log entry {aside[0]} is damaged"
        hint = "start `tidegate-cloud serve`: it tells whether anything that was promised is lost"
        raise StorageError(tried, cause, hint)


def check_level(tried: str, tables: Mapping[str, LakeTable]) -> None:
    """StorageError when these tables do not stand at one offset and release."""
    stands = {name: (one.state.offset, one.state.released) for name, one in tables.items()}
    if len(set(stands.values())) > 1:
        cause = f"its tables stand at different offsets: {stands}"
        hint = "start `tidegate-cloud serve` and stop it again: they come level by themselves"
        raise StorageError(tried, cause, hint)
