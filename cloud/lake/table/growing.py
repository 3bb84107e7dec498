"""A data file that is written a row group at a time, so that its rows are never in memory whole."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from deltalake.transaction import AddAction

from cloud.lake.table.actions import addition
from cloud.lake.table.dense import DenseWriter
from cloud.lake.table.forms import Form
from cloud.lake.table.library_writer import LibraryWriter
from cloud.lake.table.parquet import (
    TEMPORARY,
    Step,
    group_rows,
    make_folder,
    one,
    run_starts,
    settle,
)
from cloud.lake.table.schema import PERIOD, READINGS, TableSpec
from cloud.lake.table.stats import Stats

DENSE_GROUP: Final = 131_072
"""Rows of a row group of readings: 1.9 KB are said of each, and series share its dictionary."""


class GrowingFile:
    """Takes rows in order; the file appears whole under its name when it is finished.

    ``folder`` is the table's; ``form`` must suit all rows that will come: times in milliseconds are
    stored as those.
    """

    def __init__(self, folder: Path, period: str, name: str, spec: TableSpec, form: Form) -> None:
        self.path = folder / f"{PERIOD}={period}" / name
        make_folder(self.path.parent)
        self._folder, self._period = folder, period
        self._stats = Stats()
        self._form = form
        is_dense = spec is READINGS
        self._group = DENSE_GROUP if is_dense else group_rows(spec)
        self._temporary = self.path.with_name(name + TEMPORARY)
        schema = form.of(spec.schema.empty_table()).schema
        self._writer: DenseWriter | LibraryWriter
        if is_dense:
            self._writer = DenseWriter(self._temporary, schema, **form.options)
        else:
            self._writer = LibraryWriter(self._temporary, schema, form.options)
        self._waiting: list[pa.Table] = []

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        return self._stats.rows

    def add(self, rows: pa.Table) -> None:
        """Take rows that come after those before; whole row groups are written."""
        if not rows.num_rows:
            return
        self._stats.add(rows)
        self._waiting.append(rows)
        held = sum(part.num_rows for part in self._waiting)
        if held >= self._group:
            rows = pa.concat_tables(self._waiting)
            begin = 0
            while held - begin >= self._group:
                count = self._whole(rows.slice(begin, self._group + 1))
                begin += self._write(rows.slice(begin, count))
            left = rows.slice(begin)
            # A copy: a slice would keep all that was added alive.
            self._waiting = [left.take(pa.array(np.arange(left.num_rows)))] if left.num_rows else []

    def finish(self, step: Step, *, is_change: bool = False) -> AddAction:
        """Write what waits; when this returns, file and folder are on the disk.

        Returns what a commit names it by: unless ``is_change``, of rows that the table has had.
        """
        if self._waiting:
            self._write(pa.concat_tables(self._waiting), is_last=True)
            self._waiting = []
        self._writer.close()
        size = settle(self.path, self._temporary, step)
        path, stats = str(self.path.relative_to(self._folder)), self._stats.as_json()
        return addition(path, self._period, size, stats, is_change=is_change)

    def close(self) -> None:
        """Let go of the file as it is."""
        self._writer.close()

    def drop(self) -> None:
        """Leave nothing of it on the disk."""
        self.close()
        self._temporary.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _whole(self, rows: pa.Table) -> int:
        """How many of the first rows are a row group: it ends with a series if it can."""
        starts = run_starts(one(rows["series"]).to_numpy())
        ends = starts[starts > self._group // 2]
        return int(ends[-1]) if len(ends) else self._group

    def _write(self, rows: pa.Table, *, is_last: bool = False) -> int:
        """How many of the rows were written; the others come again."""
        rows = self._form.of(rows)
        if isinstance(self._writer, DenseWriter):
            return self._writer.write_table(rows, is_last=is_last)
        self._writer.write(rows, self._group)
        return len(rows)
