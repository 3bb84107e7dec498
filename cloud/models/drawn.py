"""Pure: one series as a report draws it: thinned out to columns, with what lies in them.

Of every column of the picture the least and the greatest value are kept, so that no spike is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.models.account import Worth
from cloud.models.episodes import Found
from cloud.models.history import Story

COLUMNS: Final = 720

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Band:
    """Columns that hold anything, `(m,)` from 0 to COLUMNS - 1, and the extremes in each."""

    column: I8
    low: F8
    high: F8


@dataclass(frozen=True, slots=True)
class Stripe:
    """A stretch of time, in columns, with its kind (a CSS class) and what is to be said of it."""

    kind: str
    start: float
    end: float
    words: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One picture: readings, scores, and stripes over them; ``weight`` says how much is to see."""

    title: str
    unit: str
    from_us: int
    to_us: int
    threshold: float
    values: Band
    scores: Band
    marks: Sequence[Stripe]
    found: Sequence[Stripe]
    weight: int = field(default=0)


def band_of(ts: I8, values: F8, from_us: int, to_us: int) -> Band:
    """Finite values at times in [from, to), by column."""
    good = np.isfinite(values)
    ts, values = ts[good], values[good]
    column = ((ts - from_us) / max(to_us - from_us, 1) * COLUMNS).astype(np.int64)
    column = np.clip(column, 0, COLUMNS - 1)
    if not len(column):
        return Band(column, values, values)
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(column))])
    return Band(
        column[starts], np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    )


def drawn_of(
    story: Story,
    score: F8,
    threshold: float,
    found: Sequence[tuple[Found, Worth]],
    span: tuple[int, int],
    weight: int,
) -> Drawn:
    """The picture of one series over ``span``; ``found`` are episodes and what each was worth."""
    from_us, to_us = span

    def stripe(kind: str, start: int, end: int, words: str) -> Stripe:
        left, right = (
            min(max((at - from_us) / max(to_us - from_us, 1), 0.0), 1.0) * COLUMNS
            for at in (start, end)
        )
        return Stripe(kind, left, right, words)

    marks = [
        stripe(mark.kind, mark.from_us, mark.to_us, f"{mark.kind}: {mark.note}".strip(": "))
        for mark in story.said.marks
    ]
    marks += [
        stripe(
            one.verdict or "told", one.from_us, one.to_us,
            f"{one.verdict or 'not reviewed'}, told by {one.model}: {one.note}".strip(": "),
        )
        for one in story.said.episodes
    ]  # fmt: skip
    stripes = [
        stripe(
            worth.value, one.from_us, one.to_us, f"{worth.words}, peak {one.peak:.3g}",
        )
        for one, worth in found
    ]  # fmt: skip
    title = f"{story.of.gateway}  {story.of.name}"
    values = band_of(story.ts, story.value, from_us, to_us)
    scores = band_of(story.ts, score, from_us, to_us)
    return Drawn(
        title, story.of.unit, from_us, to_us, threshold, values, scores, marks, stripes, weight
    )
