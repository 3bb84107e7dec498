"""One rule for the form of every answer, and the same rows in each of them."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from cloud.serve.csv_table import csv_of
from cloud.serve.formats import Format, chosen
from cloud.serve.params import Refusal
from cloud.serve.routes import ENDPOINTS
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    world.fill()
    yield world
    world.close()


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/*", "csv"),
        (f"{PARQUET};q=0.5, {ARROW}", "arrow"),
        (f"{ARROW};q=0, {PARQUET};q=0.1", "parquet"),
        ("application/json;q=0.2, text/csv;q=0.3", "csv"),
        ("text/csv;q=nonsense, */*", "json"),
    ],
)
def test_the_header_decides_by_its_weights(accept, form):
    assert chosen(None, accept, has_rows=True) is Format(form)
    assert chosen(Format.PARQUET, accept, has_rows=True) is Format.PARQUET


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "text/html"])
def test_a_header_that_allows_no_form_is_refused_with_those_that_there_are(accept):
    with pytest.raises(Refusal) as refusal:
        chosen(None, accept, has_rows=True)
    assert refusal.value.status == 406
    assert ARROW in refusal.value.hint


def read(response) -> pa.Table:
    kind, body = response.headers["content-type"], response.content
    if kind == ARROW:
        return pa.ipc.open_stream(body).read_all()
    if kind == PARQUET:
        return pq.read_table(io.BytesIO(body))
    assert kind == "text/csv; charset=utf-8"
    return pa_csv.read_csv(io.BytesIO(body))


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.rows], ids=lambda e: e.path)
def test_every_route_with_rows_has_the_same_rows_in_each_form(world, endpoint):
    path = endpoint.path
    path += f"?series={world.id('pump')}" if endpoint.name in ("states", "segments") else "?"
    rows = world.get(path)[endpoint.name]
    for form in ("csv", "arrow", "parquet"):
        response = world.client.get(f"{path}&format={form}")
        assert response.status_code == 200
        table = read(response)
        assert table.column_names == [field.name for field in endpoint.rows]
        assert table.num_rows == len(rows)


def test_history_is_the_same_in_each_form_and_says_what_json_says_beside_it(world):
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + 600_000_000}"
    told = world.get(f"{path}&bucket=5m")
    for accept in ("text/csv", ARROW, PARQUET):
        response = world.client.get(f"{path}&bucket=5m", headers={"accept": accept})
        table = read(response)
        assert table["mean"].to_pylist() == told["series"][0]["mean"]
        assert set(table["device"].to_pylist()) == {"pump"}
        assert response.headers["tidegate-resolution"] == "1m"
        assert response.headers["tidegate-bucket-us"] == "300000000"
        if accept != "text/csv":
            assert table.schema.metadata[b"tidegate:resolution"] == b"1m"
            assert table.schema.field("ts").type == pa.timestamp("us", "UTC")


def test_pages_of_tables_are_joined_by_their_link(world):
    path = f"/api/v1/history?series={world.id('pump')},{world.id('door')}"
    path += f"&from={T0}&resolution=raw&limit=25&format=arrow"
    found = []
    while path:
        response = world.client.get(path)
        found.append(read(response))
        link = response.headers.get("link", "")
        assert (link == "") == ("tidegate-next" not in response.headers)
        path = link.partition(">")[0].lstrip("<")
    whole = pa.concat_tables([table.replace_schema_metadata() for table in found])
    assert whole.num_rows == 61
    assert whole["value"].to_pylist()[:60] == [float(i) for i in range(60)]
    assert whole["text"].to_pylist()[60] == "open"


def test_a_text_with_commas_quotes_and_lines_comes_whole_through_csv(world):
    said = 'a "b", c\nd; =1+1'
    world.gateway.send(world.gateway.texts("note", [T0], [said]))
    while world.live.advance():
        pass
    response = world.client.get(f"/api/v1/history?series={world.id('note')}&format=csv")
    table = pa_csv.read_csv(
        io.BytesIO(response.content), parse_options=pa_csv.ParseOptions(newlines_in_values=True)
    )
    assert table["text"].to_pylist() == [said]


FORMULAS = {
    "=1+1": "'=1+1",
    "@SUM(A1)": "'@SUM(A1)",
    "+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0",
    "-2+3": "'-2+3",
    "\t=1+1": "'\t=1+1",
    "\r=1+1": "'\r=1+1",
    "-5": "-5",
    "+3.25e-7": "+3.25e-7",
    "open = yes": "open = yes",
    "": "",
}


def test_no_text_and_no_name_in_csv_is_a_formula_to_a_spreadsheet(world):
    for at, said in enumerate(FORMULAS):
        world.gateway.send(world.gateway.texts("=door", [T0 + at * 60_000_000], [said]))
    while world.live.advance():
        pass
    path = f"/api/v1/history?series={world.id('=door')}&resolution=raw"
    exact = read(world.client.get(f"{path}&format=arrow"))
    assert exact["text"].to_pylist() == list(FORMULAS)
    assert set(exact["device"].to_pylist()) == {"=door"}
    rows = csv.DictReader(io.StringIO(world.client.get(f"{path}&format=csv").text, newline=""))
    told = list(rows)
    assert [row["text"] for row in told] == list(FORMULAS.values())
    assert {row["device"] for row in told} == {"'=door"}


def test_the_head_of_a_csv_and_its_lists_are_guarded_too():
    table = pa.table({"=gw/pump": [1.5, None], "of": [["=a"], []], "word": ["-x", None]})
    assert csv_of(table).decode().splitlines() == [
        "\"'=gw/pump\",\"of\",\"word\"", '1.5,"[""=a""]","\'-x"', ',"[]",'
    ]  # fmt: skip


def test_an_answer_without_rows_is_json_whatever_is_accepted(world):
    response = world.client.get("/api/v1/status", headers={"accept": "text/csv"})
    assert response.headers["content-type"] == "application/json"
    assert world.get("/api/v1/status?format=csv", 400)["error"]["code"] == "unknown_parameter"
