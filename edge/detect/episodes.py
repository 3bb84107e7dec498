"""Pure: from what detectors judge to episodes: begun, told again as they go on, and ended.

The rules, of each detector and series by itself, readings in the order of their arrival:

- A reading above its threshold begins an episode; it starts at that reading's time for ever.
- Readings that score at least `Course.stay_share` of the threshold keep it alive, and its end is
  the latest time of one. It ends when `calm_readings` in a row scored less over `calm_us`; by the
  gateway's clock where the device's stands still.
- It is told from its least length on. One that calms down before was none.
- **Gaps**: a step of more than `gap_us` ends it at its last reading before the gap. So does silence
  of that length by the gateway's clock, though nothing comes any more.
- **Late readings** count as they arrive and can move an end only forward, a start never. What is
  more than `gap_us` older than the newest reading of an open episode is history and passed over.
- **Bounds**: at most `OPEN_MAX` are open, and while more than `WAITING_MAX` changes wait to be told
  none begins: a later strange reading will. Both are counted.

Changes wait in a queue, of which a commit takes a bounded part, with what must be kept for them. So
what is kept is always as told: after a kill the same episode goes on under its own id.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge.detect.episode import Change, Course, Episode, Met
from edge.detect.judged import Judged
from edge.detect.runs import Run, Sign, runs_of
from protos.records import Batch, EpisodeState, Kind, ids, table

OPEN_MAX: Final = 4096
"""Episodes open at a time, some 0.5 KB each."""
WAITING_MAX: Final = 2 * OPEN_MAX
TOLD_MAX: Final = 128
"""Changes in one commit: some 100 B of records each, and 1 KB of what is kept."""

POINTS_MAX: Final = 0xFFFF_FFFF
KEPT_PREFIX: Final = "episode "

KeptItem = tuple[str, bytes]
"""A name and what is to be kept under it; nothing: let it go."""


@dataclass(slots=True)
class Tally:
    """What became of one detector's episodes since the start."""

    opened: int = 0
    closed: int = 0
    passed_over: int = 0
    """Not begun because of a bound."""


@dataclass(frozen=True, slots=True)
class Told:
    """Changes of one commit: as they came, as EPISODES rows, and what is to be kept with them."""

    changes: tuple[Change, ...]
    batch: Batch
    kept: tuple[KeptItem, ...]


@dataclass(slots=True)
class Restored:
    """What was not simply taken up again, of what an earlier run kept.

    Attributes:
        unread: by name why; to be let go.
        untold: taken up and to be let go: what ends before it is told leaves no word of it.
        retired: detectors that are in service no more, one for each episode that ended thus.
    """

    unread: dict[str, str] = field(default_factory=dict)
    untold: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)


