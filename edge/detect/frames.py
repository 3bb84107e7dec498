"""Pure: readings of several metrics of one device aligned in time, as windows of frames.

A frame holds one value of each channel and stands for one step of `sample_s`; steps are counted
from the epoch, so a reading's step follows from its event time alone. The rules:

- A frame is complete once all channels have arrived in its step, or when the device says something
  of a later step. No clock completes it: a device that falls silent is the matter of other rules.
- Of several values of a channel in one step the last to arrive before completion counts.
- A channel that did not arrive keeps its last value for up to `gap_s`. Steps in which the device
  said nothing are filled the same way; windows hold such frames, but none ends with one, for nobody
  learned anything then. When a channel's last value is older, the window starts anew.
- A reading of an earlier step than the newest is late and counts for nothing. After `LATE_MAX` of
  them in a row for each channel the device starts anew: its clock was set back, or one wild stamp
  was ahead.
- Values that are not finite are passed over.

How the stream is cut into batches changes no window. What is held may be kept and put back: an
outage of the gateway is a gap by these rules as any other, so it does not age. But of a run that
was killed it may be from before the end: then what is open was judged since, and is no more.
Memory is bounded by the number of devices.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import Groups, by_series
from edge.detect.frame_steps import NEVER, Opened, Steps, steps_of
from protos.model_manifest import GAP_STEPS_MAX

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U4 = NDArray[np.uint32]

SAMPLE_US_MIN: Final = 1000
LATE_MAX: Final = 16
VALUES_MAX: Final = 256 << 10
"""Values of frames made at once, about: what would make more is worked off in parts."""


@dataclass(frozen=True, slots=True)
class Framed:
    """Full windows of one batch, as places in a line of frames.

    Attributes:
        rows: `(m,)` int64, the reading of the batch that completed the newest frame of each window;
            windows of one device in order of time.
        device: `(m,)` int64.
        ts: `(m,)` int64, the newest event time in that frame.
        line: `(l, channels)` float64.
        at: `(m,)` int64, where in the line each window begins.
    """

    rows: I8
    device: I8
    ts: I8
    line: F8
    at: I8

    def only(self, which: NDArray[np.bool_]) -> "Framed":
        """Some of the windows, `(m,)` of them marked."""
        return Framed(
            self.rows[which], self.device[which], self.ts[which], self.line, self.at[which]
        )


@dataclass(frozen=True, slots=True)
class Told:
    """Readings as frames take them, all of one length, in order of arrival.

    Attributes:
        device, channel: int64 numbers from 0.
        ts: int64, event time in µs.
        value: float64.
        row: int64, where each stands in the batch.
    """

    device: I8
    channel: I8
    ts: I8
    value: F8
    row: I8

    def at(self, rows: "I8 | slice") -> "Told":
        """Those at these places."""
        return Told(
            self.device[rows], self.channel[rows], self.ts[rows], self.value[rows], self.row[rows]
        )


class Frames:
    """The last frames of every device; bounded by the highest device number.

    Args:
        channels: values in a frame, at least 1.
        window: frames in a window, at least 1.
        sample_us: length of a step in µs, at least 1000.
        gap_us: how long a channel keeps its last value; whole steps of it count, `GAP_STEPS_MAX`
            at most.

    Raises:
        ValueError: one of them is out of range.
    """

    def __init__(self, channels: int, window: int, sample_us: int, gap_us: int) -> None:
        if channels < 1 or window < 1 or sample_us < SAMPLE_US_MIN or gap_us < 0:
            raise ValueError(
                f"frames of {channels} channels, windows of {window}, steps of {sample_us} µs and "
                f"gaps of {gap_us} µs: at least 1, 1, 1000 and 0 are wanted"
            )
        self.channels, self.window = channels, window
        self.late = 0
        self._sample_us, self._gap = sample_us, min(gap_us // sample_us, GAP_STEPS_MAX)
        self._history: F8 = np.zeros((0, window - 1, channels))
        # Frames since the window started anew, counted up to a full window.
        self._run: I8 = np.zeros(0, np.int64)
        self._late: I8 = np.zeros(0, np.int64)
        none = np.zeros((0, channels), np.int64)
        self._open = Opened(np.zeros(0, np.int64), none[:, 0], none, np.zeros((0, channels)))

    @property
    def nbytes(self) -> int:
        """Bytes held for all devices."""
        held = (self._history, self._run, self._late)
        return sum(array.nbytes for array in held) + self._open.nbytes

    def push(self, device: I8, channel: I8, ts: I8, value: F8) -> Framed:
        """Take one batch and return the windows that are full.

        Args:
            device: `(n,)` device numbers from 0.
            channel: `(n,)` the channel of each reading, from 0.
            ts: `(n,)` event times in µs.
            value: `(n,)` float64.
        """
        finite = np.isfinite(value).nonzero()[0]
        rest = Told(device[finite], channel[finite], ts[finite], value[finite], finite)
        if len(rest.row):
            self.grow(int(rest.device.max()) + 1)
        done: list[Framed] = []
        most = len(rest.row)
        while len(rest.row):
            size = min(most, len(rest.row))
            while True:
                # A part is cut where a device starts anew, and where it would make too many frames.
                groups = by_series(rest.device[:size].astype(np.uint32))
                part = rest.at(slice(size) if groups.order is None else groups.order)
                step, opened = part.ts // self._sample_us, self._open.of(groups.series)
                steps = steps_of(step, groups, opened, self._gap, self.window)
                size, before = self._cut(steps, groups, size), size
                if size == before:
                    break
            done.append(self._take(part, groups, steps))
            rest, most = rest.at(slice(size, None)), 2 * size
        return _joined(done, self.channels)

    def _cut(self, steps: Steps, groups: Groups, size: int) -> int:
        """How many of the first ``size`` readings may be taken at once."""
        if size > 1 and steps.frames * self.channels > VALUES_MAX:
            return size // 2
        run = steps.late_run(self._late[groups.series])
        over = (run >= LATE_MAX * self.channels).nonzero()[0]
        if not len(over):
            return size
        return int((over if groups.order is None else groups.order[over]).min()) + 1

    def _take(self, part: Told, groups: Groups, steps: Steps) -> Framed:
        who = groups.series.astype(np.int64)
        self.late += int(np.count_nonzero(steps.late))
        run = steps.late_run(self._late[who])
        self._late[who] = run[groups.starts + groups.counts - 1]
        opened = self._open.of(groups.series)
        laid = steps.laid_out(part.channel, part.value, part.ts, opened)
        self._open.put(groups.series, laid.opened)
        framed = self._windows(who, laid.group, laid.values, laid.whole, laid.row >= 0)
        told = laid.row[framed.rows]
        self._start_anew(who[self._late[who] >= LATE_MAX * self.channels])
        return replace(framed, rows=part.row[told], ts=laid.ts[framed.rows])

    def _windows(
        self, who: I8, group: I8, values: F8, whole: NDArray[np.bool_], heard: NDArray[np.bool_]
    ) -> Framed:
        """The full windows that end with these frames; rows are frames, ts is not known yet.

        Args:
            who: `(g,)` device of each group.
            group: `(f,)` group of each frame, rising.
            values: `(f, channels)`.
            whole: `(f,)` whether every channel is known; without it the window starts anew.
            heard: `(f,)` whether a window may end with it.
        """
        past, count = self.window - 1, np.bincount(group, minlength=len(who))
        mine = count.nonzero()[0]
        count, device = count[mine], who[mine]
        starts = np.cumsum(count) - count
        number = np.arange(len(group))
        block = np.repeat(np.arange(len(mine)), count)
        place = number + past * (block + 1)
        line = np.zeros((len(group) + past * len(mine), self.channels))
        line[place] = np.where(whole[:, None], values, 0.0)
        base = starts + past * np.arange(len(mine))
        span = np.arange(past)
        line[base[:, None] + span] = self._history[device]
        self._history[device] = line[(base + count)[:, None] + span]

        broken = np.maximum.accumulate(np.where(whole, -1, number))
        first = starts[block]
        run = np.where(
            broken >= first, number - broken, self._run[device][block] + number - first + 1
        )
        if len(mine):
            self._run[device] = np.minimum(run[starts + count - 1], self.window)
        full = ((run >= self.window) & heard).nonzero()[0]
        return Framed(full, device[block[full]], full, line, place[full] - past)

    def _start_anew(self, who: I8) -> None:
        self._run[who] = self._late[who] = 0
        self._open.step[who] = self._open.source[who] = NEVER

    def by_series(self) -> dict[str, NDArray[Any]]:
        """What is held, a row a device; to be kept and put back."""
        opened = self._open
        return {
            "history": self._history, "run": self._run, "late": self._late, "step": opened.step,
            "ts": opened.ts, "source": opened.source, "value": opened.value,
        }  # fmt: skip

    def outdate(self) -> None:
        """Take the open step of each device as complete, and let no window end with it."""
        opened = self._open
        arrived = opened.source == opened.step[:, None]
        who = ((opened.step != NEVER) & ~arrived.all(axis=1)).nonzero()[0]
        step = opened.step[who, None]
        whole = (step - opened.source[who] <= self._gap).all(axis=1)
        if self.window > 1:
            self._history[who, :-1] = self._history[who, 1:]
            self._history[who, -1] = np.where(whole[:, None], opened.value[who], 0.0)
        self._run[who] = np.where(whole, np.minimum(self._run[who] + 1, self.window), 0)
        opened.source[who] = step

    def grow(self, size: int) -> None:
        """Have room for devices 0 to ``size`` - 1 at least."""
        have = len(self._run)
        if size <= have:
            return
        more = max(size, 2 * have) - have
        room = np.zeros((more, self.window - 1, self.channels))
        self._history = np.concatenate([self._history, room])
        self._run = np.concatenate([self._run, np.zeros(more, np.int64)])
        self._late = np.concatenate([self._late, np.zeros(more, np.int64)])
        self._open = self._open.grown(more)


def _joined(parts: list[Framed], channels: int) -> Framed:
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Framed(nothing, nothing, nothing, np.zeros((0, channels)), nothing)
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part.line) for part in parts[:-1])])
    return Framed(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.device for part in parts]),
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.line for part in parts]),
        np.concatenate([part.at + start for part, start in zip(parts, before, strict=True)]),
    )
