"""Files of a period merged into files that do not overlap, a slice at a time.

The rows of all runs go by in the order of (series, time), those of one series and time in the order
of their blocks, as an answer to a question has them. Of each run some row groups are in memory,
never a file; between two slices nothing is. New files are written and made durable one after
another, under names that nothing tells of until one commit puts them in place of the old ones: a
process that dies before leaves files that `LakeTable.accept` removes.
"""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
from deltalake.transaction import AddAction

from cloud.lake.embedded import Pause
from cloud.lake.sort_plan import Run, cut, target_rows
from cloud.lake.sort_stream import SeriesKeys, Stream, group_bytes
from cloud.lake.table.files import DataFile, sorted_name
from cloud.lake.table.forms import form_for
from cloud.lake.table.growing import GrowingFile
from cloud.lake.table.parquet import arrange, begins, by_block
from cloud.lake.table.row_groups import are_millis
from cloud.lake.table.table import LakeTable

BYTES_HELD: Final = 96 << 20
"""Rows of all runs that are in memory, in all; put in order they are there three times."""
PLACE_BYTES_MAX: Final = BYTES_HELD
"""Rows of one series and time of one run: a period with more stays in the files it has."""


class Sorting:
    """One merge of ``runs`` of ``period``; their files must stay named until `commit`.

    ``run`` names what is made; 0 begins one anew. OSError and StorageError of any step leave the
    table as it was: `drop`.
    """

    def __init__(self, table: LakeTable, period: str, runs: Sequence[Run], run: int = 0) -> None:
        self.files: tuple[DataFile, ...] = tuple(file for one in runs for file in one.files)
        self.rows = sum(file.rows for file in self.files)
        self.done = 0
        self.period = period
        self.made = 0
        """New files so far."""
        self.table = table
        self._version = table.state.files.version + 1
        self._run = run or self._version
        self._target = target_rows(self.rows)
        names = SeriesKeys()
        self._streams = [  # those that came first, first: then most rows of a series are in order
            Stream([table.folder / file.path for file in one.files], table.spec, names)
            for one in sorted(runs, key=lambda one: one.start)
        ]
        self._is_millis = all(are_millis(table.folder / f.path, table.spec) for f in self.files)
        self._file: GrowingFile | None = None
        self._adds: list[AddAction] = []

    @property
    def told(self) -> tuple[str, int, int]:
        """The period, rows that are in new files, and all of them."""
        return self.period, self.done, self.rows

    @property
    def is_done(self) -> bool:
        """Whether all rows are in new files."""
        return self.done == self.rows

    def advance(self, rows: int, pause: Pause) -> None:
        """Bring so many rows more into new files, or all there are; durable where files end."""
        until = min(self.done + rows, self.rows)
        while self.done < until:
            pause()
            self._put(self._next())
        for stream in self._streams:
            stream.park()
        if self.is_done and self._file is not None:
            self._end_file()

    def commit(self) -> None:
        """The new files in place of the old ones, which stay on the disk. As `LakeTable.append`."""
        self.table.swap(self.files, self._adds)

    def close(self) -> None:
        """Let go of all files; what it made stays on the disk."""
        for stream in self._streams:
            stream.park()
        if self._file is not None:
            self._file.close()

    def drop(self) -> None:
        """Leave nothing of it on the disk."""
        self.close()
        if self._file is not None:
            self._file.drop()
            self._file = None
        self.table.remove([add.path for add in self._adds])
        self._adds = []

    def _next(self) -> pa.Table:
        """The rows that come next of all runs, in order, and all of their series and time."""
        share = BYTES_HELD // len(self._streams)
        for stream in self._streams:
            stream.fill(share, PLACE_BYTES_MAX)
        ends = [stream.last for stream in self._streams if not stream.is_read]
        bound = min((end for end in ends if end is not None), default=None)
        parts = [part for stream in self._streams for part in stream.take(bound)]
        return by_block(arrange(pa.concat_tables(parts)))

    def _put(self, rows: pa.Table) -> None:
        while rows.num_rows:
            file = self._file = self._file or self._begin_file(rows)
            at = cut(file.rows, self._target, *begins(rows))
            count = rows.num_rows if at is None else at
            file.add(rows.slice(0, count))
            self.done += count
            rows = rows.slice(count)
            if at is not None:
                self._end_file()

    def _begin_file(self, rows: pa.Table) -> GrowingFile:
        start, end = min(f.start for f in self.files), max(f.end for f in self.files)
        name = sorted_name(self._run, self._version, len(self._adds), start, end)
        spec, left = self.table.spec, self.rows - self.done
        form = form_for(rows, spec, min(self._target, left), is_millis=self._is_millis)
        return GrowingFile(self.table.folder, self.period, name, spec, form)

    def _end_file(self) -> None:
        assert self._file is not None
        self._adds.append(self._file.finish(self.table.step))
        self._file = None
        self.made = len(self._adds)


def memory_of(table: LakeTable, run: Run) -> int:
    """What a row group of a run takes in memory at most, in bytes."""
    return max(group_bytes(table.folder / file.path, table.spec) for file in run.files)
