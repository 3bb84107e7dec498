"""Pure: how often a bucket's numbers fell where: bins that merge to the same however they came.

A bin is [i · 2^k, (i + 1) · 2^k). Which k a bucket has depends on the set of its numbers alone: the
least at which

- k ≥ exponent(max − min) − SPAN_BITS, and k ≥ exponent(|number|) − 52: every i is exact,
- at most BINS_MAX bins are occupied.

Each rises with the set, and a bin of k + 1 is the sum of two of k: so bins of any split of the
readings, merged in any order and grouping, are those of all readings together, bit for bit, and no
engine or order gives others. An outlier takes one bin, not the resolution of all others.

A quantile is the number of one rank; the counts tell exactly in which bin that is. So what is told
is less than ERROR of (max − min) off: the middle of the bin, at most half its width; or, where bins
are at most 1/512 of the range wide, the shortest decimal in it: mostly the number itself, where a
sensor speaks in decimals and said at most BINS_MAX different ones.

A row whose numbers are all the same, or which has two, says all of it by ``min`` and ``max`` and
has no list. Infinities have no bin: a bucket with one is UNKNOWN, as one of more than COUNT_MAX.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from cloud.rollup.ragged import gather, offsets_of, row_of, sort_rows, together

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Array = NDArray[Any]

BINS_MAX: Final = 64
SPAN_BITS: Final = 14
ERROR: Final = 1 / (BINS_MAX - 1)
"""Of max − min: more than BINS_MAX bins of half the width are occupied, so that (BINS_MAX − 1)
of them lie between min and max, or else bins are 2^-13 of the range at most."""
UNKNOWN: Final = 32_767
"""``exponent`` of a row that has no bins: they are to be made from its readings."""
COUNT_MAX: Final = 2**31 - 1
_LEAST: Final = -1000
"""Of exponents: 2^1000 is a double, and no number that is measured is finer."""
_ALIGN: Final = (1 << (SPAN_BITS + 1)) - 1
_KEY_BITS: Final = SPAN_BITS + 2
_TOGETHER: Final = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Of each row: ``exponent`` i2, and a list: ``index`` i2, ``count`` i4, ascending.

    The list's bin i is ``floor(min / 2^exponent) + index``; so the first index is 0.
    """

    exponent: NDArray[np.int16]
    offsets: Ints
    index: NDArray[np.int16]
    count: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.exponent)

    def __getitem__(self, rows: Array) -> Self:
        offsets, at = gather(self.offsets, rows)
        return type(self)(self.exponent[rows], offsets, self.index[at], self.count[at])

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which rows say how their numbers are spread."""
        known: NDArray[np.bool_] = self.exponent != UNKNOWN
        return known

    def counts(self, spread: "Spread") -> NDArray[np.bool_]:
        """Which rows' lists have all of their numbers; a damaged file may have others."""
        ends = np.append(0, np.cumsum(self.count, dtype=np.int64))[self.offsets]
        alike: NDArray[np.bool_] = ~spread.has_list | (np.diff(ends) == spread.valid)
        return alike


def unknown(rows: int) -> Bins:
    """Bins of rows that have none."""
    none = np.empty(0, np.int16)
    offsets = np.zeros(rows + 1, np.int64)
    return Bins(np.full(rows, UNKNOWN, np.int16), offsets, none, none.astype(np.int32))


