"""Models and rules over each batch: the one place where what they find becomes SCORES rows.

Rules judge after the models. Where something begins there is a row, as of a model's anomaly; what
begins and what is over is told as turns too, for commands.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np

from edge.detect.rules import Found, PostStanding, Rules, Turn, turns
from edge.detect.rules_select import Names
from edge.detect.rules_silence import Listening
from edge.detect.score import Scorer, SeriesKinds, Standing
from protos.records import Batch, Kind, concat, scores

TICK_S: Final = 1.0
"""How often what needs no message is looked at."""


class Catalog(SeriesKinds, Names, Protocol):
    """What watching wants to know of the series."""


class Watching:
    """Scores every batch, and looks round while none comes; all on the thread that collects.

    Args:
        scorer: the models.
        rules: the rules.
        hears: whether a message could be heard now.
        on_turns: told what begins and what is over; must be quick.
        wake: has the thread that collects ask for a `tick`.
        mono_s: a clock that never steps and stands while the machine sleeps.
    """

    def __init__(
        self,
        scorer: Scorer,
        rules: Rules,
        hears: Callable[[], bool] = lambda: True,
        on_turns: Callable[[tuple[Turn, ...]], object] | None = None,
        wake: Callable[[], None] = lambda: None,
        *,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scorer = scorer
        self._rules = rules
        self._hears = hears
        self._on_turns = on_turns
        self._wake = wake
        self._mono_s = mono_s
        self._listening = Listening()
        self._ticked_s = mono_s()

    def standings(self) -> list[Standing]:
        """How each model does."""
        return self._scorer.standings()

    def rule_standings(self) -> list[PostStanding]:
        """How each rule does."""
        return self._rules.standings()

    def score_each(self, batches: Sequence[Batch], catalog: Catalog) -> list[Batch]:
        """Score the readings of several batches that follow each other.

        Returns:
            For each of ``batches`` one of SCORES rows only: one row for each anomaly.
        """
        told = self._scorer.score_each(batches, catalog)
        if not len(self._rules):
            return told
        if self._rules.has_silence:
            self._listening.look(self._mono_s(), hears=self._hears())
        every = [self._judged(batch, catalog) for batch in batches]
        self._tell([one for found in every for one in found], catalog)
        return [concat([scored, *map(_scores, found)])
                for scored, found in zip(told, every, strict=True)]  # fmt: skip

    def tick(self, catalog: Catalog) -> Batch:
        """What has fallen silent, as SCORES rows; looks once in `TICK_S`, however often asked."""
        now_s = self._mono_s()
        if not self._rules.has_silence or now_s - self._ticked_s < TICK_S:
            return Batch({})
        self._ticked_s = now_s
        self._listening.look(now_s, hears=self._hears())
        found = self._rules.tick(self._listening)
        self._tell(found, catalog)
        return concat([_scores(one) for one in found])

    async def run(self) -> None:
        """Have what falls silent looked for while nothing comes, until cancelled; on any loop."""
        while self._rules.has_silence:
            self._wake()
            await asyncio.sleep(TICK_S)

    def _judged(self, batch: Batch, catalog: Catalog) -> list[Found]:
        numbers, texts = batch.kind(Kind.NUMBERS), batch.kind(Kind.TEXTS)
        return self._rules.judge(numbers, texts, catalog, self._listening)

    def _tell(self, found: Sequence[Found], catalog: Catalog) -> None:
        if self._on_turns is not None and any(len(one.turned) for one in found):
            self._on_turns(turns(found, catalog))


def _scores(found: Found) -> Batch:
    """A row for each anomaly that begins."""
    at, judged = found.opened, found.judged
    if not len(at):
        return Batch({})
    label: Any = np.full(len(at), judged.detector, object)
    return scores(
        judged.series[at], judged.ts[at], judged.value[at],
        judged.score[at], judged.threshold[at], label,
    )  # fmt: skip
