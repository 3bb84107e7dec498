"""Times as they are given, and one question cut into parts: pure, so tried with many."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import plan
from tidegate.errors import QuestionError
from tidegate.times import time_us

NOW = 1_777_636_800_000_000  # 2026-05-01T12:00:00Z


@pytest.mark.parametrize(
    ("told", "us"),
    [
        ("now", NOW),
        ("-1h", NOW - 3_600_000_000),
        (" - 90 m ", NOW - 5_400_000_000),
        ("-250ms", NOW - 250_000),
        ("-2w", NOW - 14 * 86_400_000_000),
        ("2026-05-01T12:00:00Z", NOW),
        ("2026-05-01T14:00:00+02:00", NOW),
        ("2026-05-01T12:00", NOW),
        ("2026-05-01", NOW - 12 * 3_600_000_000),
        (datetime(2026, 5, 1, 12, tzinfo=UTC), NOW),
        (datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))), NOW),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (5, 5),
    ],
)
def test_a_time_is_taken_as_people_write_it(told: datetime | str | int, us: int) -> None:
    assert time_us("start", told, NOW) == us


@pytest.mark.parametrize("told", ["", "1h", "-1", "-1y", "yesterday", None, 1.5, True, b"now"])
def test_what_is_no_time_is_refused_by_name(told: object) -> None:
    with pytest.raises(QuestionError, match=r"`end` is .*, which is no time"):
        time_us("end", told, NOW)  # type: ignore[arg-type]


@given(
    st.lists(st.integers(0, 99).map(str), min_size=1, max_size=250, unique=True),
    st.integers(-(10**15), 10**15),
    st.integers(0, 10**15),
    st.sampled_from(["1ms", "7s", "1m", "15m", "1h", "24h", "1d", "2w", "1mo", "1y"]),
    st.integers(1, 37),
)
def test_parts_are_within_the_limits_and_cover_each_series_and_time_once(
    ids: list[str], start: int, length: int, text: str, across: int
) -> None:
    width = plan.width_of(text)
    end = start + min(length, 100_000 * width.us)
    covered: dict[str, int] = {}
    for part in plan.long_parts(ids, start, end, width, across):
        some, from_us, to_us = part["series"].split(","), int(part["from"]), int(part["to"])
        rows = -(-to_us // width.us) - from_us // width.us
        assert len(some) <= plan.SERIES_MAX
        if width.fixed:
            assert rows <= plan.POINTS_MAX
            assert rows * len(some) * across <= plan.VALUES_MAX
        for one in some:
            assert covered.get(one, start) == from_us
            assert from_us == start or from_us % width.us == 0, "no bucket is asked for twice"
            covered[one] = to_us
    assert covered == dict.fromkeys(ids, end)


@given(
    st.integers(1, 100),
    st.integers(-(10**15), 10**15),
    st.integers(0, 10**15),
    st.sampled_from(["1ms", "7s", "1m", "1h", "1d", "1mo"]),
    st.integers(1, 37),
)
def test_frames_side_by_side_are_cut_in_time_alone(
    count: int, start: int, length: int, text: str, across: int
) -> None:
    width = plan.width_of(text)
    end = start + min(length, 100_000 * width.us)
    ids, at = [str(one) for one in range(count)], start
    for part in plan.wide_parts(ids, start, end, width, across):
        assert part["series"] == ",".join(ids)
        assert int(part["from"]) == at
        assert at == start or at % width.us == 0
        at = int(part["to"])
        rows = -(-at // width.us) - int(part["from"]) // width.us
        assert not width.fixed or rows * count * across <= plan.VALUES_MAX
    assert at == end
