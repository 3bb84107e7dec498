"""Times of files: what an instant is, which local times are none, and that each stands alone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import OperatorError
from cloud.imports.clock_times import REASONS, Ambiguous, TimeRule, Unit, read_times
from cloud.imports.piece import Reason

BERLIN = TimeRule("Europe/Berlin")
AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
AT_US = 1_700_000_000_000_000


def read(values, rule: TimeRule = BERLIN, kind: pa.DataType | None = None):
    """Each value's µs, or the reason why it is none."""
    ts, problems = read_times(pa.array(values, kind), rule)
    return [
        REASONS[problem - 1] if problem else at
        for at, problem in zip(ts.tolist(), problems.tolist(), strict=True)
    ]


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def test_an_hour_that_came_twice_is_refused_until_the_operator_says_which() -> None:
    night = [
        "2023-10-29 01:59:59",
        "2023-10-29 02:00:00",
        "2023-10-29 02:59:59",
        "2023-10-29 03:00",
    ]
    before, after = us("2023-10-29T01:59:59+02:00"), us("2023-10-29T03:00:00+01:00")
    assert read(night) == [before, Reason.TWICE, Reason.TWICE, after]
    earliest = TimeRule("Europe/Berlin", ambiguous=Ambiguous.EARLIEST)
    latest = TimeRule("Europe/Berlin", ambiguous=Ambiguous.LATEST)
    first, second = us("2023-10-29T02:00:00+02:00"), us("2023-10-29T02:00:00+01:00")
    assert read(night, earliest)[:2] == [before, first]
    assert read(night, latest)[:2] == [before, second]
    assert read(night, latest)[3] == read(night, earliest)[3] == after


def test_an_hour_that_the_clocks_skipped_is_never_a_time() -> None:
    night = [
        "2023-03-26 01:59:59",
        "2023-03-26 02:00:00",
        "2023-03-26 02:30:00",
        "2023-03-26 03:00",
    ]
    for ambiguous in Ambiguous:
        rule = TimeRule("Europe/Berlin", ambiguous=ambiguous)
        first, last = us("2023-03-26T01:59:59+01:00"), us("2023-03-26T03:00:00+02:00")
        assert read(night, rule) == [first, Reason.NEVER, Reason.NEVER, last]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@given(at=st.integers(0, 4_000_000_000))
def test_a_local_time_that_came_once_is_the_instant_whose_local_time_it_is(zone, at) -> None:
    moment = datetime.fromtimestamp(at, ZoneInfo(zone))
    text = moment.replace(tzinfo=None).isoformat(" ")
    (found,) = read([text], TimeRule(zone, ambiguous=Ambiguous.EARLIEST))
    (other,) = read([text], TimeRule(zone, ambiguous=Ambiguous.LATEST))
    assert at * 1_000_000 in (found, other)
    (strict,) = read([text], TimeRule(zone))
    assert strict == (found if found == other else Reason.TWICE)


def test_numbers_go_by_their_size_and_no_date_is_two_things() -> None:
    plain = AT_US // 1_000_000
    assert read([plain, plain * 10**3, plain * 10**6, plain * 10**9]) == [AT_US] * 4
    assert read([f"{plain}", f"{plain}.25"]) == [AT_US, AT_US + 250_000]
    assert read([17, -5, 0]) == [Reason.NOT_A_TIME] * 3
    assert read([10**19 - 1], kind=pa.uint64()) == [Reason.NOT_A_TIME]


@pytest.mark.parametrize(
    ("unit", "value", "found"),
    [
        (Unit.S, 17, 17_000_000),
        (Unit.MS, 17, 17_000),
        (Unit.US, 17, 17),
        (Unit.NS, 17_999, 17),
        (Unit.S, 10**15, Reason.OUT_OF_RANGE),
        (Unit.NS, 1 << 62, Reason.OUT_OF_RANGE),
        (Unit.US, -1, Reason.OUT_OF_RANGE),
    ],
)
def test_a_unit_that_is_named_is_taken(unit: Unit, value: int, found: object) -> None:
    assert read([value], TimeRule(unit=unit)) == [found]
    assert read([str(value)], TimeRule(unit=unit)) == [found]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_any_unit_and_zone_are_the_same_instant(unit: str) -> None:
    assert read([AT], kind=pa.timestamp(unit, "Asia/Tokyo")) == [AT_US]
    local = AT.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    assert read([local, None], kind=pa.timestamp(unit)) == [AT_US, Reason.NO_TIME]
    assert read([local], TimeRule(), pa.timestamp(unit)) == [Reason.NO_ZONE]


def test_texts_of_other_forms_are_read_by_a_format() -> None:
    rule = TimeRule("Europe/Berlin", format="%d.%m.%Y %H:%M:%S")
    assert read(["14.11.2023 23:13:20", "2023-11-14", "", None], rule) == [
        AT_US, Reason.NOT_A_TIME, Reason.NO_TIME, Reason.NO_TIME,
    ]  # fmt: skip
    with_zone = TimeRule(format="%Y%m%d %H%M%S.%f %z")
    assert read(["20231114 231320.5 +0100", "x"], with_zone) == [
        AT_US + 500_000, Reason.NOT_A_TIME,
    ]  # fmt: skip


times = st.one_of(
    st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(lambda at: at.isoformat(" ")),
    st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(lambda at: f"{at.isoformat()}Z"),
    st.integers(-5, 1 << 64).map(str),
    st.floats(0, 1e20).map(lambda value: f"{value:.3f}"),
    st.sampled_from(["", " ", "x", "2023-10-29 02:30:00", "2023-03-26T02:30", "9999-12-31 00:00"]),
    st.none(),
)


@pytest.mark.parametrize("unit", list(Unit))
@given(column=st.lists(times, min_size=1, max_size=8))
def test_what_a_text_means_never_depends_on_its_neighbours(unit: Unit, column) -> None:
    rule = TimeRule("Europe/Berlin", unit)
    together = read(column, rule, pa.string())
    alone = [read([one], rule, pa.string())[0] for one in column]
    assert together == alone
    assert all(isinstance(one, Reason) or 0 <= one < 4_102_444_800_000_000 for one in together)


def test_a_zone_that_is_none_is_told_with_the_nearest() -> None:
    with pytest.raises(OperatorError, match="did you mean Europe/Berlin"):
        TimeRule("Europe/Berlni")


def test_a_column_that_holds_no_times_is_named_by_its_type() -> None:
    with pytest.raises(OperatorError, match="it holds bool"):
        read([True])
