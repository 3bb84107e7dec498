"""Rollup tables to and from the columns that `cloud.rollup.partials` works on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.lists import bins_of, list_columns, states_of
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import one, times
from cloud.lake.table.schema import ROLLUP_1M, SERIES_COLUMNS, TableSpec, has_lists
from cloud.rollup import partials as rollup
from cloud.rollup.partials import COLUMNS, Partials, Readings
from cloud.rollup.time import UNKNOWN
from protos.series import SeriesKind

_TABLE_NAME: Final = {"bucket": "ts", "held": "held_us"}
_NAME_IN: Final = {table: name for name, table in _TABLE_NAME.items()}
_KNOWN_OF: Final = frozenset({"integral", "held", "reset_sum"})
_ENDS: Final = {"head": "first", "tail": "last"}
"""Null where the reading beside it is a number: it is the same one."""
REDUCED: Final = (*SERIES_COLUMNS, "ts", "value", "text", "quality")
"""Columns of `readings` that a rollup is made of: the others are not copied for it."""


def readings_of(rows: pa.Table, kind: int = SeriesKind.GAUGE) -> Readings:
    """Rows of `readings`, arranged, as columns; a text's value is NaN.

    Of series of this ``kind``, where the rows do not say it.
    """
    rows = rows.combine_chunks()
    return Readings(
        numbers(rows["series"]),
        times(rows["ts"]),
        numbers(rows["value"]),
        objects(rows["text"]),
        numbers(rows["quality"]).astype(np.uint8),
        _of_states(rows, kind),
        has_text=rows["text"].null_count < rows.num_rows,
    )


def _of_states(rows: pa.Table, kind: int) -> NDArray[np.bool_]:
    of = numbers(rows["kind"]) if "kind" in rows.column_names else np.full(rows.num_rows, kind)
    is_state: NDArray[np.bool_] = of == SeriesKind.STATE
    return is_state


def partials_of(rows: pa.Table, kind: int = SeriesKind.GAUGE) -> Partials:
    """Rows of a rollup table, of any order, as columns; ``kind`` as for `readings_of`.

    Without its columns that say what was over time it is not known; no more are bins and states.
    """
    there = set(rows.column_names)
    columns: dict[str, Any] = {}
    for field in COLUMNS:
        name = _TABLE_NAME.get(field, field)
        if name not in there:
            columns[field] = np.zeros(rows.num_rows)
        elif pa.types.is_timestamp(rows[name].type):
            columns[field] = times(rows[name])
        elif field == "last_text":
            columns[field] = objects(rows[name])
        elif field == "held":
            columns[field] = one(rows[name]).fill_null(UNKNOWN).to_numpy()
        else:
            columns[field] = numbers(rows[name])
    columns["last_quality"] = columns["last_quality"].astype(np.uint8)
    columns["bins"] = bins_of(rows) if "bins" in there else None
    columns["states"] = states_of(rows, _of_states(rows, kind)) if "states" in there else None
    if "held_us" not in there:
        columns["held"] = np.full(rows.num_rows, UNKNOWN, np.int64)
        return Partials(**columns)
    for name, end in _ENDS.items():
        is_number = ~np.isnan(columns[end])
        columns[name] = np.where(is_number, columns[end] + 0.0, columns[name])
    return Partials(**columns)


@dataclass(frozen=True, slots=True, eq=False)
class Rolled:
    """Arranged rows of a rollup, and the same as columns; None where there are none of minutes."""

    rows: pa.Table
    partials: Partials | None


def reduce_rows(rows: pa.Table, spec: TableSpec, part: int) -> Rolled:
    """A rollup's rows from arranged rows of `readings`.

    Of minutes there are only those of series that come often enough (`rollup.dense`); for others
    `cloud.query.history` asks the readings.
    """
    rows = rows.select(REDUCED)
    readings = readings_of(rows)
    if spec is ROLLUP_1M:
        kept = rollup.dense(readings)
        if not kept.any():
            return Rolled(spec.schema.empty_table(), None)
        if not kept.all():
            rows = rows.filter(pa.array(kept))
            readings = readings_of(rows)
    made = rollup.reduce(readings, spec.width_us, part, lists=has_lists(spec))
    return Rolled(_to_rows(made, rows, spec), made)


def coarser(finer: Rolled, spec: TableSpec) -> Rolled:
    """A rollup's rows from those of the next finer one."""
    made = partials_of(finer.rows) if finer.partials is None else finer.partials
    made = rollup.merge(made, spec.width_us)
    return Rolled(_to_rows(made, finer.rows, spec), made)


def merge_rows(rows: pa.Table, spec: TableSpec) -> pa.Table:
    """One arranged row of ``spec`` per series and bucket, from rows of it or of a finer rollup."""
    return coarser(Rolled(rows.unify_dictionaries().combine_chunks(), None), spec).rows


def _to_rows(partials: Partials, source: pa.Table, spec: TableSpec) -> pa.Table:
    """Partials with the names of their series, which stand in ``source``."""
    series = numbers(source["series"])
    heads = lake_parquet.run_starts(series)
    known, first = np.unique(series[heads], return_index=True)
    at = pa.array(heads[first[np.searchsorted(known, partials.series)]])
    names = source.select(SERIES_COLUMNS).take(at)
    columns: list[Any] = []
    lists = list_columns(partials) if has_lists(spec) else {}
    for field in spec.schema:
        if field.name in SERIES_COLUMNS:
            columns.append(names[field.name])
            continue
        if field.name in lists:
            columns.append(lists[field.name])
            continue
        name = _NAME_IN.get(field.name, field.name)
        values = getattr(partials, name)
        if pa.types.is_timestamp(field.type):
            columns.append(pa.array(values).view(field.type))
        elif field.name == "last_text":
            columns.append(pa.array(values, pa.string()).dictionary_encode().cast(field.type))
        elif name in _KNOWN_OF:
            columns.append(pa.array(values, field.type, mask=partials.held == UNKNOWN))
        elif name in _ENDS:
            same = ~np.isnan(getattr(partials, _ENDS[name])) | np.isnan(values)
            columns.append(pa.array(values, field.type, mask=same))
        else:
            columns.append(pa.array(values).cast(field.type))
    return lake_parquet.arrange(pa.table(columns, schema=spec.schema))


def numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of numbers; nulls of a float column are NaN."""
    return cast("NDArray[Any]", one(column).to_numpy(zero_copy_only=False))


def objects(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of strings as objects, None where null; cheap where all are null."""
    if column.null_count == len(column):
        return np.full(len(column), None, object)
    found: Sequence[str | None] = column.to_pylist()
    array = np.empty(len(found), object)
    array[:] = found
    return array


def totals(partials: Partials) -> Partials:
    """One row per series over all its buckets."""
    return rollup.merge(replace(partials, bucket=np.zeros_like(partials.bucket)), rollup.DAY_US)
