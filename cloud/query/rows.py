"""Rows of an answer to history: raw readings and buckets, put in order, joined and cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.rollup import numbers, objects
from cloud.lake.table.parquet import times
from cloud.query.clean import Bad
from cloud.rollup.partials import Partials, Readings
from cloud.rollup.time import Over


@dataclass(frozen=True, slots=True, eq=False)
class RawSeries:
    """Readings in order of time, then arrival; ``text`` None where no reading was a text."""

    id: int
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    text: NDArray[Any] | None
    quality: NDArray[Any]

    def first(self, rows: int) -> "RawSeries":
        """The first so many readings."""
        return cut(self, 0, rows)


class More(Enum):
    """What buckets tell only when it is asked for, because it takes more reading."""

    OVER_TIME = 0
    INCREASE = 1
    QUANTILES = 2
    DURATIONS = 3
    EXACT_QUANTILES = 4
    """From the readings, whatever is kept of them."""


OVER: Final = frozenset({More.OVER_TIME, More.INCREASE})
"""What `BucketSeries.over` tells."""
QUANTILES: Final = frozenset({More.QUANTILES, More.EXACT_QUANTILES})
"""What `BucketSeries.quantiles` tells."""
LISTS: Final = frozenset({More.QUANTILES, More.DURATIONS})
"""What rollups of hours and days have lists for."""


@dataclass(frozen=True, slots=True)
class Duration:
    """For how long a state stood, a number or a text; or ``others`` of them, told as one."""

    us: int
    value: float
    text: str | None
    others: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BucketSeries:
    """Buckets that hold anything, in order; of `More` what was asked.

    ``over`` is what they were over time, its increases NaN where they were not asked for;
    ``quantiles`` have names, each at most ``error`` off; some are ``of_bins``, not of all readings.
    ``durations`` are by bucket. Where retention removed the readings that would tell, a quantile,
    its error and what was over time are NaN, and durations None.
    """

    id: int
    partials: Partials
    over: Over | None = None
    quantiles: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    error: NDArray[np.float64] | None = None
    of_bins: bool = False
    durations: Sequence[tuple[Duration, ...] | None] = ()


def ordered(series: int, parts: Sequence[pa.Table]) -> RawSeries:
    """Rows of tables and tail in one order: time, then epoch and seq, then as they stood.

    Of parts without those no two have a time in common.
    """

    def column(name: str) -> NDArray[Any]:
        of = times if name == "ts" else objects if name == "text" else numbers
        return np.concatenate([of(part[name]) for part in parts])

    ts, value, quality = column("ts"), column("value"), column("quality")
    some = any(part["text"].null_count < part.num_rows for part in parts)
    text = column("text") if some else None
    if len(parts) > 1:
        origin = [column(name) for name in ("seq", "epoch") if name in parts[0].column_names]
        order = np.lexsort((*origin, ts))
        ts, value, quality = ts[order], value[order], quality[order]
        text = text if text is None else text[order]
    return RawSeries(series, ts, value, text, quality)


def joined(series: int, pages: Sequence[RawSeries]) -> RawSeries:
    """Pages of one series, which follow each other."""
    if not pages:
        none = np.empty(0, np.int64)
        return RawSeries(series, none, np.empty(0), None, none)
    texts = [page.text for page in pages]
    blank = [
        np.full(len(page.ts), None, object) if page.text is None else page.text for page in pages
    ]
    return RawSeries(
        series,
        np.concatenate([page.ts for page in pages]),
        np.concatenate([page.value for page in pages]),
        np.concatenate(blank) if any(text is not None for text in texts) else None,
        np.concatenate([page.quality for page in pages]),
    )


def only(rows: RawSeries, bad: Bad) -> RawSeries:
    """The readings that are not bad."""
    return picked(rows, bad.good(rows.ts))


def picked(rows: RawSeries, mask: NDArray[np.bool_]) -> RawSeries:
    """The readings that a mask leaves."""
    text = None if rows.text is None else rows.text[mask]
    return RawSeries(rows.id, rows.ts[mask], rows.value[mask], text, rows.quality[mask])


def without(rows: Readings, bad: Bad) -> Readings:
    """The readings that are not bad, as columns for a rollup."""
    return rows.where(bad.good(rows.ts)) if bad else rows


def cut(rows: RawSeries, start: int, end: int) -> RawSeries:
    """The readings from one place to another."""
    text = None if rows.text is None else rows.text[start:end]
    if text is not None and pa.array(text, pa.string()).null_count == len(text):
        text = None
    part = slice(start, end)
    return RawSeries(rows.id, rows.ts[part], rows.value[part], text, rows.quality[part])
