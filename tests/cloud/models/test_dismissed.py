"""What people dismissed teaches, too: a fault is told from what only looked strange."""

import json
from pathlib import Path

import numpy as np
import pytest

from cloud.models import fault
from cloud.models.fault import FaultSettings, Occurrence, dismissed_of
from cloud.models.runs import Lesson
from tests.cloud.models.history_world import (
    FAULT_READINGS,
    HistoryWorld,
    daily,
    history_world,
    time_of,
    with_fault,
)

READINGS = 4000
FAULTS = (800, 1700)
KICKS = (400, 2300, 2600)
"""Of these the first is dismissed; the others come after what was trained on."""
THIRD = 3000
LEARNED = 2000


@pytest.fixture
def world(tmp_path: Path, monkeypatch, capsys):
    made = history_world(tmp_path, monkeypatch, capsys)
    yield made
    made.world.close()


def kicked(values: np.ndarray, at: int) -> np.ndarray:
    """The same with a knock at ``at`` that was nothing."""
    told = values.copy()
    told[at : at + 3] += (9.0, -6.0, 4.0)
    return told


def began(world: HistoryWorld, model: str) -> list[int]:
    """With which reading each episode of a model begins, as its backtest finds them."""
    told = json.loads(world.call("model", "backtest", model, "--json"))
    return sorted(
        (one["from"] - time_of(0)) // (time_of(1) - time_of(0)) for one in told["episodes"]
    )


def test_what_was_dismissed_raises_no_alarm_any_more_and_the_fault_still_does(world):
    values = daily(READINGS, 1)
    for seed, at in enumerate((*FAULTS, THIRD)):
        values = with_fault(values, at, 10 + seed)
    for at in KICKS:
        values = kicked(values, at)
    world.send("pump", values)
    for id_, at in enumerate(FAULTS, 1):
        world.episode("pump", at, FAULT_READINGS, id_)
        world.judge("pump", at, id_, "confirmed", "cavitation")
    learn = ("model", "train", "cavitation", "--way", "fault", "--to", str(time_of(LEARNED)))
    world.call(*learn)
    world.episode("pump", KICKS[0], 3, 9)
    world.judge("pump", KICKS[0], 9, "dismissed", "a trolley")
    figures = json.loads(world.call(*learn, "--json"))["figures"]
    assert (figures["dismissed"], figures["dismissed_caught"]) == (1, 0)
    assert figures["caught_left_out"] == 2
    before, after = (began(world, f"cavitation@{version}") for version in "12")

    def near(found: list[int], places: tuple[int, ...]) -> int:
        return sum(any(at - 5 <= one < at + 45 for one in found) for at in places)

    assert (near(before, KICKS), near(before, (*FAULTS, THIRD))) == (len(KICKS), 3)
    assert (near(after, KICKS), near(after, (*FAULTS, THIRD))) == (0, 3)


def test_a_fault_that_was_dismissed_once_by_mistake_is_caught_all_the_same():
    values = daily(READINGS, 1)
    for seed, at in enumerate((*FAULTS, THIRD)):
        values = with_fault(values, at, 10 + seed)
    ts = np.arange(READINGS)
    normal = np.ones(READINGS, np.bool_)
    for at in FAULTS:
        normal[at : at + FAULT_READINGS] = False
    known = [Occurrence(values[at - 100 : at + FAULT_READINGS], FAULT_READINGS) for at in FAULTS]
    wrong = dismissed_of(ts, values, normal, [(THIRD, THIRD + FAULT_READINGS)])
    fitted, threshold = fault.fit(
        [Lesson([daily(READINGS, 2)], 6e7)], known, FaultSettings(), wrong
    )
    assert fitted.figures["dismissed_caught"] == 1
    for at in FAULTS:
        views = np.lib.stride_tricks.sliding_window_view(
            values[at - 100 : at + FAULT_READINGS], fitted.window
        )
        assert fitted.score(views).max() > threshold


def test_the_windows_of_what_was_dismissed_hold_some_of_it_and_nothing_that_is_no_normal():
    ts, values = np.arange(1000), np.arange(1000.0)
    normal = np.ones(1000, np.bool_)
    normal[[490, 520]] = False
    (one,) = dismissed_of(ts, values, normal, [(500, 503)])
    assert (one.values[0], one.before, one.inside, one.values[-1]) == (491.0, 9, 3, 519.0)
    views = one.views(8)
    assert (views[0, -1], views[-1, 0]) == (500.0, 502.0)
    assert len(views) == 3 + 8 - 1
    assert one.views(16)[:, 0].tolist() == list(range(491, 503))
    assert dismissed_of(ts, values, normal, [(489, 495), (2000, 2001)]) == []
    (edge,) = dismissed_of(ts, values, normal, [(0, 2)])
    assert (edge.before, edge.views(8)[:, -1].tolist()) == (0, [7.0, 8.0])
    assert edge.views(300).shape == (0, 300)
