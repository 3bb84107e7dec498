"""Buckets of a series with what only their neighbours know: the reading that held when they began.

What stood before the first bucket is looked up in hours and days, so that a bucket's answer is the
same whatever range it is asked in.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from cloud.lake.table.schema import ROLLUP_1D, ROLLUP_1H
from cloud.query.exact import Standing, durations, quantiles
from cloud.query.one import OneSeries, ends_of
from cloud.query.plan import Buckets
from cloud.query.rows import OVER, QUANTILES, BucketSeries, More
from cloud.rollup import partials as rollup
from cloud.rollup import time as rollup_time
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US, Ints, Partials
from cloud.rollup.time import UNKNOWN, Before, Over

_MONTH_US: Final = 31 * DAY_US
_HOURS: Final = Buckets(HOUR_US, ROLLUP_1H, "1h")
_DAYS: Final = Buckets(DAY_US, ROLLUP_1D, "1d")
_MINUTES: Final = Buckets(MINUTE_US, None, "1m")
_LAST_US: Final = int(np.iinfo(np.int64).max)


def with_more(
    series: OneSeries,
    partials: Partials,
    buckets: Buckets,
    more: frozenset[More],
    known: tuple[int, int],
) -> BucketSeries:
    """Buckets of a series and what more they shall tell; TooManyReadings.

    ``known`` are the times of the first and the last reading of the series.
    """
    ends = ends_of(partials.bucket, buckets)
    found = BucketSeries(series.name.id, partials)
    if not QUANTILES.isdisjoint(more):
        exact = More.EXACT_QUANTILES in more
        made = quantiles(series, partials, ends, exact=exact)
        found = replace(found, quantiles=made.told, error=made.error, of_bins=made.of_bins)
    if more <= QUANTILES:
        return found
    if not len(partials):
        none = rollup_time.over(_buckets(partials, ends), None, goes_on=False)
        return replace(found, over=none)
    goes_on = _goes_on(series, int(partials.last_ts[-1]), known[1])
    if not OVER.isdisjoint(more):
        rises = More.INCREASE in more
        whole = series.whole(partials, ends, rises=rises)
        before = _before(series, int(whole.bucket[0]), known[0], rises=rises)
        over = rollup_time.over(_buckets(whole, ends), before, goes_on=goes_on)
        if not rises:
            over = replace(over, increase=np.full(len(whole), np.nan))
        found = replace(found, partials=whole, over=_told(over, whole))
    if More.DURATIONS in more:
        stood = _standing(series, int(partials.bucket[0]), known[0])
        told = durations(series, partials, ends, stood, goes_on=goes_on)
        found = replace(found, durations=told)
    return found


def _told(over: Over, partials: Partials) -> Over:
    """What was over time without that of buckets whose readings are not there to tell it."""
    lost = partials.held == UNKNOWN
    if not lost.any():
        return over
    increase = np.where(lost, np.nan, over.increase)
    some = np.flatnonzero(partials.valid > 0)
    ends_in_none = np.flatnonzero(lost & np.isnan(partials.last))
    after = np.searchsorted(some, ends_in_none, "right")
    increase[some[after[after < len(some)]]] = np.nan  # it rose from a number that nobody knows
    return Over(np.where(lost, np.nan, over.mean), np.where(lost, 0, over.covered), increase)


def _buckets(partials: Partials, ends: Ints) -> rollup_time.Buckets:
    inside = rollup_time.Sums(
        partials.integral, partials.held, partials.reset_sum, partials.head, partials.tail
    )
    return rollup_time.Buckets(
        partials.bucket, ends, partials.first_ts, partials.last_ts, partials.last, inside
    )


def _goes_on(series: OneSeries, ts: int, last_ts: int) -> bool:
    """Whether there is a reading behind ``ts``."""
    if last_ts <= ts or series.is_all:
        return last_ts > ts
    return len(series.readings(ts + 1, _LAST_US, 1).ts) > 0


def _before(series: OneSeries, at: int, first_ts: int, *, rises: bool) -> Before | None:
    """The last reading before a time, None where there is none; and, if ``rises``, last number."""
    ts, last = None, np.nan
    for rows, buckets in _earlier(series, at, first_ts):
        if ts is None:
            ts, last = int(rows.last_ts[-1]), float(rows.last[-1])
        if not rises:
            break
        valid = np.flatnonzero(rows.valid)
        if len(valid):
            one = rollup.take(rows, valid[-1:])
            ends = np.minimum(ends_of(one.bucket, buckets), at)  # it may lie within a minute
            tail = series.whole(one, ends, rises=False).tail[0]
            return Before(ts, last, float(tail))
    return None if ts is None else Before(ts, last, np.nan)


def _standing(series: OneSeries, at: int, first_ts: int) -> Standing | None:
    """What was said last before a time; None where nothing was."""
    for rows, _ in _earlier(series, at, first_ts):
        return Standing(float(rows.last[-1]), rows.last_text[-1])
    return None


def _earlier(series: OneSeries, at: int, first_ts: int) -> Iterator[tuple[Partials, Buckets]]:
    """Partials of what was before a time, the nearest stretch first, none of them empty."""
    hour, day = at - at % HOUR_US, at - at % DAY_US
    month, first = day - _MONTH_US, first_ts - first_ts % DAY_US
    for start, end, buckets in (
        (hour, at, _MINUTES),
        (day, hour, _HOURS),
        (max(month, first), day, _DAYS),
        (first, month, _DAYS),
    ):
        rows = series.partials(start, end, buckets) if start < end else rollup.EMPTY
        if len(rows):
            yield rows, buckets
