"""Quiet times: by the wall clock of a zone, also where the clocks are put forward and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.quiet import DAYS, Quiet, QuietError

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def minutes(from_h: int, from_m: int, to_h: int, to_m: int) -> str:
    return f"{from_h:02}:{from_m:02}-{to_h:02}:{to_m:02}"


@pytest.mark.parametrize(
    ("at", "is_quiet"),
    [
        ("2026-03-28T22:00+01:00", True),
        ("2026-03-28T21:59+01:00", False),
        # That night an hour is left out: at 07:00 summer time only eight hours have gone.
        ("2026-03-29T06:59+02:00", True),
        ("2026-03-29T07:00+02:00", False),
        # In this night the hour from two to three comes twice.
        ("2026-10-25T02:30+02:00", True),
        ("2026-10-25T02:30+01:00", True),
        ("2026-10-25T06:59+01:00", True),
        ("2026-10-25T07:00+01:00", False),
    ],
)
def test_a_quiet_night_ends_by_the_wall_clock_whatever_daylight_saving_does(at, is_quiet):
    quiet = Quiet.of(["22:00-07:00"], ZoneInfo("Europe/Berlin"))
    assert quiet.holds(us(datetime.fromisoformat(at))) is is_quiet


@given(
    st.sampled_from(ZONES),
    st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59)),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 2**31),
)
def test_an_instant_is_quiet_if_its_wall_clock_has_passed_the_start_and_not_the_end(
    zone, span, days, second
):
    start, end = span[0] * 60 + span[1], span[2] * 60 + span[3]
    if start == end:
        return
    text = ",".join(DAYS[day] for day in sorted(days)) + " " + minutes(*span)
    here = (EPOCH + timedelta(seconds=second)).astimezone(ZoneInfo(zone))
    begun = here.replace(hour=span[0], minute=span[1], second=0, tzinfo=None)
    now = here.replace(tzinfo=None)
    length = timedelta(minutes=(end - start) % (24 * 60))
    # The span that began today, or the one that began yesterday and reaches into today.
    found = any(
        at.weekday() in days and at <= now < at + length for at in (begun, begun - timedelta(1))
    )
    assert Quiet.of([text], ZoneInfo(zone)).holds(second * 1_000_000) is found


def test_days_may_go_over_the_end_of_the_week_and_a_span_over_midnight_is_of_its_first_day():
    quiet = Quiet.of(["sat-mon 23:00-01:00"], UTC)
    told = {
        "2026-11-20T23:30": False,  # a Friday
        "2026-11-21T00:30": False,
        "2026-11-21T23:30": True,
        "2026-11-24T00:30": True,  # what began on Monday
        "2026-11-24T01:00": False,
    }
    for at, is_quiet in told.items():
        assert quiet.holds(us(datetime.fromisoformat(at).replace(tzinfo=UTC))) is is_quiet, at


def test_a_whole_day_is_quiet_and_no_span_is_never():
    assert Quiet.of(["00:00-24:00"], UTC).holds(us(datetime(2026, 1, 1, 23, 59, tzinfo=UTC)))
    assert not Quiet.of([], UTC).holds(0)


@pytest.mark.parametrize(
    "text",
    ["", "22-07", "22:00", "25:00-07:00", "22:60-07:00", "24:30-01:00", "07:00-07:00",
     "24:00-01:00", "someday 22:00-07:00", "mon- 22:00-07:00", "mon-fri22:00-07:00", "x" * 100],
)  # fmt: skip
def test_what_is_no_span_is_refused_with_an_example(text):
    with pytest.raises(QuietError) as caught:
        Quiet.of([text], UTC)
    assert "22:00-07:00" in caught.value.hint
