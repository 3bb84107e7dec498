"""What there is, as Grafana asks it: labels, values, series, metrics; and what is refused."""

from pathlib import Path

import pytest

from cloud.serve.prometheus import names
from protos.series import SeriesKind
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.serve.prometheus.prometheus_world import API, PrometheusWorld

HOUR_S = 3_600


@pytest.fixture
def world(tmp_path: Path):
    world = PrometheusWorld(tmp_path / "lake")
    other = Gateway(world.journal, "gw-2")
    world.put("pump", [(T0, 1.0)], "bus/volts", unit="V", room="hall")
    world.put("meter", [(T0, 1.0)], "energy", unit="kWh", kind=SeriesKind.COUNTER)
    world.put("meter", [(T0 + 2 * HOUR_S * 1_000_000, 1.0)], "energy", unit="Wh", gateway=other)
    yield world
    world.close()


def test_labels_are_those_that_some_series_has(world) -> None:
    own = ["__name__", "device", "gateway", "metric", "unit"]
    assert world.ask("labels") == sorted([*own, "room"])
    assert world.ask("labels", match="energy") == own
    assert world.ask("labels", match=["energy", '{room!=""}']) == sorted([*own, "room"])
    assert world.ask("labels", match="nothing") == []


def test_values_of_a_label_are_those_of_the_series_that_are_meant(world) -> None:
    assert world.ask("label/__name__/values") == ["bus_volts", "energy"]
    assert world.ask("label/gateway/values", match="energy") == ["gw-1", "gw-2"]
    assert world.ask("label/gateway/values", match='{__name__=~"bus.*"}') == ["gw-1"]
    assert world.ask("label/unit/values", limit=1) == ["V"]
    assert world.ask("label/nothing/values") == []


def test_a_span_means_the_series_that_were_heard_in_it(world) -> None:
    start = T0 / 1e6 + HOUR_S
    assert world.ask("label/gateway/values", start=start) == ["gw-2"]
    assert world.ask("label/gateway/values", end=start) == ["gw-1"]
    assert world.ask("series", match="energy", start=start, end=start + 60) == []


def test_series_are_told_by_their_labels(world) -> None:
    told = world.ask("series", match="bus_volts")
    assert told == [
        {
            "__name__": "bus_volts", "gateway": "gw-1", "device": "pump", "metric": "bus/volts",
            "unit": "V", "room": "hall",
        }
    ]  # fmt: skip
    assert len(world.ask("series", match=["energy", "bus_volts"])) == 3


def test_series_that_differ_in_their_kind_alone_are_told_apart(world) -> None:
    world.put("pump", [(T0, 1.0)], "x")
    world.put("pump", [(T0, 2.0)], "x", kind=SeriesKind.COUNTER)
    told = world.ask("series", match="x")
    assert sorted(row["series"] for row in told) == sorted(
        series["id"] for series in world.get("/api/v1/series?metric=x")["series"]
    )
    found = world.instant(f'x{{series="{told[0]["series"]}"}}', T0)
    assert len(found) == 1


def test_metadata_tells_types_and_units(world) -> None:
    assert world.ask("metadata") == {
        "bus_volts": [{"type": "gauge", "help": "bus/volts", "unit": "V"}],
        "energy": [
            {"type": "counter", "help": "energy", "unit": "kWh"},
            {"type": "gauge", "help": "energy", "unit": "Wh"},
        ],
    }
    assert list(world.ask("metadata", limit=1)) == ["bus_volts"]
    assert len(world.ask("metadata", metric="energy", limit_per_metric=1)["energy"]) == 1


def test_the_server_says_which_prometheus_it_answers_as(world) -> None:
    told = world.ask("status/buildinfo")
    assert told["version"] == names.PROMETHEUS
    assert told["revision"].startswith("tidegate-")


def test_more_series_than_one_answer_may_list_are_refused_unless_fewer_are_asked_for(
    world, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "SERIES_MAX", 2)
    every = '{gateway!=""}'
    assert "3 series are more than 2" in world.ask("series", 422, match=every)
    assert len(world.ask("series", match=every, limit=2)) == 2


@pytest.mark.parametrize(
    ("path", "asked", "why"),
    [
        ("query", {}, "`query` is missing"),
        ("query", {"query": "topk(3, up)"}, "1:1: parse error: topk() is not supported here"),
        ("query", {"query": "up", "time": "noon"}, "RFC 3339"),
        ("query", {"query": "up", "time": "1e300"}, "the years 1 to 9999"),
        ("query", {"query": "up", "tim": "1"}, "did you mean `time`?"),
        ("query", {"query": "up", "lookback_delta": "1m"}, "no parameter `lookback_delta`"),
        ("query", {"query": ["up", "up"]}, "given 2 times"),
        ("query_range", {"query": "up", "start": 5, "end": 1, "step": 1}, "lies before"),
        ("query_range", {"query": "up", "start": 1, "end": 5, "step": 0}, "the nearest is 1ms"),
        ("query_range", {"query": "up", "start": 1, "end": 5, "step": "x"}, "such as 5m"),
        ("query_range", {"query": "up", "start": 1, "end": 5}, "`step` is missing"),
        ("query_range", {"query": "up[5m]", "start": 1, "end": 5, "step": 1}, "avg_over_time"),
        ("labels", {"match": "sum(up)"}, "a selector alone"),
        ("labels", {"match": ["up"] * 21}, "20 times at most"),
        ("labels", {"limit": -1}, "the nearest is 0"),
        ("label/a-b/values", {}, "no name of a label"),
        ("series", {}, "`match[]` is missing"),
        ("metadata", {"match": "up"}, "no parameter `match[]`"),
    ],
)
def test_what_cannot_be_answered_is_refused_as_prometheus_would(world, path, asked, why) -> None:
    given = {"match[]" if name == "match" else name: value for name, value in asked.items()}
    told = world.client.get(f"{API}/{path}", params=given)
    assert told.status_code == 400, told.text
    assert told.json()["status"] == "error"
    assert told.json()["errorType"] == "bad_data"
    assert why in told.json()["error"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/json"}, b"{}", 415),
        ({"content-type": "application/x-www-form-urlencoded"}, b"query=" + b"1" * (64 << 10), 413),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=1&" * 101, 400),
        ({"content-type": "application/x-www-form-urlencoded"}, b"query=\xff", 400),
    ],
)
def test_a_form_that_cannot_be_taken_is_refused(world, headers, body, status) -> None:
    told = world.client.post(f"{API}/query", content=body, headers=headers)
    assert told.status_code == status, told.text
    assert told.json()["errorType"] == "bad_data"


def test_a_form_of_a_page_of_another_site_is_refused_before_it_is_read(world) -> None:
    headers = {
        "content-type": "application/x-www-form-urlencoded", "origin": "http://elsewhere.example"
    }  # fmt: skip
    told = world.client.post(f"{API}/query", content=b"query=1", headers=headers)
    assert (told.status_code, told.json()["error"]["code"]) == (403, "foreign_origin")


def test_a_server_of_another_name_is_not_asked(world) -> None:
    told = world.client.get(f"{API}/query?query=1", headers={"host": "elsewhere.example"})
    assert told.status_code == 421
