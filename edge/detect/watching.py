"""Rules over each batch: what they judge, for episodes, and what turns, for commands.

Rules judge as models do (`Judged`), and an anomaly is where something begins. What begins and what
is over is told as turns too, at once and whatever quiet times say, for commands.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from edge.detect.judged import Judged
from edge.detect.learned import BySeries
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.detect.rules import PREFIX, Found, PostStanding, Rules, Turn, turns
from edge.detect.rules_select import Names
from edge.detect.rules_silence import Listening
from protos.records import Batch, Kind

TICK_S: Final = 1.0
"""How often what needs no message is looked at."""

OnTurns = Callable[[tuple[Turn, ...]], object]


class Watching:
    """Judges every batch, and looks round while none comes; all on the thread that collects.

    Args:
        rules: the rules.
        names: of the series; the catalogue of what is judged.
        hears: whether a message could be heard now.
        mono_s: a clock that never steps and stands while the machine sleeps.
    """

    def __init__(
        self,
        rules: Rules,
        names: Names,
        hears: Callable[[], bool] = lambda: True,
        *,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._names = names
        self._hears = hears
        self._on_turns: OnTurns | None = None
        self._mono_s = mono_s
        self._listening = Listening()
        self._ticked_s = mono_s()

    def tell(self, on_turns: OnTurns) -> None:
        """Tell what begins and what is over from now on; must be quick."""
        self._on_turns = on_turns

    @property
    def labels(self) -> list[str]:
        """The rules as detectors."""
        return [PREFIX + one.name for one in self._rules.standings()]

    def learning(self) -> Mapping[str, Mapping[str, BySeries]]:
        """What rates and stuck values go by; what stands is known by episodes and commands."""
        return self._rules.learning()

    def resume(self, is_open: Mapping[str, Sequence[int]]) -> None:
        """Go on with what has an open episode from before a restart, by label."""
        self._rules.resume({label.removeprefix(PREFIX): of for label, of in is_open.items()})

    def standings(self) -> list[PostStanding]:
        """How each rule does."""
        return self._rules.standings()

    def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Looked]:
        """What rules say of batches that follow each other, rows of numbers counted over all.

        What is heard again after a silence is of no number: it is said at the first of its batch.
        """
        if not len(self._rules):
            return []
        if self._rules.has_silence:
            self._listening.look(self._mono_s(), hears=self._hears())
        every, looked, first = [], [], 0
        for batch in batches:
            numbers, texts = batch.kind(Kind.NUMBERS), batch.kind(Kind.TEXTS)
            found = self._rules.judge(numbers, texts, self._names, self._listening)
            looked += [_looked(one, first) for one in found]
            every += found
            first += len(numbers["series"])
        self._tell(every)
        return looked

    def look_round(self) -> list[Looked]:
        """What has fallen silent; looks once in `TICK_S`, however often asked."""
        now_s = self._mono_s()
        if not self._rules.has_silence or now_s - self._ticked_s < TICK_S:
            return []
        self._ticked_s = now_s
        self._listening.look(now_s, hears=self._hears())
        found = self._rules.tick(self._listening)
        self._tell(found)
        return [_looked(one, 0) for one in found]

    async def run(self, wake: Callable[[], None]) -> None:
        """Have what falls silent looked for while nothing comes, until cancelled; on any loop.

        ``wake`` has the thread that collects look round.
        """
        while self._rules.has_silence:
            wake()
            await asyncio.sleep(TICK_S)

    def _tell(self, found: Sequence[Found]) -> None:
        if self._on_turns is not None and any(len(one.turned) for one in found):
            self._on_turns(turns(found, self._names))


def _looked(found: Found, first: int) -> Looked:
    """What one rule says of a batch whose numbers begin at row ``first``.

    Where something is over the score is 0: a rule says so itself, wherever its release lies.
    """
    begins, ends = found.after & ~found.before, found.before & ~found.after
    told = found.judged
    score, threshold = np.where(ends, 0.0, told.score), np.where(ends, 1.0, told.threshold)
    judged = Judged(told.detector, told.series, told.ts, told.value, score, threshold)
    return Looked(first + np.maximum(found.rows, 0), judged, begins)
