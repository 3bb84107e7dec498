"""Rows of tables held against the blocks that the journal keeps: what they lack, what is too much.

Blocks that have rows in the asked days, by the journal or by a table, are compared whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from cloud.lake.table.parquet import times
from cloud.lake.table.schema import READINGS, TableSpec
from cloud.recompute.comparison import (
    UNKNOWN,
    Bools,
    Day,
    Numbers,
    Sums,
    beyond,
    gateway_days,
    keys_of,
    numbers_of,
)
from cloud.recompute.journal import Decoding
from cloud.recompute.lake import LakeSide
from cloud.rollup.partials import Ints

ROWS_AT_ONCE: Final = 1_000_000
"""Rows matched in memory together, and brought in with one commit; at least those of one block."""


@dataclass(slots=True)
class Difference:
    """Of one table and some blocks: all rows due, and places of all that are there, by file's path.

    Blocks move as a whole, for rows of one time stand in the order that their block gave them.
    ``span``: the offsets (start, end] of the blocks. ``different`` rows are missing and doubled at
    once: another is to come in place of one that is there.
    """

    spec: TableSpec
    span: tuple[int, int]
    due: list[pa.Table] = field(default_factory=list)
    held: dict[str, list[Ints]] = field(default_factory=dict)
    days: set[Day] = field(default_factory=set)
    missing: int = 0
    doubled: int = 0
    different: int = 0


@dataclass(slots=True)
class Compared:
    """By table, the blocks of which its rows are others than the journal's, and how many rows.

    ``readings``: how many the journal gives of all compared blocks. ``retired``: of these, how many
    are of days that retention cleared; they are left alone.
    """

    differing: dict[str, Ints]
    rows: dict[str, Ints]
    readings: int = 0
    retired: int = 0


@dataclass(slots=True)
class Comparison:
    """The two sides, and the blocks that cannot be decoded, which are left as they are."""

    lake: LakeSide
    journal: Decoding
    bad: set[int] = field(default_factory=set)

    def compare(self, chosen: Bools) -> Compared:
        """Find the blocks that differ, by sums. Raises as `LakeSide.held` and `Decoding.rows`."""
        names = [name for name, one in self.lake.tables.items() if not one.spec.width_us]
        blocks = len(chosen)
        held = {name: Sums.of(blocks) for name in names}
        due = {name: Sums.of(blocks) for name in names}
        found = Compared({}, {})
        for name, sums in held.items():
            for part in self.lake.held(name, chosen):
                sums.add(part.block, part.numbers)
        for tables, bad in self.journal.rows(chosen, self.lake.told):
            self.bad.update(bad)
            for name, (rows, origin) in tables.items():
                block = self.lake.open_to(name, rows, origin)
                due[name].add(block, numbers_of(rows, self.lake.tables[name].spec))
                if name == READINGS.name:
                    found.readings += rows.num_rows
                    found.retired += int((block == UNKNOWN).sum())
        for name in names:
            wrong = self._due(name, chosen) & held[name].differ(due[name])
            found.differing[name] = np.flatnonzero(wrong)
            found.rows[name] = np.maximum(held[name].counts, due[name].counts)
        return found

    def parts(self, name: str, found: Compared) -> list[Ints]:
        """A table's blocks that differ, so many at a time as fit into memory with their rows."""
        blocks = found.differing[name]
        if not len(blocks):
            return []
        share = np.cumsum(np.maximum(found.rows[name][blocks], 1)) // ROWS_AT_ONCE
        return np.split(blocks, np.flatnonzero(np.diff(share)) + 1)

    def _due(self, name: str, chosen: Bools) -> Bools:
        """Of the chosen blocks those whose rows the table has."""
        standing, kept = self.lake.tables[name], self.lake.kept
        due = chosen & kept.due(standing.offset, standing.state.released)
        due[[*self.bad]] = False
        return due

    def difference(self, name: str, blocks: Ints) -> Difference:
        """Row by row, as the table stands now. Raises as `compare`."""
        kept, spec = self.lake.kept, self.lake.tables[name].spec
        chosen = np.zeros(len(kept.blocks), bool)
        chosen[blocks] = True
        span = (int(kept.offsets[blocks[0]]) - 1, int(kept.offsets[blocks[-1]]))
        found = Difference(spec, span)
        due = [*self._due_rows(name, chosen)]
        held = [*self.lake.held(name, chosen)]
        due_keys = _joined([keys_of(block, numbers_of(rows, spec)) for rows, block in due])
        held_keys = _joined([keys_of(part.block, part.numbers) for part in held])
        lack, much = np.zeros(len(chosen), np.int64), np.zeros(len(chosen), np.int64)
        at = 0
        lacks = beyond(due_keys, held_keys)
        for rows, block in due:
            mine = lacks[at : at + rows.num_rows]
            at += rows.num_rows
            found.due.append(rows)
            found.days |= self._days(block[mine], times(rows["ts"])[mine])
            np.add.at(lack, block[mine], 1)
        at = 0
        surplus = beyond(held_keys, due_keys)
        for part in held:
            mine = surplus[at : at + len(part.places)]
            at += len(part.places)
            found.held.setdefault(part.path, []).append(part.places)
            found.days |= self._days(part.block[mine], part.ts[mine])
            np.add.at(much, part.block[mine], 1)
        found.different = int(np.minimum(lack, much).sum())
        found.missing = int(lack.sum()) - found.different
        found.doubled = int(much.sum()) - found.different
        return found

    def _due_rows(self, name: str, chosen: Bools) -> Iterator[tuple[pa.Table, Ints]]:
        """What the journal gives of a table's rows of chosen blocks."""
        columns = self.lake.tables[name].spec.schema.names
        for tables, _ in self.journal.rows(chosen, lambda *_: None):
            if name in tables:
                rows, origin = tables[name]
                block = self.lake.open_to(name, rows, origin)
                mine = block != UNKNOWN
                yield rows.select(columns).filter(pa.array(mine)), block[mine]

    def _days(self, block: Ints, ts: Ints) -> set[Day]:
        blocks = self.lake.kept.blocks
        return gateway_days([blocks[one][0] for one in block.tolist()], ts)


def _joined(parts: list[Numbers]) -> Numbers:
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)
