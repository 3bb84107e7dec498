"""Readings as no model expects them, through all of detection: what becomes of episodes then."""

import itertools
from collections.abc import Iterable, Iterator

import pytest

from edge.catalog import Catalog
from edge.detect.detection import Detection
from edge.detect.episode import OF_RULES, Change, Course
from edge.detect.episodes import Episodes
from edge.detect.models import Model, load
from edge.detect.rules import Rules
from edge.detect.score import Scorer
from edge.detect.shipped.build import build
from edge.detect.watching import Watching
from edge.message import Message
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.settings_watch import Watch, When
from protos.records import EpisodeState, Quality
from protos.series import SeriesKind
from tests.edge.detect.pump import CHANNELS, calm, pump_model

OPENED, UPDATED, CLOSED = EpisodeState
S = 1_000_000
START_S = 1_700_000_000
YEAR_S = 31_536_000
GAP_S = 600
HOT = Watch(when=When.ABOVE, metric="flow", limit=50.0)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    return [load(build(tmp_path_factory.mktemp("models"))[0]), pump_model()]


class Site:
    """A gateway's reader and detection; a pump speaks once a second of the gateway's clock."""

    def __init__(self, served: list[Model]) -> None:
        count = itertools.count()
        self.names = Catalog(salt=lambda: next(count).to_bytes(16, "big"))
        self.reader = Reader(self.names, Redelivery(bytes(32)))
        self.scorer, self.now_s = Scorer(served, 1.0), 0
        watching = Watching(Rules({"hot": HOT}), self.names)
        course = Course(calm_readings=4, calm_us=2 * S, gap_us=GAP_S * S)
        made = Episodes("gw", course, dict.fromkeys(watching.labels, OF_RULES))
        self.detection = Detection(
            [self.scorer, watching], made, now_us=lambda: START_S * S,
            clock=lambda: float(self.now_s),
        )  # fmt: skip
        self.changes: list[Change] = []

    def say(self, payloads: Iterable[str]) -> list[tuple[str, EpisodeState]]:
        """What is told of episodes with these messages: detector and state."""
        told = []
        for payload in payloads:
            self.now_s += 1
            message = Message(
                "plant/pump", payload.encode(), qos=1, retain=False, dup=False,
                arrival_us=(START_S + self.now_s) * S, quality=int(Quality.GATEWAY_SYNCED),
                session=1, packet_id=1,
            )  # fmt: skip
            heard = self.reader.read([message])
            told += self.detection.detect([heard.batch], self.names)
        told.append(self.detection.look_again())
        changes = [change for found in told for change in found.changes]
        self.changes += changes
        return [(one.detector, one.state) for one in changes if one.state is not UPDATED]

    def wait(self, seconds: int) -> list[tuple[str, EpisodeState]]:
        """What is told when so long nothing came."""
        self.now_s += seconds
        return self.say([])


def payloads(first_s: int, count: int, flow: float | None = None) -> Iterator[str]:
    """What the pump says by its own clock; usual values, but for its ``flow``."""
    for at, row in enumerate(calm(count, seed=first_s % 1000)):
        values = dict(zip(CHANNELS, row.tolist(), strict=True))
        if flow is not None:
            values["flow"] = flow + at
        told = ", ".join(f'"{name}": {value:.6f}' for name, value in values.items())
        yield f'{{"ts": {START_S + first_s + at}, {told}}}'


def faulty(site: Site) -> Site:
    """One whose pump was calm for long, and has a fault now of which all detectors tell."""
    assert site.say(payloads(0, 700)) == []
    assert sorted(site.say(payloads(700, 3, flow=90.0))) == [
        ("pump@1", OPENED), ("residual@1", OPENED), ("rule:hot", OPENED),
    ]  # fmt: skip
    return site


def test_a_clock_set_back_by_a_year_amid_an_episode_leaves_none_open_and_hides_no_later_fault(
    served: list[Model],
) -> None:
    site = faulty(Site(served))
    told = site.say(payloads(720 - YEAR_S, 400))
    assert told == [("rule:hot", CLOSED)], "a rule says so itself; the others know no such past"
    told = site.say(payloads(1120 - YEAR_S, 400))
    assert sorted(told) == [("pump@1", CLOSED), ("residual@1", CLOSED)], "nothing came of their now"
    ends = {one.detector: one.end for one in site.changes if one.state is CLOSED}
    assert ends["pump@1"] == ends["residual@1"] == (START_S + 702) * S
    told = site.say(payloads(1520 - YEAR_S, 3, flow=90.0))
    assert sorted(told) == [
        ("pump@1", OPENED), ("residual@1", OPENED), ("rule:hot", OPENED),
    ]  # fmt: skip
    assert all(one.start < (START_S - YEAR_S + 2000) * S for one in site.changes[-3:])


def test_a_series_whose_values_turn_from_numbers_to_texts_ends_its_episode_and_comes_back(
    served: list[Model],
) -> None:
    site = faulty(Site(served))
    scored = [one.scored for one in site.scorer.standings()]
    words = [f'{{"ts": {START_S + 720 + at}, "flow": "blocked"}}' for at in range(50)]
    assert site.say(words) == []
    assert [one.scored - was for one, was in zip(site.scorer.standings(), scored, strict=True)] == [
        0, 0,
    ]  # fmt: skip
    assert [one.failure for one in site.scorer.standings()] == ["", ""]
    assert sorted(site.wait(GAP_S + 1)) == [("pump@1", CLOSED), ("residual@1", CLOSED)]
    told = {(metric, kind) for metric, kind, *_ in site.names.channels("plant/pump")}
    assert told >= {("flow", SeriesKind.GAUGE), ("flow", SeriesKind.STATE)}
    assert ("rule:hot", CLOSED) in site.say(payloads(1400, 300))
    assert {("pump@1", OPENED), ("rule:hot", OPENED)} <= set(site.say(payloads(1700, 3, flow=90.0)))


@pytest.mark.parametrize("value", ["NaN", "1e999", "-1e308", "1e308"])
def test_a_value_beyond_all_numbers_stops_no_detector(served: list[Model], value: str) -> None:
    site = Site(served)
    site.say(payloads(0, 300))
    site.say([f'{{"ts": {START_S + 300}, "flow": {value}, "pressure": 2.0, "speed": 1400.0}}'])
    before = [one.scored for one in site.scorer.standings()]
    site.say(payloads(301, 100))
    now = site.scorer.standings()
    assert [one.failure for one in now] == ["", ""]
    assert all(one.scored > was for one, was in zip(now, before, strict=True))
