"""Models and rules together: whose rows are whose, what is told, and what a tick brings."""

from collections.abc import Sequence

import numpy as np

from edge.detect.rules import Rules, Turn
from edge.detect.score import Scorer
from edge.detect.watching import TICK_S, Watching
from edge.settings_watch import Watch, When
from protos.records import Batch, Kind, concat, numbers, scores, texts
from protos.series import SeriesKey, SeriesKind

KEYS = [SeriesKey("pump", "flow"), SeriesKey("tank", "level", kind=SeriesKind.COUNTER)]
T = 1_700_000_000_000_000


class Names:
    kind_of = np.array([0, 0, 1], np.uint8)

    def __len__(self) -> int:
        return len(KEYS)

    def key(self, entry: int) -> SeriesKey | None:
        return KEYS[entry - 1]


class Ones(Scorer):
    """A model that finds every value of 1.0."""

    def score_each(self, batches: Sequence[Batch], catalog: object) -> list[Batch]:
        found = []
        for batch in batches:
            rows = batch.kind(Kind.NUMBERS)
            at = rows["value"] == 1.0
            count = int(at.sum())
            found.append(
                scores(rows["series"][at], rows["ts"][at], rows["value"][at], [9.0] * count,
                       [3.0] * count, ["ones@1"] * count)
            )  # fmt: skip
        return found


def batch(*rows: tuple[int, float]) -> Batch:
    series, value = zip(*rows, strict=True)
    ts = T + np.arange(len(rows))
    return numbers(series, ts, value, 0, ts)


def told(found: Batch) -> list[tuple[int, float, str]]:
    rows = found.kind(Kind.SCORES)
    columns = (rows[name].tolist() for name in ("series", "value", "model"))
    return list(zip(*columns, strict=True))


class Site:
    def __init__(self, **watches: Watch) -> None:
        self.now_s, self.hears, self.turned = 50.0, True, list[Turn]()
        self.watching = Watching(
            Ones([], 1.0), Rules(watches), lambda: self.hears, self.turned.extend,
            mono_s=lambda: self.now_s,
        )  # fmt: skip

    def wait(self, seconds: float) -> Batch:
        self.now_s += seconds
        return self.watching.tick(Names())


def test_what_models_and_rules_find_stands_with_the_batch_that_it_was_in() -> None:
    site = Site(high=Watch(when=When.ABOVE, limit=5.0), low=Watch(when=When.BELOW, limit=0.0))
    parts = [batch((1, 1.0), (1, 9.0)), batch((2, 3.0)), batch((1, -2.0), (2, 8.0), (1, 1.0))]
    found = site.watching.score_each(parts, Names())
    assert [told(one) for one in found] == [
        [(1, 1.0, "ones@1"), (1, 9.0, "rule:high")],
        [],
        [(1, 1.0, "ones@1"), (2, 8.0, "rule:high"), (1, -2.0, "rule:low")],
    ]
    said = [(one.watch, one.series.device, one.is_open, one.value) for one in site.turned]
    assert said == [
        ("high", "pump", True, 9.0),
        ("high", "pump", False, -2.0), ("high", "tank", True, 8.0),
        ("low", "pump", True, -2.0), ("low", "pump", False, 1.0),
    ]  # fmt: skip
    assert [one.found for one in site.watching.rule_standings()] == [2, 1]


def test_a_tick_finds_what_is_silent_and_a_text_is_a_sign_of_life() -> None:
    site = Site(quiet=Watch(when=When.SILENT, limit=3.0))
    both = concat([batch((1, 4.0)), texts([2], [T], ["on"], 0, [T])])
    site.watching.score_each([both], Names())
    assert [told(site.wait(TICK_S)) for _ in range(3)] == [[], [], []]
    site.watching.score_each([texts([2], [T], ["off"], 0, [T])], Names())
    assert told(site.wait(TICK_S)) == [(1, 4.0, "rule:quiet")]
    assert [told(site.wait(TICK_S)) for _ in range(2)] == [[], []]
    found = told(site.wait(TICK_S))
    assert [(series, model) for series, _, model in found] == [(2, "rule:quiet")]
    assert np.isnan(found[0][1]), "no number was ever told"
    site.watching.score_each([batch((1, 4.0))], Names())
    assert [(one.series.device, one.is_open) for one in site.turned] == [
        ("pump", True), ("tank", True), ("pump", False),
    ]  # fmt: skip


def test_ticks_look_once_a_second_however_often_they_come() -> None:
    site = Site(quiet=Watch(when=When.SILENT, limit=0.5))
    site.watching.score_each([batch((1, 4.0))], Names())
    assert not site.wait(0.9).rows
    assert site.wait(0.1).rows


def test_nothing_is_silent_while_the_broker_is_away() -> None:
    site = Site(quiet=Watch(when=When.SILENT, limit=3.0))
    site.watching.score_each([batch((1, 4.0))], Names())
    site.hears = False
    assert not any(site.wait(TICK_S).rows for _ in range(60))
    site.hears = True
    assert [site.wait(TICK_S).rows for _ in range(5)] == [0, 0, 0, 0, 1]


def test_without_rules_it_is_the_models_alone() -> None:
    site = Site()
    assert [told(one) for one in site.watching.score_each([batch((1, 1.0))], Names())] == [
        [(1, 1.0, "ones@1")]
    ]
    assert not site.wait(10 * TICK_S).rows