def concat(parts: Sequence[Bins]) -> Bins:
    """All rows in the order given; one part at least."""
    return Bins(
        np.concatenate([part.exponent for part in parts]),
        offsets_of(np.concatenate([np.diff(part.offsets) for part in parts])),
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.count for part in parts]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """What rows say of their numbers by themselves: how many, the least, the greatest."""

    valid: Ints
    low: Floats
    high: Floats

    def rows(self, rows: Any) -> "Spread":
        """Some of them."""
        return Spread(self.valid[rows], self.low[rows], self.high[rows])

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which can have bins."""
        finite = np.isfinite(self.low) & np.isfinite(self.high)
        known: NDArray[np.bool_] = (finite | (self.valid == 0)) & (self.valid <= COUNT_MAX)
        return known

    @property
    def has_list(self) -> NDArray[np.bool_]:
        """Which do not say all by themselves."""
        needs: NDArray[np.bool_] = self.is_known & (self.valid > 2) & (self.low < self.high)
        return needs

    def finest(self) -> Ints:
        """The least exponent that their range allows; UNKNOWN where they can have no bins."""
        known = self.is_known & (self.valid > 0)
        low, high = np.where(known, self.low, 0.0), np.where(known, self.high, 0.0)
        # Halves: the range of all doubles is none.
        by_range = _exponent(high / 2 - low / 2) + 1 - SPAN_BITS
        by_digits = _exponent(np.maximum(np.abs(low), np.abs(high))) - 52
        finest = np.maximum(np.maximum(by_range, by_digits), _LEAST)
        return np.where(self.is_known, finest, UNKNOWN)


def _exponent(values: Floats) -> Ints:
    """The least e with value < 2^e, of values that are not negative; none of 0."""
    _, found = np.frexp(values)
    return np.where(values > 0, found.astype(np.int64), 2 * _LEAST)


def places(value: Floats, exponent: Ints) -> Ints:
    """In which bin each number lies: floor(value / 2^exponent)."""
    return _floors(value, np.ldexp(1.0, -exponent)).astype(np.int64)


def _floors(value: Floats, scale: Floats) -> Floats:
    """Of products with powers of two, which are exact; no value is a negative zero."""
    found = np.floor(np.multiply(value, scale, out=scale), out=scale)
    gone = (found == 0) & np.signbit(found)  # below zero by less than a double can say
    if gone.any():
        found[gone] = -1.0
    return found


def reduce(value: Floats, spread: Spread) -> Bins:
    """Bins of rows of numbers, laid end to end: ``spread.valid`` of each row; no NaN among them."""
    made = _Made(spread.finest())
    offsets, rows = offsets_of(spread.valid), np.flatnonzero(spread.has_list)
    for part in together(spread.valid[rows], _TOGETHER):
        some = rows[part]
        _reduce(value, offsets, some, spread.rows(some), made)
    return made.bins()


def _reduce(value: Floats, offsets: Ints, rows: Ints, spread: Spread, made: "_Made") -> None:
    exponent, lengths = made.exponent[rows], spread.valid
    if rows[-1] - rows[0] + 1 == len(rows):
        value = value[offsets[rows[0]] : offsets[rows[-1] + 1]]
    else:
        value = value[gather(offsets, rows)[1]]
    base = places(spread.low, exponent)
    found = _floors(value, np.repeat(np.ldexp(1.0, -exponent), lengths))
    # Whole numbers below 2^53, so that their difference is exact.
    found -= np.repeat((base & ~_ALIGN).astype(np.float64), lengths)
    placed = sort_rows(found.astype(np.uint16), lengths)
    at, lists = _runs(placed, lengths)
    counts = np.diff(at, append=len(placed))
    made.add(rows, lists, placed[at].astype(np.int64), counts, base)


def _runs(placed: Array, lengths: Ints) -> tuple[Ints, Ints]:
    """Where each run of equal elements of a row begins, and the offsets of rows among the runs."""
    starts = offsets_of(lengths)
    new = np.ones(len(placed), bool)
    np.not_equal(placed[1:], placed[:-1], out=new[1:])
    new[starts[:-1]] = True
    at = np.flatnonzero(new)
    return at, np.searchsorted(at, starts)


def merge(bins: Bins, parts: Spread, order: Ints, starts: Ints, groups: Spread) -> Bins:
    """Bins of groups of rows: those of ``order`` from each of ``starts`` on."""
    if not len(starts):
        return unknown(0)
    known = np.logical_and.reduceat(bins.is_known[order], starts) & groups.is_known
    finest = np.maximum(groups.finest(), np.maximum.reduceat(bins.exponent[order], starts))
    made = _Made(np.where(known, finest, UNKNOWN))
    sizes = np.diff(starts, append=len(order))
    lists = np.diff(bins.offsets)
    lengths = np.maximum(lists, 2)[order]
    alone = np.flatnonzero(known & (sizes == 1))
    made.copy(alone, bins, order[starts[alone]])
    several = np.flatnonzero(known & (sizes > 1) & groups.has_list)
    weights = np.add.reduceat(lengths, starts)[several]
    spans = offsets_of(sizes)
    for chunk in together(weights):
        rows = several[chunk]
        of_group, at = gather(spans, rows)
        _merge(bins, parts, order[at], row_of(of_group), rows, groups.rows(rows), made)
    return made.bins()


def _merge(
    bins: Bins, parts: Spread, at: Ints, group: Ints, rows: Ints, groups: Spread, made: "_Made"
) -> None:
    """Some groups: the rows ``at`` of parts, each of a ``group``, which is one of ``rows``."""
    exponent, listed = made.exponent[rows], parts.has_list[at]
    differ, lengths = parts.low[at] < parts.high[at], np.diff(bins.offsets)[at]
    some = ~listed & (parts.valid[at] > 0)
    lengths[some] = 1 + differ[some]
    offsets = offsets_of(lengths)
    place, count = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.int64)
    by_list, of_group = at[listed], group[listed]
    inside, elements = gather(bins.offsets, by_list)
    own = bins.exponent[by_list].astype(np.int64)
    first, shift = places(parts.low[by_list], own), np.minimum(exponent[of_group] - own, 63)
    _, to = gather(offsets, np.flatnonzero(listed))
    sizes = np.diff(inside)
    place[to] = (np.repeat(first, sizes) + bins.index[elements]) >> np.repeat(shift, sizes)
    count[to] = bins.count[elements]
    to, both = offsets[:-1][some], some & differ
    place[to] = places(parts.low[at[some]], exponent[group[some]])
    count[to] = np.where(differ[some], 1, parts.valid[at[some]])
    to = offsets[:-1][both] + 1
    place[to], count[to] = places(parts.high[at[both]], exponent[group[both]]), 1
    base = places(groups.low, exponent)
    of_rows = np.diff(offsets[np.searchsorted(group, np.arange(len(rows) + 1))])
    place -= np.repeat(base & ~_ALIGN, of_rows)
    # Counts beside the places that they are sorted by: COUNT_MAX fits below.
    packed = sort_rows((place << 32) | count, of_rows)
    place, count = packed >> 32, packed & 0xFFFFFFFF
    starts, lists = _runs(place, of_rows)
    made.add(rows, lists, place[starts], np.add.reduceat(count, starts), base)


class _Made:
    """Bins under way: rows come in any order, each at most once; the others have no list."""

    def __init__(self, exponent: Ints) -> None:
        self.exponent = exponent
        self._lengths = np.zeros(len(exponent), np.int64)
        self._parts: list[tuple[Ints, Array, Array]] = []

    def add(self, rows: Ints, offsets: Ints, place: Ints, count: Ints, base: Ints) -> None:
        """Lists of places above the ``base`` of each row, aligned; made coarser as they must be."""
        coarser = np.zeros(len(rows), np.int64)
        if (np.diff(offsets) > BINS_MAX).any():
            of = row_of(offsets)
            differ = np.full(len(place), _KEY_BITS + 1, np.int64)
            differ[1:] = np.frexp((place[1:] ^ place[:-1]).astype(np.float64))[1]
            differ[offsets[:-1]] = _KEY_BITS + 1
            kinds = _KEY_BITS + 2
            cells = np.bincount(of * kinds + differ, minlength=len(rows) * kinds)
            # Occupied at coarser bins by d: neighbours that differ in a bit above the d lowest.
            above = cells.reshape(-1, kinds)[:, ::-1].cumsum(axis=1)[:, ::-1]
            coarser = np.argmax(above[:, 1:] <= BINS_MAX, axis=1)
            new = np.flatnonzero(differ > coarser[of])
            count = np.add.reduceat(count, new)
            place, offsets = place[new], np.searchsorted(new, offsets)
        of, lowest = row_of(offsets), base & _ALIGN
        index = (place >> coarser[of]) - (lowest >> coarser)[of]
        self.exponent[rows] += coarser
        self._lengths[rows] = np.diff(offsets)
        self._parts.append((rows, index.astype(np.int16), count.astype(np.int32)))

    def copy(self, rows: Ints, bins: Bins, at: Ints) -> None:
        """Rows that are those ``at`` of other bins."""
        if len(rows):
            offsets, elements = gather(bins.offsets, at)
            self.exponent[rows] = bins.exponent[at]
            self._lengths[rows] = np.diff(offsets)
            self._parts.append((rows, bins.index[elements], bins.count[elements]))

    def bins(self) -> Bins:
        """All rows."""
        offsets = offsets_of(self._lengths)
        index, count = np.empty(offsets[-1], np.int16), np.empty(offsets[-1], np.int32)
        for rows, places_of, counts in self._parts:
            _, at = gather(offsets, rows)
            index[at], count[at] = places_of, counts
        return Bins(self.exponent.astype(np.int16), offsets, index, count)
