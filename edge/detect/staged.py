"""Models by name as they are staged: one in service, and a candidate beside it or in its place.

Both score the same readings. What a candidate in shadow finds is counted and told to nobody; what
one in service finds takes the place of what the model before it finds, which goes on silently. When
a candidate fails in the middle of a batch, the batch has what the model before it found: nothing is
lost between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.detect.learned import BySeries
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.detect.rollout import Figures
from edge.detect.score import Scorer, Standing, scores_within
from edge.detect.scoring import Scoring
from edge.detect.watched import Inner, Watch, Watched
from protos.records import Batch, Kind

Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Voice:
    """A model with its scorer, and what was watched of it."""

    watched: Watched
    scorer: Scorer
    watch: Watch = field(default_factory=Watch)
    beside_alarms: int = 0

    @classmethod
    def of(cls, model: Inner, alarms_per_week: float, **more: object) -> "Voice":
        """A voice for a model that begins to learn now."""
        watched = Watched(model, **more)  # type: ignore[arg-type]
        return cls(watched, Scorer([watched], alarms_per_week))

    @property
    def failure(self) -> str:
        """Why it scores no more; empty while it does."""
        return self.watched.failure or self.scorer.standings()[0].failure

    def figures(self) -> Figures:
        """How it behaves."""
        return self.watched.figures(self.watch, self.beside_alarms, self.scorer.alarms_per_week)

    def look(
        self, batches: Sequence[Batch], catalog: SeriesNames, leave: Bools | None
    ) -> list[Looked]:
        """What it says of readings, with its alarms and the time of what it judged counted."""
        looked = self.scorer.look(batches, catalog, leave)
        self.watch.alarms += alarms(looked)
        for one in looked:
            self.watch.saw(one.judged.series.astype(np.uint32, copy=False), one.judged.ts)
        return looked


def alarms(looked: Sequence[Looked]) -> int:
    """How many anomalies there are."""
    return sum(int(np.count_nonzero(one.alarm)) for one in looked)


@dataclass(frozen=True, slots=True)
class Lane:
    """The models of one name; ``is_heard``: the candidate is in service."""

    own: Scoring | None = None
    service: Voice | None = None
    candidate: Voice | None = None
    is_heard: bool = False


class Staged:
    """All models of a gateway. `score_each` is called on one thread, lanes are changed on another.

    Args:
        models: the gateway's own, which serve while nothing else of their name does.
        alarms_per_week: stated false alarms for each series and week.
    """

    def __init__(self, models: Sequence[Scoring], alarms_per_week: float) -> None:
        self.alarms_per_week = alarms_per_week
        own: dict[str, Scoring] = {}
        for one in models:  # a second version of a name serves beside the first, as it is asked
            name = one.manifest.name
            own[one.manifest.label if name in own else name] = one
        self.own: Mapping[str, Scoring] = own
        self._lanes: Mapping[str, Lane] = {
            name: Lane(own=one, service=self.own_voice(name)) for name, one in own.items()
        }

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The lanes as they are now, by name."""
        return self._lanes

    @property
    def models(self) -> Sequence[Watched]:
        """The models whose alarms are told."""
        heard = [
            lane.candidate if lane.is_heard and lane.candidate is not None else lane.service
            for lane in self._lanes.values()
        ]
        return [one.watched for one in heard if one is not None]

    def voice(self, model: Inner, **more: object) -> Voice:
        """A voice for a model that begins to learn now."""
        return Voice.of(model, self.alarms_per_week, **more)

    def own_voice(self, name: str) -> Voice | None:
        """A voice for the gateway's own model of a name, None where it has none."""
        own = self.own.get(name)
        return None if own is None else self.voice(own, is_own=True)

    def stage(self, name: str, lane: Lane) -> None:
        """Use these models of a name from the next batch on."""
        self._lanes = {**self._lanes, name: lane}

    @property
    def labels(self) -> list[str]:
        """Names and versions of the models whose alarms are told."""
        return [one.manifest.label for one in self.models]

    def learning(self) -> dict[str, dict[str, BySeries]]:
        """What the models in service know of each series, by model; nothing of candidates."""
        served = [lane.service for lane in self._lanes.values() if lane.service is not None]
        return {label: parts for one in served for label, parts in one.scorer.learning().items()}

    def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Looked]:
        """What the models in service say of the numbers of batches that follow each other.

        Rows are counted over all ``batches``.
        """
        looked, left = [], dict[str, Bools]()
        # Those that others leave series to come first, whatever lane they are in.
        for lane in sorted(self._lanes.values(), key=lambda one: not _claims(one)):
            looked += _of(lane, batches, catalog, left)
        return looked

    def score_each(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Batch]:
        """For each of ``batches`` one of SCORES rows only: what the models in service find."""
        looked = self.look(batches, catalog)
        ends = np.cumsum([batch.count(Kind.NUMBERS) for batch in batches])
        return [
            scores_within(looked, int(first), int(end))
            for first, end in zip([0, *ends], ends, strict=False)
        ]

    def standings(self) -> list[Standing]:
        """How each model does: those in service, then the candidates."""
        lanes = self._lanes.values()
        voices = [lane.service for lane in lanes] + [lane.candidate for lane in lanes]
        return [one for voice in voices if voice is not None for one in voice.scorer.standings()]


def _claims(lane: Lane) -> bool:
    heard = lane.candidate if lane.is_heard else lane.service
    return heard is not None and bool(heard.watched.manifest.instead_of)


def _of(
    lane: Lane, batches: Sequence[Batch], catalog: SeriesNames, left: dict[str, Bools]
) -> list[Looked]:
    """What is heard of a lane, which leaves what is ``left`` by its name; adds what others leave.

    A name is left those rows that the model which is heard takes, and no others.
    """
    served, new = lane.service, lane.candidate
    name = next((one.watched.manifest.name for one in (served, new) if one is not None), "")
    leave = left.get(name)
    looked = [] if served is None else served.look(batches, catalog, leave)
    heard = served
    if new is not None and not new.failure:
        tried = new.look(batches, catalog, leave)
        new.beside_alarms += alarms(looked)
        if lane.is_heard and not new.failure:
            looked, heard = tried, new
    if heard is not None and not heard.failure:
        for to, rows in heard.scorer.left.items():
            left[to] = left[to] | rows if to in left else rows
    return looked
