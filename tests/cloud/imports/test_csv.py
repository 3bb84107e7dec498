"""CSV files as people and programs write them, and as nobody should."""

import os
import tracemalloc
from pathlib import Path

import pytest

from cloud.errors import OperatorError
from cloud.imports import csv_file, utf8_stream
from cloud.imports.clock_times import TimeRule
from cloud.imports.columns import COLUMNS_MAX, Mapping
from cloud.imports.csv_form import sniff
from cloud.imports.piece import SERIES_MAX, Reason
from cloud.imports.rejects import Rejects
from cloud.imports.run import Run
from cloud.imports.sieve import Sieve
from cloud.imports.source import Wish, open_source
from tests.cloud.imports.import_world import write

UTC = TimeRule("UTC")
T = 1_700_000_000


def readings(path: Path, wish: Wish | None = None) -> tuple[list[tuple], list]:
    """Every reading as (device, metric, unit, labels, kind, seconds, value), and the rejects."""
    source = open_source(path, None, wish or Wish(rule=UTC))
    found, rejects = [], []
    for piece in source.pieces():
        rejects += piece.rejects
        for part, column in ((piece.numbers, "value"), (piece.words, "text")):
            for rows in part:
                values = getattr(rows, column).tolist()
                for series, ts, value in zip(
                    rows.series.tolist(), rows.ts.tolist(), values, strict=True
                ):
                    key = source.keys.names[series]
                    told = (key.device, key.metric, key.unit, key.labels, key.kind.name)
                    found.append((*told, ts / 1e6, value))
    return found, rejects


def plain(found: list[tuple]) -> list[tuple]:
    return [(device, metric, at - T, value) for device, metric, *_, at, value in found]


def test_a_wide_table_has_a_metric_a_column_and_units_in_its_header(tmp_path: Path) -> None:
    text = f"Time,Temperature (°C),Humidity [%],door\n{T},21.5,40,open\n{T + 1},22,,true\n"
    found, rejects = readings(write(tmp_path / "hall.csv", text))
    assert not rejects
    assert found == [
        ("hall", "Temperature", "°C", (), "GAUGE", T, 21.5),
        ("hall", "Temperature", "°C", (), "GAUGE", T + 1, 22.0),
        ("hall", "Humidity", "%", (), "GAUGE", T, 40.0),
        ("hall", "door", "", (), "STATE", T + 1, 1.0),
        ("hall", "door", "", (), "STATE", T, "open"),
    ]


def test_a_long_table_names_device_metric_and_unit_in_its_rows(tmp_path: Path) -> None:
    text = (
        "timestamp;device;metric;value;unit;room\n"
        f"{T};pump;flow;1,5;l/s;cellar\n{T};pump;total;7;l;cellar\n{T};;flow;1,0;l/s;\n"
    )
    mapping = Mapping(labels=("room",), counters=("total",), units=(("flow", "m³/h"),))
    found, rejects = readings(write(tmp_path / "x.csv", text), Wish(mapping, UTC))
    assert found == [
        ("pump", "flow", "m³/h", (("room", "cellar"),), "GAUGE", T, 1.5),
        ("pump", "total", "l", (("room", "cellar"),), "COUNTER", T, 7.0),
    ]
    assert [(one.row, one.reason) for one in rejects] == [(3, Reason.NO_NAME)]


def test_columns_are_chosen_by_the_operator_over_their_names(tmp_path: Path) -> None:
    text = f"when,time,a,b,c\n{T},x,1,2,3\n"
    path = write(tmp_path / "x.csv", text)
    wish = Wish(Mapping(time="when", device="dev", values=("b", "a")), UTC)
    assert plain(readings(path, wish)[0]) == [("dev", "b", 0, 2.0), ("dev", "a", 0, 1.0)]
    wish = Wish(Mapping(time="when", device_column="c", ignore=("time", "a")), UTC)
    assert plain(readings(path, wish)[0]) == [("3", "b", 0, 2.0)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_delimiter_and_decimal_sign_are_told_from_the_first_lines(
    tmp_path: Path, delimiter: str, decimal: str
) -> None:
    if delimiter == decimal:
        pytest.skip("no file can have both")
    lines = [["time", "a", "b"], *([str(T + at), f"{at}{decimal}5", f"{at}"] for at in range(9))]
    text = "\r\n".join(delimiter.join(cells) for cells in lines)
    found, rejects = readings(write(tmp_path / "x.csv", text))
    assert not rejects
    assert ("x", "a", 8, 8.5) in plain(found)


def test_looking_at_a_file_is_bounded_and_its_cut_last_line_does_not_count() -> None:
    form = sniff("time;a\n1;2\n" * 40_000 + "1,2,3,4", "", "", True, False)
    assert (form.delimiter, form.header) == (";", ("time", "a"))


def test_other_encodings_are_read_when_named_or_marked(tmp_path: Path) -> None:
    text = f"time,größe\n{T},1\n"
    for encoding in ("utf-8-sig", "utf-16"):
        found, _ = readings(write(tmp_path / f"{encoding}.csv", text, encoding))
        assert plain(found)[0][1:] == ("größe", 0, 1.0)
    latin = write(tmp_path / "latin.csv", text, "latin-1")
    with pytest.raises(OperatorError, match="name its encoding with --encoding"):
        readings(latin)
    found, _ = readings(latin, Wish(rule=UTC, encoding="latin-1"))
    assert plain(found) == [("latin", "größe", 0, 1.0)]
    for name in ("utf-9", "rot13", "hex"):
        with pytest.raises(OperatorError, match=f"there is no '{name}'"):
            readings(latin, Wish(rule=UTC, encoding=name))


def test_bytes_that_are_no_text_are_told_wherever_the_file_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utf8_stream, "CHUNK_BYTES", 3)
    path = tmp_path / "x.csv"
    path.write_bytes(f"time,größe\n{T},µµ\n{T + 1},".encode() + b"\xb5\n" + f"{T + 2},µ".encode())
    found, rejects = readings(path)
    assert plain(found) == [("x", "größe", 0, "µµ"), ("x", "größe", 2, "µ")]
    assert [(one.row, one.column, one.reason) for one in rejects] == [
        (2, "größe", Reason.NOT_UTF8)
    ]  # fmt: skip


