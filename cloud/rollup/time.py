"""Pure: what a series did over time: how long each reading held, and how much a counter rose.

A reading holds until the next one of its series, for at most HOLD_US, whatever lies between: the
edge of a bucket, an hour without a reading. What is no number (NaN, a text) holds no number. Within
a bucket ``held`` is for how long some number held between its first and its last reading, and
``integral`` the sum of number × µs over that time. What holds from one bucket into the next is
added when history is asked (`over`), from the last reading before and the first one in it; so it is
in no row twice, and hours add up to days. The newest reading of a series has held no time yet.

A counter rises by the difference of two readings, or, where it fell, was reset and rises from zero:
``tail − head + reset_sum``, the last number of a bucket less its first, and the sum of those that
a lower one followed. Between buckets the rise belongs to the later reading's.

All of it needs readings in order. Partials whose times do not interleave are merged exactly; of
others nothing is known (``held`` is UNKNOWN), and the readings themselves must be asked.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HOLD_US: Final = 3_600_000_000
"""How long a reading stands for what is measured when no other follows. Sensors that report changes
report once an hour at least, by habit; a slower series has all its readings weighed alike."""
UNKNOWN: Final = -1
"""``held`` of a partial that was made of partials whose times interleave."""
_MAX: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Rows in order of time as they follow each other in groups, which begin at ``starts``.

    A row goes from ``first_ts`` to ``last_ts`` and ends with the reading ``last``; ``head`` and
    ``tail`` are its first and its last number where it is ``valid``. A reading is a row too.
    """

    starts: Ints
    first_ts: Ints
    last_ts: Ints
    last: Floats
    head: Floats
    tail: Floats
    valid: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Of each group: what lies between its rows, and its first and last number (NaN: none)."""

    integral: Floats
    held: Ints
    reset_sum: Floats
    head: Floats
    tail: Floats


def between(steps: Steps) -> Sums:
    """What lies between the rows of each group."""
    starts = steps.starts
    # Unsigned: times of two ends of the calendar are further apart than int64 can say.
    apart = np.empty(len(steps.first_ts), np.uint64)
    apart[-1:] = 0
    np.subtract(steps.first_ts[1:].view(np.uint64), steps.last_ts[:-1].view(np.uint64), apart[:-1])
    apart[starts[1:] - 1] = 0
    gap = np.minimum(apart, HOLD_US, out=apart).view(np.int64)
    integral = _areas(steps.last, gap, starts)
    if not np.isfinite(integral).all():  # of what is no number, or infinite for no time
        gap[np.isnan(steps.last)] = 0
        integral = _areas(np.where(gap > 0, steps.last, 0.0), gap, starts)
    held = np.add.reduceat(gap, starts) if len(starts) else gap
    return Sums(integral, held, *_falls(steps))


def _areas(values: Floats, gap: Ints, starts: Ints) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        return _sums(values * gap, starts) + 0.0  # −1 for no time is −0.0


def _falls(steps: Steps) -> tuple[Floats, Floats, Floats]:
    """`reset_sum`, `head` and `tail` of each group."""
    starts, head, tail = steps.starts, steps.head, steps.tail
    rows = len(head)
    if steps.valid.all():
        fell = np.zeros(rows)
        before, is_lower = tail[:-1], head[1:] < tail[:-1]
        with np.errstate(invalid="ignore"):
            np.multiply(before, is_lower, out=fell[1:])
        fell[starts] = 0.0  # what the group before ended with
        sums = _sums(fell, starts)
        if not np.isfinite(sums).all():  # infinity × 0
            fell[1:] = np.where(is_lower, before, 0.0)
            fell[starts] = 0.0
            sums = _sums(fell, starts)
        ends = np.append(starts[1:], rows)[: len(starts)] - 1
        return sums + 0.0, head[starts], tail[ends]
    group = np.zeros(rows, np.int64)
    group[starts[1:]] = 1
    group = np.cumsum(group)[steps.valid]
    head, tail = head[steps.valid], tail[steps.valid]
    is_first = np.ones(len(group), bool)
    np.not_equal(group[1:], group[:-1], out=is_first[1:])
    fell = np.zeros(len(group))
    fell[1:] = np.where((head[1:] < tail[:-1]) & ~is_first[1:], tail[:-1], 0.0)
    found = np.full((3, len(starts)), np.nan)
    there = group[is_first]
    found[0] = 0.0
    found[0, there] = _sums(fell, np.flatnonzero(is_first))
    found[1, there] = head[is_first]
    found[2, there] = tail[np.roll(is_first, -1)]
    return found[0], found[1], found[2]


def interleaved(starts: Ints, first_ts: Ints, last_ts: Ints, part: Ints) -> Bools:
    """Which groups have rows, in order of (first_ts, part), that are not one after another."""
    late = np.zeros(len(first_ts), bool)
    late[1:] = first_ts[1:] < last_ts[:-1]
    late[1:] |= (first_ts[1:] == last_ts[:-1]) & (part[1:] <= part[:-1])
    late[starts] = False
    found: Bools = np.logical_or.reduceat(late, starts) if len(starts) else late
    return found


def _sums(values: Floats, starts: Any) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.add.reduceat(values, starts) if len(starts) else values[:0]


@dataclass(frozen=True, slots=True)
class Before:
    """What a series said before a bucket: its last reading and its last number, NaN for none."""

    ts: int
    last: float
    tail: float


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Buckets of one series, in order, with a reading each: [start, end) and what is in them."""

    start: Ints
    end: Ints
    first_ts: Ints
    last_ts: Ints
    last: Floats
    inside: Sums


