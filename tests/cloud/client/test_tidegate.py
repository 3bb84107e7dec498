"""`import tidegate` against a served cloud with real tables: what it yields is what JSON says."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegate
from cloud.query.plan import POINTS_MAX
from cloud.rollup.partials import MINUTE_US
from cloud.serve import events, history, kinds
from tests.cloud.client.served_world import LONG, MANY, Served
from tests.cloud.lake_world import T0
from tidegate import plan

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROUTES = ("series", "latest", "anomalies", "episodes", "gaps", "marks", "gateways", "devices")
HOUR = (T0, T0 + 60 * MINUTE_US)


def us(at: object) -> object:
    """Times as JSON has them."""
    return (at - EPOCH) // timedelta(microseconds=1) if isinstance(at, datetime) else at


def same(value: object) -> object:
    """A value that equals itself, as JSON would have it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return us(value)


def as_json(value: object) -> object:
    """A value as JSON has it, which knows no number that is none."""
    return None if same(value) in ("nan", "inf", "-inf") else us(value)


def plain(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: as_json(value) for name, value in row.items()} for row in rows]


def raw_told(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Raw readings of a JSON answer: series, time, value, text, quality."""
    rows: list[tuple[Any, ...]] = []
    for one in told["series"]:
        value = list(one["v"])
        for at, word in (one.get("special") or {}).items():
            value[int(at)] = word
        text = one.get("text") or [None] * len(value)
        told_rows = zip(one["t"], value, text, one["quality"], strict=True)
        rows += [(one["id"], *each) for each in told_rows]
    return rows


def raw_taken(result: tidegate.Result) -> list[tuple[Any, ...]]:
    return [
        tuple(same(row[name]) for name in ("series", "ts", "value", "text", "quality"))
        for row in result.rows()
    ]


@pytest.fixture
def cloud(served: Served) -> tidegate.Client:
    return tidegate.connect(served.url)


def ids(served: Served, *devices: str) -> list[str]:
    return [served.world.id(device) for device in devices]


@pytest.mark.parametrize("page_rows", [1, 7, 100_000])
@pytest.mark.parametrize("route", ROUTES)
def test_every_list_is_what_json_says_in_pages_of_any_size(
    served: Served, route: str, page_rows: int
) -> None:
    cloud = tidegate.connect(served.url, page_rows=page_rows)
    told = served.world.get(f"/api/v1/{route}?limit=10000")[route]
    assert plain(getattr(cloud, route)().rows()) == told
    assert told or route in ("episodes", "gaps")


def test_states_are_what_json_says(served: Served, cloud: tidegate.Client) -> None:
    some = ids(served, "door", "pump")
    told = served.world.get(f"/api/v1/states?series={','.join(some)}&from={T0}&to={HOUR[1]}")
    taken = cloud.states(["gw-1/door/state", some[1]], *HOUR)
    assert len(told["states"]) > 60
    assert plain(taken.rows()) == plain(iter(told["states"]))


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from(["pump", "long", "door", "d007"]), min_size=1, unique=True),
    st.tuples(st.integers(-5, 70), st.integers(0, 70)),
    st.sampled_from([1, 13, 500, 100_000]),
)
def test_raw_readings_are_what_json_says_whatever_the_range_and_the_pages(
    served: Served, devices: list[str], minutes: tuple[int, int], page_rows: int
) -> None:
    start = T0 + minutes[0] * MINUTE_US
    end = start + minutes[1] * MINUTE_US // (1 if page_rows > 13 else 60)
    some = ids(served, *devices)
    path = f"/api/v1/history?series={','.join(some)}&resolution=raw&from={start}&to={end}"
    told = served.world.get(path)
    cloud = tidegate.connect(served.url, page_rows=page_rows)
    assert raw_taken(cloud.history(some, start, end)) == raw_told(told)


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from(["pump", "long", "door"]), min_size=1, unique=True),
    st.tuples(st.integers(-300, 4000), st.integers(0, 4000)),
    st.sampled_from(["10s", "1m", "7m", "1h", "1d"]),
    st.lists(st.sampled_from(["count", "mean", "min", "last", "p50"]), min_size=1, unique=True),
    st.sampled_from(["include", "exclude"]),
    st.sampled_from([(7, 60), (20_000, 2_000_000)]),
)
def test_buckets_are_what_json_says_however_many_requests_they_take(
    served: Served,
    devices: list[str],
    seconds: tuple[int, int],
    width: str,
    columns: list[str],
    bad: str,
    limits: tuple[int, int],
) -> None:
    start = T0 + seconds[0] * 1_000_000 + 123
    end = start + seconds[1] * 1_000_000
    some = ids(served, *devices)
    asked = f"from={start}&to={end}&bucket={width}&columns={','.join(columns)}&bad={bad}"
    told = served.world.get(f"/api/v1/history?series={','.join(some)}&{asked}")["series"]
    expected = [
        (one["id"], *row)
        for one in told
        for row in zip(one["t"], *(one[name] for name in columns), strict=True)
    ]
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(plan, "POINTS_MAX", limits[0])
        smaller.setattr(plan, "VALUES_MAX", limits[1])
        cloud = tidegate.connect(served.url)
        span = {"resolution": width, "columns": columns, "bad": bad}
        taken = [
            tuple(as_json(row[name]) for name in ("series", "ts", *columns))
            for row in cloud.history(some, start, end, **span).rows()
        ]
        wide = [
            tuple(map(as_json, row.values())) for row in cloud.wide(some, start, end, **span).rows()
        ]
    assert taken == expected
    told_wide = served.world.get(f"/api/v1/history?series={','.join(some)}&{asked}&layout=wide")
    columns_told = [told_wide["t"], *told_wide["values"]]
    if start < end:
        assert wide == list(zip(*columns_told, strict=True))


def test_points_let_the_cloud_choose_and_it_says_what_it_chose(
    served: Served, cloud: tidegate.Client
) -> None:
    result = cloud.history("long/temperature", *HOUR, points=100)
    assert result.about == {}
    assert 0 < sum(len(batch) for batch in result) <= 100
    assert result.about["resolution"] == "1m"
    assert result.about["bucket_us"] == str(MINUTE_US)


def test_more_series_than_one_request_may_name_are_asked_for_by_hundreds(
    served: Served, cloud: tidegate.Client
) -> None:
    few = cloud.series(match="*/d[0-9]??/*")
    assert sum(1 for _ in few.rows()) == MANY
    frame = cloud.history(few, T0, T0 + 1000).to_polars()
    assert sorted(frame["value"]) == [float(i) for i in range(MANY)]
    with pytest.raises(tidegate.QuestionError, match="120 series are more than 100 at once"):
        cloud.wide(few, *HOUR).to_polars()


def test_a_range_left_open_is_asked_once_and_is_that_of_the_cloud(
    served: Served, cloud: tidegate.Client
) -> None:
    served.asked.clear()
    cloud = tidegate.connect(served.url, page_rows=900)
    assert len(cloud.history(ids(served, "long")).to_arrow()) == LONG
    spans = [(asked.get("from"), asked.get("to")) for _, asked in served.asked]
    assert spans[0] == (None, None)
    assert len(spans) == 5
    assert len(set(spans[1:])) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a/[b]*/temperature", 1.0),
        ("gw-2/a/[b]*/temperature", 1.0),
        ("a/b/temperature", 2.0),
        ("gw-2/a/b/temperature", 2.0),
    ],
)
def test_a_name_is_taken_as_it_is_whatever_signs_are_in_it(
    cloud: tidegate.Client, name: str, value: float
) -> None:
    assert cloud.history(name, *HOUR).to_polars()["value"].to_list() == [value]


def test_nothing_read_since_the_start_is_an_empty_answer(cloud: tidegate.Client) -> None:
    for result in (
        cloud.history("long/temperature", "-1h"),
        cloud.history("long/temperature", "-1h", resolution="1m"),
        cloud.wide("long/temperature", "-1h"),
    ):
        assert result.to_polars().height == 0
    assert cloud.history("long/temperature", T0 + 2_999_000_000).to_polars().height == 1


def test_nothing_is_asked_before_rows_are_taken_and_then_a_page_at_a_time(served: Served) -> None:
    cloud = tidegate.connect(served.url, page_rows=100)
    (long,) = ids(served, "long")
    served.asked.clear()
    result = cloud.history(long, T0, "2023-11-15T01:00:00Z")
    cloud.wide(cloud.series("pump"), T0, "now")
    assert served.asked == []
    batches = iter(result)
    assert len(next(batches)) == 100
    assert len(served.asked) == 1
    assert [len(next(batches)), len(next(batches))] == [100, 100]
    assert len(served.asked) == 3
    batches.close()
    stream = result.__arrow_c_stream__()
    assert len(served.asked) == 4
    del stream
    assert len(served.asked) == 4


def test_every_program_takes_the_same_frame(served: Served) -> None:
    cloud = tidegate.connect(served.url, page_rows=17)
    result = cloud.history(["gw-1/pump/temperature", "door/state"], *HOUR)
    table = result.to_arrow()
    assert table.num_rows == 63
    frame = result.to_polars()
    assert frame.equals(pl.DataFrame(result))
    assert frame.equals(pl.from_arrow(table))
    assert frame.equals(pl.from_arrow(pa.table(result)))
    assert frame.schema["ts"] == pl.Datetime("us", "UTC")
    rows = [tuple(map(same, row.values())) for row in result.rows()]
    assert [tuple(map(same, row)) for row in frame.rows()] == rows
    pandas = result.to_pandas()
    assert str(pandas["ts"].dtype) == "datetime64[us, UTC]"
    assert list(pandas["series"].astype(str)) == frame["series"].cast(pl.String).to_list()
    relation = result.to_duckdb(table='a "table"')
    assert relation.aggregate("count(*), sum(quality), count(text)").fetchall() == [(63, 3, 3)]
    batches = list(result)
    assert sum(map(len, batches)) == 63
    assert pl.concat([batch.to_polars() for batch in batches]).equals(frame)
    assert pa.record_batch(batches[0]).num_rows == len(batches[0])
    assert "ts" in batches[0].columns


def test_an_answer_without_rows_is_a_frame_with_columns(cloud: tidegate.Client) -> None:
    empty = cloud.history("long/temperature", 0, 1)
    assert list(empty) == []
    assert empty.to_polars().shape == (0, 9)
    assert cloud.episodes().to_polars().height == 0


def test_the_limits_are_those_of_the_server() -> None:
    assert plan.SERIES_MAX == kinds.SERIES_MAX
    assert plan.STATES_SERIES_MAX == events.STATES_SERIES_MAX
    assert (plan.POINTS_MAX, plan.VALUES_MAX) == (POINTS_MAX, history.VALUES_MAX)
    assert plan.DURATION_VALUES == history.DURATION_VALUES
    assert len(history.history_table.COLUMNS) == plan.LONG_COLUMNS
