"""Pure: aggregates of readings per series and bucket, made so that any split merges to the same.

A *partial* is one row per (series, bucket) made from some of the bucket's readings. Partials of
disjoint readings merge in any order and grouping; `cloud.lake` appends partials, compaction and
`cloud.query.history` merge them with the same functions.

The law of a partial, with a, b … its readings in (event time, arrival) order:

- ``count`` all readings, texts and NaN among them; ``valid`` those with a number that is not NaN.
- ``sum``, ``min``, ``max`` over the valid ones; 0, NaN, NaN where there are none. Infinities are
  numbers (inf − inf sums to NaN). A negative zero counts as zero.
- ``first`` and ``last`` are what the first and the last reading said, whatever that is: NaN, or a
  text (then ``last`` is NaN and ``last_text`` the text). Readings of one time are ordered by their
  arrival, across partials by ``part``, the journal offset where the partial's range begins.
- A float ``sum`` is exact up to rounding: its last digits depend on the split, nothing else does.
- ``integral``, ``held``, ``reset_sum``, ``head`` and ``tail`` as `cloud.rollup.time` says; where
  partials interleave in time ``held`` is UNKNOWN, and none of the five means anything. Of a joined
  series ``reset_sum`` alone may be unknown: NaN, which it is for no other reason.
- ``bins`` and ``states`` as `cloud.rollup.bins` and `cloud.rollup.states` say, where there are any.
"""

from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.rollup import bins as rollup_bins
from cloud.rollup import states as rollup_states
from cloud.rollup.rows import (
    COLUMNS,
    EMPTY,
    Array,
    Floats,
    Ints,
    Partials,
    Readings,
    concat,
    take,
)
from cloud.rollup.states import Ends, Said
from cloud.rollup.time import UNKNOWN, Steps, Sums, between, interleaved

__all__ = ["COLUMNS", "EMPTY", "Array", "Floats", "Ints", "Partials", "Readings", "concat", "take"]

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
DENSE_US: Final = 2_000_000
"""Mean time between readings below which a series has a rollup of minutes: 30 of them a bucket."""
_INT64_MIN: Final = np.iinfo(np.int64).min


def bucket_of(ts: Ints, width_us: int) -> Ints:
    """Start of each time's bucket; buckets are aligned to 1970-01-01T00:00Z."""
    held = np.maximum(ts, _INT64_MIN + width_us)  # the floor of the lowest times would overflow
    start: Ints = held // width_us * width_us  # numpy divides by one number in a tenth of % 's time
    return start


def reduce(readings: Readings, width_us: int, part: int, *, lists: bool = False) -> Partials:
    """Partials of ``width_us`` buckets; ``part`` is the offset where the readings' range begins.

    With bins and states if ``lists``.
    """
    return reduce_in(readings, bucket_of(readings.ts, width_us), part, lists=lists)


def reduce_in(readings: Readings, bucket: Ints, part: int, *, lists: bool = False) -> Partials:
    """Partials of the ``bucket`` that each reading is said to lie in."""
    series, ts = readings.series, readings.ts
    starts = _starts(series, bucket)
    ends = _ends(starts, len(ts))
    valid = ~np.isnan(readings.value)
    number = readings.value + 0.0  # −0.0 becomes 0.0
    count = ends - starts + 1
    # Mostly all are: then nothing is copied in order to blank what is none.
    is_all = bool(valid.all())
    some = count if is_all else _reduceat(np.add, valid.astype(np.int64), starts)

    def number_or(blank: float) -> Floats:
        return number if is_all else np.where(valid, number, blank)

    time = between(Steps(starts, ts, ts, number, number, number, valid))
    made = Partials(
        series=series[starts],
        bucket=bucket[starts],
        count=count,
        valid=some,
        sum=_reduceat(np.add, number_or(0.0), starts),
        min=_blank(_reduceat(np.minimum, number_or(np.inf), starts), some),
        max=_blank(_reduceat(np.maximum, number_or(-np.inf), starts), some),
        first_ts=ts[starts],
        first=readings.value[starts],
        last_ts=ts[ends],
        last=readings.value[ends],
        last_text=readings.text[ends],
        last_quality=readings.quality[ends],
        part=np.full(len(starts), part, np.int64),
        **_columns(time),
    )
    if not lists:
        return made
    bins = rollup_bins.reduce(number if is_all else number[valid], made.spread)
    return replace(made, bins=bins, states=_states(readings, starts))


def _states(readings: Readings, starts: Ints) -> rollup_states.States:
    said = Said(starts, readings.ts, readings.value, readings.text)
    of_states = np.broadcast_to(readings.of_states, len(readings.ts))[starts]
    return rollup_states.reduce(said, of_states, has_text=readings.has_text)


def dense(readings: Readings) -> NDArray[np.bool_]:
    """Which readings are of a series that comes often enough for buckets of a minute.

    A row of a rollup costs what four readings do, so buckets of few readings save nothing.
    """
    starts = _starts(readings.series, np.zeros_like(readings.series))
    ends = _ends(starts, len(readings.ts))
    often = (readings.ts[ends] - readings.ts[starts]) // DENSE_US < ends - starts
    kept: NDArray[np.bool_] = np.repeat(often, ends - starts + 1)
    return kept


