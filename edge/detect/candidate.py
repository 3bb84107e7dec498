"""A model that scores apart, is set aside when it fails, and is tried again, but not for ever.

It scores as a `Model` does and may stand wherever one stands. While it is set aside, or its process
still loads, its windows have no score: NaN, which raises no alarm and teaches nothing. After the
last trial that was left it says so with a `SetAsideError`, once for each call, at no cost.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge.detect.apart import Apart, SetAsideError
from edge.detect.apart_wire import F8, I8, Bounds, Reason, Report
from protos.model_manifest import Manifest
from protos.series import SeriesKind

log = logging.getLogger(__name__)

COOLING_S: Final = (60.0, 600.0, 3600.0)
"""Pauses before each new trial; after the last there is none. Each trial that hangs costs the
readings two seconds, so these are eight in an hour and then no more."""
FINAL: Final = frozenset({Reason.REFUSED})
"""Reasons that another trial would only find again."""


@dataclass(slots=True)
class Candidate:
    """One model apart, over its lives.

    Args:
        manifest: of the model.
        graph: its bytes; kept, for another process needs them.
        bounds: of each process.
        now: monotonic seconds.
    """

    manifest: Manifest
    graph: bytes = field(repr=False)
    bounds: Bounds = field(default_factory=Bounds)
    now: Callable[[], float] = time.monotonic
    aside: Counter[str] = field(default_factory=Counter)
    """How often it was set aside, by why."""
    scored: int = 0
    skipped: int = 0
    """Windows that it was given and gave no score."""
    trouble: str = ""
    """Why it is set aside, empty while it runs."""
    is_out: bool = False
    """Whether it is set aside for good."""
    _apart: Apart | None = None
    _again_s: float = float("-inf")
    _last: SetAsideError | None = None

    @property
    def kinds(self) -> frozenset[SeriesKind]:
        """Kinds of series it scores."""
        return frozenset(SeriesKind[kind.upper()] for kind in self.manifest.kinds)

    def memory_bytes(self) -> int:
        """What its process holds; 0 without one."""
        return self._apart.memory_bytes() if self._apart else 0

    def score(self, line: F8, at: I8) -> F8:
        """Score windows as `Model.score` does; NaN where there is no score.

        Raises:
            SetAsideError: it is set aside for good.
        """
        return self._scored(len(at), lambda apart: apart.score(line, at))

    def score_frames(self, frames: F8) -> F8:
        """Score frames as `Model.score_frames` does; NaN and SetAsideError as `score`."""
        return self._scored(len(frames), lambda apart: apart.score_frames(frames))

    @property
    def tells(self) -> bool:
        """Whether it says what channels contributed; not while it is set aside."""
        return self._apart is not None and self._apart.tells

    def contributions(self, frames: F8) -> F8:
        """Contributions as `Model.contributions`; NaN and SetAsideError as `score`."""
        width = len(self.manifest.channels)
        told = self._asked(len(frames), lambda apart: apart.contributions(frames))
        return np.full((len(frames), width), np.nan) if told is None else told

    def ready(self, *, wait: bool = False) -> Report | None:
        """How its trial went, which is begun if it is due; None while it is not over, or not due.

        Raises:
            SetAsideError: it failed, and is set aside.
        """
        if self.is_out:
            assert self._last is not None
            raise self._last
        try:
            if self._apart is None:
                if self.now() < self._again_s:
                    return None
                self._apart = Apart.start(self.manifest, self.graph, self.bounds)
            report = self._apart.report(wait=wait)
        except SetAsideError as error:
            self._set_aside(error)
            raise
        if report is not None:
            self.trouble = ""
        return report

    def close(self) -> None:
        """End its process; another call would begin one."""
        if self._apart is not None:
            self._apart.close()
            self._apart = None

    def _scored(self, windows: int, ask: Callable[[Apart], F8]) -> F8:
        scores = self._asked(windows, ask)
        if scores is None:
            self.skipped += windows
            return np.full(windows, np.nan)
        self.scored += windows
        return scores

    def _asked(self, windows: int, ask: Callable[[Apart], F8]) -> F8 | None:
        """What it answers; None where there is no answer for now."""
        if self.is_out:
            assert self._last is not None
            raise self._last
        try:
            if not windows or self.ready() is None or self._apart is None:
                return None
            return ask(self._apart)
        except SetAsideError as error:
            if self._last is not error:
                self._set_aside(error)
            return None

    def _set_aside(self, error: SetAsideError) -> None:
        self.close()
        lives = self.aside.total()
        self.aside[error.reason] += 1
        self._last, self.trouble = error, f"{error.reason}: {error.why}"
        self.is_out = error.reason in FINAL or lives >= len(COOLING_S)
        again = "for good"
        if not self.is_out:
            self._again_s = self.now() + COOLING_S[lives]
            again = f"and tried again in {COOLING_S[lives]:.0f} s"
        log.error("model %s is set aside %s: %s", self.manifest.label, again, self.trouble)
