"""The Influx line protocol, as its documentation has it and as exports write it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.imports import influx_file
from cloud.imports.clock_times import TimeRule, Unit
from cloud.imports.columns import Mapping
from cloud.imports.influx_line import read_line, read_series
from cloud.imports.piece import Reason
from cloud.imports.source import Form, Wish, form_of, open_source
from edge.payload import influx
from edge.payload.known import Known
from edge.payload.offer import Offer
from edge.payload.said import ReadingLimits
from tests.cloud.imports.import_world import write
from tests.cloud.imports.test_csv import T, plain, readings

NS = T * 10**9


def test_points_become_series_of_device_field_and_tags(tmp_path: Path) -> None:
    text = (
        "# DDL\nCREATE DATABASE home\n# DML\n# CONTEXT-DATABASE: home\n"
        f'air,host=pi,room=the\\ hall temp=21.5,door="a \\"b\\", c",on=true,n=7i,x=NaN {NS}\n'
        f"air,room=hall temp=1e1 {NS + 10**9}\n"
    )
    path = write(tmp_path / "dump.lp", text)
    assert form_of(path, text.encode()) is Form.INFLUX
    found, rejects = readings(path, Wish(Mapping(units=(("air.temp", "°C"),), counters=("air.n",))))
    assert not rejects
    hall = (("room", "the hall"),)
    assert sorted(found, key=str) == sorted(
        [
            ("pi", "air.temp", "°C", hall, "GAUGE", T, 21.5),
            ("pi", "air.on", "", hall, "STATE", T, 1.0),
            ("pi", "air.n", "", hall, "COUNTER", T, 7.0),
            ("pi", "air.door", "", hall, "STATE", T, 'a "b", c'),
            ("dump", "air.temp", "°C", (("room", "hall"),), "GAUGE", T + 1, 10.0),
        ],
        key=str,
    )


@pytest.mark.parametrize(
    ("wish", "device"),
    [
        (Wish(), "pi"),
        (Wish(device_tag="room"), "hall"),
        (Wish(Mapping(device="all")), "all"),
        (Wish(Mapping(device="else"), device_tag="none"), "else"),
        (Wish(device_tag="none"), "x"),
    ],
)
def test_the_device_is_a_tag_or_what_the_operator_says(tmp_path: Path, wish, device) -> None:
    path = write(tmp_path / "x.lp", f"air,host=pi,room=hall temp=1 {NS}\n")
    assert plain(readings(path, wish)[0]) == [(device, "air.temp", 0, 1.0)]


@pytest.mark.parametrize("unit", [Unit.AUTO, Unit.S, Unit.MS, Unit.US, Unit.NS])
def test_times_of_every_precision_are_the_same_instant(tmp_path: Path, unit: Unit) -> None:
    scale = {Unit.S: 1, Unit.MS: 10**3, Unit.US: 10**6}.get(unit, 10**9)
    path = write(tmp_path / "x.lp", f"air temp=1 {T * scale}\n")
    assert plain(readings(path, Wish(rule=TimeRule(unit=unit)))[0]) == [("x", "air.temp", 0, 1.0)]


def test_every_bad_line_is_told_and_the_others_come_in(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(influx_file, "LINES_AT_ONCE", 2)
    long = "x" * influx_file.LINE_BYTES_MAX
    lines = [
        f"air temp=1 {NS}", "air temp=1", "air temp= 5", f"air temp=1 {10**25}", "air temp=1 -5",
        f"air temp=1e999 {NS}", f'air text="{"y" * 5000}" {NS}', f'air text="{long}" {NS}',
        f"{'m' * 300} temp=1 {NS}", f"air temp=2 {NS}",
    ]  # fmt: skip
    path = tmp_path / "x.lp"
    path.write_bytes("\n".join(lines).encode() + b"\nair te\xffmp=1 1\n")
    found, rejects = readings(path)
    assert [value for *_, value in plain(found)] == [1.0, 2.0]
    assert {(one.row, one.reason) for one in rejects} == {
        (2, Reason.NO_TIME), (3, Reason.NOT_A_LINE), (4, Reason.OUT_OF_RANGE),
        (5, Reason.NOT_A_TIME), (6, Reason.NOT_FINITE), (7, Reason.LONG_TEXT),
        (8, Reason.NOT_A_LINE), (9, Reason.LONG_NAME), (11, Reason.NOT_UTF8),
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        b"air temp=\xb0 1\n",
        b"m" * 300 + f" temp=1 {NS}\n".encode(),
        f"air {','.join(f'f{n}=1' for n in range(9))} {NS}\n".encode(),
    ],
    ids=["of another encoding", "of a name that is none", "of many fields"],
)
def test_a_piece_has_a_bound_whatever_its_lines_are(tmp_path: Path, monkeypatch, line) -> None:
    monkeypatch.setattr(influx_file, "CELLS_AT_ONCE", 20)
    path = tmp_path / "x.lp"
    path.write_bytes(line * 200)
    source = open_source(path, Form.INFLUX, Wish())
    held = [
        len(piece.rejects) + sum(map(len, (*piece.numbers, *piece.words)))
        for piece in source.pieces()
    ]
    assert sum(held) == 200 * (9 if b"f8" in line else 1)
    assert max(held) < 20 + 9
    assert not source._numbers or b"f8" in line, "names that are none are not remembered"


words = st.text(
    st.characters(exclude_characters="\\\n\r", exclude_categories=["Cs", "Zl", "Zp", "Cc", "Zs"])
    | st.sampled_from(", ="),
    min_size=1, max_size=8,
).filter(lambda text: not text.startswith("#"))  # fmt: skip


def escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in ", =" else c for c in text)


@given(
    name=words, tags=st.dictionaries(words, words, max_size=3), field=words,
    value=st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
def test_a_point_that_is_written_is_read_as_it_was(name, tags, field, value) -> None:
    joined = "".join(f",{escaped(key)}={escaped(of)}" for key, of in tags.items())
    point = read_line(f"{escaped(name)}{joined} {escaped(field)}={value!r} 5")
    assert point is not None
    assert point.fields == ((field, value),)
    assert read_series(point.series) == (name, tags)


pieces = st.sampled_from(
    [
        "air",
        ",host=a",
        " ",
        "a=1",
        "a=1i",
        'b="x y"',
        'b="\\""',
        ",",
        "c=t",
        "=",
        "\\ ",
        "5",
        "#",
        '"',
        "é",
    ]
)


@given(line=st.lists(pieces, max_size=9).map("".join))
def test_the_cloud_reads_the_very_lines_that_the_gateway_reads(line: str) -> None:
    line = line.strip()
    said = influx.read(Offer("t", line.encode(), ReadingLimits(), Known())) if line else None
    assert (read_line(line) is not None) == bool(said)


@given(line=st.text(max_size=60))
def test_no_line_whatsoever_is_more_than_a_point_or_none(line: str) -> None:
    point = read_line(line)
    assert point is None or point.fields
