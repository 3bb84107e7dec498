"""Parts of tables read and put in place of others: what all mending of a table has in common."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from cloud.lake import plan as lake_plan
from cloud.lake.correction import Ints, apart
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.files import DataFile
from cloud.lake.table.parquet import times
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable, Piece

Spans = Sequence[tuple[int, int]]
"""Times in µs, both ends inside."""


def rows_of(table: LakeTable, file: DataFile, columns: Sequence[str] = ()) -> pa.Table:
    """The rows of a file, of these columns alone where some are named."""
    return lake_parquet.read([table.folder / file.path], table.spec, columns)


def near(table: LakeTable, spans: Mapping[str, Spans]) -> list[DataFile]:
    """The files that may hold rows of a gateway within its spans, each once."""
    merged = {gateway: apart(each) for gateway, each in spans.items() if each}
    return [
        file
        for file in table.state.files.files
        if any(
            _may_hold(file, gateway) and _meets(file, first, last)
            for gateway, (first, last) in merged.items()
        )
    ]


def pieces_of(rows: pa.Table, table: LakeTable, start: int, end: int) -> list[Piece]:
    """Rows of any order, arranged and parted by the table's periods."""
    rows = lake_parquet.arrange(rows)
    return [
        Piece(
            rows if isinstance(part.rows, slice) else rows.take(pa.array(part.rows)),
            part.period,
            start,
            end,
        )
        for part in lake_plan.split(times(rows["ts"]), table.spec.grain)
    ]


def replace(
    table: LakeTable, files: Sequence[DataFile], pieces: Sequence[Piece], sweeper: Sweeper
) -> None:
    """In one commit, the pieces in place of the files, which go when nobody reads them."""
    table.replace(files, _joined(pieces))
    sweeper.retire(table, [file.path for file in files])


def _may_hold(file: DataFile, gateway: str) -> bool:
    return file.devices is None or file.devices[0][0] <= gateway <= file.devices[1][0]


def _meets(file: DataFile, first: Ints, last: Ints) -> bool:
    """Whether a file's times meet any of the spans, which are `apart`."""
    at = int(np.searchsorted(first, file.ts_max, "right")) - 1
    return at >= 0 and bool(last[at] >= file.ts_min)


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces of one period and the same offsets as one; those without rows are left out."""
    by: dict[tuple[str, int, int], list[pa.Table]] = {}
    for one in pieces:
        if one.rows.num_rows:
            by.setdefault((one.period, one.start, one.end), []).append(one.rows)
    return [
        Piece(rows[0] if len(rows) == 1 else lake_parquet.arrange(pa.concat_tables(rows)), *where)
        for where, rows in by.items()
    ]
