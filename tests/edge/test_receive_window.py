from hypothesis import given
from hypothesis import strategies as st

from edge.receive_window import LIMITED, SPARE, WINDOW_MIN, ReceiveWindow, receive_maximum

COUNTS = st.integers(0, 200_000)
MOST = st.integers(1, 65535)


@given(COUNTS, st.integers(0, 65535), MOST)
def test_a_window_is_within_its_bounds_and_never_nothing(peak: int, window: int, most: int) -> None:
    assert min(WINDOW_MIN, most) <= receive_maximum(peak, window, most) <= most


@given(COUNTS, COUNTS, st.integers(0, 65535), MOST)
def test_more_in_flight_never_makes_it_smaller(one: int, two: int, window: int, most: int) -> None:
    low, high = sorted((one, two))
    assert receive_maximum(low, window, most) <= receive_maximum(high, window, most)


@given(st.integers(1, 100_000), st.floats(0.001, 2.0), MOST)
def test_a_steady_stream_gets_rate_times_commit_time_with_room_to_spare(
    rate_per_s: int, commit_s: float, most: int
) -> None:
    in_flight = int(rate_per_s * commit_s)
    got = receive_maximum(in_flight, most, most)
    assert got == most or got >= SPARE * in_flight


@given(MOST)
def test_what_may_have_been_limited_by_the_window_is_given_all(most: int) -> None:
    window = receive_maximum(0, most, most)
    assert receive_maximum(int(LIMITED * window) + 1, window, most) == most
    assert receive_maximum(0, 0, most) == most


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5000)), max_size=50), MOST)
def test_what_is_counted_is_what_is_in_flight(events: list[tuple[bool, int]], most: int) -> None:
    one, in_flight, peak = ReceiveWindow(most), 0, 0
    assert one.begin() == most
    for is_ack, count in events:
        if is_ack:
            count = min(count, in_flight)
            one.acknowledged(count)
            in_flight -= count
        else:
            one.came(count)
            in_flight += count
            peak = max(peak, in_flight)
    assert one.begin() == receive_maximum(peak, most, most)


def test_a_quiet_connection_is_followed_by_a_small_window_and_a_busy_one_by_all() -> None:
    one = ReceiveWindow(8000)
    one.begin()
    one.came(10)
    assert one.begin() == WINDOW_MIN
    one.came(WINDOW_MIN)
    assert one.begin() == 8000
