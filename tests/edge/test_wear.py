"""The spacing of commits under a budget of writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.wear import DAY_S, JOURNAL_PART, SAVED_S, Wear

OURS = 1 - JOURNAL_PART


def spent_in(hours: float, wear: Wear, cost: int, per_s: float, wait_s: float = 0.2) -> float:
    """Bytes written by a gateway to which messages come at a rate, in simulated time."""
    now_s = written = 0.0
    while now_s < hours * 3600:
        wear.committed(now_s, int(written))
        written += cost
        now_s += max(1 / per_s, wear.spacing_s, wait_s)
    return written


@pytest.mark.parametrize("cost", [20_000, 30_000, 45_000])
@pytest.mark.parametrize("per_s", [1, 5, 1000])
def test_a_budget_is_kept_whatever_a_commit_costs(cost: int, per_s: float) -> None:
    budget = 1_000_000_000
    day = spent_in(24, Wear(budget, 5.0), cost, per_s)
    assert day <= 1.02 * OURS * budget
    if cost * per_s * DAY_S > 2 * budget:
        assert day >= 0.95 * OURS * budget  # and not by waiting longer than it needs


def test_without_a_budget_nothing_waits() -> None:
    wear = Wear(0, 5.0)
    wear.committed(0.0, 0)
    wear.committed(1.0, 1 << 40)
    assert wear.spacing_s == 0.0
    assert not wear.is_bounded
    assert not Wear(1 << 30, 0.0).is_bounded


def test_nothing_waits_longer_than_it_may_though_the_budget_is_not_kept() -> None:
    wear = Wear(1, 5.0)
    for second in range(100):
        wear.committed(float(second), second << 20)
    assert wear.spacing_s == 5.0


def test_after_a_quiet_time_commits_are_at_once_and_what_is_saved_has_an_end() -> None:
    wear = Wear(DAY_S * 1000, 5.0)  # 1,000 bytes a second
    wear.committed(0.0, 0)
    wear.committed(1.0, 20_000)
    assert wear.spacing_s == 5.0
    wear.committed(100_000.0, 40_000)
    assert wear.spacing_s == 0.0
    saved, now_s, written = 0, 100_000.0, 40_000
    while wear.spacing_s == 0.0:
        now_s, written, saved = now_s + 0.001, written + 20_000, saved + 20_000
        wear.committed(now_s, written)
    assert saved <= OURS * 1000 * SAVED_S + 40_000


def test_a_restart_is_no_gift() -> None:
    wear = Wear(DAY_S * 1000, 5.0)
    wear.committed(0.0, 500_000_000)  # the process wrote before the first commit
    wear.committed(0.1, 500_020_000)
    assert wear.spacing_s == 5.0


@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 1 << 40)), max_size=50))
def test_whatever_the_kernel_counts_the_spacing_is_within_its_bounds(
    steps: list[tuple[float, int]],
) -> None:
    wear, now_s = Wear(10**9, 5.0), 0.0
    for passed_s, written in steps:
        now_s += passed_s
        wear.committed(now_s, written)
        assert 0.0 <= wear.spacing_s <= 5.0
