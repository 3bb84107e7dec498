"""A model over the history of one series at once: the scores that a gateway gave or would give.

What a gateway does reading by reading is done here over the whole series: a window holds the newest
values in their order, finite ones only, and never looks ahead; a test holds the scores to those of
the gateway's own scorer, reading for reading. History is in the order of time, so a
reading that came late stands where it belongs; at the gateway it stood where it came.

The threshold is the manifest's, unless another is given. Where a gateway would learn one of its own
(`adaptive`), it is the one that learning begins with, and the report says so.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import OperatorError
from cloud.models.devices import DeviceStory
from cloud.models.history import Story
from cloud.models.proof import session_of
from protos.model import CalibrationKind, Manifest, Package, Takes

CALL_VALUES_MAX: Final = 1 << 18
"""Values of windows in one call of the runtime: 2 MB."""

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Replay:
    """A package ready to score history; a score must pass ``threshold``."""

    manifest: Manifest
    session: Any
    threshold: float

    @property
    def learns(self) -> bool:
        """Whether a gateway would go on from this threshold to one of its own."""
        return self.manifest.calibration.kind is CalibrationKind.ADAPTIVE

    def of(self, story: Story) -> F8:
        """The scores of a story, `(n,)`: of its readings, or of a device's frames.

        Raises:
            OperatorError: as `score`.
        """
        if not isinstance(story, DeviceStory):
            return self.score(story.value, story.ts)
        window, count = self.manifest.window, len(story.ends)
        most = max(1, CALL_VALUES_MAX // (window * story.frames.values.shape[1]))
        parts = [
            self._called(story.windows(window, at, at + most), min(most, count - at))
            for at in range(0, count, most)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def score(self, value: F8, ts: I8 | None = None) -> F8:
        """The score of each reading of one series, `(n,)`; NaN where its window is not full.

        With ``ts``, `(n,)` µs, no window reaches over a silence longer than the manifest's `gap_s`.

        Raises:
            OperatorError: the graph fails, or gives other than one number a window.
        """
        window = self.manifest.window
        told = np.full(len(value), np.nan)
        finite = np.flatnonzero(np.isfinite(value))
        count = len(finite) - window + 1
        if count < 1:
            return told
        line = value[finite]
        most = max(1, CALL_VALUES_MAX // window)
        parts = [
            self._run(line[start : start + most + window - 1], min(most, count - start))
            for start in range(0, count, most)
        ]
        told[finite[window - 1 :]] = np.concatenate(parts)
        if self.manifest.gap_s and ts is not None:
            told[_since_seam(value, ts, self.manifest.gap_s) < window] = np.nan
        return told

    def _run(self, line: F8, count: int) -> F8:
        takes = self.manifest.takes
        given = line[: count + self.manifest.window - 1]
        if takes is Takes.WINDOW:
            given = np.lib.stride_tricks.sliding_window_view(given, self.manifest.window)
        return self._called(given, count)

    def _called(self, given: F8, count: int) -> F8:
        tried = f"score with {self.manifest.label}"
        try:
            given = np.ascontiguousarray(given)
            name = self.manifest.takes.input_name
            (scores,) = self.session.run(["score"], {name: given})
        except Exception as error:
            cause = (str(error) or type(error).__name__).splitlines()[0][:300]
            raise OperatorError(tried, cause, "the graph is not what its manifest says") from error
        made = np.asarray(scores, np.float64)
        if made.shape != (count,):
            cause = f"{count} windows gave scores of shape {made.shape}"
            raise OperatorError(tried, cause, "the graph is not what its manifest says")
        return made


def _since_seam(value: F8, ts: I8, gap_s: float) -> I8:
    """`(n,)` numbers up to each reading since the last step that is longer than ``gap_s``."""
    wide = np.abs(np.diff(ts.astype(np.float64), prepend=float(ts[0]))) > gap_s * 1e6
    heard = np.isfinite(value)
    count = np.cumsum(heard)
    begun = np.maximum.accumulate(np.where(wide, count - heard, 0))
    since: I8 = count - begun
    return since


def replay_of(package: Package, threshold: float | None = None) -> Replay:
    """A package ready to score, with its own threshold or another.

    Raises:
        OperatorError: the runtime refuses it, its frames have no step, or no threshold is above 0.
    """
    manifest = package.manifest
    threshold = manifest.calibration.threshold if threshold is None else threshold
    tried = f"replay {manifest.label}"
    if manifest.takes is Takes.FRAME and not (manifest.sample_s and manifest.gap_s):
        cause = "its manifest leaves the step of its frames, or their gap, to gateways"
        raise OperatorError(tried, cause, "pack it with sample_s and gap_s")
    if not 0 < threshold < float("inf"):
        cause = "no threshold above 0 is named: each gateway learns one from nothing"
        raise OperatorError(tried, cause, "give one by --threshold")
    try:
        return Replay(manifest, session_of(package.graph), threshold)
    except Exception as error:
        cause = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise OperatorError(tried, cause, "export it again") from error
