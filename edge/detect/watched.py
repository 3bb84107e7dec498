"""A model under watch: what it was given, how long it took, and that its scores are numbers."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.detect.rollout import Figures
from protos.model import Manifest
from protos.series import SeriesKind

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

CALLS_KEPT: Final = 512
CALL_US: Final = 50_000.0
"""What one call may take whatever is in it: a collect thread that waits so long loses nothing."""
WINDOW_US: Final = 200.0
"""What each window adds to it: the shipped model takes about 1 µs."""
WEEK_US: Final = 7 * 86_400e6
STEP_US_MAX: Final = 3_600e6
"""A longer silence of a series is no time in which it was watched."""


class Inner(Protocol):
    """A model that scores: `edge.detect.models.Model`, or an `edge.detect.apart.Apart`."""

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""
        ...

    def score(self, line: F8, at: I8) -> F8:
        """Scores of the windows of ``line`` that begin at ``at``; raises where it fails."""
        ...

    def score_frames(self, frames: F8) -> F8:
        """Scores of frames; raises where it fails."""
        ...

    @property
    def tells(self) -> bool:
        """Whether it says what each channel of a frame contributed."""
        ...

    def contributions(self, frames: F8) -> F8:
        """What each channel of frames contributed; raises where it fails."""
        ...


@runtime_checkable
class Lived(Protocol):
    """One that is set aside and tried again by itself: `edge.detect.candidate.Candidate`."""

    @property
    def trouble(self) -> str:
        """Why it gives no scores for now, empty while it does."""
        ...

    @property
    def aside(self) -> Mapping[str, int]:
        """How often it was set aside, by why."""
        ...


class Candidate(Inner, Protocol):
    """One that runs in a process of its own, which may die or hang without any other noticing."""

    def memory_bytes(self) -> int:
        """Resident memory of its process, 0 when it is not known."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Watched:
    """A model with its figures; it is scored with on one thread, and read on any.

    ``is_own``: it is the gateway's own. Scores of it that are no numbers are borne: they raise no
    alarm, and there is nothing to go back to.
    """

    def __init__(
        self,
        inner: Inner,
        memory: Callable[[], int] = int,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        *,
        is_own: bool = False,
    ) -> None:
        self._inner, self._is_own = inner, is_own
        self._lock, self._is_over = threading.Lock(), False
        self.manifest = inner.manifest
        self._memory, self._memory_at_first = memory, memory()
        self._clock_ns = clock_ns
        self._window_us = np.zeros(CALLS_KEPT)
        self._late = np.zeros(CALLS_KEPT, np.bool_)
        self._calls = self.windows = self.scored = self.errors = 0
        self.failure = ""

    @property
    def kinds(self) -> frozenset[SeriesKind]:
        """Kinds of series it scores."""
        return frozenset(SeriesKind[kind.upper()] for kind in self.manifest.kinds)

    @property
    def trouble(self) -> str:
        """Why it gives no scores, for now or any more; empty while it does."""
        inner = self._inner
        return self.failure or (inner.trouble if isinstance(inner, Lived) else "")

    @property
    def aside(self) -> Mapping[str, int]:
        """How often it was set aside and tried again, by why."""
        inner = self._inner
        return inner.aside if isinstance(inner, Lived) else {}

    @property
    def tells(self) -> bool:
        """Whether it says what each channel of a frame contributed."""
        return self._inner.tells

    def swap(self, inner: Inner) -> None:
        """Score with another copy of the same model from now on; what scores now is awaited."""
        with self._lock:
            self._inner, self._memory, self._memory_at_first = inner, int, 0

    def end(self) -> None:
        """Score no more; what scores now is awaited, so that its process may be ended."""
        with self._lock:
            self._is_over = True

    def score(self, line: F8, at: I8) -> F8:
        """As the model scores; ValueError for scores that are no numbers, and what it raises."""
        return self._timed(len(at), lambda inner: inner.score(line, at))

    def score_frames(self, frames: F8) -> F8:
        """Likewise."""
        return self._timed(len(frames), lambda inner: inner.score_frames(frames))

    def contributions(self, frames: F8) -> F8:
        """What each channel contributed; they are part of no time, being asked for alarms only."""
        with self._lock:
            return self._asked(lambda inner: inner.contributions(frames))

    def _timed(self, windows: int, ask: Callable[[Inner], F8]) -> F8:
        if not windows:
            return np.zeros(0)
        with self._lock:
            begun_ns = self._clock_ns()
            self.windows += windows
            scores = self._asked(ask)
            took_us = (self._clock_ns() - begun_ns) / 1000
        place = self._calls % CALLS_KEPT
        self._window_us[place] = took_us / windows
        self._late[place] = took_us > CALL_US + WINDOW_US * windows
        self._calls += 1
        self.scored += int(np.isfinite(scores).sum())
        return scores

    def _asked(self, ask: Callable[[Inner], F8]) -> F8:
        """What it answers; that it failed is kept, and raised."""
        try:
            if self._is_over:
                raise ValueError("it was ended")
            scores = ask(self._inner)
            if not np.isfinite(scores).all() and not self._is_own:
                raise ValueError("it gave scores that are no numbers")
        except Exception as error:
            self.errors += 1
            told = getattr(error, "cause", "") or str(error) or type(error).__name__
            self.failure = told.splitlines()[0][:300]
            raise
        return scores

    def figures(self, watch: "Watch", beside_alarms: int, promised_per_week: float) -> Figures:
        """Its figures as of now, with what was watched of its series."""
        calls = min(self._calls, CALLS_KEPT)
        times, memory = self._window_us[:calls], self._memory()
        return Figures(
            windows=self.windows,
            scored=self.scored,
            alarms=watch.alarms,
            errors=self.errors,
            mean_us=float(times.mean()) if calls else 0.0,
            p99_us=float(np.quantile(times, 0.99)) if calls else 0.0,
            calls=calls,
            late=int(self._late[:calls].sum()),
            memory_bytes=memory,
            grown_bytes=max(0, memory - self._memory_at_first) if self._memory_at_first else 0,
            promised_per_week=promised_per_week,
            series_weeks=watch.series_weeks,
            beside_alarms=beside_alarms,
            failure=self.failure,
        )


class Watch:
    """How long which series were watched, and the alarms meanwhile."""

    def __init__(self) -> None:
        self.alarms = 0
        self._watched_us = 0.0
        self._last = np.zeros(0, np.int64)

    @property
    def series_weeks(self) -> float:
        """Weeks of all series together, by the times of their readings."""
        return self._watched_us / WEEK_US

    def saw(self, series: NDArray[np.uint32], ts: I8) -> None:
        """Readings of these series came, `(n,)` each; times in µs."""
        if not len(series):
            return
        most = int(series.max()) + 1
        if most > len(self._last):
            more = np.full(max(most, 2 * len(self._last)) - len(self._last), -1, np.int64)
            self._last = np.concatenate([self._last, more])
        newest = np.full(most, -1, np.int64)
        np.maximum.at(newest, series, ts)
        here = (newest >= 0).nonzero()[0]
        before, now = self._last[here], newest[here]
        step = np.where(before >= 0, now - before, 0).astype(np.float64)
        self._watched_us += float(step[(step > 0) & (step <= STEP_US_MAX)].sum())
        self._last[here] = np.maximum(before, now)
