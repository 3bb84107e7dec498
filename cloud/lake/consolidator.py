"""The consolidator: journal to tables, each block once, through a crash at any step.

A pass reads what some table lacks, decodes it once, commits `readings` first (it is the
authority), then each rollup and each table of rare rows that has any; only when all are on the disk
is the range told to the journal as archived and the new view published. Every table knows its own
offset, so after a crash the ones behind catch up alone. For a table of rare rows with nothing in
the range, the commit of `readings` says so (`APP:table`), which spares a commit of nothing.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from deltalake.exceptions import DeltaError

from cloud.errors import StorageError, TidegateError
from cloud.journal.contract import Entry
from cloud.lake import plan as lake_plan
from cloud.lake.attempts import KILLS, Attempts
from cloud.lake.correct import Corrector
from cloud.lake.derive import rows_of
from cloud.lake.embedded import Decoded, Pause, decode, no_pause
from cloud.lake.floors import FloorKeeper
from cloud.lake.groups import in_groups
from cloud.lake.level import catch_up, check_promises, check_reach
from cloud.lake.lock import take_lock
from cloud.lake.made import Made
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.lake.sorter import IDLE, SortProgress
from cloud.lake.table.files import FileList
from cloud.lake.table.parquet import Step, no_step
from cloud.lake.table.schema import RARE, READINGS, TABLES
from cloud.lake.table.table import LakeTable
from cloud.lake.upkeep import Upkeep
from cloud.memory import give_back
from cloud.retention.rules import NOTHING, Retired

BYTES_PER_PASS: Final = 128 << 20
ROWS_AT_ONCE: Final = 2_000_000
"""What one pass takes, and of it at once; a row takes some 300 B while it is worked on."""
BYTES_LEAST: Final = 1 << 20
_STEP: Final = 4
"""A pass that failed is tried with so much less, to this: an all but full disk takes that."""
JOURNAL_WAIT_S: Final = 60.0
RARE_NAMES: Final = tuple(spec.name for spec in RARE)


class Source(Protocol):
    """What the consolidator needs of a journal (`journal.contract.Journal` and its quarantine)."""

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any."""

    def head(self) -> int:
        """The highest durable offset."""

    def archived(self) -> int:
        """The highest offset that was marked archived."""

    def mark_archived(self, offset: int) -> Future[None]:
        """The tables hold everything up to ``offset`` durably."""

    def quarantine(self, offset: int, reason: str) -> None:
        """Set a block apart, durably, that can never be decoded."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The batch view: all tables as of one offset.

    ``corrected`` rises when rows of earlier batches were moved to their true times; ``is_anew``:
    it may have rows that no journal will bring and nobody told of. ``retired`` is what retention
    removed of them.
    """

    offset: int
    tables: Mapping[str, FileList]
    corrected: tuple[int, int] = (0, 0)
    is_anew: bool = False
    retired: Retired = NOTHING


class Viewers(Protocol):
    """Who gets the batch view, and which files its readers still hold."""

    def publish(self, batch: Batch) -> None:
        """From now on this is the batch view."""

    def released(self, decoded: Decoded) -> None:
        """These rows, passed over before, are in the tables of the next batch view."""

    def in_use(self) -> frozenset[str]:
        """Absolute paths of files in any view that someone still holds."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What one pass did: offsets now covered, rows of `readings`, blocks set apart, files merged.

    ``more`` says that the journal holds what this pass did not reach, or that corrections are left.
    ``refused``: corrections over what is known of one gateway, since the lake was opened.
    """

    offset: int
    readings: int
    quarantined: int
    merged: int
    more: bool
    refused: int = 0
    sorting: SortProgress = IDLE
    is_upkeep_behind: bool = False


