"""Days recomputed from the journal, which is immutable: compared with the tables, or put right.

`look_at` only reads, beside a running cloud or without one. `put_right` takes the lake's lock.
Done again after a crash at any step, either goes on from what the disk holds.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from cloud.errors import StorageError
from cloud.journal.contract import TrimmedError
from cloud.journal.sqlite.quarantine import Quarantine
from cloud.journal.sqlite.snapshot import take_snapshot
from cloud.lake.alone import check_level, check_there
from cloud.lake.correction import Known, corrections_of
from cloud.lake.lock import take_lock
from cloud.lake.table.files import DataFile
from cloud.lake.table.parquet import Step, no_step
from cloud.lake.table.row_groups import read_groups
from cloud.lake.table.schema import ANOMALIES, CORRECTIONS, RARE, READINGS, ROLLUPS, TABLES
from cloud.lake.table.state import State, look
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable
from cloud.recompute.comparison import Day
from cloud.recompute.journal import Decoding, Told, read_kept
from cloud.recompute.lake import LakeSide, Seen, Standing, UnreadableError, rollup_rows, unequal
from cloud.recompute.outcome import Change, Recomputed
from cloud.recompute.rows import Compared, Comparison, Difference
from cloud.recompute.write import make_rollups_anew, put_right, read_begun, write_begun
from cloud.retention.retired import read_retired
from cloud.rollup.partials import DAY_US

EVER_US: Final = int(np.iinfo(np.int64).max) // DAY_US * DAY_US
"""No bound; below it for the beginning."""
TRIES: Final = 20
"""How often it is begun anew beside a cloud that trims its journal or merges files meanwhile."""
PAUSE_S: Final = 0.25
_RARE_NAMES: Final = tuple(spec.name for spec in RARE)

Act = Callable[[Difference, list[DataFile]], State | None]
"""Takes each difference in turn, with files that are to leave; how the table stands then."""


@dataclass(slots=True)
class _Work:
    """A comparison done: what it saw, where it differs, and the days of its rollups."""

    comparison: Comparison
    compared: Compared
    seen: Seen
    told: Recomputed
    days: set[Day]


def look_at(
    journal: Path, lake: Path, days: tuple[int, int], told: Told = lambda *_: None
) -> Recomputed:
    """What `consolidate` would put right in days, as [from, to) in µs.

    Raises:
        OperatorError: there is no lake.
        StorageError: a file cannot be read that cannot be made again, or all changes too fast.
    """
    check_there(lake, f"recompute days of the lake {lake}")
    for _ in range(TRIES):
        states = _states(lake)
        try:
            if not _is_settled(states):
                time.sleep(PAUSE_S)  # times are being corrected: rows are on their way
                continue
            work = _compare(journal, lake, states, days, told)
            for name in work.compared.differing:
                _each_difference(work, name, lambda *_: None)
        except (FileNotFoundError, StorageError) as error:
            moved = any(look(lake, TABLES[name]).files.version != one.files.version
                        for name, one in states.items())  # fmt: skip
            if not moved and not isinstance(error, TrimmedError):
                raise
        else:
            _tell_rollups(work)
            return work.told
    cause = "journal and tables change as fast as they are read"
    raise StorageError(f"recompute days of the lake {lake}", cause, "try again")


def recompute(
    journal: Path,
    lake: Path,
    days: tuple[int, int],
    told: Told = lambda *_: None,
    step: Step = no_step,
) -> Recomputed:
    """Have the tables hold what the journal gives of days, as [from, to) in µs; durable on return.

    Raises:
        OperatorError: there is no lake, or a cloud is running.
        StorageError: the tables are not level, a file cannot be read that cannot be made again, or
            the disk refuses.
    """
    with _alone(lake, step) as tables:
        states = {name: table.state for name, table in tables.items()}
        if not _is_settled(states):
            cause, hint = "times in it are still being corrected", "`tidegate-cloud consolidate`"
            raise StorageError(f"recompute days of the lake {lake}", cause, hint)
        work = _compare(journal, lake, states, days, told)
        sweeper = Sweeper(grace_s=0.0)
        for name in work.compared.differing:
            table = tables[name]

            def act(found: Difference, lost: list[DataFile], table: LakeTable = table) -> State:
                if table.spec is READINGS:
                    write_begun(lake, work.days)
                put_right(table, found, lost, sweeper)
                return table.state

            _each_difference(work, name, act)
        _tell_rollups(work)
        told("rollups", 0, 1)
        make_rollups_anew(tables, work.days, work.comparison.lake.hulls, sweeper)
        if work.days:
            write_begun(lake, set())
        told("rollups", 1, 1)
        return work.told


def _compare(
    journal: Path, lake: Path, states: Mapping[str, State], days: tuple[int, int], told: Told
) -> _Work:
    """Compare by sums, until no more files turn out to be unreadable."""
    readings = states[READINGS.name]
    retired = read_retired(lake, readings.retired)
    tables = {name: Standing(TABLES[name], lake / name, one, _offset(states, name))
              for name, one in states.items()}  # fmt: skip
    with closing(Quarantine(journal / "quarantine.db")) as quarantine:
        apart = quarantine.list()
    kept = read_kept(journal, take_snapshot(journal), readings.offset, apart, told)
    side = LakeSide(tables, kept, retired.hulls, days, told, retired.orders)
    while True:
        try:
            known = _known(tables[CORRECTIONS.name], side).plus(kept.corrections)
            comparison = Comparison(side, Decoding(journal, kept, known))
            spans = [(days[0], days[1] - 1)]
            spans += [(file.ts_min, file.ts_max) for file in side.lost.values()]
            seen = side.see(kept.among(spans, known))
            compared = comparison.compare(seen.blocks)
        except UnreadableError as error:
            if not (side.tables[error.table].folder / error.file.path).exists():
                _check_stays(lake, states, error)
            side.lose(error)
            continue
        work = _Work(comparison, compared, seen, Recomputed(*days), set())
        work.told.blocks, work.told.readings = int(seen.blocks.sum()), compared.readings
        work.told.beyond, work.told.retired = seen.beyond, compared.retired
        work.told.lost = len(side.lost)
        work.days = unequal(seen) | read_begun(lake)
        return work


def _each_difference(work: _Work, name: str, act: Act) -> None:
    """Find a table's differences, count them, and act on each, the last with the lost files."""
    side, comparison = work.comparison.lake, work.comparison
    lost = [file for (of, _), file in side.lost.items() if of == name]
    change = work.told.tables.setdefault(name, Change(bytes=sum(file.bytes for file in lost)))
    parts = comparison.parts(name, work.compared)
    for number, blocks in enumerate(parts, 1):
        standing = side.tables[name]
        sizes = {file.path: file.bytes for file in standing.state.files.files}
        found = comparison.difference(name, blocks)
        change.missing += found.missing
        change.doubled += found.doubled
        change.different += found.different
        change.bytes += sum(sizes[path] for path in found.held)
        if name == READINGS.name:
            work.days |= found.days
        state = act(found, lost if number == len(parts) else [])
        side.tables[name] = replace(standing, state=state or standing.state)
    if lost and not parts:
        act(Difference(side.tables[name].spec, (0, 0)), lost)