@dataclass(frozen=True, slots=True, eq=False)
class Over:
    """Of each bucket: the mean over the time ``covered`` (µs; NaN where none is), the increase."""

    mean: Floats
    covered: Ints
    increase: Floats


def over(buckets: Buckets, before: Before | None, *, goes_on: bool) -> Over:
    """What buckets say with what held at their beginnings and ends.

    ``before`` is what was said before the first of them, ``goes_on`` whether there is a reading
    behind the last. Of a bucket whose ``held`` is UNKNOWN nothing is said.
    """
    inside = buckets.inside
    ts, last = np.empty_like(buckets.last_ts), np.empty_like(buckets.last)
    ts[1:], last[1:] = buckets.last_ts[:-1], buckets.last[:-1]
    ts[:1], last[:1] = (before.ts, before.last) if before else (0, np.nan)
    into = np.maximum(np.minimum(buckets.first_ts, _held_until(ts)) - buckets.start, 0)
    out = np.minimum(buckets.end, _held_until(buckets.last_ts)) - buckets.last_ts
    out[-1:] *= goes_on
    integral, covered = inside.integral.copy(), inside.held.copy()
    for value, length in ((last, into), (buckets.last, out)):
        holds = ~np.isnan(value) & (length > 0)
        with np.errstate(invalid="ignore", over="ignore"):
            integral[holds] += value[holds] * length[holds]
        covered[holds] += length[holds]
    covered[inside.held == UNKNOWN] = 0
    with np.errstate(invalid="ignore"):
        mean = np.where(covered > 0, integral / np.maximum(covered, 1), np.nan)
    return Over(mean, covered, _increase(inside, before.tail if before else np.nan))


def _held_until(ts: Ints) -> Ints:
    until: Ints = np.minimum(ts, _MAX - HOLD_US) + HOLD_US
    return until


def _increase(inside: Sums, tail: float) -> Floats:
    """The rise of each bucket, NaN for one without numbers; that of the first ever is its own."""
    some = ~np.isnan(inside.tail)
    head, ends = inside.head[some], inside.tail[some]
    earlier = np.append(tail, ends)[:-1][: len(ends)] if len(ends) else ends
    with np.errstate(invalid="ignore", over="ignore"):
        rise = np.where(head < earlier, head, head - earlier)
        rise = np.where(np.isnan(earlier), 0.0, rise)
        rise += ends - head + inside.reset_sum[some]
    found = np.full(len(some), np.nan)
    found[some] = rise
    return found
