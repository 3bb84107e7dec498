"""The lake's rows for the engines beside it: the very same, series numbered densely."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.lake.rollup import merge_rows
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.schema import EPISODES, ROLLUP_1D, ROLLUP_1H, TABLES, TableSpec
from cloud.lake.table.table import look

READINGS: Final = ("series", "ts", "value", "quality")
ROLLUP: Final = (
    "series", "ts", "count", "valid", "sum", "min", "max", "first", "last", "first_ts", "last_ts",
)  # fmt: skip
EPISODE: Final = ("series", "ts", "end_ts", "peak_ts", "peak", "threshold", "points")
COLUMNS: Final = {
    "readings": READINGS,
    ROLLUP_1H.name: ROLLUP,
    ROLLUP_1D.name: ROLLUP,
    EPISODES.name: EPISODE,
}
BATCH: Final = 1_000_000


class LakeRows:
    """Reads a lake's tables, a batch at a time; ``ids`` are the series in the lake's order."""

    def __init__(self, lake: Path, ids: NDArray[np.int64]) -> None:
        self._lake = lake
        self._order = np.argsort(ids)
        self._sorted = ids[self._order]

    def batches(self, table: str) -> Iterator[pa.Table]:
        """Columns of COLUMNS; of a rollup one row a bucket."""
        spec = TABLES[table]
        partial = []
        for file in look(self._lake, spec).files.files:
            path = self._lake / table / file.path
            if spec.width_us and file.end:  # of set A; a bucket may have several rows
                partial.append(lake_parquet.read([path], spec))
                continue
            for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=list(COLUMNS[table])):
                yield self._numbered(pa.Table.from_batches([batch]), spec)
        if partial:
            merged = merge_rows(pa.concat_tables(partial), spec)
            yield self._numbered(merged.select(COLUMNS[table]), spec)

    def _numbered(self, rows: pa.Table, spec: TableSpec) -> pa.Table:
        series = rows["series"].to_numpy()
        number = self._order[np.searchsorted(self._sorted, series)].astype(np.int32)
        columns: dict[str, Any] = {name: rows[name] for name in COLUMNS[spec.name]}
        for name, column in columns.items():
            if pa.types.is_timestamp(column.type):
                columns[name] = column.cast(pa.timestamp("us", "UTC"))
        return pa.table({**columns, "series": pa.array(number)})
