"""Pure: the steps that readings of many devices fall into, and the frames that come of them.

Readings stand device after device. A segment is what a device said of one step; the first of each
device is the step that is open since earlier batches, even if nothing more is said of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U4 = NDArray[np.uint32]
Bools = NDArray[np.bool_]

NEVER: Final = -(1 << 60)
"""The step before all others: a step is 1 ms at least, and 2⁶³ µs make fewer than 2⁵⁴ of those."""

_EARLIEST: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of each device's newest step.

    Attributes:
        step: `(d,)` int64; NEVER: nothing was heard.
        ts: `(d,)` int64, the newest event time in it.
        source: `(d, channels)` int64, the step in which each channel last arrived.
        value: `(d, channels)` float64, what it then was.
    """

    step: I8
    ts: I8
    source: I8
    value: F8

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.step.nbytes + self.ts.nbytes + self.source.nbytes + self.value.nbytes

    def of(self, who: U4) -> "Opened":
        """Those of some devices."""
        return Opened(self.step[who], self.ts[who], self.source[who], self.value[who])

    def put(self, who: U4, known: "Opened") -> None:
        """Set those of some devices."""
        self.step[who], self.ts[who] = known.step, known.ts
        self.source[who], self.value[who] = known.source, known.value

    def grown(self, more: int) -> "Opened":
        """With room for ``more`` devices of which nothing was heard."""
        source = np.full((more, self.source.shape[1]), NEVER)
        return Opened(
            np.concatenate([self.step, np.full(more, NEVER)]),
            np.concatenate([self.ts, np.zeros(more, np.int64)]),
            np.concatenate([self.source, source]),
            np.concatenate([self.value, np.zeros(source.shape)]),
        )


@dataclass(frozen=True, slots=True)
class Laid:
    """Frames that are complete, device after device in order of time.

    Attributes:
        group: `(f,)` int64, the group (device) of each.
        values: `(f, channels)` float64.
        whole: `(f,)` whether every channel is known and not too old.
        row: `(f,)` int64, the reading that completed it; -1: nothing arrived in its step.
        ts: `(f,)` int64, the newest event time in it.
        opened: of each group, what is known of its newest step.
    """

    group: I8
    values: F8
    whole: Bools
    row: I8
    ts: I8
    opened: Opened


