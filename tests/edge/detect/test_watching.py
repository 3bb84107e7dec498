"""Rules as a detector: what they judge, what is told of it, and what episodes make of it."""

from collections.abc import Sequence

import numpy as np
import pytest

from edge.catalog import Catalog
from edge.detect.detection import Detection
from edge.detect.episode import OF_RULES, Change, Course
from edge.detect.episodes import Episodes
from edge.detect.learned import Item
from edge.detect.looked import Looked
from edge.detect.rules import Rules, Turn
from edge.detect.watching import TICK_S, Watching
from edge.settings_watch import Watch, When
from protos.records import Batch, EpisodeState, concat, numbers, texts
from protos.series import SeriesKind

T = 1_700_000_000_000_000


def catalog() -> Catalog:
    made = Catalog(salt=lambda: bytes(16))
    made.add("pump", ("flow", SeriesKind.GAUGE, "", ()))
    made.add("tank", ("level", SeriesKind.COUNTER, "", ()))
    return made


def batch(*rows: tuple[int, float]) -> Batch:
    series, value = zip(*rows, strict=True)
    ts = T + np.arange(len(rows))
    return numbers(series, ts, value, 0, ts)


def begun(looked: Sequence[Looked]) -> list[tuple[int, int, float, str]]:
    """Row, series, value and rule of each anomaly."""
    return [
        (row, *rest, one.judged.detector)
        for one in looked
        for row, *rest in zip(
            one.rows[one.alarm].tolist(), one.judged.series[one.alarm].tolist(),
            one.judged.value[one.alarm].tolist(), strict=True,
        )
    ]  # fmt: skip


class Site:
    """Rules with what is made of them; a restart is another one with what this one kept."""

    def __init__(self, kept: Sequence[Item] = (), **watches: Watch) -> None:
        self.now_s, self.hears, self.turned = 50.0, True, list[Turn]()
        self.changes: list[Change] = []
        self.kept: dict[str, bytes] = {}
        self.catalog = catalog()
        self.watching = Watching(
            Rules(watches), self.catalog, lambda: self.hears, mono_s=lambda: self.now_s
        )
        self.watching.tell(self.turned.extend)
        self.episodes = Episodes("gw", Course(), dict.fromkeys(self.watching.labels, OF_RULES))
        self.detection = Detection(
            [self.watching], self.episodes, now_us=lambda: T, clock=lambda: self.now_s,
            look_round=self.watching.look_round,
        )  # fmt: skip
        self.detection.restore(kept)
        self.watching.resume({
            label: [one.series for one in self.episodes.open_of(label)]
            for label in self.watching.labels
        })  # fmt: skip

    def hear(self, *batches: Batch) -> list[EpisodeState]:
        """What is told of episodes with these batches."""
        return self._told(self.detection.detect(list(batches), self.catalog))

    def wait(self, seconds: float) -> list[EpisodeState]:
        """What is told when somebody looks round after that."""
        self.now_s += seconds
        return self._told([self.detection.look_again()])

    def _told(self, found: Sequence[object]) -> list[EpisodeState]:
        changes = [change for one in found for change in one.changes]  # type: ignore[attr-defined]
        self.kept |= {name: body for one in found for name, body in one.kept}  # type: ignore[attr-defined]
        self.changes += changes
        return [one.state for one in changes]


OPENED, CLOSED = EpisodeState.OPENED, EpisodeState.CLOSED


def test_what_rules_find_stands_at_its_row_and_what_turns_is_told() -> None:
    site = Site(high=Watch(when=When.ABOVE, limit=5.0), low=Watch(when=When.BELOW, limit=0.0))
    parts = [batch((1, 1.0), (1, 9.0)), batch((2, 3.0)), batch((1, -2.0), (2, 8.0), (1, 1.0))]
    assert begun(site.watching.look(parts, site.catalog)) == [
        (1, 1, 9.0, "rule:high"), (4, 2, 8.0, "rule:high"), (3, 1, -2.0, "rule:low"),
    ]  # fmt: skip
    said = [(one.watch, one.series.device, one.is_open, one.value) for one in site.turned]
    assert said == [
        ("high", "pump", True, 9.0),
        ("high", "pump", False, -2.0), ("high", "tank", True, 8.0),
        ("low", "pump", True, -2.0), ("low", "pump", False, 1.0),
    ]  # fmt: skip
    assert [one.found for one in site.watching.standings()] == [2, 1]


