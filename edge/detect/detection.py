"""Detection as the collect thread asks for it: judged, made episodes of, told and kept.

A judge is a scorer of models or a set of rules. All of them look at a batch; what they find in
each part of it goes into the very commit of that part's readings.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from edge.detect.episodes import KEPT_PREFIX, Episodes
from edge.detect.found import Found, Names, Occurrence, named
from edge.detect.learned import PREFIX as LEARNED_PREFIX
from edge.detect.learned import BySeries, Item, Learned
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.detect.score import scores_within
from protos.records import Batch, EpisodeState, Kind, concat

log = logging.getLogger(__name__)

LAST_ITEMS: Final = 256
LAST_BYTES: Final = 48 << 10
"""Of what is kept in one commit of the last ones of a run: a chunk of the smallest buffer."""

ENDED: Final = "ended"
"""Kept with the last of what a run kept, and let go with the first commit of the next one."""

ROWS_END: Final = 1 << 62
"""Behind all rows."""

NOTHING: Final = Found()


class Judge(Protocol):
    """Who judges readings: `edge.detect.score.Scorer`, or rules."""

    @property
    def labels(self) -> Sequence[str]:
        """The detectors in service, as `Judged.detector` names them."""
        ...

    def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> Sequence[Looked]:
        """What they say of batches that follow each other, rows of numbers counted over all."""
        ...

    def learning(self) -> Mapping[str, Mapping[str, BySeries]]:
        """What they know of each series, by detector and part."""
        ...


class Detection:
    """All that detects on one gateway; for the collect thread.

    Args:
        judges: who judges.
        episodes: what is made of it.
        now_us: the gateway's clock.
        clock: one that never steps, in seconds.
        look_round: what is judged though nothing came, of no row.
    """

    def __init__(
        self,
        judges: Sequence[Judge],
        episodes: Episodes,
        *,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        clock: Callable[[], float] = time.monotonic,
        look_round: Callable[[], Sequence[Looked]] = lambda: (),
    ) -> None:
        self.episodes = episodes
        self._judges = judges
        self._clock = clock
        self._look_round = look_round
        parts: dict[str, Mapping[str, BySeries]] = {}
        for judge in judges:
            parts |= judge.learning()
        self._learned = Learned(parts, now_us)
        self._forget: list[str] = []

    @property
    def labels(self) -> frozenset[str]:
        """The detectors in service."""
        return frozenset(label for judge in self._judges for label in judge.labels)

    def restore(self, kept: Iterable[Item]) -> None:
        """Take up what an earlier run kept; once, before the first readings."""
        items = list(kept)
        open_ = [item for item in items if item[0].startswith(KEPT_PREFIX)]
        restored = self.episodes.restore(open_, self.labels, self._clock())
        for name, why in restored.unread.items():
            log.warning("%s cannot be taken up again: %s", name, why)
        for label in sorted(set(restored.retired)):
            count = restored.retired.count(label)
            log.info("%d open episodes of %s end: it is not in service", count, label)
        learned = [item for item in items if item[0].startswith(LEARNED_PREFIX)]
        is_whole = any(name == ENDED for name, _ in items)
        self._forget = [
            *(name for name, _ in items if not name.startswith((KEPT_PREFIX, LEARNED_PREFIX))),
            *restored.unread,
            *restored.untold,
            *self._learned.restore(learned, is_whole=is_whole),
        ]

    def detect(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Found]:
        """What is found in each of several batches that follow each other."""
        now_s = self._clock()
        looked = [one for judge in self._judges for one in judge.look(batches, catalog)]
        touched = [one for one in looked if self.episodes.is_touched_by(one.judged)]
        found, first = [], 0
        for number, batch in enumerate(batches, 1):
            # What is judged of no number may stand behind the last one.
            end = ROWS_END if number == len(batches) else first + batch.count(Kind.NUMBERS)
            for one in touched:
                part = one.within(first, end)
                if part is not None:
                    self.episodes.take(part.judged, now_s)
            found.append(self._found(scores_within(looked, first, end)))
            first = end
        if found:
            found[-1] = self._with_learned(found[-1], now_s)
        return found

    def standing(self, names: Names) -> tuple[Occurrence, ...]:
        """The open episodes that were told, with the names of their series."""
        changes = tuple(
            one.as_of(EpisodeState.UPDATED)
            for label in self.labels
            for one in self.episodes.open_of(label)
        )
        return named(Found(changes=changes), names)

    def look_again(self) -> Found:
        """What is to be told though nothing came: ends by silence, and what waits."""
        now_s, looked = self._clock(), self._look_round()
        for one in looked:
            self.episodes.take(one.judged, now_s)
        self.episodes.end_silent(now_s)
        return self._found(scores_within(looked, 0, ROWS_END))

    def last(self) -> list[Found]:
        """What is to be kept at the end of a run, a commit each."""
        found: list[Found] = []
        while self.episodes.has_news or self._forget:
            found.append(self._found(Batch({})))
        items: list[Item] = []
        for item in (*self.episodes.kept(), *self._learned.all()):
            size = sum(len(body) for _, body in items) + len(item[1])
            if len(items) >= LAST_ITEMS or (items and size > LAST_BYTES):
                found.append(Found(kept=tuple(items)))
                items = []
            items.append(item)
        ended = [(ENDED, b"\1")] if self.labels else []
        return [*found, Found(kept=(*items, *ended))] if items or ended else found

    def _found(self, scores: Batch) -> Found:
        """The anomalies of a part, with the next changes of episodes."""
        if not (self.episodes.has_news or self._forget):
            return Found(scores) if scores.rows else NOTHING
        told = self.episodes.told()
        forgotten = tuple((name, b"") for name in self._forget[:LAST_ITEMS])
        del self._forget[:LAST_ITEMS]
        last = {(one.detector, one.series): one for one in told.changes}
        known = (
            item
            for (detector, series), one in last.items()
            for item in self._learned.alone(
                detector, series, ended=one.state is EpisodeState.CLOSED
            )
        )
        kept = (*forgotten, *told.kept, *known)
        return Found(concat([scores, told.batch]), kept, told.changes)

    def _with_learned(self, found: Found, now_s: float) -> Found:
        """What the last part found, with the next item of what was learned, if one is due."""
        items = self._learned.due(now_s)
        return replace(found, kept=(*found.kept, *items)) if items else found
