"""What may be sent on a line that is paid by the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings_budget import Profile, Uplink, as_profiled
from edge.sync_effects import Allowed
from edge.thrift import Thrift

LIMIT = 1000


def test_readings_wait_for_each_other_and_what_comes_later_waits_anew() -> None:
    thrift = Thrift(linger_s=60, batch_bytes=5000, limit_bytes=0)
    assert thrift.look(0, 0, 0) is Allowed.URGENT
    assert thrift.look(10, 1, 0) is Allowed.URGENT
    assert thrift.look(69, 400, 0) is Allowed.URGENT
    assert thrift.look(70, 400, 0) is Allowed.ALL
    assert thrift.look(71, 0, 0) is Allowed.ALL, "what is under way is finished"
    thrift.sent()
    assert thrift.look(72, 9, 0) is Allowed.URGENT
    assert thrift.look(131, 9, 0) is Allowed.URGENT
    assert thrift.look(132, 9, 0) is Allowed.ALL


def test_many_bytes_are_sent_sooner_and_somebody_who_stops_sends_at_once() -> None:
    thrift = Thrift(linger_s=60, batch_bytes=5000, limit_bytes=0)
    assert thrift.look(0, 4999, 0) is Allowed.URGENT
    assert thrift.look(0, 5000, 0) is Allowed.ALL
    hurried = Thrift(linger_s=60, batch_bytes=5000, limit_bytes=0)
    hurried.hurry()
    assert hurried.look(0, 1, 0) is Allowed.ALL


@pytest.mark.parametrize(
    ("spent", "may"),
    [(0, Allowed.ALL), (899, Allowed.ALL), (900, Allowed.URGENT), (999, Allowed.URGENT),
     (1000, Allowed.NOTHING), (10**12, Allowed.NOTHING)],
)  # fmt: skip
def test_the_last_tenth_of_a_day_is_for_anomalies_and_beyond_it_nothing_goes(
    spent: int, may: Allowed
) -> None:
    thrift = Thrift(0.25, 1, LIMIT)
    thrift.hurry()
    assert thrift.look(0, 10_000, spent) is may
    assert thrift.by_limit is may


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 9000), st.integers(0, 2 * LIMIT))))
def test_whatever_happens_a_limit_is_a_limit_and_what_waits_is_sent_in_the_end(
    looks: list[tuple[float, int, int]],
) -> None:
    thrift, now_s = Thrift(60, 5000, LIMIT), 0.0
    for passed_s, waiting, spent in looks:
        now_s += passed_s
        may = thrift.look(now_s, waiting, spent)
        assert (may is Allowed.NOTHING) == (spent >= LIMIT)
    thrift.look(now_s, 1, 0)
    assert thrift.look(now_s + 60.001, 1, 0) is Allowed.ALL


def test_a_profile_fills_in_what_nobody_said() -> None:
    metered = as_profiled(Uplink(profile=Profile.METERED, keepalive_s=33))
    assert (metered.linger_s, metered.keepalive_s) == (900.0, 33)
    assert as_profiled(Uplink()).linger_s == 0.25
