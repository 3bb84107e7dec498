"""Pure: the channels of one device aligned in time, over its whole history, as gateways align them.

A frame stands for one step of `sample_us`, counted from the epoch, and holds one value of each
channel. It is complete once all have arrived in its step, and what comes of that step later counts
for nothing; or when something of a later step arrives. A channel that did not arrive keeps its last
value for up to `gap_us`; steps in which nothing was said are filled the same way. A test holds the
frames to those of the gateway's own code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protos.model_manifest import GAP_STEPS_MAX

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of one device in the order of time.

    Attributes:
        ts: `(f,)` int64 µs: the newest reading in it, of a silent step where it begins.
        values: `(f, channels)` float64; a frame of which not all is known is NaN throughout.
        heard: `(f,)` whether anything was said in its step: a window may end with it.
    """

    ts: I8
    values: F8
    heard: Bools

    def ends(self, window: int) -> I8:
        """`(m,)`: the frames with which a window of whole frames ends that may end there."""
        whole = np.isfinite(self.values[:, 0])
        number = np.arange(len(whole))
        broken = np.maximum.accumulate(np.where(whole, -1, number)) if len(whole) else number
        ends: I8 = np.flatnonzero((number - broken >= window) & self.heard)
        return ends


def frames_of(ts: Sequence[I8], value: Sequence[F8], sample_us: int, gap_us: int) -> Frames:
    """The frames of one device.

    Args:
        ts: of each channel `(n,)` int64 µs, rising.
        value: of each channel `(n,)` float64.
        sample_us: length of a step, at least 1000.
        gap_us: how long a channel keeps its value; whole steps of it count, `GAP_STEPS_MAX`
            at most.
    """
    channels, gap = len(ts), min(gap_us // sample_us, GAP_STEPS_MAX)
    times, values = np.concatenate([*ts]), np.concatenate([*value])
    which = np.repeat(np.arange(channels), [len(each) for each in ts])
    good = np.isfinite(values)
    order = np.lexsort((which[good], times[good]))
    times, values, which = (each[good][order] for each in (times, values, which))
    steps, segment = np.unique(times // sample_us, return_inverse=True)
    end = _completed(segment, which, len(steps), channels)
    taken = np.arange(len(times)) <= end[segment]
    if len(steps) and end[-1] == len(times):  # still open: nothing of a later step has come
        taken &= segment < len(steps) - 1
        steps = steps[:-1]
    times, values, which, segment = (each[taken] for each in (times, values, which, segment))
    rows, heard = _rows(steps, gap)
    made = np.full((len(rows), channels), np.nan)
    for channel in range(channels):
        mine = np.flatnonzero(which == channel)
        # Of one step the last stays, which is the last to arrive.
        last = mine[np.flatnonzero(np.diff(segment[mine], append=-1) != 0)]
        source = steps[segment[last]]
        at = np.searchsorted(source, rows, "right") - 1
        if len(source):
            known = (at >= 0) & (rows - source[np.maximum(at, 0)] <= gap)
            made[known, channel] = values[last[at[known]]]
    made[~np.isfinite(made).all(axis=1)] = np.nan
    newest = rows * sample_us
    if len(steps):
        begins = np.searchsorted(segment, np.arange(len(steps)))
        newest[heard] = np.maximum.reduceat(times, begins)
    return Frames(newest, made, heard)


def _completed(segment: I8, which: I8, steps: int, channels: int) -> I8:
    """`(steps,)`: the reading that completes each step; the number of readings: none does."""
    _, first = np.unique(segment * channels + which, return_index=True)
    count = np.bincount(segment[first], minlength=steps)
    latest = np.full(steps, -1)
    np.maximum.at(latest, segment[first], first)
    return np.where(count == channels, latest, len(segment))


def _rows(steps: I8, gap: int) -> tuple[I8, Bools]:
    """The steps that have frames, and which of them were heard.

    Silent steps are filled for as long as a channel may keep its value, and one more, in which none
    is known: it parts what lies before from what lies behind.
    """
    filled = np.zeros(len(steps), np.int64)
    filled[1:] = np.clip(np.diff(steps) - 1, 0, gap + 1)
    place = np.arange(len(steps)) + np.cumsum(filled)
    rows = np.empty(len(steps) + int(filled.sum()), np.int64)
    heard = np.zeros(len(rows), np.bool_)
    heard[place] = True
    of = np.repeat(np.arange(len(steps)), filled + 1)
    after = np.arange(len(rows)) - (place - filled)[of] + 1
    rows[:] = np.where(heard, steps[of], steps[np.maximum(of - 1, 0)] + after)
    return rows, heard
