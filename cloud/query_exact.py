"""What no bounded row of a rollup tells exactly: quantiles, and how long each state stood.

They are made of the buckets' readings, which are read a million at a time.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.query_one import OneSeries, are_there
from cloud.query_rows import Duration, RawSeries, cut
from cloud.rollup import Floats, Ints, Partials

QUANTILES: Final[Mapping[str, float]] = MappingProxyType(
    {"p1": 0.01, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
)
STATES_MAX: Final = 8
"""States of a bucket that are told, those that stood longest; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a series said last: a number (NaN for none) or a text."""

    value: float
    text: str | None


def quantiles(series: OneSeries, partials: Partials, ends: Ints) -> dict[str, Floats]:
    """The QUANTILES of each bucket's numbers by nearest rank; NaN where there is none.

    NaN also where not all of its readings are there any more (retention).

    A quantile q of n numbers is the ceil(q n)th from below: one that was measured. Infinities are
    numbers. TooManyReadings when the buckets have too many of them.
    """
    found = {name: np.full(len(partials), np.nan) for name in QUANTILES}
    for rows, raw, at in series.chunks(partials, ends, np.arange(len(partials))):
        edges = np.searchsorted(at, np.arange(len(rows) + 1)).tolist()
        is_there = are_there(at, partials.count[rows])
        for row, (start, end) in zip(rows.tolist(), pairwise(edges), strict=True):
            value = np.sort(raw.value[start:end])  # NaN last
            valid = int(partials.valid[row]) if is_there[row - rows[0]] else 0
            for name, share in QUANTILES.items() if valid else ():
                # The product may lie a rounding above the whole number that it is.
                found[name][row] = value[math.ceil(round(valid * share, 9)) - 1] + 0.0
    return found


def durations(
    series: OneSeries,
    partials: Partials,
    ends: Ints,
    before: Standing | None,
    *,
    goes_on: bool,
) -> list[tuple[Duration, ...]]:
    """How long each state stood in each bucket: the STATES_MAX longest, then the rest as one.

    A reading stands until the next one of its series, however long; the newest has stood for no
    time yet, ``goes_on`` says that the last bucket's is not it. ``before`` is what stood when the
    first bucket began. Of a bucket whose readings are not all there any more nothing is told.
    TooManyReadings as `quantiles`.
    """
    found: list[tuple[Duration, ...]] = [()] * len(partials)
    for some, every, of in series.chunks(partials, ends, np.arange(len(partials))):
        for rows, raw, at in _whole(some, every, of, partials.count[some]):
            first, last = int(rows[0]), int(rows[-1])
            if first:
                before = Standing(float(partials.last[first - 1]), partials.last_text[first - 1])
            raw, at = _runs(raw, at)
            text = np.full(len(raw.ts), None, object) if raw.text is None else raw.text
            value, text = _with(before, raw.value, text)
            stood = _stood(raw.ts, at, partials.bucket[rows], ends[rows])
            if last == len(partials) - 1 and not goes_on:
                stood.own[-1] = 0
            if before is None:
                stood.earlier[0] = 0
            found[first : last + 1] = _longest(value, text, stood, at, len(rows))
    return found


def _whole(
    rows: Ints, raw: RawSeries, at: Ints, count: Ints
) -> Iterator[tuple[Ints, RawSeries, Ints]]:
    """Neighbours among buckets whose readings are all there, with these; as `OneSeries.chunks`."""
    is_there = are_there(at, count)
    if is_there.all():
        yield rows, raw, at
        return
    steps = np.flatnonzero(np.diff(is_there, prepend=False, append=False)).tolist()
    for low, high in zip(steps[::2], steps[1::2], strict=True):
        start, end = np.searchsorted(at, [low, high]).tolist()
        yield rows[low:high], cut(raw, start, end), at[start:end] - low


def _runs(raw: RawSeries, at: Ints) -> tuple[RawSeries, Ints]:
    """The first reading of each run of readings that say the same in one bucket; and the last."""
    value = raw.value
    new = np.ones(len(value), bool)
    new[1:] = (value[1:] != value[:-1]) & ~(np.isnan(value[1:]) & np.isnan(value[:-1]))
    new[1:] |= at[1:] != at[:-1]
    if raw.text is not None:
        new[1:] |= raw.text[1:] != raw.text[:-1]
    new[-1:] = True  # the newest has stood for no time: it is not one with those before
    text = None if raw.text is None else raw.text[new]
    return RawSeries(raw.id, raw.ts[new], value[new], text, raw.quality[new]), at[new]


@dataclass(frozen=True, slots=True, eq=False)
class _Stood:
    """µs: what each reading stood in its own bucket; what stood before it, in each bucket."""

    own: Ints
    earlier: Ints
    first: Ints


def _stood(ts: Ints, at: Ints, starts: Ints, ends: Ints) -> _Stood:
    until = ends[at].copy()
    until[:-1] = np.minimum(until[:-1], ts[1:])
    first = np.searchsorted(at, np.arange(len(starts)))
    return _Stood(until - ts, ts[first] - starts, first)


def _with(
    before: Standing | None, value: Floats, text: NDArray[Any]
) -> tuple[Floats, NDArray[Any]]:
    """The readings behind what stood before them; where nothing did, a first one of no name."""
    said = before or Standing(math.nan, None)
    first = np.empty(1, object)
    first[0] = said.text
    return np.append(said.value, value), np.concatenate([first, text])


def _longest(
    value: Floats, text: NDArray[Any], stood: _Stood, at: Ints, buckets: int
) -> Iterator[tuple[Duration, ...]]:
    """The states of each bucket; ``value`` and ``text`` have one more, before the first."""
    code, numbers = _coded(value, text)
    bucket = np.concatenate([at, np.arange(buckets)])
    state = np.concatenate([code[1:], code[stood.first]])
    length = np.concatenate([stood.own, stood.earlier])
    key, where = np.unique(bucket * numbers + state, return_inverse=True)
    total = np.zeros(len(key), np.int64)
    np.add.at(total, where, length)
    key, total = key[total > 0], total[total > 0]
    of, state = key // numbers, key % numbers
    order = np.lexsort((state, -total, of))
    edges = np.searchsorted(of[order], np.arange(buckets + 1))
    said = _first_of(code)
    for start, end in pairwise(edges.tolist()):
        told = order[start:end]
        kept = [(said[int(state[i])], int(total[i])) for i in told[:STATES_MAX]]
        states = [Duration(us, float(value[row]), text[row]) for row, us in kept]
        rest = told[STATES_MAX:]
        if len(rest):
            states.append(Duration(int(total[rest].sum()), math.nan, None, len(rest)))
        yield tuple(states)


def _coded(value: Floats, text: NDArray[Any]) -> tuple[Ints, int]:
    """A number for each state, and how many there are; NaN is one, and so is each text."""
    words = pa.array(text, pa.string()).dictionary_encode()
    is_text = words.is_valid().to_numpy(zero_copy_only=False)
    known, code = np.unique(value + 0.0, return_inverse=True)
    code = code.astype(np.int64)
    code[is_text] = len(known) + words.indices.filter(words.is_valid()).to_numpy()
    return code, len(known) + len(words.dictionary)


def _first_of(code: Ints) -> dict[int, int]:
    """A row that has each code."""
    known, row = np.unique(code, return_index=True)
    return dict(zip(known.tolist(), row.tolist(), strict=True))