class Consolidator:
    """The one committer of the lake under ``root``; one thread at a time."""

    def __init__(
        self,
        root: Path,
        journal: Source,
        names: Names,
        viewers: Viewers,
        *,
        releases: Releases | None = None,
        floors: FloorKeeper | None = None,
        upkeep: Upkeep | None = None,
        bytes_per_pass: int = BYTES_PER_PASS,
        rows_at_once: int = ROWS_AT_ONCE,
        step: Step = no_step,
        pause: Pause = no_pause,
        let_go: Pause = give_back,
    ) -> None:
        self._root = root
        self._journal = journal
        self._names = names
        self._viewers = viewers
        self._releases = releases
        self._floors = floors
        self._bytes = self._bytes_now = bytes_per_pass
        self._rows = rows_at_once
        self._step = step
        self._pause, self._let_go = pause, let_go
        self._tables: dict[str, LakeTable] = {}
        self._attempts = Attempts(root / "attempt.json")
        self._upkeep = upkeep or Upkeep()
        self._corrector = Corrector(self._upkeep.sweeper)
        self._lock: int | None = None

    def recover(self) -> None:
        """Take the lake: lock it, mend it, let tables that are behind catch up, publish the view.

        OperatorError when another process has it; StorageError when it holds less than the journal
        was told is archived. To be called before `run_once`, and again after `run_once` raised.
        """
        if self._lock is None:
            self._lock = take_lock(self._root, f"consolidate into {self._root}")
        self._tables = {
            name: LakeTable.open(
                self._root, spec, self._step, RARE_NAMES if spec is READINGS else ()
            )
            for name, spec in TABLES.items()
        }
        self._come_level()
        self._upkeep.open(self._tables)
        for table in self._tables.values():
            self._upkeep.sweeper.retire(table, table.accept(self._viewers.in_use()))
        self._corrector.open(self._tables)
        at = self._offsets()[READINGS.name]
        while self._pass_to(at):
            pass
        self._release(lambda _: None)  # the first view has them
        self._corrector.carry_out(self._tables)
        self._archive(is_anew=True)

    def run_once(self) -> Progress:
        """One pass over at most `bytes_per_pass` of blocks, with its share of `Upkeep`.

        StorageError, OSError or DeltaError leave the lake whole: `recover`, then go on.
        """
        head = self._journal.head()
        passed = self._pass_to(head)
        released = self._release(self._viewers.released)
        corrected = self._corrector.carry_out(self._tables)
        merged = self._upkeep.carry_out(self._tables)
        if passed or merged or released or corrected:
            self._archive()
        self._upkeep.sweeper.sweep(self._viewers.in_use())
        offset = min(self._offsets().values())
        more = offset < head or self._corrector.is_behind
        refused, upkeep = self._corrector.refused, self._upkeep
        counts = (*(passed or (0, 0)), merged)
        return Progress(offset, *counts, more, refused, upkeep.sorting, upkeep.is_behind)

    def close(self) -> None:
        """Let go of the lake."""
        self._upkeep.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _release(self, shown: Callable[[Decoded], None]) -> int:
        if self._floors is not None:
            self._floors.note()
        if self._releases is None:
            return 0
        settle, spare = self._corrector.settle, self._upkeep.spare
        lake = [*self._tables.values()]
        return self._releases.carry_out(
            lake, rows_of, shown, lambda decoded: spare(settle(decoded), self._root)
        )

    def _offsets(self) -> dict[str, int]:
        """Offset up to which each table has everything, by its own commits or `readings`' word."""
        says = self._tables[READINGS.name].state.says
        return {
            name: max(table.state.offset, says.get(name, 0)) for name, table in self._tables.items()
        }

    def _come_level(self) -> None:
        """Bring tables that a crash left behind level; refuse a lake that is not as promised."""
        at = self._offsets()[READINGS.name]
        check_reach(self._root, at, self._journal)
        if self._floors is not None:
            self._floors.open(at)
            if min(self._offsets().values()) < at:
                catch_up(self._tables, self._offsets(), self._floors.start, self._floors.rare())
        check_promises(self._tables, self._offsets(), self._journal)

    def _pass_to(self, head: int) -> tuple[int, int] | None:
        """Commit the next range up to ``head`` to all tables that lack it; None when none does.

        Returns how many rows of `readings`, and of blocks set apart: a merge needs the room.
        """
        todo = lake_plan.next_range(self._offsets(), head)
        if todo is None:
            return None
        bytes_max = self._attempts.begin(todo.start, min(self._bytes, self._bytes_now))
        try:
            passed = self._pass(todo, bytes_max)
        except (TidegateError, OSError, DeltaError):
            self._attempts.undone()  # the disk's or an operator's fault, not the block's
            self._bytes_now = min(self._bytes, max(self._bytes_now // _STEP, BYTES_LEAST))
            raise
        else:
            self._attempts.done()
            self._bytes_now = min(self._bytes, self._bytes_now * _STEP)
            return passed
        finally:
            self._attempts.leave()

    def _pass(self, todo: lake_plan.Range, bytes_max: int) -> tuple[int, int]:
        read = self._journal.read(todo.start, bytes_max)
        entries = [one for one in read if one.offset <= todo.limit]
        if not entries or entries[0].offset != todo.start + 1:
            cause = f"it no longer holds offset {todo.start + 1}, which the lake lacks"
            hint = "restore the journal from a backup"
            raise StorageError("consolidate the journal", cause, hint)
        groups, count = in_groups(entries, self._rows)
        entries = entries[:count]
        killers = self._attempts.given_up(entries)
        made = Made(self._tables, todo.tables, entries[-1].offset, len(groups))
        quarantined = 0
        for group in groups:
            decoded = self._decoded([one for one in group if one.offset not in killers])
            quarantined += len(decoded.bad)
            rows = rows_of(decoded, todo.start)
            del decoded  # in order they are rows' own, or there is a second copy
            made.add(rows)
            del rows
        for killer in sorted(killers):
            self._journal.quarantine(killer, KILLS)
        if self._floors is not None and READINGS.name in todo.tables:
            self._floors.keep(entries, made.rare())
        made.commit(self._step)
        return made.readings, quarantined

    def _decoded(self, entries: Sequence[Entry]) -> Decoded:
        """Their rows at their true times; blocks that cannot be read are set apart."""
        decoded = self._corrector.settle(decode(entries, self._names, self._pause))
        self._let_go()  # what the blocks held: their rows are in columns now
        for bad in decoded.bad:
            self._journal.quarantine(bad.entry.offset, bad.reason)
        return decoded

    def _archive(self, *, is_anew: bool = False) -> None:
        """All tables stand at one offset, on the disk: tell the journal and the viewers."""
        offset = min(self._offsets().values())
        if offset > self._journal.archived():
            self._step("before archived")
            self._journal.mark_archived(offset).result(JOURNAL_WAIT_S)
        files = MappingProxyType({name: each.state.files for name, each in self._tables.items()})
        corrected = self._tables[READINGS.name].state.corrected
        self._viewers.publish(Batch(offset, files, corrected, is_anew, self._upkeep.retired))
