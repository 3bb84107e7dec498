"""Pure: what may be learned from, as runs of readings without a seam, and their windows in chunks.

A run ends where readings were left out, and where a series was silent for more than `SILENCE`
usual steps: a window over such a seam would show a jump that never was.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SILENCE: Final = 16.0
"""Of a series' median steps; the adaptive threshold takes as much for time without watch."""
CHUNK_VALUES: Final = 1 << 20
"""Values of windows worked on at once: 8 MB."""
HELD_OUT: Final = 0.2
"""Share of the newest windows of each series that fits nothing: it calibrates and proves."""
SEASON_NEAR: Final = 0.9
"""Of the highest autocorrelation: where a season is looked for."""

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one series teaches: runs of values `(n,)` in the order of time.

    ``step_us`` is its median step.
    """

    runs: Sequence[F8]
    step_us: float

    @property
    def values(self) -> int:
        """Values in all runs."""
        return sum(len(run) for run in self.runs)


def lesson_of(ts: I8, value: F8, normal: Bools) -> Lesson:
    """The runs of one series: ``ts`` in µs, ``value``, and which may be learned from, `(n,)`."""
    step_us = usual_step(ts)
    apart = np.diff(ts) > SILENCE * step_us
    seams = 1 + np.flatnonzero(apart | (np.diff(normal.astype(np.int8)) != 0))
    edges = [0, *seams.tolist(), len(ts)]
    runs = [
        value[start:end]
        for start, end in itertools.pairwise(edges)
        if end > start and normal[start]
    ]
    return Lesson(runs, step_us)


def usual_step(ts: I8) -> float:
    """The median step in µs, of those forward; a second where there is none."""
    steps = np.diff(ts)
    forward = steps[steps > 0]
    return float(np.median(forward)) if len(forward) else 1e6


def parted(lesson: Lesson, window: int) -> tuple[list[F8], list[F8]]:
    """Runs to fit on and runs held out: the last `HELD_OUT` of the windows, in time.

    No window of one shares its newest reading with the other; those held out look back as far as
    any does.
    """
    counts = [max(0, len(run) - window + 1) for run in lesson.runs]
    fit_on = int(np.ceil(sum(counts) * (1 - HELD_OUT)))
    fitted, held = [], []
    for run, count in zip(lesson.runs, counts, strict=True):
        mine = min(count, fit_on)
        fit_on -= mine
        if mine:
            fitted.append(run[: mine + window - 1])
        if count > mine:
            held.append(run[mine:])
    return fitted, held


def windows(runs: Sequence[F8], window: int) -> Iterator[F8]:
    """All windows of runs, `(m, window)` at a time; views, not to be written to."""
    most = max(1, CHUNK_VALUES // window)
    for run in runs:
        if len(run) < window:
            continue
        views = np.lib.stride_tricks.sliding_window_view(run, window)
        for start in range(0, len(views), most):
            yield views[start : start + most]


def count(runs: Sequence[F8], window: int) -> int:
    """How many windows runs have."""
    return sum(max(0, len(run) - window + 1) for run in runs)


def season_of(runs: Sequence[F8], shortest: int, longest: int, least: float = 0.5) -> int:
    """The period of what repeats itself, in readings; 0 where nothing does.

    It is the first lag behind the first fall of the autocorrelation below 0 where it is nearly as
    high as it ever is again, and at least ``least``; of the longest run, at most 32,768 values of
    it, by the unbiased estimate.
    """
    longest_run = max(runs, key=len, default=np.zeros(0))[-(1 << 15) :]
    top = min(longest, len(longest_run) // 3)
    if top <= shortest:
        return 0
    centred = longest_run - longest_run.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    overlap = np.arange(len(centred), len(centred) - top - 1, -1)
    acf = np.fft.irfft(power, size)[: top + 1] / overlap
    if not acf[0] > 0:
        return 0
    acf = acf / acf[0]
    below = np.flatnonzero(acf < 0)
    first = max(shortest, int(below[0])) if len(below) else top
    if first >= top:
        return 0
    highest = float(acf[first:].max())
    if highest < least:
        return 0
    # Its multiples are as high: the first that comes near, and the peak of that hill.
    begin = first + int(np.argmax(acf[first:] >= SEASON_NEAR * highest))
    hill = acf[begin : begin + max(2, begin // 8)]
    best = begin + int(np.argmax(hill))
    return best if best < top and acf[best] >= acf[best - 1] else 0
