"""History as columns and tables: one series after another, or side by side on one grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.query.history import Ask, History
from cloud.query.plan import Buckets, Resolution, buckets_for, span
from cloud.query.rows import BucketSeries, More, RawSeries
from cloud.query.written import column
from cloud.rollup.quantiles import SHARES as QUANTILES

COLUMNS: Final = ("count", "mean", "min", "max", "first", "last", "sum", "text")
"""What a bucket tells of its readings; `text` is the last one where it was a text."""
MORE: Final[Mapping[str, More]] = {
    **dict.fromkeys(("time_mean", "covered_us"), More.OVER_TIME),
    "increase": More.INCREASE,
    **dict.fromkeys((*QUANTILES, "quantile_error"), More.QUANTILES),
    "durations": More.DURATIONS,
}
"""What is told when it is asked for by name, for it takes more reading."""
ALL: Final = (*COLUMNS, *MORE)
_TIME: Final = pa.timestamp("us", "UTC")
_WORDS: Final = frozenset({"text", "durations"})
"""What is no number."""
_COUNTS: Final = frozenset({"count", "covered_us"})
"""Whole numbers, 0 where there is no reading."""


def with_edges(from_us: int, to_us: int, points: int, asked: Resolution) -> Buckets:
    """The buckets of one width that the server picks, with all their edges."""
    made = buckets_for(from_us, to_us, points, asked)
    first, end = span(from_us, to_us, made.width_us)
    edges = np.arange(first, end + 1, made.width_us, dtype=np.int64)
    edges = edges[:1] if from_us == to_us else edges
    return Buckets(made.width_us, made.tier, made.name, edges)


def long(found: History, names: Sequence[Name], columns: Sequence[str]) -> pa.Table:
    """A row a reading or bucket, with the names of its series beside it."""
    of = {name.id: name for name in names}
    parts = [
        _raw(each, of[each.id]) if isinstance(each, RawSeries) else _bucketed(each, of, columns)
        for each in found.series
    ]
    return pa.concat_tables(parts).unify_dictionaries()


def _raw(series: RawSeries, name: Name) -> pa.Table:
    rows = len(series.ts)
    text = np.full(rows, None, object) if series.text is None else series.text
    value = pa.array(series.value, mask=np.array([each is not None for each in text], bool))
    quality = pa.array(series.quality.astype(np.int8))
    held = {"value": value, "text": pa.array(text, pa.string()), "quality": quality}
    return pa.table(_names(name, rows) | {"ts": _times(series.ts)} | held)


def _bucketed(series: BucketSeries, of: Mapping[int, Name], columns: Sequence[str]) -> pa.Table:
    held = {each: _array(column(series, each), each) for each in columns}
    names = _names(of[series.id], len(series.partials))
    return pa.table(names | {"ts": _times(series.partials.bucket)} | held)


def _array(values: NDArray[Any], name: str) -> pa.Array:
    return pa.array(values, _TYPES.get(name))


def _times(ts: NDArray[np.int64]) -> pa.Array:
    return pa.array(ts.astype(np.int64, copy=False)).view(_TIME)


def _names(name: Name, rows: int) -> dict[str, pa.Array]:
    """Columns of one word each, which take no room for every row."""
    words = {"series": f"{name.id:016x}", "gateway": name.gateway}
    words |= {"device": name.device, "metric": name.metric, "unit": name.unit}
    index = pa.array(np.zeros(rows, np.int32))
    return {
        each: pa.DictionaryArray.from_arrays(index, pa.array([word], pa.string()))
        for each, word in words.items()
    }


@dataclass(frozen=True, slots=True)
class Wide:
    """``t`` the starts of all buckets, ``values`` a column each of ``columns_told``."""

    t: NDArray[np.int64]
    values: list[Any]
    columns_told: list[dict[str, str]]

    def table(self) -> pa.Table:
        """The frame: `ts`, and a column by its name."""
        arrays = {"ts": _times(self.t)}
        for told, values in zip(self.columns_told, self.values, strict=True):
            arrays[told["name"]] = (
                pa.array(values, from_pandas=True)
                if isinstance(values, np.ndarray)
                else pa.array(values, _TYPES.get(told["column"]))
            )
        return pa.table(arrays)


_TYPES: Final[Mapping[str, pa.DataType]] = {
    "text": pa.string(),
    "durations": pa.list_(
        pa.struct(
            {"us": pa.int64(), "value": pa.float64(), "text": pa.string(), "others": pa.int64()}
        )
    ),
    **dict.fromkeys(_COUNTS, pa.int64()),
}


def wide(found: History, names: Sequence[Name], ask: Ask, columns: Sequence[str]) -> Wide:
    """Series side by side: a row for every bucket of the range, null where there is nothing."""
    assert found.buckets is not None
    assert found.buckets.edges is not None
    grid = found.buckets.edges[:-1]
    told, values = [], []
    labels = _labels(names)
    for each, name, label in zip(found.series, names, labels, strict=True):
        assert isinstance(each, BucketSeries)
        at = np.searchsorted(grid, each.partials.bucket)
        for one in columns:
            full = f"{label}:{one}" if len(columns) > 1 else label
            told.append({"id": f"{name.id:016x}", "column": one, "name": full, "unit": name.unit})
            values.append(_spread(column(each, one), at, len(grid), one))
    return Wide(grid, values, told)


def _spread(values: NDArray[Any], at: NDArray[np.int64], rows: int, name: str) -> Any:
    if name in _WORDS:
        held = np.full(rows, None, object)
        held[at] = values
        return held.tolist()
    if name in _COUNTS:
        counts = np.zeros(rows, np.int64)
        counts[at] = values
        return counts.tolist()
    spread = np.full(rows, np.nan)
    spread[at] = values
    return spread


def _labels(names: Sequence[Name]) -> list[str]:
    """Names of columns: as short as they can be and differ."""
    short = [f"{name.device}/{name.metric}" for name in names]
    longer = [f"{name.gateway}/{label}" for name, label in zip(names, short, strict=True)]
    ids = [f"{label}#{name.id:016x}" for name, label in zip(names, longer, strict=True)]
    return next(each for each in (short, longer, ids) if len(set(each)) == len(names))
