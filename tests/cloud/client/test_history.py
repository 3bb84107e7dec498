"""`query` against an HTTP server that answers as the API's contract says."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cloud.cli import console
from cloud.client.history import QUANTILES
from cloud.commands.query import _WRITERS
from cloud.config import FILE_NAME
from cloud.rollup.quantiles import SHARES

IDS = ("00000000000000aa", "00000000000000bb")
SERIES = [
    {"id": IDS[0], "gateway": "g", "device": "pump", "metric": "flow", "unit": "l/s"},
    {"id": IDS[1], "gateway": "g", "device": "pump", "metric": "state", "unit": ""},
    {"id": "00000000000000cc", "gateway": "h", "device": "fan", "metric": "rpm", "unit": ""},
    {"id": "00000000000000dd", "gateway": "g", "device": "fan", "metric": "rpm", "unit": ""},
]
PAGES: dict[tuple[str, str | None], dict[str, Any]] = {
    (IDS[0], None): {"t": [1, 2], "v": [0.5, None], "quality": [0, 1], "special": {"1": "nan"}},
    (IDS[0], "next"): {"t": [3], "v": [2.5], "quality": [0]},
    (IDS[1], None): {"t": [2], "v": [None], "text": ["open"], "quality": [0]},
}


MINUTE_US = 60_000_000


def buckets(query: dict[str, str]) -> dict[str, Any]:
    """One bucket a minute, merged in pairs where there would be too many, as the server does."""
    first, end = (int(query[key]) for key in ("from", "to"))
    width = MINUTE_US
    while -(-(end - first) // width) > int(query["points"]):
        width *= 2
    starts = list(range(first - first % width, end, width))
    plain, quantiles = query["columns"].split(",")[:7], query["columns"].split(",")[7:]
    assert plain == ["count", "mean", "min", "max", "first", "last", "text"]
    gaps = [[0, first]]
    one = {"id": query["series"], "t": starts, "count": [1] * len(starts), "gaps": gaps}
    one |= {name: [0.5] * len(starts) for name in quantiles}
    return {"from": first, "to": end, "bucket_us": width, "series": [one], "next": None}


class Answers(BaseHTTPRequestHandler):
    asked: list[dict[str, str]] = []  # noqa: RUF012 - what this test's server heard

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append(query)
        status, answer = self._answer(url.path, query)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def _answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/api/v1/series":
            rows = [row for row in SERIES if query.get("device") in (None, row["device"])]
            found = [r for r in rows if query.get("gateway") in (None, r["gateway"])]
            at = int(query.get("cursor", "0"))
            more = str(at + 2) if at + 2 < len(found) else None
            return 200, {"series": found[at : at + 2], "next": more}
        if query.get("from") == "soon":
            told = {"message": "`from` is 'soon'", "hint": "ISO 8601", "parameter": "from"}
            return 400, {"error": told}
        if query.get("from") == "full":
            return 503, {"error": {"message": "too many ask at once", "hint": "ask again"}}
        if query.get("from") == "html":
            return 200, b"<html>"
        if query["resolution"] == "1m":
            return 200, buckets(query)
        page = PAGES[query["series"], query.get("cursor")]
        more = "next" if (query["series"], query.get("cursor")) == (IDS[0], None) else None
        return 200, {"series": [{"id": query["series"], **page}], "next": more, "bucket_us": None}

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    (tmp_path / FILE_NAME).write_text(f'[listen]\nhttp = "127.0.0.1:{server.server_port}"\n')
    yield tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


def query(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), "query", *arguments])


def test_every_page_of_a_series_is_printed_as_json_lines(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert query(home, "pump/flow", "--from", "1", "--to", "9", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["ts"], line["value"]) for line in lines] == [(1, 0.5), (2, "nan"), (3, 2.5)]
    assert {line["device"] for line in lines} == {"pump"}
    assert Answers.asked[-1] == {
        "series": IDS[0], "from": "1", "to": "9", "resolution": "raw", "points": "20000",
        "cursor": "next",
    }  # fmt: skip


def test_a_series_by_id_is_printed_as_csv(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert query(home, IDS[0], "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["value"] for row in rows] == ["0.5", "nan", "2.5"]
    assert rows[0]["unit"] == "l/s"


def test_a_device_is_printed_series_by_series_for_eyes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert query(home, "--device", "pump") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1970-01-01T00:00:00.000+00:00  pump/flow  0.5 l/s"
    assert lines[-1].endswith("pump/state  open")


@pytest.mark.parametrize("minutes", [5, 20_000, 20_001, 45_000])
def test_buckets_are_never_coarser_than_asked_however_many(
    home: Path, capsys: pytest.CaptureFixture[str], minutes: int
) -> None:
    end = str(minutes * MINUTE_US)
    arguments = ["pump/flow", "--from", "0", "--to", end, "--resolution", "1m", "--csv"]
    assert query(home, *arguments) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(row["ts"]) for row in rows] == [n * MINUTE_US for n in range(minutes)]


def test_quantiles_are_asked_for_by_their_shares_and_told_with_their_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ["--from", "0", "--to", str(MINUTE_US), "--resolution", "1m", "--json"]
    shares = ["--quantile", "0.99", "--quantile", "0.5", "--quantile", "0.99"]
    assert query(home, "pump/flow", *span, *shares) == 0
    assert Answers.asked[-1]["columns"].split(",")[-3:] == ["p99", "p50", "quantile_error"]
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["p99"], row["p50"], row["quantile_error"]) == (0.5, 0.5, 0.5)
    assert query(home, "pump/flow", *span) == 0
    assert "p50" not in capsys.readouterr().out


def test_every_quantile_of_the_api_has_its_share() -> None:
    assert {name: float(share) for share, name in QUANTILES.items()} == dict(SHARES)


def test_columns_that_do_not_fit_one_csv_are_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert query(home, "--device", "pump", "--csv") == 2
    assert "the series have different columns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["fan/rpm"], 2, "2 have that name: 00000000000000cc (h), 00000000000000dd (g)"),
        (["pump/flwo"], 2, "no such series\n  to do: did you mean pump/flow?"),
        (["pump/flow", "--quantile", "0.5"], 2, "add --resolution 1m, 1h or 1d"),
        (["pump/flow", "--resolution", "1h", "--quantile", "0.6"], 2, "'0.6' is not one of"),
        (["flow"], 2, "did you mean pump/flow?"),
        (["zzzz"], 2, "there is fan/rpm, pump/flow, pump/state"),
        (["00000000000000ff"], 2, "no series has that id"),
        (
            ["--device", "pum"],
            2,
            "find the device 'pum'\n  cause: there is no such device\n  to do: did you mean pump?",
        ),
        (["--device", "pump", "--gateway", "h"], 2, "the device 'pump' of the gateway 'h'"),
        (
            ["pump/flow", "--gateway", "gg"],
            2,
            "find the gateway 'gg'\n  cause: no gateway of that "
            "name has sent readings\n  to do: did you mean g?",
        ),
        (["pump/flow", "--csv", "--json"], 2, "two forms of one answer"),
        (["pump/flow", "--from", "soon"], 2, "`from` is 'soon'\n  to do: ISO 8601"),
        (["pump/flow", "--from", "full"], 4, "too many ask at once\n  to do: ask again"),
        (["pump/flow", "--from", "html"], 4, "what answers there is no Tidegate"),
        ([], 2, "name a SERIES or a --device"),
        (["pump/flow", "--device", "pump"], 2, "name a SERIES or a --device"),
    ],
)
def test_what_cannot_be_answered_is_one_message(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    assert query(home, *arguments) == code
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_a_cloud_that_is_not_running_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE_NAME).write_text('[listen]\nhttp = "127.0.0.1:9"\n')
    assert query(tmp_path, "pump/flow") == 3
    assert "is `tidegate-cloud serve` running?" in capsys.readouterr().err


HOSTILE = {"gateway": "gw", "device": "\x1b]0;owned\x07", "metric": "=cmd()", "unit": "", "ts": 1}


def test_names_and_texts_of_strangers_command_neither_terminal_nor_spreadsheet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = {**HOSTILE, "value": "-inf", "text": "\x9b31m"}
    for write in _WRITERS.values():
        assert write(iter([line])) == 1
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\x9b" not in out
    assert _WRITERS["csv"](iter([line])) == 1
    row = capsys.readouterr().out.splitlines()[1]
    assert ",'=cmd()," in row
    assert ",-inf," in row, "a number is no formula"
