"""Which end of a backlog is next, how much is under way, and when it is through."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sync_pace import (
    AHEAD_S,
    AHEAD_TRIPS,
    BLOCK_BYTES_MIN,
    ETA_EVERY_US_MAX,
    ETA_SAMPLES,
    LIVE_SHARE,
    PROBE_US,
    RATE_SAMPLES,
    TURNS_KEPT,
    Drain,
    Pace,
    Sent,
)
from protos.limits import BLOCK_BYTES_TARGET, KIB, WINDOW_BYTES_MAX

SECOND_US = 1_000_000


def behind() -> Pace:
    """A pace with a backlog, that knows nothing of its link yet."""
    pace = Pace()
    pace.target(WINDOW_BYTES_MAX)
    pace.sealed(BLOCK_BYTES_TARGET)
    assert pace.is_behind
    return pace


def linked(bytes_a_second: int, trip_us: int = 100_000) -> Pace:
    """A pace that was answered for one block alone, so fast as such a link carries it."""
    pace = behind()
    pace.tick(SECOND_US)
    sent = pace.sent(bytes_a_second * trip_us // SECOND_US, is_alone=True)
    pace.tick(SECOND_US + trip_us)
    pace.stored(sent)
    pace.sealed(KIB)
    return pace


def driven(bytes_a_second: float, trip_us: int, seconds: int) -> tuple[Pace, float, int]:
    """A backlog over a simulated link: the pace, bytes a second stored in the second half, and the
    most that was under way then.
    """
    pace = behind()
    flight: list[tuple[int, Sent]] = []  # when its ack comes
    now_us = free_us = under_way = stored = most = 0
    while now_us < seconds * SECOND_US:
        pace.tick(now_us)
        if not flight or pace.allows(under_way, WINDOW_BYTES_MAX):
            size = pace.target(WINDOW_BYTES_MAX)
            pace.sealed(size)
            sent = pace.sent(size, is_alone=not flight)
            free_us = max(free_us, now_us) + int(size / bytes_a_second * SECOND_US)
            flight.append((free_us + trip_us, sent))
            under_way += size
        else:
            now_us, sent = flight.pop(0)
            under_way -= sent.size
            pace.tick(now_us)
            pace.stored(sent)
            if now_us > seconds * SECOND_US // 2:
                stored += sent.size
                most = max(most, under_way)
    return pace, stored / (seconds / 2), most


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=4, max_size=100))
def test_blocks_out_of_turn_take_no_more_than_their_share(fresh: list[bool]) -> None:
    pace, turns = behind(), []
    for is_fresh in fresh:
        if is_fresh:
            pace.woken()
        turns.append(pace.next_end())
        pace.sealed(BLOCK_BYTES_TARGET)
    for first in range(len(turns)):
        for last in range(first, len(turns)):
            of = last - first + 1
            assert sum(turns[first : last + 1]) <= of / LIVE_SHARE + TURNS_KEPT


def test_the_newest_go_first_only_behind_a_backlog_and_once_for_what_is_new() -> None:
    pace = behind()
    pace.woken()
    assert [pace.next_end() for _ in range(9)].count(True) == 1
    pace.sealed(None)
    pace.woken()
    assert not any(pace.next_end() for _ in range(9))


def test_what_is_new_finds_a_turn_at_once_after_one_for_what_was_left_behind_a_full_block() -> None:
    pace = behind()
    pace.target(WINDOW_BYTES_MAX)
    pace.woken()
    turns = []
    for _ in range(30):
        turns.append(pace.next_end())
        pace.sealed(BLOCK_BYTES_TARGET)
        if turns[-1]:
            break
    turns.clear()
    while not turns or not turns[-1]:  # nothing new was committed, but more may be left
        turns.append(pace.next_end())
        pace.sealed(KIB // 4)
    assert len(turns) > LIVE_SHARE
    pace.woken()
    assert pace.next_end()


def test_a_note_that_goes_first_takes_no_turn_from_what_is_new() -> None:
    pace = behind()
    pace.woken()
    while not pace.next_end():
        pace.sealed(BLOCK_BYTES_TARGET)
    pace.sealed(KIB)
    pace.noted()
    assert pace.next_end()


@pytest.mark.parametrize("trip_us", [1_000, 100_000, 600_000, 2_000_000])
@pytest.mark.parametrize("bytes_a_second", [3_000, 50_000, 1_000_000])
def test_a_link_of_any_length_stays_busy_and_what_waits_for_it_is_little(
    bytes_a_second: int, trip_us: int
) -> None:
    _, carried, most = driven(bytes_a_second, trip_us, 120)
    assert carried >= 0.8 * bytes_a_second
    carried_by_the_way = bytes_a_second * trip_us / SECOND_US
    waits = max(AHEAD_S * bytes_a_second, AHEAD_TRIPS * carried_by_the_way, BLOCK_BYTES_MIN)
    assert most <= carried_by_the_way + 2.5 * waits


def test_nothing_is_known_of_a_link_before_one_small_block_was_answered() -> None:
    pace = behind()
    assert pace.target(WINDOW_BYTES_MAX) == BLOCK_BYTES_MIN
    assert pace.allows(0, WINDOW_BYTES_MAX)
    assert not pace.allows(1, WINDOW_BYTES_MAX)


def test_blocks_grow_where_the_cloud_counts_messages_and_not_bytes() -> None:
    pace, now_us, sizes = behind(), 0, []
    for _ in range(20):
        pace.tick(now_us)
        first = pace.target(WINDOW_BYTES_MAX)
        pace.sealed(first)
        flight = [pace.sent(first, is_alone=True)]
        while pace.allows(sum(sent.size for sent in flight), WINDOW_BYTES_MAX):
            sizes.append(pace.target(WINDOW_BYTES_MAX))
            pace.sealed(sizes[-1])
            flight.append(pace.sent(sizes[-1], is_alone=False))
        now_us += 3 * SECOND_US  # every message waits as long, whatever its size
        pace.tick(now_us)
        for sent in flight:
            pace.stored(sent)
    assert sizes[-1] == BLOCK_BYTES_TARGET


def test_a_longer_way_is_told_from_a_queue_by_a_block_that_goes_alone() -> None:
    pace = linked(1_000_000)
    assert pace.allows(BLOCK_BYTES_TARGET, WINDOW_BYTES_MAX)
    pace.tick(SECOND_US + PROBE_US + 100_000)
    assert not pace.allows(1, WINDOW_BYTES_MAX)
    sent = pace.sent(KIB, is_alone=True)
    pace.tick(3 * SECOND_US + PROBE_US)
    pace.stored(sent)
    longer = pace.ahead(WINDOW_BYTES_MAX)
    assert longer > 1_000_000  # a second of the way more


def test_a_link_that_became_slower_is_noticed() -> None:
    pace, now_us = linked(1_000_000), 2 * SECOND_US
    for _ in range(RATE_SAMPLES):
        pace.tick(now_us)
        sent = pace.sent(1000, is_alone=False)
        now_us += SECOND_US
        pace.tick(now_us)
        pace.stored(sent)
    assert pace.ahead(WINDOW_BYTES_MAX) < 1000


def test_without_a_backlog_the_window_is_the_clouds() -> None:
    pace = Pace()
    pace.sealed(None)
    assert pace.ahead(WINDOW_BYTES_MAX) == WINDOW_BYTES_MAX


def test_no_more_is_under_way_than_the_clouds_window() -> None:
    assert linked(1_000_000_000).ahead(300_000) == 300_000


def test_a_slow_link_gets_small_blocks() -> None:
    assert linked(64_000).target(WINDOW_BYTES_MAX) == 19_200
    assert linked(10_000_000).target(WINDOW_BYTES_MAX) == BLOCK_BYTES_TARGET
    assert linked(10).target(WINDOW_BYTES_MAX) == BLOCK_BYTES_MIN


def test_the_end_of_a_backlog_is_told_from_how_it_shrank() -> None:
    drain = Drain()
    assert drain.eta_s is None
    drain.note(0, 10_000_000)
    assert drain.eta_s is None
    drain.note(2 * SECOND_US, 8_000_000)
    assert drain.eta_s == 8.0
    drain.note(3 * SECOND_US, 12_000_000)
    assert drain.eta_s is None


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2000))
def test_an_estimate_looks_back_far_on_few_samples(seconds: int) -> None:
    drain = Drain()
    for second in range(seconds + 1):
        drain.note(second * SECOND_US, 10_000 - second)
    assert drain.eta_s == pytest.approx(10_000 - seconds)
    seen = list(drain._seen)
    assert len(seen) <= ETA_SAMPLES
    assert seen[-1] == (seconds * SECOND_US, 10_000 - seconds)
    assert seen[-1][0] - seen[0][0] >= min(seconds, 300) * SECOND_US
    assert all(b[0] - a[0] <= ETA_EVERY_US_MAX for a, b in pairwise(seen))
