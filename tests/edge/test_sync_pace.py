"""Which end of a backlog is next, how much is under way, and when it is through."""

from hypothesis import given
from hypothesis import strategies as st

from edge.sync_pace import AHEAD_BYTES_MIN, BLOCK_BYTES_MIN, LIVE_SHARE, Drain, Pace
from protos.limits import BLOCK_BYTES_TARGET, WINDOW_BYTES_MAX

SECOND_US = 1_000_000


def behind() -> Pace:
    pace = Pace()
    pace.target(WINDOW_BYTES_MAX)
    pace.sealed(BLOCK_BYTES_TARGET)
    assert pace.is_behind
    return pace


def linked(bytes_a_second: int) -> Pace:
    pace = behind()
    pace.tick(0)
    pace.stored(bytes_a_second)
    pace.tick(SECOND_US)
    return pace


@given(st.lists(st.booleans(), min_size=4, max_size=200))
def test_at_most_one_block_in_the_share_goes_out_of_turn(fresh: list[bool]) -> None:
    pace, turns = behind(), []
    for is_fresh in fresh:
        if is_fresh:
            pace.woken()
        turns.append(pace.next_end())
    for start in range(len(turns) - LIVE_SHARE + 1):
        assert sum(turns[start : start + LIVE_SHARE]) <= 1


def test_the_newest_go_first_only_behind_a_backlog_and_once_for_what_is_new() -> None:
    pace = behind()
    pace.woken()
    assert [pace.next_end() for _ in range(9)].count(True) == 1
    pace.sealed(None)
    pace.woken()
    assert not any(pace.next_end() for _ in range(9))


def test_a_backlog_keeps_half_a_second_of_the_link_under_way() -> None:
    assert linked(1_000_000).ahead(WINDOW_BYTES_MAX) == 500_000
    assert linked(1_000).ahead(WINDOW_BYTES_MAX) == AHEAD_BYTES_MIN
    assert linked(1_000_000_000).ahead(300_000) == 300_000


def test_without_a_backlog_the_window_is_the_clouds() -> None:
    assert Pace().ahead(WINDOW_BYTES_MAX) == WINDOW_BYTES_MAX


def test_a_slow_link_gets_small_blocks() -> None:
    assert linked(64_000).target(WINDOW_BYTES_MAX) == 16_000
    assert linked(10).target(WINDOW_BYTES_MAX) == BLOCK_BYTES_MIN
    assert linked(10_000_000).target(WINDOW_BYTES_MAX) == BLOCK_BYTES_TARGET


def test_the_end_of_a_backlog_is_told_from_how_it_shrank() -> None:
    drain = Drain()
    assert drain.eta_s is None
    drain.note(0, 10_000_000)
    assert drain.eta_s is None
    drain.note(2 * SECOND_US, 8_000_000)
    assert drain.eta_s == 8.0
    drain.note(3 * SECOND_US, 12_000_000)
    assert drain.eta_s is None
    drain.note(4 * SECOND_US, BLOCK_BYTES_TARGET)
    assert drain.eta_s == 0.0
