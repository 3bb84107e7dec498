"""Series that are past a limit, and episodes of anomalies: told once, until they are over."""

import pytest

from cloud.errors import StorageError
from tests.cloud.notify.fleet_world import DAY_US, S
from tests.cloud.notify.told_world import T0

LIMIT = (
    '[notify.rules.warm]\non = "limit"\nseries = "*/Freezer*/temperature"\nabove = -15.0\n'
    "for_s = 600.0\nhysteresis = 2.0\n"
)


def test_a_series_past_its_limit_for_long_enough_is_told_until_it_is_well_within_again(fleet, told):
    def say(value: float, seconds: float = 60) -> None:
        fleet.clock.go(seconds)
        fleet.book.say("attic/freezer1/temperature", value, fleet.clock())
        fleet.book.say("attic/room/temperature", 20.0, fleet.clock())
        one.look()

    one = told(LIMIT)
    say(-20)
    say(-14)
    say(-16)  # back before its time
    say(-14)
    for _ in range(9):
        say(-14)
    assert one.standing == []
    say(-13)
    assert one.standing == ["0000000000000001"]
    say(-16)
    assert one.standing == ["0000000000000001"], "near the limit is not within it"
    say(-17)
    assert one.standing == []
    say(-17)
    begun, ended = one.messages
    assert begun["subject"] == "attic/freezer1/temperature: series is past its limit"
    assert begun["standings"][0]["detail"] == {"value": -13.0, "above": -15.0, "unit": "°C"}
    assert ended["subject"] == "attic/freezer1/temperature: series is within its limit again"


def test_a_series_that_says_a_text_or_was_retired_is_past_no_limit(fleet, told):
    one = told('[notify.rules.low]\non = "limit"\nbelow = 0.0\n')
    fleet.book.say("a/b/c", float("nan"), T0)
    fleet.book.gone.add(fleet.book.say("a/b/d", -1.0, T0))
    one.look(5)
    assert one.standing == []
    fleet.book.say("a/b/c", -1.0, T0)
    one.look(5)
    assert one.standing == ["0000000000000001"]


def test_anomalies_of_a_series_are_one_episode_until_it_is_calm(fleet, told):
    fleet.anomaly("attic/pump/rpm", 3.0, T0 - 5 * S)
    one = told('[notify.rules.odd]\non = "episode"\ncalm_s = 300.0\nscore_min = 5.0\n')
    one.look(5)
    for score in (4.0, 9.0, 6.0):
        fleet.anomaly("attic/pump/rpm", score, fleet.clock())
        one.look(100)
    assert one.standing == ["0000000000000001"]
    one.look(301)
    assert one.standing == []
    one.look(30)
    detail = one.messages[-1]["standings"][0]["detail"]
    assert detail == {"anomalies": 3, "peak": 9.0, "model": "ewma 1"}
    assert one.subjects[-1] == "attic/pump/rpm: series is calm again"


def test_anomalies_below_the_least_score_and_those_of_long_ago_are_not_told(fleet, told):
    one = told('[notify.rules.odd]\non = "episode"\nscore_min = 5.0\n')
    fleet.book.say("attic/pump/rpm", 1.0, T0)
    one.look(5)
    fleet.anomaly("attic/pump/rpm", 4.0, fleet.clock())
    one.look(5)
    fleet.anomaly("attic/pump/rpm", 40.0, fleet.clock() - 2 * DAY_US)
    one.look(5)
    assert one.standing == []


def test_beyond_ten_thousand_standings_more_are_counted_and_not_told(fleet, told):
    one = told('[notify.rules.low]\non = "limit"\nbelow = 0.0\nchannels = []\n')
    for number in range(10_050):
        fleet.book.say(f"g/d/{number}", 1.0, T0) if number == 0 else None
    first = fleet.book.names[0]
    fleet.book.names = [type(first)("g", "d", str(n), "", "{}", 0, n + 1) for n in range(10_050)]
    fleet.book.values = [-1.0] * 10_050
    fleet.book.times = [T0] * 10_050
    fleet.book.anomalies = [0] * 10_050
    one.look(5)
    assert len(one.standing) == 10_000
    assert one.notifier.file.drops() == [{"channel": "", "reason": "too many stood", "count": 50}]


def test_gaps_of_a_look_that_could_not_be_kept_are_told_at_the_next_and_only_once(fleet, told):
    fleet.gaps(attic=1)
    one = told()
    one.look(5)
    fleet.gaps(attic=9)
    one.notifier.file._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError):
        one.look(5)
    one.notifier.file._connection.execute("PRAGMA query_only = OFF")
    one.look(5)
    assert one.standing == ["attic/evicted"]
    one.look(601)
    assert one.standing == []
    one.restart()
    one.look(5)
    assert one.standing == []


def test_what_stands_waits_and_was_dropped_is_counted_for_a_monitoring_system(fleet, told):
    fleet.book.say("a/b/c", -1.0, T0)
    one = told('[notify.rules.low]\non = "limit"\nbelow = 0.0\n')
    one.look(5)
    one.look(20)
    figures = one.notifier.figures()
    assert {what: count for what, count in figures.standing.items() if count} == {"limit": 1}
    assert (figures.waiting, figures.dropped) == ({"ops": 1}, {})
    fleet.clock.go(8 * 86_400)
    assert one.notifier.outbox.next("ops", fleet.clock(), 1) is None
    figures = one.notifier.figures()
    assert (figures.waiting, figures.dropped) == ({"ops": 0}, {("ops", "too old"): 1})
    assert not figures.is_faulty
