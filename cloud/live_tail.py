"""The tail: decoded rows of the journal that are not yet in the tables, found by series.

Batches are immutable; a new tail is a new tuple. Neighbours are joined as they grow, so that a
query looks into few of them however small the blocks were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud.lake_embedded import OFFSET_COLUMN, Decoded
from cloud.lake_rollup import numbers
from cloud.lake_table import parquet as lake_parquet
from cloud.lake_table.parquet import times

JOINED_BYTES_MAX: Final = 32 << 20
"""Larger batches are not made: joining two takes both again, and what the tables take over of one
takes what is left of it again. So a tail takes little more than its rows do."""


@dataclass(frozen=True, slots=True)
class TailRows:
    """Arranged rows of one table, and where in them each series stands."""

    rows: pa.Table
    runs: Mapping[int, tuple[int, int]]

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """From rows of any order with OFFSET_COLUMN."""
        rows = lake_parquet.arrange(rows).combine_chunks()
        series = numbers(rows["series"])
        edges = np.flatnonzero(np.diff(series)) + 1
        starts = [0, *edges.tolist()]
        ends = [*edges.tolist(), len(series)]
        named = zip(series[starts].tolist(), zip(starts, ends, strict=True), strict=True)
        return cls(rows, MappingProxyType(dict(named)))

    def of_series(self, series: int, from_us: int, to_us: int) -> pa.Table | None:
        """Rows of one series with times in [from, to), in order; None where there are none."""
        run = self.runs.get(series)
        if run is None:
            return None
        rows = self.rows.slice(run[0], run[1] - run[0])
        low, high = np.searchsorted(times(rows["ts"]), [from_us, to_us]).tolist()
        return rows.slice(low, high - low) if high > low else None


@dataclass(frozen=True, slots=True)
class TailBatch:
    """Rows of all tables of the journal's offsets after ``start`` up to ``end``."""

    start: int
    end: int
    tables: Mapping[str, TailRows]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows.num_rows for table in self.tables.values())

    @property
    def bytes(self) -> int:
        """Memory that the rows take."""
        return sum(table.rows.nbytes for table in self.tables.values())


def batch_of(decoded: Decoded, start: int) -> TailBatch:
    """A batch from what was decoded after offset ``start``."""
    tables = {name: TailRows.of(rows) for name, rows in decoded.tables.items()}
    return TailBatch(start, decoded.end, MappingProxyType(tables))


def extend(
    tail: Sequence[TailBatch], batch: TailBatch, joined_bytes_max: int = JOINED_BYTES_MAX
) -> tuple[TailBatch, ...]:
    """The tail with one more batch at its end, neighbours of like size joined, to a bound."""
    batches = [*tail, batch]
    while len(batches) > 1 and batches[-2].rows <= 2 * batches[-1].rows:
        if batches[-2].bytes + batches[-1].bytes > joined_bytes_max:
            break
        last = batches.pop()
        batches.append(_join(batches.pop(), last))
    return tuple(batches)


def after(tail: Sequence[TailBatch], offset: int) -> tuple[TailBatch, ...]:
    """The tail without what is up to ``offset``: that is in the tables now."""
    return tuple(
        batch if batch.start >= offset else _cut(batch, offset)
        for batch in tail
        if batch.end > offset
    )


def _join(first: TailBatch, second: TailBatch) -> TailBatch:
    tables = dict(first.tables)
    for name, more in second.tables.items():
        have = tables.get(name)
        tables[name] = (
            more if have is None else TailRows.of(pa.concat_tables([have.rows, more.rows]))
        )
    return TailBatch(first.start, second.end, MappingProxyType(tables))


def _cut(batch: TailBatch, offset: int) -> TailBatch:
    tables = {}
    for name, table in batch.tables.items():
        rows = table.rows.filter(pc.greater(table.rows[OFFSET_COLUMN], offset))
        if rows.num_rows:
            tables[name] = TailRows.of(rows)
    return TailBatch(offset, batch.end, MappingProxyType(tables))
