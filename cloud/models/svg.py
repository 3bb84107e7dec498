"""Pure: pictures of series as SVG text, made here, so that a report loads nothing from anywhere.

Colours are CSS variables of the page around them. Everything that a stranger may have named goes
through `escape`.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

import numpy as np

from cloud.models.drawn import COLUMNS, Band, Drawn, Stripe

LEFT: Final = 64
WIDTH: Final = LEFT + COLUMNS + 8
VALUES_TOP: Final = 8
VALUES_HEIGHT: Final = 150
STRIPES_TOP: Final = VALUES_TOP + VALUES_HEIGHT + 6
STRIPE: Final = 9
SCORES_TOP: Final = STRIPES_TOP + STRIPE + 6
SCORES_HEIGHT: Final = 84
HEIGHT: Final = SCORES_TOP + SCORES_HEIGHT + 24
STRIPE_LEAST: Final = 2.0
"""What would be thinner could not be seen."""
TICKS: Final = 4


def picture(drawn: Drawn) -> str:
    """One series: readings above, episodes between, scores with their threshold below."""
    label = escape(f"{drawn.title}: readings, episodes and scores")
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">',
        *_stripes(drawn.marks, VALUES_TOP, VALUES_HEIGHT),
        *_values(drawn.values),
        *_stripes(drawn.found, STRIPES_TOP, STRIPE),
        *_scores(drawn.scores, drawn.threshold),
        *_times(drawn.from_us, drawn.to_us),
        "</svg>",
    ]
    return "".join(parts)


def _stripes(stripes: Sequence[Stripe], top: float, height: float) -> Iterator[str]:
    for one in stripes:
        width = max(one.end - one.start, STRIPE_LEAST)
        left = LEFT + min(one.start, COLUMNS - width)
        yield (
            f'<rect class="{escape(one.kind)}" x="{left:.1f}" y="{top}" width="{width:.1f}" '
            f'height="{height}"><title>{escape(one.words)}</title></rect>'
        )


def _values(band: Band) -> Iterator[str]:
    low, high = _limits(band)
    yield from _frame(VALUES_TOP, VALUES_HEIGHT, [(low, 1.0), (high, 0.0)])
    if len(band.column):
        at = [(band_y - low) / (high - low) for band_y in (band.low, band.high)]
        yield _path("value", band, 1 - at[0], 1 - at[1], VALUES_TOP, VALUES_HEIGHT)


def _scores(band: Band, threshold: float) -> Iterator[str]:
    """Scores by their share of the threshold, on a scale that lets small ones be seen."""
    most = float(band.high.max()) if len(band.high) else threshold
    top = math.log1p(max(most, 1.5 * threshold) / threshold)
    line = 1 - math.log1p(1.0) / top
    yield from _frame(SCORES_TOP, SCORES_HEIGHT, [(0.0, 1.0), (threshold, line)])
    y = SCORES_TOP + line * SCORES_HEIGHT
    yield f'<path class="threshold" d="M{LEFT} {y:.1f}H{LEFT + COLUMNS}"/>'
    if len(band.column):
        low, high = (
            1 - np.log1p(np.maximum(each, 0.0) / threshold) / top for each in (band.low, band.high)
        )
        yield _path("score", band, low, high, SCORES_TOP, SCORES_HEIGHT)


def _path(kind: str, band: Band, low: object, high: object, top: float, height: float) -> str:
    """A line along the greatest and back along the least; broken where columns hold nothing."""
    x = LEFT + band.column + 0.5
    lows, highs = (top + np.asarray(each, np.float64) * height for each in (low, high))
    parts = []
    apart = 1 + np.flatnonzero(np.diff(band.column) > max(2, COLUMNS // 60))
    for run in np.split(np.arange(len(x)), apart):
        there = [f"{x[i]:.1f} {highs[i]:.1f}" for i in run]
        back = [f"{x[i]:.1f} {lows[i]:.1f}" for i in run[::-1]]
        parts.append(f"M{'L'.join(there)}L{'L'.join(back)}Z")
    return f'<path class="{kind}" d="{"".join(parts)}"/>'


def _limits(band: Band) -> tuple[float, float]:
    if not len(band.low):
        return 0.0, 1.0
    low, high = float(band.low.min()), float(band.high.max())
    if not high > low:
        room = abs(high) * 0.01 or 1.0
        return low - room, high + room
    return low, high


def _frame(top: float, height: float, labels: Sequence[tuple[float, float]]) -> Iterator[str]:
    yield f'<rect class="frame" x="{LEFT}" y="{top}" width="{COLUMNS}" height="{height}"/>'
    for value, share in labels:
        y = top + share * height
        baseline = min(max(y + 4, top + 10), top + height)
        yield f'<text x="{LEFT - 6}" y="{baseline:.1f}" class="y">{value:.4g}</text>'


def _times(from_us: int, to_us: int) -> Iterator[str]:
    """Times along the bottom, as coarse as the picture is long."""
    is_long = to_us - from_us > 4 * 86_400_000_000
    form = "%Y-%m-%d" if is_long else "%m-%d %H:%M"
    for tick in range(TICKS + 1):
        at_us = from_us + (to_us - from_us) * tick / TICKS
        anchor = "start" if tick == 0 else "end" if tick == TICKS else "middle"
        x = LEFT + COLUMNS * tick / TICKS
        told = datetime.fromtimestamp(at_us / 1e6, UTC).strftime(form)
        yield f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{told}</text>'
