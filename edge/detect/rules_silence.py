"""Pure: series and devices that were heard and fall silent, by a clock that no clock can step.

Time here is *listening time* (`Listening`): seconds of a monotonic clock during which the gateway
could have heard something. While a broker is away, the buffer full, the process held up or the
machine asleep it stands still, so that what silences the gateway is not told as its sensors'
silence. The times that readings tell have no part in it.

A cadence is learnt from the time between hearings, each weighed by its own length: the wait that a
moment chosen by chance falls into. So three readings in a row every ten minutes have a cadence of
ten minutes, and a backlog that comes within a second changes hardly anything.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.rules_state import Switch, grown
from edge.settings_watch import Watch

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U4 = NDArray[np.uint32]

STALL_S: Final = 5.0
"""A step of the monotonic clock counts as so much at most: ticks are a second apart."""
SETTLE_S: Final = 10.0
"""After a connection is made, so long nothing is learnt: what the broker kept comes at once."""
LEARN_MIN: Final = 8
"""Waits from which on a cadence is believed."""
MEMORY: Final = 16.0
"""Waits, about, over which it is smoothed."""
LEARN_OVER: Final = 4.0
"""A wait counts as so many times a cadence that is believed at most: one silence is no rule."""


class Listening:
    """The clock of silence, fed with looks at a monotonic clock in the order they were taken."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._mono_s = 0.0
        self._hears = False
        self._since_s = 0.0

    def look(self, mono_s: float, *, hears: bool, most_s: float = STALL_S) -> None:
        """Go on, by ``most_s`` at most, if the gateway hears now and did at the last look."""
        if hears and self._hears:
            self.now_s += min(max(mono_s - self._mono_s, 0.0), most_s)
        elif hears:
            self._since_s = self.now_s
        self._mono_s, self._hears = mono_s, hears

    @property
    def is_settled(self) -> bool:
        """Whether it has listened for long enough that what comes is of now."""
        return self._hears and self.now_s - self._since_s >= SETTLE_S


@dataclass(frozen=True, slots=True)
class Changed:
    """Series, or devices, whose silence began or ended.

    Attributes:
        series: `(m,)` entries.
        ts: `(m,)` µs: that of the last reading, and for a silence that begins its length more.
        value: `(m,)` the last number told; NaN where none was.
        score: `(m,)` length of the silence over what is allowed; 0.0 where it ended.
    """

    series: U4
    ts: I8
    value: F8
    score: F8


class Silence:
    """What one rule for silence knows of its series."""

    def __init__(self, watch: Watch) -> None:
        self._limit_s, self._cadences = watch.limit, watch.cadences
        self.switch = Switch()
        self._heard_s: F8 = np.zeros(0)
        self._cadence_s: F8 = np.zeros(0)
        self._waits: I8 = np.zeros(0, np.int64)
        self._ts: I8 = np.zeros(0, np.int64)
        self._value: F8 = np.zeros(0)

    def hear(self, series: U4, ts: I8, value: F8, clock: Listening) -> Changed:
        """Take what was heard; what it returns was silent until now.

        Args:
            series: `(n,)` in order of arrival.
            ts: `(n,)` µs.
            value: `(n,)`; NaN for a text.
            clock: as of the moment at which it was heard.
        """
        who, last = np.unique(series[::-1], return_index=True)
        last = len(series) - 1 - last
        self._grow(int(who[-1]) + 1)
        self._learn(who, clock)
        self._heard_s[who] = clock.now_s
        self._ts[who] = ts[last]
        told = ~np.isnan(value[last])
        self._value[who[told]] = value[last[told]]
        over = who[self.switch.is_open(who)]
        self.switch.put(over, is_open=False)
        return self._changed(over, self._ts[over], np.zeros(len(over)))

    def tick(self, clock: Listening) -> Changed:
        """Look for what has fallen silent by now."""
        silent_s, allowed_s = clock.now_s - self._heard_s, self._allowed_s()
        # Never heard is NaN, which no comparison holds for.
        due = (silent_s > allowed_s).nonzero()[0]
        due = due[~self.switch.is_open(due)]
        self.switch.put(due, is_open=True)
        ts = self._ts[due] + np.round(silent_s[due] * 1e6).astype(np.int64)
        return self._changed(due, ts, silent_s[due] / allowed_s[due])

    def restore(self, series: NDArray[np.int64]) -> None:
        """Have series be silent from before; what is heard of them next ends it."""
        if len(series):
            self._grow(int(series.max()) + 1)
            self.switch.put(series, is_open=True)

    def _allowed_s(self) -> F8:
        if not self._cadences:
            return np.full(len(self._heard_s), self._limit_s)
        known = self._waits >= LEARN_MIN
        wanted = np.maximum(self._limit_s, self._cadences * self._cadence_s)
        return np.where(known & (wanted > 0), wanted, np.inf)

    def _learn(self, who: NDArray[np.int64] | U4, clock: Listening) -> None:
        if not self._cadences or not clock.is_settled:
            return
        wait = clock.now_s - self._heard_s[who]
        heard = wait > 0  # not the first time, nor twice at once
        who, wait = who[heard], wait[heard]
        cadence, waits = self._cadence_s[who], self._waits[who]
        bounded = np.where(waits < LEARN_MIN, wait, np.minimum(wait, LEARN_OVER * cadence))
        weight = bounded / (bounded + (np.minimum(waits + 1, MEMORY) - 1) * cadence)
        self._cadence_s[who] = cadence + (bounded - cadence) * weight
        self._waits[who] = np.minimum(waits + 1, 1 << 30)

    def _changed(self, who: NDArray[np.int64] | U4, ts: I8, score: F8) -> Changed:
        return Changed(who.astype(np.uint32), ts, self._value[who], score)

    def _grow(self, size: int) -> None:
        self._heard_s = grown(self._heard_s, size, np.nan)
        self._cadence_s = grown(self._cadence_s, size, 0.0)
        self._waits = grown(self._waits, size, 0)
        self._ts = grown(self._ts, size, 0)
        self._value = grown(self._value, size, np.nan)
