"""Restarts at any reading, stopped in good order or killed: what detection finds after them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.catalog import Catalog
from edge.detect import models
from edge.detect.detection import ENDED, Detection
from edge.detect.episode import OF_RULES, Course
from edge.detect.episodes import Episodes
from edge.detect.found import Found
from edge.detect.learned import BySeries
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.detect.rules import Rules
from edge.detect.score import Scorer
from edge.detect.shipped.build import build
from edge.detect.watching import Watching
from edge.settings_watch import Watch, When
from protos.model_manifest import Calibration, CalibrationKind
from protos.records import Batch, EpisodeState, Kind, Quality, numbers
from protos.series import SeriesKind
from tests.edge.detect.pump import CHANNELS, calm, pump_model

START_US = 1_700_000_000_000_000
PUMPS, STEPS = 2, 600
PER_STEP = PUMPS * len(CHANNELS)
WATCHES = {
    "fast": Watch(when=When.ABOVE, metric="speed", limit=1425.0, back=20.0),
    "falls": Watch(when=When.FALLS, metric="flow", limit=12.0, back=4.0, over_s=4.0),
    "stuck": Watch(when=When.STUCK, metric="pressure", limit=20.0),
}
Reading = tuple[str, int, int]
"""Detector, series, event time."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> list[models.Model]:
    """The univariate default, a model of frames, and one that learns its threshold here."""
    frames = pump_model()
    said = msgspec.structs.replace(
        frames.manifest, name="learns", calibration=Calibration(kind=CalibrationKind.ADAPTIVE)
    )
    shipped = models.load(build(tmp_path_factory.mktemp("models"))[0])
    return [shipped, frames, models.Model(said, frames.session)]


