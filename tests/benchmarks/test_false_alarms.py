"""The stated rate of false alarms is held on series in which nothing is wrong."""

import numpy as np
import pytest

from benchmarks import calm, false_alarms
from benchmarks.backtest.pipeline import replay
from edge.detect import models
from edge.detect.shipped.build import build

SEED = 11


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[models.Model]:
    place = tmp_path_factory.mktemp("models")
    build(place)
    return models.load_folder(place)[0]


def test_the_rate_that_is_achieved_is_within_a_factor_of_two_of_the_stated_one(
    shipped: list[models.Model],
) -> None:
    """The short form of `make false-alarms`."""
    found = false_alarms.run(shipped, 2 * len(calm.KINDS), 30, 1.0, SEED, (300,))
    assert set(found.kinds) == set(calm.KINDS)
    assert found.whole.weeks == pytest.approx(2 * len(calm.KINDS) * 30 / 7)
    low, high = found.whole.interval()
    assert low < found.whole.rate < high
    assert 0.5 <= found.whole.rate <= 2.0, f"seed {SEED}: {found.line()}"


def test_a_stated_rate_ten_times_as_high_brings_more_alarms(shipped: list[models.Model]) -> None:
    one = calm.series(0, 30, SEED, (300,))
    few, many = (
        len(replay(shipped, rate, [one.ts], [one.value]).series[0].alarms) for rate in (1.0, 10.0)
    )
    assert many > 2 * few


def test_calm_series_are_the_same_for_a_seed_and_others_for_another() -> None:
    for number in range(len(calm.KINDS)):
        one, same, other = (calm.series(number, 2, seed, (600,)) for seed in (1, 1, 2))
        assert np.array_equal(one.value, same.value)
        assert not np.array_equal(one.value, other.value)
        assert np.isfinite(one.value).all()
        assert (np.diff(one.ts) > 0).all()
        assert len(one.ts) == 2 * 144


def test_the_bursts_come_twelve_readings_a_second_apart_and_then_none() -> None:
    number = list(calm.KINDS).index("bursts")
    steps = np.diff(calm.series(number, 2, 1, (600,)).ts) // 1_000_000
    assert set(steps.tolist()) == {1, 12 * 600 - 11}


def test_the_interval_holds_the_rate_and_closes_with_more_weeks() -> None:
    short, long = false_alarms.Achieved(5, 5.0), false_alarms.Achieved(500, 500.0)
    assert short.interval()[0] < 1 < short.interval()[1]
    assert long.interval() == pytest.approx((0.914, 1.092), abs=0.002)


def test_a_rate_beyond_twice_or_half_of_the_stated_one_is_off_once_it_is_learnt() -> None:
    def is_off(alarms: int, days: float = 30.0) -> bool:
        whole = false_alarms.Achieved(alarms, 100.0)
        return false_alarms.Campaign(1.0, whole).is_off(days)

    assert [is_off(alarms) for alarms in (20, 60, 100, 180, 300)] == [
        True, False, False, False, True,
    ]  # fmt: skip
    assert not is_off(300, days=4.0)
