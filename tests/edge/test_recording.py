"""A recorded CSV as messages: every time as it stands, every value under its name."""

import json
from pathlib import Path

import pytest

from edge.errors import OperatorError
from edge.recording import Recording


def recording(tmp_path: Path, text: str) -> Recording:
    path = tmp_path / "pump.csv"
    path.write_text(text)
    return Recording(path)


def payloads(tmp_path: Path, text: str) -> list[dict[str, object]]:
    return [json.loads(row.payload) for row in recording(tmp_path, text).rows()]


def test_duplicate_and_backward_times_stay_as_they_were_recorded(tmp_path: Path) -> None:
    text = "timestamp,value\n2013-07-04 00:00:00,69.8\n2013-07-04 00:00:00,69.8\n2013-07-03,1\n"
    assert payloads(tmp_path, text) == [
        {"ts": "2013-07-04T00:00:00Z", "value": 69.8},
        {"ts": "2013-07-04T00:00:00Z", "value": 69.8},
        {"ts": "2013-07-03T00:00:00Z", "value": 1},
    ]


@pytest.mark.parametrize(
    ("time", "ts"),
    [
        ("2013-07-04T01:02:03.250+02:00", "2013-07-03T23:02:03.250000Z"),
        ("1372896000", "2013-07-04T00:00:00Z"),
        ("1372896000.5", "2013-07-04T00:00:00.500000Z"),
        ("1969-12-31 23:59:59", "1969-12-31T23:59:59Z"),
    ],
)
def test_times_become_utc(tmp_path: Path, time: str, ts: str) -> None:
    assert payloads(tmp_path, f"t,v\n{time},1\n")[0]["ts"] == ts


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_several_columns_are_one_message(tmp_path: Path, delimiter: str) -> None:
    text = "datetime,flow,state,empty\n2020-01-01,1e-3,on,\n".replace(",", delimiter)
    made = recording(tmp_path, text)
    assert list(made.columns) == ["flow", "state", "empty"]
    (row,) = made.rows()
    assert json.loads(row.payload) == {"ts": "2020-01-01T00:00:00Z", "flow": 0.001, "state": "on"}
    assert row.values == 2


def test_what_json_cannot_say_goes_as_text(tmp_path: Path) -> None:
    assert payloads(tmp_path, "t,v\n2020-01-01,nan\n")[0]["v"] == "nan"


def test_rows_without_values_and_empty_lines_are_counted_apart(tmp_path: Path) -> None:
    made = recording(tmp_path, "t,v\n2020-01-01,\n\n2020-01-02,5\n")
    assert [row.values for row in made.rows()] == [0, 1]
    assert made.rows_expected == 2


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("\ufefftimestamp,value\n2020-01-01,1\n".encode())
    assert list(Recording(path).columns) == ["value"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "its first line is ''"),
        ("just text\n1\n", "its first line is 'just text'"),
        ("a,,b\n", "its first line is 'a,,b'"),
        ("t,ts\n", "a value is called `ts`"),
    ],
)
def test_a_file_without_a_header_is_told(tmp_path: Path, text: str, cause: str) -> None:
    with pytest.raises(OperatorError) as caught:
        recording(tmp_path, text)
    assert cause in caught.value.cause


def test_a_row_without_a_time_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="line 3 begins with 'soon'"):
        list(recording(tmp_path, "t,v\n2020-01-01,1\nsoon,2\n").rows())


def test_a_missing_or_binary_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        Recording(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OperatorError, match="not UTF-8"):
        Recording(tmp_path / "x.csv")
