"""What a pass made of its blocks, on its way into the tables.

Readings become files as they come, group by group (`cloud.lake.groups`): durable, but named by no
table until all of the pass is there. Of rollups and rare tables what is little is held.
"""

from collections.abc import Mapping, Set
from typing import Final

import pyarrow as pa
from deltalake.transaction import AddAction

from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import Step
from cloud.lake.table.schema import RARE, READINGS, ROLLUPS, TABLES
from cloud.lake.table.table import LakeTable

HELD_ROWS_MAX: Final = 500_000
"""Rows of a rollup that are held for the next group's: 300 B each."""
_RARE: Final = tuple(spec.name for spec in RARE)


class Made:
    """Rows up to ``end`` for tables by name, in files and in memory; ``groups`` are to come."""

    def __init__(
        self, tables: Mapping[str, LakeTable], names: Set[str], end: int, groups: int
    ) -> None:
        self.readings = 0
        """Rows of `readings` so far."""
        self._tables, self._names, self._end = tables, names, end
        self._is_one = groups == 1
        self._staged: dict[str, list[AddAction]] = {name: [] for name in TABLES}
        self._parts: dict[str, int] = dict.fromkeys(TABLES, 0)
        self._held: dict[str, list[pa.Table]] = {name: [] for name in TABLES}

    def add(self, rows: Mapping[str, pa.Table]) -> None:
        """Take the rows of a group, arranged; its gateways come after those of groups before it."""
        for name, more in rows.items():
            if name == READINGS.name:
                self.readings += more.num_rows
            if name in _RARE or name in self._names:
                self._held[name].append(more)
            if name not in _RARE and not self._is_one:
                self._let_go(name, 0 if name == READINGS.name else HELD_ROWS_MAX)

    def rare(self) -> dict[str, pa.Table]:
        """What there is for each rare table."""
        return {name: self._rows(name) for name in _RARE}

    def commit(self, step: Step) -> None:
        """Into `readings` first, the authority, then into the others. As `LakeTable.append`."""
        left = [name for name in _RARE if name in self._names]
        if READINGS.name in self._names:
            is_empty = {name: not any(rows.num_rows for rows in self._held[name]) for name in left}
            self._append(READINGS.name, dict.fromkeys((n for n in left if is_empty[n]), self._end))
            left = [name for name in left if not is_empty[name]]
        step("readings committed")
        left += [spec.name for spec in ROLLUPS if spec.name in self._names]
        for name in left:
            self._append(name, {})

    def _append(self, name: str, says: Mapping[str, int]) -> None:
        staged = self._staged[name]
        if staged:
            self._let_go(name, 0)
        rows = self._rows(name)
        self._held[name] = []
        self._tables[name].append(rows, self._end, says, staged)

    def _let_go(self, name: str, rows_max: int) -> None:
        """Bring what is held of a table into files if it is more than so many rows."""
        if sum(rows.num_rows for rows in self._held[name]) > rows_max:
            self._parts[name] += 1
            rows, self._held[name] = self._rows(name), []
            self._staged[name] += self._tables[name].stage(rows, self._end, self._parts[name])

    def _rows(self, name: str) -> pa.Table:
        held = [rows for rows in self._held[name] if rows.num_rows]
        if len(held) == 1:
            return held[0]
        empty = TABLES[name].schema.empty_table()
        return lake_parquet.arrange(pa.concat_tables(held)) if held else empty