def stream(seed: int) -> list[Batch]:
    """Readings of pumps with faults, out of step, some missing, with a gap; in batches as it is."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([calm(STEPS, seed * PUMPS + pump) for pump in range(PUMPS)], axis=1)
    for at in range(150, STEPS, 120):
        pump, long = int(rng.integers(PUMPS)), int(rng.integers(2, 40))
        values[at : at + long, 3 * pump + int(rng.integers(3))] *= 1.4
    for at in range(100, STEPS, 150):
        values[at : at + 40, 3 * int(rng.integers(PUMPS)) + 1] = 2.0
    told = rng.permuted(np.tile(np.arange(PER_STEP), (STEPS, 1)), axis=1)
    step = np.repeat(np.arange(STEPS), PER_STEP)
    who = told.ravel()
    # Steps to either side of a third outage are as far apart as a channel is not held.
    late_us = np.where(step > STEPS // 3, 9_000_000, 0)
    ts = START_US + step * 1_000_000 + np.tile(np.arange(PER_STEP), STEPS) * 1000 + late_us
    kept = rng.uniform(size=len(who)) > 0.03
    parts, first = [], 0
    rows = kept.nonzero()[0]
    while first < len(rows):
        at = rows[first : first + int(rng.integers(1, 150))]
        parts.append(
            numbers(who[at] + 1, ts[at], values[step[at], who[at]],
                    np.full(len(at), Quality.SENSOR, np.uint8), ts[at])
        )  # fmt: skip
        first += len(at)
    return parts


def catalog() -> Catalog:
    names = Catalog(salt=lambda: bytes(16))
    for pump in range(PUMPS):
        for metric in CHANNELS:
            names.add(f"pump-{pump}", (metric, SeriesKind.GAUGE, "", ()))
    return names


class Heeding:
    """A judge of which each word is written down."""

    def __init__(self, judge: Any, judged: dict[Reading, tuple[float, float]]) -> None:
        self._judge, self._judged = judge, judged

    @property
    def labels(self) -> Sequence[str]:
        return list(self._judge.labels)

    def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> Sequence[Looked]:
        looked = self._judge.look(batches, catalog)
        for one in (each.judged for each in looked):
            columns = (one.series, one.ts, one.score, one.threshold)
            for series, ts, *said in zip(*(column.tolist() for column in columns), strict=True):
                self._judged[one.detector, series, ts] = (said[0], said[1])
        return looked

    def learning(self) -> Mapping[str, Mapping[str, BySeries]]:
        return self._judge.learning()


@dataclass
class Site:
    """A gateway's detection over its lives, with what each of them kept in its commits."""

    served: Sequence[models.Model]
    judged: dict[Reading, tuple[float, float]] = field(default_factory=dict)
    told: dict[bytes, list[tuple[EpisodeState, int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    scores: list[tuple[int, int, bytes]] = field(default_factory=list)
    open_ever: set[str] = field(default_factory=set)
    disk: dict[str, bytes] = field(default_factory=dict)
    now_us: int = START_US

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Another life, from the disk."""
        self.names, rules = catalog(), Rules(WATCHES)
        watching = Watching(rules, self.names, mono_s=lambda: self.now_us / 1e6)
        judges = [Heeding(one, self.judged) for one in (Scorer(self.served, 50.0), watching)]
        course = Course(calm_readings=4, calm_us=2_000_000)
        episodes = Episodes("gw", course, dict.fromkeys(watching.labels, OF_RULES))
        self.detection = Detection(
            judges, episodes, now_us=lambda: self.now_us, clock=lambda: self.now_us / 1e6
        )
        self.detection.restore(self.disk.items())
        watching.resume({
            label: [one.series for one in episodes.open_of(label)] for label in watching.labels
        })  # fmt: skip

    def hear(self, batches: Iterable[Batch]) -> "Site":
        """Read batches, each a commit."""
        for batch in batches:
            self.now_us = int(batch.kind(Kind.NUMBERS)["ts"][-1])
            self.commit(self.detection.detect([batch], self.names))
        return self

    def stop(self) -> None:
        """End in good order, and begin anew."""
        self.commit(self.detection.last())
        self.begin()

    def commit(self, found: Iterable[Found]) -> None:
        """Put what was found on the disk."""
        for one in found:
            rows = one.batch.kind(Kind.SCORES)
            self.scores += zip(
                rows["series"].tolist(), rows["ts"].tolist(), rows["model"].tolist(), strict=True
            )
            for name, body in one.kept:
                self.disk.pop(name, None)
                if body:
                    self.disk[name] = body
            for change in one.changes:
                self.open_ever.add(change.detector)
                self.told[change.id].append((change.state, change.start, change.end))


def cuts_of(seed: int, batches: Sequence[Batch]) -> list[int]:
    """Where lives end: between any two batches."""
    rng = np.random.default_rng(1000 + seed)
    return sorted(rng.choice(np.arange(1, len(batches)), 6, replace=False).tolist())


@pytest.mark.parametrize("seed", range(6))
def test_stopped_at_any_reading_it_finds_what_it_would_have_without_a_restart(
    served: list[models.Model], seed: int
) -> None:
    batches = stream(seed)
    whole, site, first = Site(served).hear(batches), Site(served), 0
    for cut in cuts_of(seed, batches):
        site.hear(batches[first:cut]).stop()
        first = cut
    site.hear(batches[first:])
    assert {label for label, _, _ in whole.judged} == {
        "residual@1", "pump@1", "learns@1", "rule:fast", "rule:falls", "rule:stuck",
    }  # fmt: skip
    assert {"rule:falls", "rule:stuck"} <= whole.open_ever
    assert site.judged == whole.judged, "each score and each threshold, to the bit"
    assert site.scores == whole.scores
    assert site.told == whole.told
    assert len(whole.told) > 6


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_reading_it_judges_as_without_once_windows_hold_what_came_since(
    served: list[models.Model], seed: int
) -> None:
    batches = stream(seed)
    whole, site, first = Site(served).hear(batches), Site(served), 0
    windows, alike = {one.manifest.label: one.manifest.window for one in served}, 0
    windows["rule:falls"] = 3 * round(WATCHES["falls"].over_s)
    cuts = cuts_of(seed, batches)
    for cut, end in zip(cuts, [*cuts[1:], len(batches)], strict=True):
        site.hear(batches[first:cut])
        site.begin()
        site.judged.clear()
        site.hear(batches[cut:end])
        first = end
        ts = [batch.kind(Kind.NUMBERS)["ts"] for batch in batches[cut:end]]
        again_us, end_us = int(ts[0].max()), int(ts[-1].min())
        for label in ("rule:fast", *windows):
            from_us = again_us + 2_000_000 * windows.get(label, 1)
            mine, without = (of_times(judged, label, from_us, end_us)
                             for judged in (site.judged, whole.judged))  # fmt: skip
            alike += len(mine)
            if label in windows:
                assert [(key, score) for key, (score, _) in mine] == [
                    (key, score) for key, (score, _) in without
                ], label
            else:
                assert mine == without, "a rule for values forgets nothing"
    assert alike > 500
    for words in site.told.values():
        states = [state for state, _, _ in words]
        assert states.count(EpisodeState.OPENED) == 1, "no episode begins twice"
        assert states.count(EpisodeState.CLOSED) <= 1
        assert len({start for _, start, _ in words}) == 1


def test_an_orderly_end_is_known_by_the_next_run_until_its_first_commit(
    served: list[models.Model],
) -> None:
    batches = stream(0)
    site = Site(served).hear(batches[:3])
    assert ENDED not in site.disk
    site.stop()
    assert ENDED in site.disk
    site.begin()
    assert ENDED in site.disk, "nothing was committed since"
    site.hear(batches[3:4])
    assert ENDED not in site.disk


def of_times(
    judged: Mapping[Reading, tuple[float, float]], label: str, from_us: int, end_us: int
) -> list[tuple[Reading, tuple[float, float]]]:
    """What one detector said of the readings of these times."""
    return sorted(
        (key, said) for key, said in judged.items() if key[0] == label and from_us < key[2] < end_us
    )
