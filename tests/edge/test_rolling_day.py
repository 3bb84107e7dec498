"""What was spent in the last day of running, over restarts too."""

from hypothesis import given
from hypothesis import strategies as st

from edge.rolling_day import DAY_HOURS, HOUR_S, Kept, RollingDay


def test_what_was_spent_leaves_with_its_hour_a_day_later() -> None:
    day = RollingDay(0.0)
    day.add(10.0, 7)
    day.add(HOUR_S + 10.0, 5)
    assert day.total(23 * HOUR_S) == 12
    assert day.total(24 * HOUR_S + 1) == 5
    assert day.total(25 * HOUR_S + 1) == 0


def test_a_restart_neither_forgets_nor_ages_what_was_spent() -> None:
    day = RollingDay(0.0)
    day.add(1.0, 100)
    kept = day.kept(HOUR_S / 2)
    after = RollingDay(5.0, kept)
    assert after.total(5.0) == 100
    assert after.total(5.0 + 23.4 * HOUR_S) == 100
    assert after.total(5.0 + 23.6 * HOUR_S) == 0


def test_a_pause_of_any_length_leaves_nothing_behind() -> None:
    day = RollingDay(0.0)
    day.add(0.0, 9)
    assert day.total(1e9) == 0
    assert len(day.kept(1e9).hours) == DAY_HOURS


def test_what_somebody_wrote_into_the_file_is_bounded() -> None:
    day = RollingDay(0.0, Kept(hours=[-5] * 100 + [3], into_s=1e12))
    assert day.total(0.0) == 3


@given(st.lists(st.tuples(st.integers(0, 5 * HOUR_S), st.integers(0, 1000)), max_size=60))
def test_the_total_is_never_more_than_a_day_nor_less_than_23_hours(
    steps: list[tuple[int, int]],
) -> None:
    day, now_s, spent = RollingDay(0.0), 0.0, []
    for passed_s, amount in steps:
        now_s += passed_s
        day.add(now_s, amount)
        spent.append((now_s, amount))
        told = day.total(now_s)
        assert told >= sum(n for at, n in spent if at > now_s - 23 * HOUR_S)
        assert told <= sum(n for at, n in spent if at > now_s - 24 * HOUR_S)
