"""The tail: decoded rows of the journal that are not yet in the tables, found by series.

Batches are immutable; a new tail is a new tuple. Neighbours are joined as they come to be many, so
that a query looks into few of them however small the blocks were.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud.lake.embedded import OFFSET_COLUMN, Decoded
from cloud.lake.names import GATEWAY_ITSELF, Name
from cloud.lake.rollup import numbers
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import times
from cloud.lake.table.schema import READINGS, SERIES_COLUMNS
from cloud.live.packed import Packed, Plain, Runs
from cloud.live.packed_join import Order, join
from cloud.live.series import names_in

JOINED_BYTES_MAX: Final = 32 << 20
"""Larger batches are not made: joining some takes them again, and what the tables take over of one
takes what is left of it again. So a tail takes little more than its rows do."""
JOINED: Final = 4
"""Batches that are joined at a time: each level of joining encodes a reading once more, and two at
a time are twice as many levels as four."""


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

    @classmethod
    def of_one(cls, series: int, rows: pa.Table) -> Self:
        """From what `series_rows` tells of one series; it stays as it is."""
        first = np.zeros(1, np.int32)
        columns = {name: Plain(rows[name].chunk(0)) for name in rows.column_names}
        packed = Packed(rows.schema, rows.num_rows, first, columns)
        return cls(packed, Runs.of(np.array([series]), first, packed.rows))

    @classmethod
    def joined(cls, parts: Sequence["TailRows"]) -> "TailRows":
        """Rows of all parts of one table, those of an earlier one first among equal times.

        Decoded and arranged only where times of one series go back from one part to a later one.
        """
        packed = [part.packed for part in parts]
        heads = pa.concat_tables([part.heads(SERIES_COLUMNS) for part in packed])
        series = numbers(heads["series"]).astype(np.int64)
        order = Order.of(packed, lake_parquet.ranks(heads.unify_dictionaries().combine_chunks()))
        is_clear = (series != GATEWAY_ITSELF).all()  # else one run has rows of many gateways
        if not is_clear or _is_late(packed, order):
            return cls.of(pa.concat_tables([part.rows for part in parts]))
        whole = join(packed, order)
        return cls(whole, Runs.of(series[order.perm][order.first], whole.runs, whole.rows))

    @property
    def rows(self) -> pa.Table:
        """All of them, decoded."""
        return self.packed.slice(0, self.packed.rows)

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return self.packed.nbytes + self.runs.nbytes

    def names(self, series: NDArray[np.int64]) -> list[Name]:
        """The names of series that are among them."""
        return names_in(self.packed.slice(0, self.packed.rows, SERIES_COLUMNS), series)

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


def series_rows(
    tail: Iterable[TailBatch], series: int, from_us: int, to_us: int
) -> Iterator[tuple[int, pa.Table]]:
    """Readings of one series in [from, to), the columns ASKED: an offset that they are after, rows.

    Those of batches that follow each other in time come as one, so that as little as can be is done
    for each batch.
    """
    held: list[pa.Table] = []
    start, end_us = 0, 0
    for batch in tail:
        table = batch.tables.get(READINGS.name)
        rows = None if table is None else table.of_series(series, from_us, to_us, ASKED)
        if rows is None:
            continue
        first_us, last_us = (rows["ts"][at].value for at in (0, -1))
        if held and first_us <= end_us:
            yield start, _one(held)
            held = []
        if not held:
            start = batch.start
        held.append(rows)
        end_us = last_us
    if held:
        yield start, _one(held)


def _one(parts: Sequence[pa.Table]) -> pa.Table:
    """Parts of one table, one after the other, each column in one piece."""
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def batch_of(decoded: Decoded, start: int) -> TailBatch:
    """A batch from what was decoded after offset ``start``."""
    tables = {name: TailRows.of(rows) for name, rows in decoded.tables.items()}
    return TailBatch(start, decoded.end, MappingProxyType(tables))


def extend(
    tail: Sequence[TailBatch], batch: TailBatch, joined_bytes_max: int = JOINED_BYTES_MAX
) -> tuple[TailBatch, ...]:
    """The tail with one more batch at its end; JOINED of like size become one, to a bound."""
    batches = [*tail, batch]
    while (last := _alike(batches, joined_bytes_max)) >= JOINED:
        batches[-last:] = [_join(batches[-last:])]
    return tuple(batches)


def _alike(batches: Sequence[TailBatch], bytes_max: int) -> int:
    """How many at the end are of the last one's size or smaller, and together within bytes."""
    size, found, of_all = _size(batches[-1]), 0, 0
    for batch in reversed(batches):
        of_all += batch.bytes
        if of_all > bytes_max or _size(batch) > size:
            break
        found += 1
    return found


def _size(batch: TailBatch) -> int:
    """How large: one more where it has JOINED times the rows."""
    return int(math.log(max(batch.rows, 1), JOINED))


def after(tail: Sequence[TailBatch], offset: int) -> tuple[TailBatch, ...]:
    """The tail without what is up to ``offset``: that is in the tables now."""
    return tuple(
        batch if batch.start >= offset else _cut(batch, offset)
        for batch in tail
        if batch.end > offset
    )


def _join(batches: Sequence[TailBatch]) -> TailBatch:
    found: dict[str, list[TailRows]] = {}
    for batch in batches:
        for name, rows in batch.tables.items():
            found.setdefault(name, []).append(rows)
    tables = {
        name: parts[0] if len(parts) == 1 else TailRows.joined(parts)
        for name, parts in found.items()
    }
    return TailBatch(batches[0].start, batches[-1].end, MappingProxyType(tables))


def _is_late(parts: Sequence[Packed], order: Order) -> bool:
    """Whether a run begins before the one of its series ends that is to stand before it."""
    heads, ends = [], []
    for part in parts:
        ts = times(part.column("ts", 0, part.rows))
        heads.append(ts[part.runs])
        ends.append(ts[np.append(part.runs[1:], part.rows) - 1])
    begins, last = np.concatenate(heads)[order.perm], np.concatenate(ends)[order.perm]
    late = begins[1:] < last[:-1]
    late[order.first[1:] - 1] = False
    return bool(late.any())


def _cut(batch: TailBatch, offset: int) -> TailBatch:
    tables = {}
    for name, table in batch.tables.items():
        rows = table.rows
        rows = rows.filter(pc.greater(rows[OFFSET_COLUMN], offset))
        if rows.num_rows:
            tables[name] = TailRows.of(rows)
    return TailBatch(offset, batch.end, MappingProxyType(tables))
