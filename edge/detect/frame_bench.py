"""A model of several metrics in service: frames of its devices, scores, and which channel led.

Each window of a device gives one judged reading. It is of the series of the model's first channel,
which stands for the device; where it is strange, ``channel`` says which series contributed most to
the score, and ``value`` is that series' value in the newest frame. A graph says what contributed by
a second output `contribution`, float32 `(n, channels)`, not negative; without it, and where a frame
is not strange, the first channel is said.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.fixed import judge_of
from edge.detect.frames import SAMPLE_US_MIN, Framed, Frames
from edge.detect.judged import Judged
from edge.detect.looked import Looked
from edge.detect.models import CALL_BYTES_MAX
from edge.detect.places import Places, SeriesNames
from edge.detect.scoring import Scoring
from edge.detect.slots import Slotted, slots_for

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]

SAMPLE_S: Final = 1.0
"""Step of a model whose manifest leaves it to the gateway."""
GAP_STEPS: Final = 5
"""Steps for which a channel keeps its value when the manifest leaves that to the gateway."""


class FrameBench:
    """One model that takes frames, with the state of its devices.

    Args:
        model: its manifest takes frames.
        alarms_per_week: stated false alarms for each device and week, where the manifest's
            calibration is adaptive.
    """

    def __init__(self, model: Scoring, alarms_per_week: float) -> None:
        manifest = model.manifest
        sample_s = manifest.sample_s or SAMPLE_S
        gap_s = manifest.gap_s or GAP_STEPS * sample_s
        self.model = model
        self.scored, self.anomalies, self.failure = 0, 0, ""
        self.unscored = self.passed_over = 0
        sample_us = max(round(sample_s * 1e6), SAMPLE_US_MIN)
        self.frames = Frames(len(manifest.channels), manifest.window, sample_us, round(gap_s * 1e6))
        self._places = Places(manifest)
        self._judge = judge_of(manifest.calibration, alarms_per_week)
        self._slots = slots_for(self.frames, self._judge)

    @property
    def watched_s(self) -> float:
        """Seconds that devices were watched with a threshold in force, summed over them."""
        return self._judge.watched_s

    @property
    def nbytes(self) -> int:
        """Bytes held for all devices, the model itself not counted."""
        return self.frames.nbytes + self._judge.nbytes

    @property
    def series_max(self) -> int:
        """Devices that it has room for."""
        return self._slots.most

    @property
    def is_full(self) -> bool:
        """Whether it takes no further device."""
        return self._slots.is_full

    def learning(self) -> dict[str, Slotted]:
        """What is known of each device, by part; kept under what the device is named."""
        return {
            "frames": Slotted(self._slots, self.frames, self._places.whose),
            "thresholds": Slotted(self._slots, self._judge, self._places.whose),
        }

    def look(self, numbers: Columns, names: SeriesNames) -> Iterator[Looked]:
        """What the model says of numbers: of each window that they complete.

        Raises:
            Exception: whatever the runtime raises, and ValueError for outputs of another shape.
        """
        self._places.learn(names)
        device = self._places.device[numbers["series"]]
        mine = (device >= 0).nonzero()[0]
        fits = self._slots.fits(self._places.named[device[mine]])
        if fits is not None:
            self.passed_over += int(np.count_nonzero(~fits))
            mine = mine[fits]
        if not len(mine):
            return
        framed = self.frames.push(
            self._slots.of(self._places.named[device[mine]]).astype(np.int64),
            self._places.channel[numbers["series"][mine]],
            numbers["ts"][mine].astype(np.int64, copy=False),
            numbers["value"][mine].astype(np.float64, copy=False),
        )
        if len(framed.at):
            yield self._judged(framed, mine[framed.rows], device)

    def _judged(self, framed: Framed, rows: I8, device: I8) -> Looked:
        scores = np.maximum(self._scores(framed), 0.0)
        given = np.isfinite(scores)
        if not given.all():  # no numbers, or set aside for now: these windows it did not judge
            self.unscored += int(np.count_nonzero(~given))
            framed, rows, scores = framed.only(given), rows[given], scores[given]
        verdict = self._judge.judge(framed.device.astype(np.uint32), scores, framed.ts)
        self.scored += len(scores)
        self.anomalies += int(np.count_nonzero(verdict.alarm))
        led = np.zeros(len(scores), np.int64)
        strange = (scores > verdict.threshold).nonzero()[0]
        if len(strange) and self.model.tells:
            led[strange] = self._led(framed, strange)
        series = self._places.series[device[rows]]
        newest = framed.line[framed.at + self.frames.window - 1]
        every = np.arange(len(scores))
        judged = Judged(
            self.model.manifest.label, series[:, 0], framed.ts, newest[every, led], scores,
            verdict.threshold, series[every, led],
        )  # fmt: skip
        return Looked(rows, judged, verdict.alarm)

    def _scores(self, framed: Framed) -> F8:
        """The score of each window."""
        parts = self._parts(len(framed.at))
        return np.concatenate(
            [self.model.score_frames(self._windows(framed, part)) for part in parts]
        )

    def _led(self, framed: Framed, which: I8) -> I8:
        """The channel that contributed most to the score of each of some windows."""
        led = []
        for part in self._parts(len(which)):
            told = self.model.contributions(self._windows(framed, which[part]))
            led.append(np.argmax(told, axis=1))
        return np.concatenate(led)

    def _parts(self, count: int) -> list[slice]:
        """What is scored in one call, so that what it works on stays in the processor's cache."""
        most = max(1, CALL_BYTES_MAX // (8 * self.frames.window * self.frames.channels))
        return [slice(start, start + most) for start in range(0, count, most)]

    def _windows(self, framed: Framed, which: I8 | slice) -> F8:
        windows: F8 = framed.line[framed.at[which][:, None] + np.arange(self.frames.window)]
        return windows
