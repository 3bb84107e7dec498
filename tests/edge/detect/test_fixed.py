"""A fixed threshold: one alarm a run, and cutting the stream changes none."""

import numpy as np
import pytest

from edge.detect.fixed import FixedThreshold
from edge.detect.threshold import QUIET


def judge(made: FixedThreshold, series: list[int], scores: list[float]) -> list[bool]:
    verdict = made.judge(np.array(series, np.uint32), np.array(scores), np.zeros(len(scores), "i8"))
    assert (verdict.threshold == made.threshold).all()
    return [bool(one) for one in verdict.alarm]


def test_an_alarm_is_raised_once_for_a_run_and_again_after_a_quiet_time() -> None:
    made = FixedThreshold(1.0)
    scores = [0.5, 2.0, 0.5, 3.0] + [0.0] * QUIET + [1.5, 1.0]
    alarms = judge(made, [7] * len(scores), scores)
    assert [at for at, alarm in enumerate(alarms) if alarm] == [1, 4 + QUIET]


def test_what_is_no_number_raises_nothing_and_does_not_count() -> None:
    made = FixedThreshold(1.0)
    assert judge(made, [0, 0, 0], [float("nan"), 2.0, float("inf")]) == [False, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_batches_of_any_size_raise_the_same_alarms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = rng.integers(0, 5, 2000).tolist()
    scores = rng.exponential(0.25, 2000).tolist()
    whole = judge(FixedThreshold(1.0), series, scores)
    made, found, start = FixedThreshold(1.0), [], 0
    while start < 2000:
        end = start + int(rng.integers(1, 50))
        found += judge(made, series[start:end], scores[start:end])
        start = end
    assert found == whole
    assert 5 < sum(whole) < sum(score > 1 for score in scores)


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        FixedThreshold(0.0)