def _tell_rollups(work: _Work) -> None:
    work.told.days = len(work.days)
    for spec in ROLLUPS:
        rows = rollup_rows(work.seen, spec.name, spec.width_us, work.days)
        work.told.tables[spec.name] = Change(anew=rows)


def _known(corrections: Standing, side: LakeSide) -> Known:
    """The corrections of times that the table holds, the earliest of each name."""
    known = Known()
    for file in sorted(corrections.state.files.files, key=lambda one: (one.start, one.path)):
        if (CORRECTIONS.name, file.path) not in side.lost:
            try:
                for rows in read_groups(corrections.folder / file.path, CORRECTIONS):
                    known = known.plus(corrections_of(rows))
            except StorageError as error:
                raise UnreadableError(CORRECTIONS.name, file, error) from error
    return known


def _states(lake: Path) -> dict[str, State]:
    return {name: look(lake, spec, _RARE_NAMES if spec is READINGS else ())
            for name, spec in TABLES.items()}  # fmt: skip


def _offset(states: Mapping[str, State], name: str) -> int:
    return max(states[name].offset, states[READINGS.name].says.get(name, 0))


def _is_settled(states: Mapping[str, State]) -> bool:
    """Whether the tables are level, and every correction of times was carried out in them."""
    files = states[CORRECTIONS.name].files.files
    offset = max((file.end for file in files if not file.is_release), default=0)
    ticket = max((file.ticket for file in files), default=0)
    level = [states[spec.name] for spec in (READINGS, *ROLLUPS)]
    done = [*(one.corrected for one in level), states[ANOMALIES.name].corrected]
    is_level = len({(one.offset, one.released) for one in level}) == 1
    return is_level and all(mark[0] >= offset and mark[1] >= ticket for mark in done)


def _check_stays(lake: Path, states: Mapping[str, State], error: UnreadableError) -> None:
    """Raises the error again when the file is gone because the table went on."""
    if look(lake, TABLES[error.table]).files.version != states[error.table].files.version:
        raise error


@contextmanager
def _alone(lake: Path, step: Step) -> Iterator[dict[str, LakeTable]]:
    """All tables, nobody else's while inside; what was replaced is gone afterwards."""
    tried = f"recompute days of the lake {lake}"
    check_there(lake, tried)
    handle = take_lock(lake, tried)
    try:
        tables = {
            name: LakeTable.open(lake, spec, step, _RARE_NAMES if spec is READINGS else ())
            for name, spec in TABLES.items()
        }
        check_level(tried, {spec.name: tables[spec.name] for spec in (READINGS, *ROLLUPS)})
        for table in tables.values():
            table.accept()
        yield tables
        for table in tables.values():
            table.accept()
    finally:
        os.close(handle)
