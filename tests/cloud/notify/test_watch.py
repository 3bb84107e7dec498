"""A notifier over a real journal, lake, view and query finds gaps, episodes and limits."""

from pathlib import Path

import pytest

from cloud.notify.notifier import Notifier
from cloud.notify.watch import World as Watched
from cloud.rollup.partials import MINUTE_US
from cloud.serve.ledger import Gaps
from cloud.serve.shown import Shown
from tests.cloud.lake_world import T0
from tests.cloud.notify.fleet_world import DAY_US, OPS, S, notify
from tests.cloud.notify.told_world import Clock
from tests.cloud.serve.test_events import episodes
from tests.cloud.serve_world import World
from tests.cloud.verify_world import gap

RULES = (
    '[notify.rules.warm]\non = "limit"\nseries = "*/pump/*"\nabove = 50.0\nhysteresis = 5.0\n'
    '[notify.rules.odd]\non = "episode"\ncalm_s = 60.0\n[notify.rules.lost]\non = "gap"\n'
)


class Lake:
    """A small cloud, and a notifier over it."""

    def __init__(self, root: Path) -> None:
        self.world = World(root / "lake")
        self.clock = Clock(T0 + 60 * MINUTE_US)
        world = self.world
        shown = Shown(world.operations, world.live, world.query)
        self.watched = Watched(
            world.registry, dict, world.live, shown.book, world.query.events, Gaps(),
            world.journal.head, 730 * DAY_US,
        )  # fmt: skip
        self.notifier = Notifier.of(notify(OPS + RULES), root / "notify.db", root, self.clock, "1")

    def say(self, *batches, consolidate: bool = False) -> None:
        self.world.gateway.send(*batches)
        self.follow(consolidate=consolidate)

    def follow(self, *, consolidate: bool = False) -> None:
        while consolidate and self.world.consolidator.run_once().more:
            pass
        while self.world.live.advance():
            pass

    def look(self, seconds: float = 5) -> list[tuple[str, str]]:
        """Rule and metric, or reason, of what stands."""
        self.clock.go(seconds)
        self.notifier.look(self.clock())
        found = [one.found for one in self.notifier.standings.open().values()]
        return sorted((f.rule, f.device or str(f.detail["reason"])) for f in found)

    def close(self) -> None:
        self.notifier.file.close()
        self.world.close()


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("consolidate", [False, True])
def test_limits_and_episodes_are_found_in_the_tail_and_in_the_tables(lake, consolidate):
    gateway = lake.world.gateway
    lake.say(gateway.numbers("pump", [T0], [20.0]), consolidate=True)
    lake.notifier.begin(lake.watched)
    assert lake.look() == []
    at = lake.clock.now_us
    lake.say(
        gateway.numbers("pump", [at], [51.0]), gateway.scores("pump", [at], [9.0]),
        consolidate=consolidate,
    )  # fmt: skip
    assert lake.look() == [("odd", "pump"), ("warm", "pump")]
    lake.say(gateway.numbers("pump", [at + S], [46.0]), consolidate=consolidate)
    assert lake.look(61) == [("warm", "pump")]
    lake.say(gateway.numbers("pump", [at + 2 * S], [45.0]), consolidate=consolidate)
    assert lake.look() == []
    (episode,) = [
        row for row in lake.notifier.file.rows("SELECT * FROM standings") if row["rule"] == "odd"
    ]
    assert episode["since_us"] == at


@pytest.mark.parametrize("consolidate", [False, True])
def test_an_episode_that_a_gateway_tells_stands_until_it_says_that_it_ended(lake, consolidate):
    gateway = lake.world.gateway
    lake.say(gateway.numbers("pump", [T0], [20.0]), consolidate=True)
    lake.notifier.begin(lake.watched)
    assert lake.look() == []
    at = lake.clock.now_us
    opened = episodes(gateway, [1], [at], [at], [9.0], state=0)
    lake.say(gateway.scores("pump", [at + S], [9.0]), opened, consolidate=consolidate)
    assert lake.look() == lake.look(61) == lake.look(3600) == [("odd", "pump")], "no calm counts"
    lake.say(episodes(gateway, [1], [at], [at + 9 * S], [9.0], state=2), consolidate=consolidate)
    assert lake.look() == []
    (told,) = lake.notifier.file.rows("SELECT * FROM standings")
    assert told["since_us"] == at, "it began with the episode"


