"""Queries evaluated in columns give what plain loops give, of readings and of buckets alike."""

import math
from random import Random

import numpy as np
import pytest

from cloud.promql.evaluate import Frame, evaluate
from cloud.promql.parser import parse
from cloud.promql.steps import Steps
from cloud.promql.tree import FUNCTIONS
from tests.cloud.lake_world import T0
from tests.cloud.promql.naive_model import NaiveModel
from tests.cloud.promql.promql_world import (
    SECOND_US,
    STALE_US,
    ListSource,
    random_query,
    random_series,
)

ALL = sorted(FUNCTIONS)


def agree(series, query: str, steps: Steps, stale_us: int) -> int:
    """How many values there are, in both forms those of the model."""
    node, model, seen = parse(query), NaiveModel(series, stale_us), 0
    for is_bucketed in (False, True):
        found = evaluate(node, steps, ListSource(series, stale_us, is_bucketed=is_bucketed))
        for at, time in enumerate(steps.times.tolist()):
            wanted = model.at(node, time)
            if not isinstance(found, Frame):
                assert same(found[at], wanted), (query, time)
                continue
            got = {
                tuple(sorted(labels.items())): found.values[row, at]
                for row, labels in enumerate(found.labels)
                if found.there[row, at]
            }
            assert got.keys() == wanted.keys(), (query, time, is_bucketed)
            assert all(same(got[key], wanted[key]) for key in got), (query, time, is_bucketed)
            seen += len(got)
    return seen


def same(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9) or (
        math.isnan(found) and math.isnan(wanted)
    )


@pytest.mark.parametrize("seed", range(60))
def test_random_queries_over_random_series_give_what_plain_loops_give(seed: int) -> None:
    random, seen = Random(seed), 0
    for _ in range(6):
        series = random_series(random, 5, T0, 10 * SECOND_US, jitter=random.choice((0, 5_000_000)))
        step = random.choice((5, 30, 60, 420)) * SECOND_US
        start = T0 + random.choice((0, 60 * SECOND_US, 123_456_000))
        steps = Steps(start, step, random.randrange(1, 40))
        stale = random.choice((15, 40, 300)) * SECOND_US
        seen += agree(series, random_query(random, ALL), steps, stale)
    assert seen > 0, f"seed {seed} asked nothing"


def one(rows, query: str, at: int, stale_us: int = STALE_US) -> float | None:
    series = {(("__name__", "x"),): rows}
    agree(series, query, Steps(at, 1, 1), stale_us)
    found = evaluate(parse(query), Steps(at, 1, 1), ListSource(series, stale_us, is_bucketed=True))
    assert isinstance(found, Frame)
    return float(found.values[0, 0]) if found.there.any() else None


def test_a_reading_is_no_answer_any_more_when_it_is_stale() -> None:
    rows = [(T0, 7.0)]
    assert one(rows, "x", T0) == 7.0
    assert one(rows, "x", T0 + STALE_US - 1_000) == 7.0
    assert one(rows, "x", T0 + STALE_US) is None
    assert one(rows, "x", T0 - 1_000) is None


def test_a_window_has_its_first_moment_and_not_its_last() -> None:
    rows = [(T0, 1.0), (T0 + 60 * SECOND_US, 2.0)]
    assert one(rows, "sum_over_time(x[1m])", T0 + 60 * SECOND_US) == 1.0
    assert one(rows, "sum_over_time(x[1m])", T0 + 120 * SECOND_US) == 2.0
    assert one(rows, "sum_over_time(x[1m])", T0 + 60 * SECOND_US + 1_000) == 2.0


def test_a_window_without_readings_has_no_value_at_all() -> None:
    rows = [(T0, 1.0)]
    for function in ALL:
        assert one(rows, f"{function}(x[1m])", T0 + 120 * SECOND_US) is None, function


def test_a_counter_that_was_reset_rises_from_zero() -> None:
    rows = [(T0 + i * 10 * SECOND_US, v) for i, v in enumerate((100.0, 110.0, 4.0, 9.0))]
    assert one(rows, "increase(x[30s])", T0 + 40 * SECOND_US) == 19.0
    assert one(rows, "rate(x[30s])", T0 + 40 * SECOND_US) == pytest.approx(19 / 30)


def test_increases_of_windows_that_follow_each_other_add_up() -> None:
    rows = [(T0 + i * 7 * SECOND_US, i * 3.0) for i in range(100)]
    parts = [one(rows, "increase(x[1m])", T0 + i * 60 * SECOND_US) for i in range(1, 11)]
    assert sum(part for part in parts if part is not None) == one(
        rows, "increase(x[10m])", T0 + 600 * SECOND_US
    )


def test_what_a_counter_rose_in_a_gap_belongs_to_no_window_that_begins_in_it() -> None:
    rows = [(T0, 0.0), (T0 + 3_600 * SECOND_US, 500.0), (T0 + 3_610 * SECOND_US, 501.0)]
    after = T0 + 3_620 * SECOND_US
    assert one(rows, "increase(x[1m])", after) == 1.0
    assert one(rows, "increase(x[2h])", after) == 501.0


def test_what_is_no_number_is_no_reading() -> None:
    rows = [(T0, 1.0), (T0 + SECOND_US, math.nan), (T0 + 2 * SECOND_US, 3.0)]
    at = T0 + 3 * SECOND_US
    assert one(rows, "count_over_time(x[1m])", at) == 2.0
    assert one(rows, "avg_over_time(x[1m])", at) == 2.0
    assert one(rows, "x offset 1s", at - SECOND_US) == 1.0


def test_a_division_of_nothing_by_nothing_is_a_value_and_no_gap() -> None:
    found = one([(T0, 0.0)], "x / 0", T0)
    assert found is not None
    assert math.isnan(found)


def test_a_scalar_has_a_value_at_every_step() -> None:
    steps = Steps(T0, SECOND_US, 3)
    source = ListSource({}, STALE_US, is_bucketed=False)
    assert np.array_equal(evaluate(parse("1 + 2 ^ 3 ^ 0 - -4"), steps, source), np.full(3, 7.0))
    assert np.array_equal(evaluate(parse("2 > bool 1"), steps, source), np.ones(3))


def test_of_no_series_there_is_no_sum() -> None:
    found = evaluate(parse("sum(x)"), Steps(T0, 1, 2), ListSource({}, STALE_US, is_bucketed=False))
    assert isinstance(found, Frame)
    assert len(found.labels) == 0
