"""Rows of every table from decoded blocks; a rollup is made from the next finer that is whole."""

from collections.abc import Iterator

import pyarrow as pa

from cloud.lake.embedded import Decoded
from cloud.lake.rollup import Rolled, coarser, reduce_rows
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.schema import RARE, READINGS, ROLLUPS, TableSpec, is_whole


def rows_of(decoded: Decoded, start: int) -> dict[str, pa.Table]:
    """Rows of every table, arranged, from the blocks after offset ``start``."""
    rows = {spec.name: _written(decoded, spec) for spec in (READINGS, *RARE)}
    return rows | dict(rollups_of(rows[READINGS.name], start))


def rollups_of(readings: pa.Table, part: int) -> Iterator[tuple[str, pa.Table]]:
    """Rows of each rollup, arranged, from arranged rows of `readings`; ``part`` as in `rollup`."""
    finer: Rolled | None = None
    for spec in ROLLUPS:
        made = coarser(finer, spec) if finer else reduce_rows(readings, spec, part)
        yield spec.name, made.rows
        if is_whole(spec):
            finer = made


def _written(decoded: Decoded, spec: TableSpec) -> pa.Table:
    rows = decoded.tables.get(spec.name)
    if rows is None:
        return spec.schema.empty_table()
    return lake_parquet.arrange(rows.select(spec.schema.names))