def merge(partials: Partials, width_us: int) -> Partials:
    """One row per (series, ``width_us`` bucket) from rows of any order whose width divides it."""
    series, bucket = partials.series, bucket_of(partials.bucket, width_us)
    by_first = np.lexsort((partials.part, partials.first_ts, bucket, series))
    starts = _starts(series[by_first], bucket[by_first])
    if len(starts) == len(series):
        return replace(take(partials, by_first), bucket=bucket[by_first])
    by_last = np.lexsort((partials.part, partials.last_ts, bucket, series))
    heads = by_first[starts]
    tails = by_last[_ends(starts, len(series))]
    valid = _reduceat(np.add, partials.valid[by_first], starts)
    low = np.where(np.isnan(partials.min), np.inf, partials.min)[by_first]
    high = np.where(np.isnan(partials.max), -np.inf, partials.max)[by_first]
    time = _over_time(partials, by_first, starts)
    made = Partials(
        series=series[heads],
        bucket=bucket[heads],
        count=_reduceat(np.add, partials.count[by_first], starts),
        valid=valid,
        sum=_reduceat(np.add, partials.sum[by_first], starts),
        min=_blank(_reduceat(np.minimum, low, starts), valid),
        max=_blank(_reduceat(np.maximum, high, starts), valid),
        first_ts=partials.first_ts[heads],
        first=partials.first[heads],
        last_ts=partials.last_ts[tails],
        last=partials.last[tails],
        last_text=partials.last_text[tails],
        last_quality=partials.last_quality[tails],
        part=_reduceat(np.minimum, partials.part[by_first], starts),
        **_columns(time),
    )
    return _with_lists(made, partials, by_first, starts)


def _with_lists(made: Partials, of: Partials, order: Ints, starts: Ints) -> Partials:
    """Merged partials with what the lists of those they are ``of`` merge to."""
    if of.bins is not None:
        bins = rollup_bins.merge(of.bins, of.spread, order, starts, made.spread)
        made = replace(made, bins=bins)
    if of.states is not None:
        ends = Ends(of.first_ts, of.last_ts, of.last, of.last_text)
        states = rollup_states.merge(of.states, ends, order, starts, made.held != UNKNOWN)
        made = replace(made, states=states)
    return made


def _over_time(partials: Partials, order: Ints, starts: Ints) -> Sums:
    """What groups of partials, in order of (first_ts, part), were over time."""
    if (partials.held == UNKNOWN).all():
        none = np.zeros(len(starts))
        return Sums(none, np.full(len(starts), UNKNOWN), none, none + np.nan, none + np.nan)
    first_ts, last_ts = partials.first_ts[order], partials.last_ts[order]
    head, tail = partials.head[order], partials.tail[order]
    last, held = partials.last[order], partials.held[order]
    steps = Steps(starts, first_ts, last_ts, last, head, tail, partials.valid[order] > 0)
    found = between(steps)
    unknown = interleaved(starts, first_ts, last_ts, partials.part[order])
    unknown |= _reduceat(np.minimum, held, starts) < 0
    with np.errstate(invalid="ignore"):  # infinities of both signs: NaN
        integral = found.integral + _reduceat(np.add, partials.integral[order], starts)
        reset_sum = found.reset_sum + _reduceat(np.add, partials.reset_sum[order], starts)
    return Sums(
        integral=np.where(unknown, 0.0, integral),
        held=np.where(unknown, UNKNOWN, found.held + _reduceat(np.add, held, starts)),
        reset_sum=np.where(unknown, 0.0, reset_sum),
        head=np.where(unknown, np.nan, found.head),
        tail=np.where(unknown, np.nan, found.tail),
    )


def _columns(time: Sums) -> dict[str, Any]:
    return {field.name: getattr(time, field.name) for field in fields(Sums)}


def unknown(partials: Partials, *, rises: bool = True) -> NDArray[np.bool_]:
    """Which rows do not say what their readings did over time, or how they rose: ask those."""
    lacking: NDArray[np.bool_] = partials.held == UNKNOWN
    return lacking | np.isnan(partials.reset_sum) if rises else lacking


def mean(partials: Partials) -> Floats:
    """Arithmetic mean of the valid readings, NaN where there are none."""
    with np.errstate(invalid="ignore"):
        return np.where(partials.valid > 0, partials.sum / np.maximum(partials.valid, 1), np.nan)


def _starts(series: Ints, bucket: Ints) -> Ints:
    """Index of the first row of each run of equal (series, bucket)."""
    if not len(series):
        return np.empty(0, np.int64)
    new = np.ones(len(series), bool)
    np.not_equal(series[1:], series[:-1], out=new[1:])
    new[1:] |= bucket[1:] != bucket[:-1]
    return np.flatnonzero(new).astype(np.int64, copy=False)


def _ends(starts: Ints, rows: int) -> Ints:
    ends = np.empty_like(starts)
    ends[:-1] = starts[1:] - 1
    ends[-1:] = rows - 1
    return ends


def _reduceat(ufunc: np.ufunc, values: Array, starts: Ints) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        reduced: Array = ufunc.reduceat(values, starts) if len(starts) else values[:0]
    return reduced


def _blank(values: Floats, valid: Ints) -> Floats:
    return np.where(valid > 0, values, np.nan)
