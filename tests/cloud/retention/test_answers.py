"""What is told of days whose readings left: what the rollups know, and of nothing else a part."""

from pathlib import Path

import numpy as np
import pytest

from cloud.query.history import Ask
from cloud.query.plan import Resolution
from cloud.query.rows import BucketSeries, More
from cloud.rollup.partials import HOUR_US
from tests.cloud.lake_world import T0
from tests.cloud.whole.whole_world import Whole

DEVICE = 1
SECOND_US = 1_000_000
OFTEN = [(T0 + HOUR_US + at * SECOND_US, float(at)) for at in range(120)]
SELDOM = [(T0 + 2 * HOUR_US + at * 600 * SECOND_US, 5.0) for at in range(3)]


@pytest.fixture(params=[False, True], ids=["together", "apart"])
def aged(request: pytest.FixtureRequest, tmp_path: Path):
    """Two minutes of readings each second, then three in an hour; all of them have left."""
    world = Whole(tmp_path)
    world.die(is_apart=request.param)
    world.consolidate()  # what came first comes seldom
    for rows in (OFTEN, SELDOM):
        world.send(DEVICE, rows)
        world.consolidate()
    world.retire(2, 0)
    world.settle()
    assert world.due.left() > len(OFTEN) + len(SELDOM)
    yield world
    world.close()


def told(world: Whole, tier: Resolution, *more: More) -> BucketSeries:
    world.follow()
    number = world.names[("a °C", "b °F")[DEVICE]].id
    ask = Ask((number,), T0 + HOUR_US, T0 + 4 * HOUR_US, 1000, tier, more=frozenset(more))
    (series,) = world.query.history(ask).series
    assert isinstance(series, BucketSeries)
    return series


def test_minutes_that_the_rollup_has_are_told_though_other_hours_have_none(aged: Whole) -> None:
    found = told(aged, Resolution.MINUTE).partials
    assert found.bucket.tolist() == [OFTEN[0][0], OFTEN[60][0]]
    assert found.count.tolist() == [60, 60]
    hours = told(aged, Resolution.HOUR).partials
    assert hours.count.tolist() == [len(OFTEN), len(SELDOM)]


def test_late_readings_of_such_a_day_are_in_its_hours_and_leave_in_their_turn(aged: Whole) -> None:
    aged.send(DEVICE, SELDOM)
    aged.settle()
    hours = told(aged, Resolution.HOUR).partials
    assert hours.count.tolist() == [len(OFTEN), 2 * len(SELDOM)]


def test_quantiles_and_durations_of_what_left_are_not_made_of_what_is_left(aged: Whole) -> None:
    aged.send(DEVICE, SELDOM[:1])
    found = told(aged, Resolution.HOUR, More.QUANTILES, More.DURATIONS)
    assert found.partials.count.tolist() == [len(OFTEN), len(SELDOM) + 1]
    assert found.of_bins
    assert found.quantiles["p50"].tolist() == pytest.approx([59.0, 5.0], abs=2.0)
    assert found.durations == [None, None]


def test_over_time_nothing_is_told_of_an_hour_whose_late_readings_are_all_there_is(
    aged: Whole,
) -> None:
    late = [(T0 + 2 * HOUR_US + 1, 7.0)]  # between those that left: only they knew the order
    aged.send(DEVICE, late)
    found = told(aged, Resolution.HOUR, More.OVER_TIME, More.INCREASE)
    assert found.over is not None
    assert found.partials.count.tolist() == [len(OFTEN), len(SELDOM) + 1]
    assert found.partials.sum.tolist()[1] == 22.0
    assert np.isnan(found.over.mean[1])
    assert found.over.covered[1] == 0
    assert np.isnan(found.over.increase[1])
    assert found.over.covered[0] > 0
