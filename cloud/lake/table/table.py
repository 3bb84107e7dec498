"""One Delta table of the lake: rows appended once, files merged, all of it through a power cut.

Every commit carries the app transaction (APP, offset): rows of the journal's offsets up to it are
in the table, each once. A commit is made from the very handle that its starting offset was read
from, without retries, because deltalake refuses duplicates only among concurrent commits (a fresh
handle takes an old offset again, tried). Data files are on the disk before the log names them, the
log entry before `append` returns. A name is a function of table, offsets and period, and of the
version for a merge: a commit repeated after a crash writes over its own leftovers alone.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from cloud.errors import StorageError
from cloud.lake import plan as lake_plan
from cloud.lake.table import log as lake_log
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.actions import addition, removal
from cloud.lake.table.files import DataFile, FileList, Piece, file_name, part_name, release_name
from cloud.lake.table.former import add_columns
from cloud.lake.table.parquet import Step, no_step
from cloud.lake.table.schema import PERIOD, READINGS, TableSpec, delta_schema
from cloud.lake.table.state import (
    APP,
    CORRECTED,
    CORRECTED_RELEASE,
    RELEASE,
    RETIRED,
    State,
    covered,
    look,
    read_state,
)
from cloud.lake.table.stats import stats_of

__all__ = ["APP", "LakeTable", "Piece", "State", "covered", "look"]

CHECKPOINT_EVERY: Final = 32
"""Commits between checkpoints: a load replays at most so many entries (0.4 ms each)."""
LOG_KEPT: Final = "interval 1 hours"
"""How long entries behind a checkpoint stay, for readers of other engines."""
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class LakeTable:
    """A table in ``folder``; not for several threads, and for one committer at a time."""

    def __init__(
        self, folder: Path, spec: TableSpec, step: Step, speaks_for: Iterable[str]
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.aside: list[Path] = []
        self.step = step
        self._speaks_for = tuple(speaks_for)
        self.state = State(0, {}, FileList(str(folder), -1, ()))
        self._handle: DeltaTable | None = None

    @classmethod
    def open(
        cls,
        root: Path,
        spec: TableSpec,
        step: Step = no_step,
        speaks_for: Iterable[str] = (),
    ) -> Self:
        """The table ``spec.name`` under ``root``, made if absent, its log mended.

        ``speaks_for`` are tables whose offset this one's commits may move. What `lake_log.mend`
        set aside is in ``aside`` until `accept`. StorageError when the log cannot be read.
        """
        folder = root / spec.name
        table = cls(folder, spec, step, speaks_for)
        table.aside = lake_log.mend(folder)
        if not lake_log.exists(folder):
            table._create()
        table.reload()
        table._add_columns()
        return table

    def _create(self) -> None:
        lake_parquet.make_folder(self.folder)
        DeltaTable.create(
            str(self.folder),
            schema=Schema.from_arrow(delta_schema(self.spec)),
            partition_by=[PERIOD],
            name=self.spec.name,
            configuration={
                "delta.checkpointInterval": "1000000",  # ours, fsynced, see `_checkpoint`
                "delta.logRetentionDuration": LOG_KEPT,
                "delta.enableExpiredLogCleanup": "false",
            },
        )
        self.step("table created")
        lake_log.make_durable(self.folder, 0)
        lake_parquet.fsync(self.folder)

    def _add_columns(self) -> None:
        handle = self._handle
        if handle is not None and add_columns(handle, self.spec, self.state.offset):
            lake_log.make_durable(self.folder, handle.version())
            self.reload()

    def accept(self, in_use: frozenset[str] = frozenset()) -> list[str]:
        """Nothing promised was lost: delete what was set aside, and files no log entry names.

        Of those the ones ``in_use`` (absolute paths) stay; they are returned, relative.
        StorageError when what was set aside had replaced files that are gone: nothing is deleted.
        """
        is_truth = not self.spec.width_us  # rollups are made again of it
        if self.aside and is_truth and not all(map(os.path.exists, self.state.files.paths())):
            tried, cause = f"mend the table {self.folder}", "its newest log entry is damaged"
            raise StorageError(tried, cause, "restore the lake from a backup")
        lake_log.forget(self.aside)
        self.aside = []
        named = {file.path for file in self.state.files.files}
        held = []
        for path in self.folder.glob(f"{PERIOD}=*/*"):
            relative = str(path.relative_to(self.folder))
            if relative in named:
                continue
            if str(path) in in_use:
                held.append(relative)
            else:
                path.unlink()
        for period in self.folder.glob(f"{PERIOD}=*"):
            self._leave(period)
        return held

    def reload(self) -> None:
        """Read the log anew. StorageError when it cannot be read."""
        try:
            handle = DeltaTable(str(self.folder))
        except DeltaError as error:
            raise StorageError(
                f"read the table {self.folder}",
                str(error).splitlines()[0],
                "restore the lake from a backup",
            ) from error
        self._take_state(handle)

    def _take_state(self, handle: DeltaTable) -> None:
        self._handle = handle
        self.state = read_state(handle, self.folder, self._speaks_for)

    def append(
        self,
        rows: pa.Table,
        end: int,
        says: Mapping[str, int] | None = None,
        staged: Sequence[AddAction] = (),
    ) -> None:
        """Commit ``rows``, in order, as all there is after the table's offset and up to ``end``.

        ``rows`` are as `lake_parquet.arrange` returns them, beside what was ``staged``; ``says``
        are offsets of tables that this commit speaks for. StorageError when another committer moved
        the table; OSError and DeltaError leave the commit undone or whole: `reload` tells which.
        """
        self._commit([*staged, *self.stage(rows, end)], end, says or {})

    def stage(self, rows: pa.Table, end: int, part: int = 0) -> list[AddAction]:
        """Durable files of rows, in order, that `append` is to commit: of the n-th ``part``."""
        slices = lake_plan.split(lake_parquet.times(rows["ts"]), self.spec.grain)
        held = [(_take(rows, one), one.period) for one in slices]
        return [self._add(some, period, self._name(some, end, part)) for some, period in held]

    def _name(self, rows: pa.Table, end: int, part: int) -> str:
        """Small files may be merged with any; of one run are those that sorting takes together."""
        is_run = part and self.spec is READINGS and rows.num_rows >= lake_plan.DENSE_ROWS
        return (part_name if is_run else file_name)(self.state.offset, end, part=part)

    def release(self, rows: pa.Table, offset: int, ticket: int, retired: int = 0) -> None:
        """Commit the rows of the block at ``offset``, which was passed over, under its ticket.

        Once a ticket, in rising order; one that is in already does nothing. ``retired``: the ticket
        that tells of its rows that are left out, 0 where none are. Raises as `append`.
        """
        if ticket <= self.state.released:
            return
        slices = lake_plan.split(lake_parquet.times(rows["ts"]), self.spec.grain)
        name = release_name(offset, ticket)
        adds = [self._add(_take(rows, part), part.period, name) for part in slices]
        says = {RELEASE: ticket} | ({RETIRED: retired} if retired else {})
        self._commit(adds, self.state.offset, says)

    def merge(
        self, files: Sequence[DataFile], combine: Callable[[pa.Table], pa.Table], period: str
    ) -> None:
        """Replace ``files`` by one, which lies in ``period``, of what ``combine`` makes of them.

        ``combine`` gets the rows in order of their offsets and returns them arranged. The old
        files stay on the disk: views may be using them, see `remove`.
        """
        ordered = sorted(files, key=lambda file: file.start)
        rows = lake_parquet.read([self.folder / file.path for file in ordered], self.spec)
        start, end = ordered[0].start, max(file.end for file in ordered)
        version = self.state.files.version + 1
        add = self._add(combine(rows), period, file_name(start, end, version), is_change=False)
        removes = [removal(file) for file in ordered]
        self._commit([add, *removes], self.state.offset, {})

    def replace(self, files: Sequence[DataFile], pieces: Sequence[Piece]) -> None:
        """In one commit, the pieces in place of ``files``; no two are of one period and offsets.

        Raises as `append`; the old files stay on the disk, as after `merge`.
        """
        version = self.state.files.version + 1
        named = [(one, file_name(one.start, one.end, version)) for one in pieces]
        adds = [self._add(one.rows, one.period, name) for one, name in named]
        self._commit([*adds, *map(removal, files)], self.state.offset, {})

    def swap(
        self, files: Sequence[DataFile], adds: Sequence[AddAction], retired: int | None = None
    ) -> None:
        """In one commit, files that are durable in place of ``files``.

        Of the same rows, or ``retired``: without those that this ticket tells of (0: of none).
        Raises as `append`; the old files stay on the disk, as after `merge`.
        """
        removes = [removal(file, is_change=retired is not None) for file in files]
        self._commit([*adds, *removes], self.state.offset, {RETIRED: retired} if retired else {})

    def mark_corrected(self, offset: int, ticket: int) -> None:
        """Corrections up to this offset, and of blocks released up to this ticket, are applied."""
        self._commit([], self.state.offset, {CORRECTED: offset, CORRECTED_RELEASE: ticket})

    def remove(self, paths: Iterable[str]) -> None:
        """Delete data files (relative paths) that no log entry and no view names any more."""
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)
            self._leave((self.folder / path).parent)

    @staticmethod
    def _leave(period: Path) -> None:
        """A period without files has no folder: of those there could be one for every day."""
        with contextlib.suppress(OSError):  # it holds other files
            period.rmdir()

    def _add(self, rows: pa.Table, period: str, name: str, *, is_change: bool = True) -> AddAction:
        path = f"{PERIOD}={period}/{name}"
        size = lake_parquet.write_durably(self.folder / path, rows, self.spec, self.step)
        return addition(path, period, size, stats_of(rows), is_change=is_change)

    def _commit(
        self, actions: Sequence[AddAction | RemoveAction], end: int, says: Mapping[str, int]
    ) -> None:
        """Commit from the handle that `state` was read from; refused if anyone else has since."""
        handle = self._handle
        if handle is None:
            raise StorageError(f"commit to {self.folder}", "a commit before it failed", "reload it")
        moved = {APP: end} | {f"{APP}:{name}": offset for name, offset in says.items()}
        properties = CommitProperties(
            max_commit_retries=0,
            app_transactions=[Transaction(name, offset) for name, offset in moved.items()],
        )
        version = self.state.files.version + 1
        self._handle = None  # until this commit is known whole
        try:
            handle.create_write_transaction(
                list(actions),
                "append",
                handle.schema(),
                partition_by=[PERIOD],
                commit_properties=properties,
                post_commithook_properties=_NO_HOOKS,
            )
        except CommitFailedError as error:
            raise self._overtaken(version, f"another process did ({error})") from error
        self.step("committed")
        lake_log.make_durable(self.folder, version)
        self.step("commit durable")
        handle.update_incremental()
        if handle.version() != version:
            raise self._overtaken(version, f"the log stands at {handle.version()} after it")
        self._take_state(handle)
        if version % CHECKPOINT_EVERY == 0:
            self._checkpoint(handle)

    def _overtaken(self, version: int, cause: str) -> StorageError:
        tried = f"commit version {version} of the table {self.folder}"
        return StorageError(tried, cause, "stop the other process that consolidates this lake")

    def _checkpoint(self, handle: DeltaTable) -> None:
        handle.create_checkpoint()
        self.step("checkpoint written")
        lake_log.make_checkpoint_durable(self.folder, handle.version())
        handle.cleanup_metadata()
        self.step("log cleaned")


def _take(rows: pa.Table, part: lake_plan.Slice) -> pa.Table:
    return rows if isinstance(part.rows, slice) else rows.take(pa.array(part.rows))
