"""The notifier's own thread: it looks by itself, through leaps of the clock and faults."""

import logging

import pytest

from cloud.errors import StorageError
from cloud.notify.notifier import Notifier
from tests.cloud.notify.fleet_world import Fleet, notify

RULES = '[notify]\nlook_s = 0.1\n[notify.rules.quiet]\non = "silence"\nsilent_s = 30.0\n'


@pytest.fixture
def notifier(tmp_path, fleet):
    made = Notifier.of(notify(RULES), tmp_path / "notify.db", tmp_path, fleet.clock, "1")
    yield made
    made.stop()


def standing(notifier: Notifier) -> list[str]:
    return [key[1] for key in notifier.standings.open()]


def test_after_a_leap_of_the_clock_time_counts_from_then(fleet: Fleet, notifier):
    fleet.enrol("attic")
    fleet.hear("attic")
    notifier.start(fleet.world)
    fleet.wait_for_looks(2)
    fleet.clock.go(3600)
    fleet.wait_for_looks(3)
    assert standing(notifier) == []
    for _ in range(4):
        fleet.clock.go(20)
        fleet.wait_for_looks(2)
    fleet.wait_for_looks(2)
    assert standing(notifier) == ["attic"]


def test_a_registry_that_fails_is_told_once_and_looked_at_again(
    fleet: Fleet, notifier, monkeypatch, caplog
):
    found = fleet.gateways

    def failing() -> list:
        found()
        raise StorageError("read the registry", "disk I/O error", "check the disk")

    fleet.enrol("attic")
    fleet.hear("attic")
    fleet.leave("attic")
    monkeypatch.setattr(fleet, "gateways", failing)
    with caplog.at_level(logging.ERROR):
        notifier.start(fleet.world)
        fleet.wait_for_looks(4)
    assert [record.message for record in caplog.records] == [
        "what stands is not told: could not read the registry: disk I/O error (check the disk)"
    ]
    assert notifier.figures().is_faulty
    monkeypatch.setattr(fleet, "gateways", found)
    for _ in range(4):
        fleet.clock.go(20)
        fleet.wait_for_looks(2)
    fleet.wait_for_looks(2)
    assert not notifier.figures().is_faulty
    assert standing(notifier) == ["attic"]


def test_it_ends_at_once_and_closes_its_file(fleet: Fleet, notifier):
    notifier.start(fleet.world)
    fleet.wait_for_looks(1)
    notifier.stop()
    with pytest.raises(StorageError):
        notifier.standings.open()
