"""History as columns and tables: one series after another, or side by side on one grid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud import rollup
from cloud.lake_names import Name
from cloud.query import Ask, History
from cloud.query_plan import Buckets, Resolution, buckets_for, span
from cloud.query_rows import BucketSeries, RawSeries
from cloud.rollup import Partials

COLUMNS: Final = ("count", "mean", "min", "max", "first", "last", "sum", "text")
"""What a bucket can tell of its readings; `text` is the last one where it was a text."""
GAPS_MAX: Final = 1000
"""Gaps told of one series: the longest."""
_TIME: Final = pa.timestamp("us", "UTC")
_OF: Final[Mapping[str, Callable[[Partials], NDArray[Any]]]] = {
    "mean": rollup.mean,
    "text": lambda partials: partials.last_text,
}


def column(partials: Partials, name: str) -> NDArray[Any]:
    """One of COLUMNS."""
    made = _OF.get(name)
    found: NDArray[Any] = made(partials) if made else getattr(partials, name)
    return found


def with_edges(from_us: int, to_us: int, points: int, asked: Resolution) -> Buckets:
    """The buckets of one width that the server picks, with all their edges."""
    made = buckets_for(from_us, to_us, points, asked)
    first, end = span(from_us, to_us, made.width_us)
    edges = np.arange(first, end + 1, made.width_us, dtype=np.int64)
    edges = edges[:1] if from_us == to_us else edges
    return Buckets(made.width_us, made.tier, made.name, edges)


def gaps(bucket: NDArray[np.int64], buckets: Buckets, ask: Ask) -> list[list[int]]:
    """Runs of buckets without a reading as [start, end) µs: the GAPS_MAX longest, in order."""
    if ask.from_us == ask.to_us:
        return []
    if buckets.edges is not None:
        start, end = int(buckets.edges[0]), int(buckets.edges[-1])
        after = buckets.edges[np.searchsorted(buckets.edges, bucket, "right")]
    else:
        start, end = span(ask.from_us, ask.to_us, buckets.width_us)
        after = bucket + buckets.width_us
    opens = np.concatenate([[start], after])
    closes = np.concatenate([bucket, [end]])
    there = np.flatnonzero(closes > opens)
    longest = there[np.argsort(opens[there] - closes[there], kind="stable")[:GAPS_MAX]]
    held = np.sort(longest)
    return [list(pair) for pair in zip(opens[held].tolist(), closes[held].tolist(), strict=True)]


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
    partials = series.partials
    held = {each: _array(column(partials, each), each) for each in columns}
    names = _names(of[series.id], len(partials))
    return pa.table(names | {"ts": _times(partials.bucket)} | held)


def _array(values: NDArray[Any], name: str) -> pa.Array:
    return pa.array(values, pa.string()) if name == "text" else pa.array(values)


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


_TYPES: Final[Mapping[str, pa.DataType]] = {"count": pa.int64(), "text": pa.string()}


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
            values.append(_spread(column(each.partials, one), at, len(grid), one))
    return Wide(grid, values, told)


def _spread(values: NDArray[Any], at: NDArray[np.int64], rows: int, name: str) -> Any:
    if name == "text":
        held = np.full(rows, None, object)
        held[at] = values
        return held.tolist()
    spread = np.full(rows, 0 if name == "count" else np.nan)
    spread[at] = values
    return spread.astype(np.int64).tolist() if name == "count" else spread


def _labels(names: Sequence[Name]) -> list[str]:
    """Names of columns: as short as they can be and differ."""
    short = [f"{name.device}/{name.metric}" for name in names]
    longer = [f"{name.gateway}/{label}" for name, label in zip(names, short, strict=True)]
    ids = [f"{label}#{name.id:016x}" for name, label in zip(names, longer, strict=True)]
    return next(each for each in (short, longer, ids) if len(set(each)) == len(names))
