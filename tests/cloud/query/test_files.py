"""Single series out of files: exactly their rows, whatever row groups they lie in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import StorageError
from cloud.lake.names import Name
from cloud.lake.table import forms
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.forms import Form, form_of
from cloud.lake.table.parquet import arrange, no_step, times, write_durably
from cloud.lake.table.schema import READINGS, TableSpec
from cloud.query import pages as query_pages
from cloud.query.files import SeriesFiles
from cloud.query.pages import OpenFile

_KEYS = [
    (gateway, device, metric)
    for gateway in ("a", "b")
    for device in ("", "pump", "pumpe", "ö")
    for metric in ("t", "x")
]
WANTED = pa.schema(
    [READINGS.schema.field(name) for name in ("ts", "value", "text", "quality", "seq")]
)


def name(at: int) -> Name:
    return Name(*_KEYS[at], "", "{}", 0, 1 + at * 7 % 16)


def rows_of(rows: list[tuple[int, int]]) -> pa.Table:
    """Readings of (series, ts), their place as value, a text for every third series."""
    count = len(rows)
    series = [name(at) for at, _ in rows]
    texts = [str(i) if at % 3 == 0 else None for i, (at, _) in enumerate(rows)]
    columns = {
        "gateway": [one.gateway for one in series],
        "device": [one.device for one in series],
        "metric": [one.metric for one in series],
        "unit": [""] * count,
        "labels": ["{}"] * count,
        "kind": np.zeros(count, np.int8),
        "series": [one.id for one in series],
        "ts": np.array([ts for _, ts in rows], np.int64),
        "value": [None if at % 3 == 0 else float(i) for i, (at, _) in enumerate(rows)],
        "text": texts,
        "quality": np.zeros(count, np.int8),
        "lag_us": np.zeros(count, np.int64),
        "epoch": np.ones(count, np.int64),
        "seq": np.arange(count),
    }
    arrays = []
    for field in READINGS.schema:
        array = pa.array(columns[field.name])
        is_time = pa.types.is_timestamp(field.type)
        arrays.append(array.view(field.type) if is_time else array.cast(field.type))
    return arrange(pa.table(arrays, schema=READINGS.schema))


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_parquet, "fsync", lambda _: None)
    monkeypatch.setattr(query_pages, "WINDOW_BYTES", query_pages.WINDOW_BYTES)  # put back


@contextmanager
def small(group_rows: int, page_rows: int) -> Iterator[None]:
    """Files of small row groups and pages; those of nine rows have the form of large ones."""

    def form(rows: pa.Table, spec: TableSpec) -> Form:
        made = form_of(rows, spec)
        return Form(made.millis, {**made.options, "max_rows_per_page": page_rows})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_parquet, "ROW_GROUP", group_rows)
        patch.setattr(lake_parquet, "form_of", form)
        patch.setattr(forms, "_TRIED_ROWS_MIN", 9)
        yield


def readings_of(series: int, most: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    one = st.tuples(st.integers(0, series - 1), st.integers(-40, 40))
    return st.lists(one, min_size=1, max_size=most)


@given(
    st.lists(readings_of(16, 60) | readings_of(3, 150), min_size=1, max_size=4),
    st.tuples(st.integers(-45, 45), st.integers(-45, 45)),
    st.sampled_from([1, 1000]),
    st.sampled_from([(7, 3), (64, 12)]),
    st.sampled_from([1, query_pages.WINDOW_BYTES]),
)
@settings(max_examples=50, deadline=None)
def test_every_row_of_a_series_and_time_is_found_and_no_other(
    tmp_path_factory, held, span, step_us, sizes, window
):
    query_pages.WINDOW_BYTES = window
    folder = tmp_path_factory.mktemp("lake") / "period=x"
    tables = [rows_of([(at, ts * step_us) for at, ts in rows]) for rows in held]
    paths = [folder / f"{number}.parquet" for number in range(len(tables))]
    with small(*sizes):
        for path, table in zip(paths, tables, strict=True):
            write_durably(path, table, READINGS, no_step)
    files = SeriesFiles()
    low, high = (edge * step_us for edge in span)
    for at in range(len(_KEYS)):
        places = [files.find(str(path), name(at), low, high) for path in paths]
        found = files.rows(places, low, high, WANTED)
        assert found.rows.schema == WANTED
        for number, table in enumerate(tables):
            rows = found.of_file(number)
            due = rows_in(table, name(at).id, low, high)
            assert (0 if rows is None else rows.num_rows) == due.num_rows
            assert rows is None or rows.cast(plain()).equals(due.cast(plain()))
            assert sum(one.end - one.start for one in places[number]) >= due.num_rows


def test_of_a_long_series_only_the_row_groups_of_the_range_are_looked_at(tmp_path):
    path = tmp_path / "period=x" / "f.parquet"
    with small(7, 3):
        write_durably(path, rows_of([(1, ts) for ts in range(100)]), READINGS, no_step)
    (place,) = SeriesFiles().find(str(path), name(1), 15, 17)
    assert (place.group, place.start, place.end) == (2, 0, 7)
    assert SeriesFiles().find(str(path), name(1), 100, 200) == []


def test_a_column_that_is_not_ours_stands_in_no_bodys_way_until_it_is_asked_for(tmp_path):
    path = tmp_path / "f.parquet"
    rows = rows_of([(1, ts) for ts in range(20)])
    strange = pa.array([[1.5]] * 20)
    pq.write_table(rows.append_column("lists", strange), path, compression="zstd")
    files = SeriesFiles()
    place = [files.find(str(path), name(1), 0, 9)]
    assert files.rows(place, 0, 9, WANTED).rows.num_rows == 9
    wanted = pa.schema([*WANTED, pa.field("lists", strange.type)])
    with pytest.raises(StorageError, match="lists is no flat column"):
        files.rows(place, 0, 9, wanted)


@pytest.mark.parametrize("column", ["ts", "value", "quality", "epoch"])
def test_plain_numbers_and_the_only_number_of_a_group_need_no_decoding(
    tmp_path, monkeypatch, column
):
    path = tmp_path / "period=x" / "f.parquet"
    rows = rows_of([(1, ts * ts * 977) for ts in range(300)])
    with small(300, 100), monkeypatch.context() as patch:
        patch.setattr(forms, "_smallest", lambda *_: "PLAIN")
        write_durably(path, rows, READINGS, no_step)
    indexed = SeriesFiles().index.file(str(path))
    with OpenFile(indexed) as file:
        told = file.numbers(0, column, 30, 270)
    assert told is not None
    due = times(rows["ts"]) if column == "ts" else rows[column].to_numpy()
    assert told.tolist() == due[30:270].tolist()


def rows_in(table: pa.Table, series: int, low: int, high: int) -> pa.Table:
    pairs = zip(table["series"].to_pylist(), times(table["ts"]).tolist(), strict=True)
    mask = [each == series and low <= ts < high for each, ts in pairs]
    return table.filter(pa.array(mask)).select(WANTED.names)


def plain() -> pa.Schema:
    """Dictionaries as plain strings, which compare."""
    return pa.schema(
        [(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in WANTED]
    )


def test_what_is_known_of_files_is_bounded_and_all_files_are_found_again(tmp_path: Path):
    files = SeriesFiles(index_bytes_max=50_000)
    for round_ in range(2):
        for number in range(6):
            path = tmp_path / "period=x" / f"{number}.parquet"
            if not round_:
                write_durably(path, rows_of([(1, number), (2, 0)] * 6), READINGS, no_step)
            found = files.rows([files.find(str(path), name(1), -50, 50)], -50, 50, WANTED).rows
            assert set(times(found["ts"]).tolist()) == {number}
            assert 0 < files.index.bytes <= 100_000  # what was found since may be beyond the bound


def cut_short(path: Path) -> None:
    """The footer stays, the pages before it are gone."""
    data = path.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    path.write_bytes(b"PAR1" + bytes(len(data) - footer - 4) + data[-footer:])


def flip(path: Path) -> None:
    """One bit of the page of the first series."""
    data = bytearray(path.read_bytes())
    at = pq.read_metadata(path).row_group(0).column(READINGS.schema.get_field_index("series"))
    data[at.dictionary_page_offset + at.total_compressed_size - 1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b"PAR1 no PAR1"), cut_short, flip]
)
def test_a_file_that_is_gone_or_damaged_is_named(tmp_path: Path, spoil):
    path = tmp_path / "period=x" / "f.parquet"
    write_durably(path, rows_of([(1, 0)]), READINGS, no_step)
    spoil(path)
    files = SeriesFiles()
    with pytest.raises(StorageError, match=r"f\.parquet"):
        files.rows([files.find(str(path), name(1), -50, 50)], -50, 50, WANTED)


def test_what_comes_to_be_known_of_files_that_are_there_is_bounded_too(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("cloud.query.index.ASKED", 4)
    files = SeriesFiles(index_bytes_max=200_000)
    paths = [str(tmp_path / "period=x" / f"{number}.parquet") for number in range(3)]
    for path in paths:
        write_durably(Path(path), rows_of([(1, 0), (2, 0)] * 6), READINGS, no_step)
        files.index.file(path).size = 60_000
    assert len(files.index._files) == 3
    files.index.file(paths[0]).size = 150_000
    for _ in range(4):
        files.index.file(paths[0])
    assert list(files.index._files) == [paths[0]]


def test_a_file_is_looked_at_ahead_while_half_of_the_room_is_free(tmp_path: Path):
    path = tmp_path / "period=x" / "0.parquet"
    write_durably(path, rows_of([(1, 0), (2, 0)]), READINGS, no_step)
    files = SeriesFiles(index_bytes_max=200_000)
    assert files.index.look_ahead(str(path))
    known = files.index.file(str(path))
    known.size = 100_000
    assert not files.index.look_ahead(str(tmp_path / "none.parquet")), "it looked for one more"
    known.size = 99_000
    with pytest.raises(OSError, match="none"):
        files.index.look_ahead(str(tmp_path / "none.parquet"))