def test_an_episode_that_came_and_went_between_two_looks_is_told_once(lake):
    gateway = lake.world.gateway
    lake.say(gateway.numbers("pump", [T0], [20.0]), consolidate=True)
    lake.notifier.begin(lake.watched)
    assert lake.look() == []
    at = lake.clock.now_us
    brief = episodes(gateway, [1], [at], [at + S], [9.0], state=2)
    lake.say(gateway.scores("pump", [at], [9.0]), brief)
    assert lake.look() == [("odd", "pump")]
    assert lake.look() == []


def test_a_gateway_that_died_with_an_open_episode_is_not_held_to_have_it_for_ever(lake):
    gateway = lake.world.gateway
    lake.say(gateway.numbers("pump", [T0], [20.0]), consolidate=True)
    lake.notifier.begin(lake.watched)
    assert lake.look() == []
    at = lake.clock.now_us
    opened = episodes(gateway, [1], [at], [at], [9.0], state=0)
    lake.say(gateway.scores("pump", [at], [9.0]), opened)
    assert lake.look() == [("odd", "pump")]
    assert lake.look(23 * 3600) == [("odd", "pump")]
    assert lake.look(2 * 3600) == []


def test_a_series_in_another_unit_is_held_to_the_limit_as_it_is_shown(lake):
    gateway = lake.world.gateway
    lake.say(gateway.numbers("pump", [T0], [20.0]), consolidate=True)
    series = lake.world.id("pump")
    body = {"kind": "unit", "series": series, "unit": "°F", "author": "me"}
    made = lake.world.client.post("/api/v1/operations", json=body)
    assert made.status_code in (200, 201), made.text
    lake.notifier.begin(lake.watched)
    assert lake.look() == [("warm", "pump")]


def test_gaps_that_are_declared_are_told_and_those_of_before_are_not(lake):
    lake.say(gap(100), consolidate=True)
    lake.notifier.begin(lake.watched)
    assert lake.look() == []
    lake.say(gap(7), consolidate=True)
    ((rule, reason),) = lake.look()
    assert rule == "lost"
    (row,) = lake.notifier.file.rows("SELECT detail FROM standings")
    assert f'"reason":"{reason}"' in row["detail"]
    assert '"readings":7' in row["detail"]


def test_what_the_view_has_not_caught_up_with_at_the_start_is_no_news(lake):
    gateway = lake.world.gateway
    lake.say(gateway.numbers("pump", [T0], [20.0]), consolidate=True)
    lake.world.gateway.send(
        gateway.numbers("pump", [lake.clock()], [20.0]),
        gateway.scores("pump", [lake.clock()], [9.0]),
    )
    lake.notifier.begin(lake.watched)
    assert lake.look() == []
    lake.follow()
    assert lake.look() == []
    lake.say(gateway.scores("pump", [lake.clock()], [9.0]))
    assert lake.look() == [("odd", "pump")]


def test_a_series_that_comes_moves_no_limit_to_another_series_though_some_are_joined(lake):
    gateway = lake.world.gateway
    for device, value in (("pump", 60.0), ("a-room", 20.0), ("b-room", 90.0)):
        lake.say(gateway.numbers(device, [T0], [value]), consolidate=True)
    for device in ("pump", "b-room"):
        body = {"kind": "unit", "series": lake.world.id(device), "unit": "K", "author": "me"}
        assert lake.world.client.post("/api/v1/operations", json=body).status_code < 300
    lake.notifier.begin(lake.watched)
    assert lake.look() == [("warm", "pump")]
    for number in range(3):
        lake.say(gateway.numbers(f"c-{number}", [T0], [900.0]))
        assert lake.look() == [("warm", "pump")]
