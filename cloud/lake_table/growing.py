"""A data file that is written a row group at a time, so that its rows are never in memory whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake.transaction import AddAction

from cloud.lake_table.files import addition
from cloud.lake_table.forms import Form
from cloud.lake_table.parquet import (
    TEMPORARY,
    Step,
    group_rows,
    make_folder,
    open_writer,
    settle,
)
from cloud.lake_table.schema import PERIOD, TableSpec
from cloud.lake_table.stats import Stats


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
        self._group = group_rows(spec)
        self._temporary = self.path.with_name(name + TEMPORARY)
        self._writer = open_writer(self._temporary, spec, form)
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
            whole = held - held % self._group
            self._write(rows.slice(0, whole))
            left = rows.slice(whole)
            # A copy: a slice would keep all that was added alive.
            self._waiting = [left.take(pa.array(np.arange(left.num_rows)))] if left.num_rows else []

    def finish(self, step: Step, *, is_change: bool = False) -> AddAction:
        """Write what waits; when this returns, file and folder are on the disk.

        Returns what a commit names it by: unless ``is_change``, of rows that the table has had.
        """
        if self._waiting:
            self._write(pa.concat_tables(self._waiting))
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

    def _write(self, rows: pa.Table) -> None:
        self._writer.write(self._form.of(rows), self._group)
