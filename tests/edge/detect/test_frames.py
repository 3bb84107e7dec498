"""Frames: channels that arrive as they like come out as windows of aligned steps."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import frames
from edge.detect.frames import LATE_MAX, Framed, Frames
from protos.model_manifest import GAP_STEPS_MAX

SECOND = 1_000_000
START = 1_700_000_000

Reading = tuple[int, int, int, float]
"""Device, channel, event time in µs, value."""


@dataclass
class NaiveDevice:
    """One device, a reading at a time, as the rules are told."""

    channels: int
    window: int
    gap: int
    step: int | None = None
    ts: int = 0
    is_done: bool = False
    late: int = 0
    arrived: set[int] = field(default_factory=set)
    last: dict[int, tuple[int, float]] = field(default_factory=dict)
    run: list[list[float]] = field(default_factory=list)

    def frame(self, step: int) -> None:
        fresh = all(
            c in self.last and step - self.last[c][0] <= self.gap for c in range(self.channels)
        )
        if fresh:
            self.run.append([self.last[c][1] for c in range(self.channels)])
            self.run = self.run[-self.window :]
        else:
            self.run = []

    def close(self) -> bool:
        assert self.step is not None
        self.is_done = True
        self.frame(self.step)
        return len(self.run) == self.window

    def take(self, channel: int, step: int, ts: int, value: float) -> Iterator[tuple[int, object]]:
        if self.step is not None and step < self.step:
            self.late += 1
            if self.late == LATE_MAX * self.channels:
                self.step, self.late, self.run, self.last = None, 0, [], {}
            return
        self.late = 0
        if step != self.step:
            if self.step is not None:
                if not self.is_done and self.close():
                    yield self.ts, list(self.run)
                for silent in range(self.step + 1, min(step, self.step + self.gap + 2)):
                    self.frame(silent)
            self.step, self.is_done, self.arrived, self.ts = step, False, set(), ts
        if self.is_done:
            return
        self.last[channel] = (step, value)
        self.arrived.add(channel)
        self.ts = max(self.ts, ts)
        if len(self.arrived) == self.channels and self.close():
            yield self.ts, list(self.run)


def naive(
    readings: list[Reading], channels: int, window: int, gap: int
) -> dict[int, list[tuple[int, int, object]]]:
    """By device: the reading that completed each window, its time, and its frames."""
    devices: dict[int, NaiveDevice] = {}
    found = defaultdict(list)
    for row, (device, channel, ts, value) in enumerate(readings):
        if not np.isfinite(value):
            continue
        one = devices.setdefault(device, NaiveDevice(channels, window, gap))
        for newest, held in one.take(channel, ts // SECOND, ts, value):
            found[device].append((row, newest, held))
    return dict(found)


def push(made: Frames, readings: list[Reading]) -> Framed:
    columns = list(zip(*readings, strict=True)) or [[], [], [], []]
    device, channel, ts = (np.array(column, np.int64) for column in columns[:3])
    return made.push(device, channel, ts, np.array(columns[3], np.float64))


def windows(made: Frames, framed: Framed) -> NDArray[np.float64]:
    return framed.line[framed.at[:, None] + np.arange(made.window)]


def by_device(
    made: Frames, framed: Framed, before: int = 0
) -> dict[int, list[tuple[int, int, object]]]:
    found = defaultdict(list)
    told = zip(framed.rows, framed.device, framed.ts, windows(made, framed), strict=True)
    for row, device, ts, window in told:
        found[int(device)].append((int(row) + before, int(ts), window.tolist()))
    return dict(found)


def messy(rng: np.random.Generator, channels: int, count: int = 400) -> list[Reading]:
    """Readings of three devices: out of step, doubled, missing, late, with gaps and jumps."""
    clock = rng.uniform(0, 10, 3) + START
    told: list[Reading] = []
    mood = rng.uniform()
    for number in range(count):
        device = int(rng.integers(3))
        what = rng.uniform()
        clock[device] += rng.uniform(0, 0.5 if mood < 0.7 else 1.5)
        if what < 0.01:
            clock[device] += rng.uniform(2, 12)
        elif what < 0.015:
            clock[device] -= rng.uniform(0, 300)
        at = clock[device] - (rng.uniform(0, 3) if rng.uniform() < 0.05 else 0)
        value = float("nan") if rng.uniform() < 0.02 else float(number)
        told.append((device, int(rng.integers(channels)), int(at * SECOND), value))
    return told


@pytest.mark.parametrize("seed", range(60))
def test_windows_are_those_of_a_model_that_takes_one_reading_at_a_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels, window, gap = (int(rng.integers(*span)) for span in ((1, 4), (1, 6), (0, 5)))
    told = messy(rng, channels)
    made = Frames(channels, window, SECOND, gap * SECOND)
    assert by_device(made, push(made, told)) == naive(told, channels, window, gap)


def test_the_messy_streams_hold_full_windows_late_readings_and_new_starts() -> None:
    full, late, anew = 0, 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        channels, window, gap = (int(rng.integers(*span)) for span in ((1, 4), (1, 6), (0, 5)))
        made = Frames(channels, window, SECOND, gap * SECOND)
        told = messy(rng, channels)
        full += len(push(made, told).rows)
        late += made.late
        anew += made.late >= LATE_MAX * channels
    assert full > 500
    assert late > 1000
    assert anew > 10


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("values_max", [1, 40, frames.VALUES_MAX])
def test_cutting_the_stream_changes_no_window(
    seed: int, values_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    told = messy(rng, 2)
    whole = Frames(2, 4, SECOND, 3 * SECOND)
    expected = by_device(whole, push(whole, told))
    monkeypatch.setattr(frames, "VALUES_MAX", values_max)
    cut, found = Frames(2, 4, SECOND, 3 * SECOND), defaultdict(list)
    start = 0
    while start < len(told):
        end = start + int(rng.integers(0, 60))
        for device, some in by_device(cut, push(cut, told[start:end]), start).items():
            found[device] += some
        start = end
    assert dict(found) == expected
    assert cut.late == whole.late


def steady(channels: int, steps: int, first: int = START) -> list[Reading]:
    return [
        (0, channel, (first + step) * SECOND, float(10 * step + channel))
        for step in range(steps)
        for channel in range(channels)
    ]


def test_a_frame_is_complete_with_the_last_channel_of_its_step() -> None:
    made = Frames(2, 3, SECOND, 0)
    framed = push(made, steady(2, 4))
    assert framed.rows.tolist() == [5, 7]
    assert windows(made, framed)[-1].tolist() == [[10, 11], [20, 21], [30, 31]]
    assert framed.ts.tolist() == [(START + 2) * SECOND, (START + 3) * SECOND]


def test_a_channel_that_is_missing_is_held_until_the_gap_and_the_window_starts_anew_after_it() -> (
    None
):
    told = steady(2, 12)
    without = [
        reading for reading in told if reading[1] == 0 or not 4 <= reading[2] // SECOND - START < 7
    ]
    held = Frames(2, 3, SECOND, 3 * SECOND)
    assert len(push(held, without).rows) == 10
    lost = Frames(2, 3, SECOND, 2 * SECOND)
    seen = push(lost, without).ts // SECOND - START
    assert seen.tolist() == [2, 3, 4, 5, 9, 10, 11]


def test_silent_steps_are_filled_and_no_window_ends_with_them() -> None:
    told = [reading for reading in steady(2, 9) if reading[2] // SECOND - START not in (4, 5)]
    made = Frames(2, 4, SECOND, 2 * SECOND)
    framed = push(made, told)
    assert (framed.ts // SECOND - START).tolist() == [3, 6, 7, 8]
    assert windows(made, framed)[1].tolist() == [[30, 31], [30, 31], [30, 31], [60, 61]]


def test_of_doubled_values_the_last_before_completion_counts() -> None:
    at = START * SECOND
    told = [(0, 0, at, 1.0), (0, 0, at + 9, 2.0), (0, 1, at, 3.0), (0, 0, at, 4.0)]
    made = Frames(2, 2, SECOND, SECOND)
    framed = push(made, [*told, (0, 1, at + SECOND, 5.0), (0, 1, at + 2 * SECOND, 6.0)])
    assert windows(made, framed).tolist() == [[[2.0, 3.0], [2.0, 5.0]]]
    assert framed.rows.tolist() == [5], "it was open until a later step was heard"
    assert framed.ts.tolist() == [at + SECOND]


def test_one_wild_stamp_costs_a_bounded_run_of_readings_and_not_the_device() -> None:
    made = Frames(2, 3, SECOND, SECOND)
    wild = [(0, 0, 1 << 62, 0.0)]
    framed = push(made, [*steady(2, 5), *wild, *steady(2, 100, START + 5)])
    again = framed.rows[framed.rows > 11]
    assert int(again[0]) == 10 + LATE_MAX * 2 + 6
    assert made.late == LATE_MAX * 2


def test_extreme_times_and_an_empty_batch_are_taken() -> None:
    made = Frames(1, 2, 1000, 0)
    assert len(push(made, []).rows) == 0
    low, high = -(1 << 63), (1 << 63) - 1
    assert len(push(made, [(0, 0, low, 1.0), (0, 0, high, 2.0), (0, 0, low, 3.0)]).rows) == 0


def test_what_a_gap_may_fill_is_bounded_whatever_it_says() -> None:
    told = [*steady(1, 5), *steady(1, 5, START + GAP_STEPS_MAX + 5)]
    made = Frames(1, 3, SECOND, 1 << 62)
    assert len(push(made, told).rows) == 3 + 5
    further = [*steady(1, 5), *steady(1, 5, START + GAP_STEPS_MAX + 6)]
    assert len(push(Frames(1, 3, SECOND, 1 << 62), further).rows) == 3 + 5 - 2


@pytest.mark.parametrize(("window", "gap"), [(1, 50), (3, 50), (7, 50), (50, 50), (51, 50)])
def test_of_a_silence_that_is_bridged_no_more_frames_are_made_than_a_window_holds(
    window: int, gap: int
) -> None:
    """So no step and gap that a manifest names make a reading dear."""
    rng = np.random.default_rng(window)
    at = START + np.cumsum(rng.choice([1, 1, 20, 49, 50, 51, 52, 200], 400))
    told = [(0, int(rng.integers(2)), int(step) * SECOND, float(step)) for step in at]
    made = Frames(2, window, SECOND, gap * SECOND)
    framed = push(made, told)
    assert by_device(made, framed) == naive(told, 2, window, gap)
    assert len(framed.line) <= window + len(told) * (window + 1)


@pytest.mark.parametrize("is_outdated", [False, True])
def test_a_step_that_stood_open_when_it_was_kept_ends_a_window_once(is_outdated: bool) -> None:
    """Kept by a run that was killed later, it was judged since; kept by the last, it was not."""
    made, again = (Frames(2, 3, SECOND, 3 * SECOND) for _ in range(2))
    told = [(0, channel, step * SECOND, 10.0 * step + channel) for step in range(4)
            for channel in (0, 1)]  # fmt: skip
    assert push(made, [*told, (0, 0, 4 * SECOND, 40.0)]).ts.tolist() == [2 * SECOND, 3 * SECOND]
    again.grow(1)
    rows = again.by_series()
    for name, held in made.by_series().items():
        rows[name][:1] = held[:1]
    if is_outdated:
        again.outdate()
    framed = push(again, [(0, 0, 5 * SECOND, 50.0), (0, 1, 5 * SECOND, 51.0)])
    ends = [5] if is_outdated else [4, 5]
    assert framed.ts.tolist() == [end * SECOND for end in ends]
    assert windows(again, framed)[-1].tolist() == [[30.0, 31.0], [40.0, 31.0], [50.0, 51.0]]


def test_memory_is_bounded_by_the_devices() -> None:
    made = Frames(8, 32, SECOND, 5 * SECOND)
    push(made, [(device, 0, START * SECOND, 1.0) for device in range(100)])
    first = made.nbytes
    for step in range(1, 40):
        push(made, [(device, 0, (START + step) * SECOND, 1.0) for device in range(100)])
    assert made.nbytes == first
    assert first / 100 < 31 * 8 * 8 + 8 * 16 + 64


@pytest.mark.parametrize(
    "given", [(0, 2, 1000, 0), (1, 0, 1000, 0), (1, 2, 999, 0), (1, 2, 1000, -1)]
)
def test_what_is_out_of_range_is_refused(given: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1, 1, 1000 and 0"):
        Frames(*given)