def test_a_file_without_header_is_read_when_said_so(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", f"{T},5\n{T + 1},6\n")
    wish = Wish(Mapping(time="column1"), UTC, has_header=False)
    assert plain(readings(path, wish)[0]) == [("x", "column2", 0, 5.0), ("x", "column2", 1, 6.0)]


def test_an_index_without_a_name_and_blank_lines_before_the_header_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", f"\n\n, a ,b\n{T},1,2\n{T},1\n\n{T + 1},3,never\n")
    found, rejects = readings(path, Wish(Mapping(time="column1"), UTC))
    assert plain(found) == [("x", "a", 0, 1.0), ("x", "a", 1, 3.0), ("x", "b", 0, 2.0),
                            ("x", "b", 1, "never")]  # fmt: skip
    assert [(one.row, one.reason) for one in rejects] == [(2, Reason.COLUMNS)]


def test_more_wrong_rows_than_are_told_are_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(csv_file, "SKIPPED_MAX", 3)
    path = write(tmp_path / "x.csv", f"time,a\n{T},1\n" + "x\n" * 50)
    found, rejects = readings(path)
    assert len(found) == 1
    assert len(rejects) == 50
    assert sum(bool(one.text) for one in rejects) == 3


def test_every_bad_row_is_told_by_number_column_and_reason(tmp_path: Path) -> None:
    text = f"time,a\n{T},1\n{T},1,2\nnever,3\n,4\n{T},1e999\n{T + 1},6\n1e300,7\n".encode()
    path = tmp_path / "x.csv"
    path.write_bytes(text + f"{T + 2},".encode() + b"\xff\xfe\n" + f"{T + 3},8\n".encode())
    found, rejects = readings(path)
    assert plain(found) == [("x", "a", 0, 1.0), ("x", "a", 1, 6.0), ("x", "a", 3, 8.0)]
    told = {(one.reason, one.column, one.text) for one in rejects}
    assert told == {
        (Reason.COLUMNS, "", f"{T},1,2"),
        (Reason.NOT_A_TIME, "time", "never"),
        (Reason.NO_TIME, "time", ""),
        (Reason.NOT_FINITE, "a", "1e999"),
        (Reason.NOT_A_TIME, "time", "1e300"),
        (Reason.NOT_UTF8, "a", ""),
    }
    assert {one.row for one in rejects if one.reason is Reason.COLUMNS} == {2}


def test_a_column_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", f"when,temperature\n{T},1\n")
    with pytest.raises(OperatorError, match=r"--time.*'when', 'temperature'"):
        readings(path)
    with pytest.raises(OperatorError, match=r"no column 'wen'.*did you mean 'when'"):
        readings(path, Wish(Mapping(time="wen"), UTC))
    with pytest.raises(OperatorError, match=r"no column 'temprature'.*did you mean 'temperature'"):
        readings(path, Wish(Mapping(time="when", ignore=("temprature",)), UTC))
    with pytest.raises(OperatorError, match="no column holds values"):
        readings(path, Wish(Mapping(time="when", ignore=("temperature",)), UTC))
    with pytest.raises(OperatorError, match="two columns are named 'a'"):
        readings(write(tmp_path / "y.csv", f"time,a,a\n{T},1,2\n"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"\x1f\x8b\x08\0", "unpack it first"),
        (b"\x7fELF\0\0\0", "neither text nor a known kind"),
        (b"time," + b"a," * COLUMNS_MAX + b"z\n1,2\n", "columns"),
        (b'time,a\n1700000000,"' + b"x" * 3_000_000, "longer than"),
        (b"time,a\n1700000000," + b"9" * 3_000_000 + b"\n", "longer than"),
        (b"hello", "no column looks like the time"),
    ],
)
def test_hostile_files_end_in_one_clear_error(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(OperatorError, match=told):
        readings(path)
    with pytest.raises(OperatorError, match=r"read .*missing"):
        readings(tmp_path / "missing.csv")


def test_what_is_no_file_is_refused_before_anyone_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OperatorError, match="it is no file"):
        readings(tmp_path / "pipe")


def test_a_column_of_values_taken_for_a_name_ends_before_it_makes_a_million_series(
    tmp_path: Path,
) -> None:
    rows = "".join(f"{T},{n},1\n" for n in range(SERIES_MAX + 1))
    path = write(tmp_path / "x.csv", f"time,device,a\n{rows}")
    run = Run(Wish(rule=UTC), Sieve(), Rejects())
    with pytest.raises(OperatorError, match=r"more than 50,000 series.*is a column of values"):
        run.file(path, None, lambda done, size: None)


def test_memory_is_bounded_whatever_the_size_of_a_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(csv_file, "LINE_BYTES_MAX", 1 << 16)
    peaks = []
    for rows in (200_000, 400_000):
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as file:
            file.write("time,a\n")
            file.writelines(f"{T + at},{at % 100}.25\n" for at in range(rows))
        run = Run(Wish(rule=UTC), Sieve(), Rejects())
        tracemalloc.start()
        assert run.file(path, None, lambda done, size: None).readings == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
