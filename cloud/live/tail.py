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

from cloud.lake.embedded import OFFSET_COLUMN, Decoded
from cloud.lake.rollup import numbers
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import times
from cloud.live.packed import Packed, Runs

JOINED_BYTES_MAX: Final = 32 << 20
"""Larger batches are not made: joining two takes both again, and what the tables take over of one
takes what is left of it again. So a tail takes little more than its rows do."""


ASKED: Final = ("series", "ts", "value", "text", "quality", "epoch", "seq")
"""Columns of `readings` that a question about series reads."""


@dataclass(frozen=True, slots=True)
class TailRows:
    """Arranged rows of one table, encoded, and where in them each series stands."""

    packed: Packed
    runs: Runs

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """From rows of any order with OFFSET_COLUMN."""
        return cls.arranged(lake_parquet.arrange(rows))

    @classmethod
    def arranged(cls, rows: pa.Table) -> Self:
        """From rows, at least one, of which those of one series stand together in order."""
        rows = rows.combine_chunks()
        series = numbers(rows["series"])
        starts = lake_parquet.run_starts(series)
        packed = Packed.of(rows, starts)
        return cls(packed, Runs.of(series[starts].astype(np.int64), packed.runs, packed.rows))

    @property
    def rows(self) -> pa.Table:
        """All of them, decoded."""
        return self.packed.slice(0, self.packed.rows)

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return self.packed.nbytes + self.runs.nbytes

    def of_series(
        self, series: int, from_us: int, to_us: int, columns: Sequence[str] = ()
    ) -> pa.Table | None:
        """Rows of one series with times in [from, to), in order; None where there are none.

        Of these columns alone where some are named: decoding the others is spared.
        """
        run = self.runs.get(series)
        if run is None:
            return None
        ts = times(self.packed.column("ts", *run))
        low, high = (np.searchsorted(ts, [from_us, to_us]) + run[0]).tolist()
        return self.packed.slice(low, high, columns) if high > low else None


@dataclass(frozen=True, slots=True)
class TailBatch:
    """Rows of all tables of the journal's offsets after ``start`` up to ``end``."""

    start: int
    end: int
    tables: Mapping[str, TailRows]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.packed.rows for table in self.tables.values())

    @property
    def bytes(self) -> int:
        """Memory that the rows take."""
        return sum(table.nbytes for table in self.tables.values())


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
        rows = table.rows
        rows = rows.filter(pc.greater(rows[OFFSET_COLUMN], offset))
        if rows.num_rows:
            tables[name] = TailRows.of(rows)
    return TailBatch(offset, batch.end, MappingProxyType(tables))
