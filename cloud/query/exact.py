"""Quantiles and times of states of buckets: from the lists that rollups keep, or the readings.

What the lists of a bucket do not tell, or not as exactly as it is asked for, is made of its
readings, which are read a million at a time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.query.one import OneSeries
from cloud.query.rows import Duration
from cloud.rollup import states as rollup_states
from cloud.rollup.partials import Ints, Partials
from cloud.rollup.quantiles import SHARES, Quantiles, rank
from cloud.rollup.quantiles import quantiles as told_by_bins
from cloud.rollup.ragged import gather, row_of
from cloud.rollup.states import Stood

STATES_MAX: Final = 8
"""States of a bucket that are told, those that stood longest; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a series said last: a number (NaN for none) or a text."""

    value: float
    text: str | None


def quantiles(series: OneSeries, partials: Partials, ends: Ints, *, exact: bool) -> Quantiles:
    """The quantiles of each bucket's numbers by nearest rank; NaN where there is none.

    From the bins of the buckets that have them, unless they shall be ``exact``; the error of the
    others, which are made of the readings, is 0. Where those were removed bins tell if they can,
    else nothing does: both are NaN. Bins that count other numbers than their row tell nothing.
    TooManyReadings when the readings are too many.
    """
    none = np.zeros(len(partials), bool)
    bins = partials.bins
    has_bins = none if bins is None else bins.is_known & bins.counts(partials.spread)
    left = none.copy() if exact else has_bins
    told = {name: np.full(len(partials), np.nan) for name in SHARES}
    error = np.full(len(partials), np.nan)
    is_read = none.copy()
    for rows, raw, at in series.chunks(partials, ends, np.flatnonzero(~left)):
        is_read[rows], error[rows] = True, 0.0
        edges = np.searchsorted(at, np.arange(len(rows) + 1)).tolist()
        # Of the readings themselves: a damaged rollup may count more numbers than there are.
        valid = np.bincount(at[~np.isnan(raw.value)], minlength=len(rows))
        ranks = {name: rank(valid, share).tolist() for name, share in SHARES.items()}
        for index, (row, span) in enumerate(zip(rows.tolist(), pairwise(edges), strict=True)):
            value = np.sort(raw.value[slice(*span)])  # NaN last
            for name in SHARES if valid[index] else ():
                told[name][row] = value[ranks[name][index] - 1] + 0.0
    left = has_bins & ~is_read
    if bins is not None and left.any():
        found = told_by_bins(bins[left], partials.spread.rows(left))
        error[left] = found.error
        for name, values in found.told.items():
            told[name][left] = values
    return Quantiles(told, error, of_bins=bool(left.any()))


def durations(
    series: OneSeries,
    partials: Partials,
    ends: Ints,
    before: Standing | None,
    *,
    goes_on: bool,
) -> list[tuple[Duration, ...] | None]:
    """How long each state stood in each bucket: the STATES_MAX longest, then the rest as one.

    A reading stands until the next one of its series, however long; the newest has stood for no
    time yet, ``goes_on`` says that the last bucket's is not it. ``before`` is what stood when the
    first bucket began. A bucket whose list leaves something out is read: None where its readings
    were removed; TooManyReadings as `quantiles`.
    """
    is_told = np.zeros(len(partials), bool)
    parts = [_over_edges(partials, ends, before, goes_on=goes_on)]
    for part, rows in _within(series, partials, ends):
        is_told[rows] = True
        parts.append(part)
    stood = Stood(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.text for part in parts]),
        np.concatenate([part.us for part in parts]),
    )
    longest = _longest(stood, len(partials))
    return [each if told else None for each, told in zip(longest, is_told.tolist(), strict=True)]


def _within(series: OneSeries, partials: Partials, ends: Ints) -> Iterator[tuple[Stood, Ints]]:
    """What stood between the first and the last reading of buckets, and of which."""
    states, sure = partials.states, np.zeros(len(partials), bool)
    if states is not None:
        sure = states.is_known & (states.told() == partials.last_ts - partials.first_ts)
        rows = np.flatnonzero(sure)
        offsets, at = gather(states.offsets, rows)
        stood = Stood(rows[row_of(offsets)], states.value[at], states.text[at], states.us[at])
        yield stood, rows
    for rows, raw, at in series.chunks(partials, ends, np.flatnonzero(~sure)):
        text = np.full(len(raw.ts), None, object) if raw.text is None else raw.text
        stays = np.flatnonzero(at[1:] == at[:-1])
        us = raw.ts[stays + 1] - raw.ts[stays]
        stood = Stood(rows[at[stays]], raw.value[stays], text[stays], us)
        row, total, where = rollup_states.sums(stood, us > 0, None)
        yield Stood(row, stood.value[where], stood.text[where], total), rows


def _over_edges(partials: Partials, ends: Ints, before: Standing | None, *, goes_on: bool) -> Stood:
    """What stood before the first reading of each bucket, and behind the last."""
    said = before or Standing(math.nan, None)
    into = partials.first_ts - partials.bucket
    into[:1] *= before is not None
    out = ends - partials.last_ts
    out[-1:] *= goes_on
    rows = np.arange(len(partials))
    first = np.empty(1, object)
    first[0] = said.text
    return Stood(
        np.concatenate([rows, rows]),
        np.concatenate([[said.value], partials.last[:-1], partials.last]),
        np.concatenate([first, partials.last_text[:-1], partials.last_text]),
        np.concatenate([into, out]),
    )


def _longest(stood: Stood, buckets: int) -> Iterator[tuple[Duration, ...]]:
    row, total, where = rollup_states.sums(stood, stood.us > 0, None)
    order = np.lexsort((np.arange(len(row)), -total, row))
    value, text = (stood.value[where] + 0.0).tolist(), stood.text[where].tolist()
    for start, end in pairwise(np.searchsorted(row[order], np.arange(buckets + 1)).tolist()):
        longest = order[start : min(end, start + STATES_MAX)].tolist()
        states = [Duration(int(total[i]), value[i], text[i]) for i in longest]
        rest: NDArray[Any] = order[start + STATES_MAX : end]
        if len(rest):
            states.append(Duration(int(total[rest].sum()), math.nan, None, len(rest)))
        yield tuple(states)