@dataclass(frozen=True, slots=True)
class Steps:
    """Readings of a batch by step.

    Attributes:
        groups: the devices; readings stand in its order.
        late: `(n,)` of an earlier step than the newest.
        live: `(l,)` int64, the other readings.
        segment: `(l,)` int64, the segment of each of those.
        owner: `(s,)` int64, the group of each segment.
        step: `(s,)` int64, the step of each.
        silent: `(s,)` int64, how many silent steps before it are filled.
        filled: `(s,)` int64, how many frames are made of these: of the last of them.
        gap: for how many steps a channel keeps its value.
    """

    groups: Groups
    late: Bools
    live: I8
    segment: I8
    owner: I8
    step: I8
    silent: I8
    filled: I8
    gap: int

    @property
    def frames(self) -> int:
        """Frames that are made of it, at most."""
        return len(self.step) + int(self.filled.sum())

    def late_run(self, before: I8) -> I8:
        """`(n,)`: late readings of its device in a row up to each; ``before``: `(g,)` so far."""
        number = np.arange(len(self.late))
        group = _owners(self.groups)
        start = self.groups.starts[group]
        last = np.maximum.accumulate(np.where(self.late, -1, number))
        return np.where(last >= start, number - last, before[group] + number - start + 1)

    def laid_out(self, channel: I8, value: F8, ts: I8, opened: Opened) -> Laid:
        """The frames that these readings complete; arguments as the readings of ``groups``."""
        channel, value, ts = channel[self.live], value[self.live], ts[self.live]
        base = np.searchsorted(self.owner, np.arange(len(self.groups.series)))
        completed = self._completed(channel, base, opened)
        taken = np.arange(len(self.live)) <= completed[self.segment]

        # A frame for every segment, and those of the silent steps before it.
        place = np.arange(len(self.step)) + np.cumsum(self.filled)
        frame_of = np.repeat(np.arange(len(self.step)), self.filled + 1)
        after = np.arange(len(frame_of)) - (place - self.filled)[frame_of] + 1
        is_heard = after == self.filled[frame_of] + 1
        # Those of a device's first segment come to nothing, for none is filled before it.
        earlier = self.step[np.maximum(frame_of - 1, 0)] + (self.silent - self.filled)[frame_of]
        step = np.where(is_heard, self.step[frame_of], earlier + after)

        values, source = self._held(channel, value, taken, place, base, len(step), opened)
        newest = np.full(len(self.step), _EARLIEST)
        newest[base] = opened.ts
        np.maximum.at(newest, self.segment[taken], ts[taken])
        last = np.append(base[1:], len(self.step)) - 1
        known = Opened(self.step[last], newest[last], source[place[last]], values[place[last]])

        row = np.full(len(step), -1)
        row[place] = self._completing(completed, base, opened)
        out = (~is_heard | (row >= 0)).nonzero()[0]
        whole = (step[out, None] - source[out] <= self.gap).all(axis=1)
        frame = frame_of[out]
        return Laid(self.owner[frame], values[out], whole, row[out], newest[frame], known)

    def _completed(self, channel: I8, base: I8, opened: Opened) -> I8:
        """`(s,)`: the last reading that counts in each segment.

        The one with which all channels have arrived; past all readings where it stays open, and
        before all where it was complete already.
        """
        channels = opened.value.shape[1]
        arrived = np.zeros((len(self.step), channels), np.bool_)
        arrived[base] = opened.source == opened.step[:, None]
        arrived[base[opened.step == NEVER]] = False
        _, first = np.unique(self.segment * channels + channel, return_index=True)
        is_new = np.zeros(len(channel), np.bool_)
        is_new[first] = ~arrived[self.segment[first], channel[first]]
        had = arrived.sum(axis=1)
        new = np.cumsum(is_new)
        begins = np.searchsorted(self.segment, np.arange(len(self.step)))
        before = np.append(0, new)[begins]
        full = is_new & (new - before[self.segment] + had[self.segment] == channels)
        completed = np.full(len(self.step), len(channel))
        completed[self.segment[full]] = full.nonzero()[0]
        completed[had == channels] = -1
        return completed

    def _completing(self, completed: I8, base: I8, opened: Opened) -> I8:
        """`(s,)`: the reading that completes the frame of each segment now; -1: none does."""
        begins = np.searchsorted(self.segment, np.arange(1, len(self.step) + 1))
        next_first = np.append(self.live, -1)[begins]
        next_first[np.append(base[1:], len(self.step)) - 1] = -1
        is_open = completed == len(self.live)
        row = np.where(is_open, next_first, np.append(self.live, -1)[completed])
        row[completed < 0] = -1
        row[base[opened.step == NEVER]] = -1
        return row

    def _held(
        self, channel: I8, value: F8, taken: Bools, place: I8, base: I8, frames: int, opened: Opened
    ) -> tuple[F8, I8]:
        """`(frames, channels)` each: the last value of every channel, and the step it is of."""
        values = np.zeros((frames, opened.value.shape[1]))
        source = np.full(values.shape, NEVER)
        known = np.zeros(values.shape, np.bool_)
        # The first frame of each device knows all that was known, so nothing is taken over from
        # the device before.
        values[place[base]], source[place[base]] = opened.value, opened.source
        known[place[base]] = True
        # Of the same place the last one stays, which is the last to arrive.
        frame, which = place[self.segment[taken]], channel[taken]
        values[frame, which] = value[taken]
        source[frame, which] = self.step[self.segment[taken]]
        known[frame, which] = True
        origin = np.where(known, np.arange(frames)[:, None], 0)
        np.maximum.accumulate(origin, axis=0, out=origin)
        every = np.arange(values.shape[1])
        return values[origin, every], source[origin, every]


def steps_of(step: I8, groups: Groups, opened: Opened, gap: int, window: int) -> Steps:
    """Bring readings to their steps.

    Args:
        step: `(n,)` step of each reading, device after device, each in order of arrival.
        groups: the devices.
        opened: of each of them, its newest step so far.
        gap: for how many steps a channel keeps its value.
        window: frames of a window. Of silent steps so many are made at most: what is held grows
            older from one to the next, so whether the last is whole says it of all, and earlier
            ones are in no window that is to come.
    """
    group = _owners(groups)
    ranks, rank = np.unique(np.concatenate([step, opened.step]), return_inverse=True)
    here, before = rank[: len(step)], rank[len(step) :]
    newest = np.maximum.accumulate(group * len(ranks) + np.maximum(here, before[group]))
    late = here < newest - group * len(ranks)
    live = (~late).nonzero()[0]
    group, step = group[live], step[live]
    earlier = np.empty_like(step)
    earlier[1:] = step[:-1]
    first = np.searchsorted(group, np.arange(len(groups.series)))
    begun = np.bincount(group, minlength=len(groups.series)) > 0
    earlier[first[begun]] = opened.step[begun]
    is_new = step != earlier
    segment = group + np.cumsum(is_new)
    count = 1 + np.bincount(group, weights=is_new, minlength=len(groups.series)).astype(np.int64)
    owner = np.repeat(np.arange(len(groups.series)), count)
    base = np.cumsum(count) - count
    at = np.empty(len(owner), np.int64)
    at[base], at[segment[is_new]] = opened.step, step[is_new]
    silent = np.zeros(len(at), np.int64)
    silent[1:] = np.clip(at[1:] - at[:-1] - 1, 0, gap + 1)
    silent[base] = 0
    silent[1:][at[:-1] == NEVER] = 0
    filled = np.minimum(silent, window)
    return Steps(groups, late, live, segment, owner, at, silent, filled, gap)


def _owners(groups: Groups) -> I8:
    return np.repeat(np.arange(len(groups.series)), groups.counts)
