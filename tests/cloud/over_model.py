"""What buckets were over time, by a plain loop over all readings of a series."""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

from cloud.rollup.time import HOLD_US

Row = tuple[int, float | str]
Told = tuple[float, int, float]
"""Time-weighted mean, µs covered, increase."""


def over(rows: Sequence[Row], edges: Sequence[int]) -> list[tuple[int, Told]]:
    """Of each bucket between two edges that has a reading; ``rows`` in order of arrival."""
    ordered = sorted(rows, key=lambda row: row[0])
    spans = list(itertools.pairwise(edges))
    return [
        (start, (*_mean(ordered, start, end), _increase(ordered, start, end)))
        for start, end in spans
        if any(start <= ts < end for ts, _ in ordered)
    ]


def quantile(rows: Sequence[Row], start: int, end: int, share: Fraction) -> float:
    """The smallest number of a bucket that at least this share of them do not exceed."""
    held = sorted(value for ts, value in rows if start <= ts < end and is_number(value))
    for count, value in enumerate(held, 1):
        if Fraction(count, len(held)) >= share:
            return value
    return math.nan


def durations(rows: Sequence[Row], start: int, end: int) -> dict[str, int]:
    """µs that each state stood in a bucket, those that stood for no time left out."""
    ordered = sorted(rows, key=lambda row: row[0])
    found: dict[str, int] = {}
    for (ts, value), (after, _) in itertools.pairwise(ordered):
        length = min(after, end) - max(ts, start)
        if length > 0:
            found[repr(value)] = found.get(repr(value), 0) + length
    return found


def is_number(value: float | str) -> bool:
    return not isinstance(value, str) and not math.isnan(value)


def _mean(rows: Sequence[Row], start: int, end: int) -> tuple[float, int]:
    area, covered = 0.0, 0
    for (ts, value), (after, _) in itertools.pairwise(rows):
        length = min(after, ts + HOLD_US, end) - max(ts, start)
        if is_number(value) and length > 0:
            area += value * length
            covered += length
    return (area / covered if covered else math.nan), covered


def _increase(rows: Sequence[Row], start: int, end: int) -> float:
    rise, before, found = 0.0, None, False
    for ts, value in rows:
        if not is_number(value):
            continue
        if start <= ts < end:
            found = True
            if before is not None:
                rise += value - before if value >= before else value
        before = value
    return rise if found else math.nan