class Episodes:
    """All episodes of one gateway.

    Args:
        gateway: its name, which is in the ids.
        course: when an episode begins and ends.
        courses: the same of single detectors.
    """

    def __init__(
        self, gateway: str, course: Course, courses: Mapping[str, Course] | None = None
    ) -> None:
        self.course = course
        self._courses = courses or {}
        self.tallies: dict[str, Tally] = {}
        self._gateway = gateway
        self._open: dict[str, dict[int, Episode]] = {}
        self._count = 0
        self._waiting: deque[Change] = deque()

    def __len__(self) -> int:
        return self._count

    @property
    def has_news(self) -> bool:
        """Whether anything waits to be told."""
        return bool(self._waiting)

    def course_of(self, detector: str) -> Course:
        """When an episode of a detector begins and ends."""
        return self._courses.get(detector, self.course)

    def open_of(self, detector: str) -> Collection[Episode]:
        """The episodes of a detector that are told and not ended."""
        return [one for one in self._open.get(detector, {}).values() if one.told]

    def open_count(self, detector: str) -> int:
        """How many episodes of a detector are open, those not told yet included; any thread."""
        return len(self._open.get(detector, ()))

    def is_touched_by(self, judged: Judged) -> bool:
        """Whether any of these readings matters: the quick answer is nearly always no."""
        if self._open.get(judged.detector):
            return True
        return bool((judged.score > judged.threshold).any())

    def take(self, judged: Judged, now_s: float) -> None:
        """Go on by readings of one detector. ``now_s``: a clock that never steps."""
        detector, course = judged.detector, self.course_of(judged.detector)
        mine = self._open.setdefault(detector, {})
        series = np.fromiter(mine, np.uint32, len(mine))
        for run in runs_of(judged, course.stay_share, course.gap_us, series):
            one = mine.get(run.series)
            met = Met.PART if one is None else one.meets(run, course)
            if met is Met.HISTORY:
                continue
            if one is not None and met is Met.AFTER_GAP:
                self._end(one)
                one = None
            if one is None:
                one = self._begin(detector, run, now_s)
            if one is None:
                continue
            state = one.take(run, course, now_s)
            if state is EpisodeState.CLOSED:
                self._end(one)
            elif state is not None:
                self._tell(one, state)

    def end_silent(self, now_s: float) -> None:
        """End the episodes of series of which nothing came any more."""
        for detector, mine in self._open.items():
            course = self.course_of(detector)
            for one in [one for one in mine.values() if one.is_silent(course, now_s)]:
                self._end(one)

    def told(self) -> Told:
        """The next changes for a commit; empty when there is nothing to tell."""
        taken = [self._waiting.popleft() for _ in range(min(TOLD_MAX, len(self._waiting)))]
        last = {one.id: one for one in taken}
        kept = tuple((_name(id_), one.kept) for id_, one in last.items())
        return Told(tuple(taken), rows_of(list(last.values())), kept)

    def kept(self) -> tuple[KeptItem, ...]:
        """All open episodes, for the last commit of a run; those not told yet as well."""
        mine = (one for of in self._open.values() for one in of.values())
        return tuple((_name(one.id), one.packed()) for one in mine)

    def restore(
        self, kept: Iterable[KeptItem], detectors: Collection[str], now_s: float
    ) -> Restored:
        """Take up what an earlier run kept; before the first readings.

        An episode of a detector that is not in service any more ends: nobody watches it.
        """
        restored = Restored()
        for name, data in kept:
            try:
                one = Episode.unpacked(data)
            except ValueError as error:
                restored.unread[name] = str(error)
                continue
            mine = self._open.setdefault(one.detector, {})
            if one.series in mine or self._count >= OPEN_MAX:
                restored.unread[name] = "there is one of its series already, or too many"
                continue
            if not one.told:
                restored.untold.append(name)
            one.heard_s = one.calm_from_s = now_s
            mine[one.series] = one
            self._count += 1
            if one.detector not in detectors:
                restored.retired.append(one.detector)
                self._end(one)
        return restored

    def _begin(self, detector: str, run: Run, now_s: float) -> Episode | None:
        if run.sign is not Sign.STRANGE:
            return None
        if self._count >= OPEN_MAX or len(self._waiting) >= WAITING_MAX:
            self._tally(detector).passed_over += 1
            return None
        one = Episode.begin(self._gateway, detector, run, now_s)
        self._open[detector][run.series] = one
        self._count += 1
        return one

    def _end(self, one: Episode) -> None:
        del self._open[one.detector][one.series]
        self._count -= 1
        if one.told:
            self._tell(one, EpisodeState.CLOSED)

    def _tell(self, one: Episode, state: EpisodeState) -> None:
        self._waiting.append(one.as_of(state))
        tally = self._tally(one.detector)
        tally.opened += state is EpisodeState.OPENED
        tally.closed += state is EpisodeState.CLOSED

    def _tally(self, detector: str) -> Tally:
        return self.tallies.setdefault(detector, Tally())


def rows_of(last: Sequence[Change]) -> Batch:
    """EPISODES rows: of each episode one for each contributing series."""
    if not last:
        return Batch({})
    told = [(one, series, points) for one in last for series, points in one.channels]
    of = [one for one, _, _ in told]
    columns = {
        "series": [series for _, series, _ in told],
        "ts": np.array([one.start for one in of], np.int64),
        "id": ids([one.id for one in of]),
        "state": [one.state for one in of],
        "end": [one.end for one in of],
        "peak_ts": [one.peak_ts for one in of],
        "peak": [one.peak for one in of],
        "threshold": [one.threshold for one in of],
        "model": [one.detector for one in of],
        "points": [min(points, POINTS_MAX) for _, _, points in told],
    }
    return table(Kind.EPISODES, columns)


def _name(id_: bytes) -> str:
    return f"{KEPT_PREFIX}{id_.hex()}"