def test_an_episode_of_a_rule_goes_on_until_the_rule_is_over_and_no_longer() -> None:
    site = Site(high=Watch(when=When.ABOVE, limit=5.0, back=1.0))
    assert site.hear(batch((1, 4.9), (1, 9.0))) == [OPENED]
    assert site.hear(batch(*[(1, 4.5)] * 100)) == []
    assert site.wait(86_400.0) == [], "no silence ends it"
    assert site.hear(batch((1, 3.9))) == [CLOSED]
    assert (site.changes[-1].peak_ts, site.changes[-1].value) == (T + 1, 9.0)
    assert site.changes[-1].detector == "rule:high"


@pytest.mark.parametrize("back", [0.0, 1.0, 100.0])
def test_an_episode_ends_with_its_rule_wherever_the_rule_lets_go(back: float) -> None:
    site = Site(high=Watch(when=When.ABOVE, limit=5.0, back=back))
    assert site.hear(batch((1, 9.0))) == [OPENED]
    assert site.hear(batch((1, 4.99 - back))) == [CLOSED]
    assert not site.turned[-1].is_open


def test_a_silence_is_an_episode_until_something_is_heard_be_it_a_text() -> None:
    site = Site(quiet=Watch(when=When.SILENT, limit=3.0))
    site.hear(concat([batch((1, 4.0)), texts([2], [T], ["on"], 0, [T])]))
    assert [site.wait(TICK_S) for _ in range(3)] == [[], [], []]
    site.hear(texts([2], [T], ["off"], 0, [T]))
    assert site.wait(TICK_S) == [OPENED]
    assert [site.wait(TICK_S) for _ in range(2)] == [[], []]
    assert site.wait(TICK_S) == [OPENED]
    assert np.isnan(site.changes[-1].value), "no number was ever told"
    assert site.hear(texts([2], [T + 9], ["on"], 0, [T])) == [CLOSED]
    assert site.hear(batch((1, 4.0))) == [CLOSED]
    assert [(one.series.device, one.is_open) for one in site.turned] == [
        ("pump", True), ("tank", True), ("tank", False), ("pump", False),
    ]  # fmt: skip


def test_what_a_rule_found_before_a_restart_goes_on_and_ends_after_it() -> None:
    watches = {
        "quiet": Watch(when=When.SILENT, limit=3.0),
        "high": Watch(when=When.ABOVE, limit=5.0, back=2.0),
    }
    before = Site(**watches)
    before.hear(batch((1, 4.0), (2, 9.0)))
    before.now_s += TICK_S
    while before.wait(TICK_S) == []:
        before.hear(batch((2, 9.0)))
    after = Site([item for item in before.kept.items() if item[1]], **watches)
    assert after.hear(batch((2, 4.0))) == [], "it is not back yet"
    assert after.turned == []
    assert after.hear(batch((2, 2.9))) == [CLOSED]
    assert after.hear(batch((1, 4.0))) == [CLOSED]
    opened = {one.id for one in before.changes if one.state is OPENED}
    assert {one.id for one in after.changes} == opened


def test_ticks_look_once_a_second_however_often_they_come() -> None:
    site = Site(quiet=Watch(when=When.SILENT, limit=0.5))
    site.hear(batch((1, 4.0)))
    assert not site.wait(0.9)
    assert site.wait(0.1)


def test_nothing_is_silent_while_the_broker_is_away() -> None:
    site = Site(quiet=Watch(when=When.SILENT, limit=3.0))
    site.hear(batch((1, 4.0)))
    site.hears = False
    assert not any(site.wait(TICK_S) for _ in range(60))
    site.hears = True
    assert [len(site.wait(TICK_S)) for _ in range(5)] == [0, 0, 0, 0, 1]


def test_without_rules_nothing_is_judged() -> None:
    site = Site()
    assert site.watching.look([batch((1, 1.0))], site.catalog) == []
    assert not site.wait(10 * TICK_S)
    assert site.detection.labels == frozenset()
