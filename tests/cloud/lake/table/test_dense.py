"""Sorted readings written as small as Parquet allows: every reader finds them bit for bit."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.lake.names import Name
from cloud.lake.table import dense, growing, parquet
from cloud.lake.table.dense import DenseWriter
from cloud.lake.table.forms import form_for
from cloud.lake.table.growing import GrowingFile
from cloud.lake.table.parquet import arrange, no_step
from cloud.lake.table.row_groups import groups_of
from cloud.lake.table.schema import READINGS
from cloud.parquet import chunk as parquet_chunk
from cloud.parquet.made import levels
from cloud.parquet.pages import Pages, bodies, pages_of
from cloud.query.files import SeriesFiles

_INT64, _BYTES, _ZSTD = 2, 6, 6
_FEW = st.sampled_from([0.5, -0.0, 0.0, 21.5, float("nan"), float("inf")])
_ANY = st.floats()
_NAN = np.array([0x7FF8000000000123], np.int64).view(np.float64)[0]


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "fsync", lambda _: None)
    for name, small in (("PAGE_ROWS_MIN", 4), ("PAGE_ROWS_MAX", 16), ("GROUP_ROWS_MIN", 6)):
        monkeypatch.setattr(parquet_chunk, name, small)
    monkeypatch.setattr(growing, "DENSE_GROUP", 40)
    monkeypatch.setattr(dense, "SERIES_ROWS_MIN", 1)
    monkeypatch.setattr(dense, "ROW_GROUP", 16)


def series_of(at: int) -> Name:
    return Name("g", f"m-{at}", "t", "", "{}", 0, 100 + at)


def table_of(series: list[list[tuple[int, float | str | None]]], milli: int) -> pa.Table:
    """Readings of series, each of (time, number or text)."""
    flat = [(at, ts, held) for at, one in enumerate(series) for ts, held in one]
    count = len(flat)
    names = [series_of(at) for at, _, _ in flat]
    columns = {
        "gateway": ["g"] * count,
        "device": [one.device for one in names],
        "metric": ["t"] * count,
        "unit": [""] * count,
        "labels": ["{}"] * count,
        "kind": np.zeros(count, np.int8),
        "series": [one.id for one in names],
        "ts": np.array([ts * milli for _, ts, _ in flat], np.int64),
        "value": [held if isinstance(held, float) else None for *_, held in flat],
        "text": [held if isinstance(held, str) else None for *_, held in flat],
        "quality": np.array([ts % 3 for _, ts, _ in flat], np.int8),
        "lag_us": np.array([ts * 7919 % 1000 for _, ts, _ in flat], np.int64),
        "epoch": np.ones(count, np.int64),
        "seq": np.arange(count) // 3,
    }
    arrays = []
    for field in READINGS.schema:
        held = pa.array(columns[field.name])
        is_time = pa.types.is_timestamp(field.type)
        arrays.append(held.view(field.type) if is_time else held.cast(field.type))
    return arrange(pa.table(arrays, schema=READINGS.schema))


def written(root: Path, rows: pa.Table, step: int = 25) -> Path:
    """The rows as a sorted file, which came so many at a time."""
    is_millis = bool((parquet.times(rows["ts"]) % 1000 == 0).all())
    form = form_for(rows, READINGS, 1 << 20, is_millis=is_millis)
    file = GrowingFile(root, "2026-05-01", "sorted1.1.1-0-1.parquet", READINGS, form)
    for begin in range(0, rows.num_rows, step):
        file.add(rows.slice(begin, step))
    file.finish(no_step)
    return file.path


def bits(values: np.ndarray) -> list[int]:
    return np.asarray(values, np.float64).view(np.int64).tolist()


def same(found: pa.Table, due: pa.Table) -> None:
    """Every column, numbers by their bits."""
    for name in due.schema.names:
        kind = due.schema.field(name).type
        kind = pa.string() if pa.types.is_dictionary(kind) else kind
        one, other = (parquet.one(held[name].cast(kind)) for held in (found, due))
        assert one.is_null().to_pylist() == other.is_null().to_pylist(), name
        if name == "value":
            one, other = (pa.array(bits(held.drop_null().to_numpy())) for held in (one, other))
        assert one.to_pylist() == other.to_pylist(), name


_SERIES = st.one_of(
    st.lists(_FEW, min_size=1, max_size=40),
    st.lists(_ANY, min_size=1, max_size=40),
    st.lists(_FEW | st.none() | st.text(max_size=3), min_size=1, max_size=40),
)


@given(
    st.lists(_SERIES, min_size=1, max_size=9),
    st.sampled_from([1, 1000]),
    st.integers(1, 99),
    st.sampled_from([1, 1, 20]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_readings_are_the_same_to_every_reader(tmp_path_factory, series, milli, step, short):
    timed = [[(at * 3 % 50 - 9, held) for at, held in enumerate(one)] for one in series]
    rows = table_of(timed, milli)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "SERIES_ROWS_MIN", short)
        path = written(tmp_path_factory.mktemp("dense"), rows, step)

    same(pq.ParquetFile(path, page_checksum_verification=True).read(), rows)
    same(pl.read_parquet(path).to_arrow(), rows)
    same(duckdb.sql(f"SELECT * FROM '{path}'").to_arrow_table(), rows)
    files = SeriesFiles()
    for at in range(len(series)):
        name = series_of(at)
        places = files.find(str(path), name, -(10**9), 10**9)
        found = files.rows([places], -(10**9), 10**9, READINGS.schema)
        mask = pa.array(rows["series"].to_numpy() == name.id)
        same(found.rows, rows.filter(mask))


def test_a_payload_of_a_nan_and_the_sign_of_nothing_are_kept(tmp_path: Path):
    numbers = [_NAN, 0.0, -0.0, float("nan")] * 8
    path = written(tmp_path, table_of([list(enumerate(numbers))], 1))
    assert bits(pq.read_table(path, partitioning=None)["value"].to_numpy()) == bits(numbers)


@given(st.lists(st.sampled_from("wn-"), min_size=1, max_size=30))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_in_no_row_group_words_follow_numbers(tmp_path_factory, kinds):
    """Spark reads such a chunk wrongly, and tells nobody (decision 0093)."""
    held = {"w": [1.5, 2.5] * 4, "n": (np.arange(8) * np.pi).tolist(), "-": ["on"] * 8}
    rows = table_of([list(enumerate(held[kind])) for kind in kinds], 1000)
    path = written(tmp_path_factory.mktemp("dense"), rows)
    footer = pq.read_metadata(path)
    for group in range(footer.num_row_groups):
        told = footer.row_group(group).column(footer.schema.names.index("value"))
        begin = told.dictionary_page_offset if told.has_dictionary_page else told.data_page_offset
        data = path.read_bytes()[begin : begin + told.total_compressed_size]
        pages = pages_of(data)
        words = [one.is_words for one in _with_numbers(data, pages)]
        assert words == sorted(words, reverse=True)
    same(pq.ParquetFile(path).read(), rows)


def _with_numbers(data: bytes, pages: Pages) -> Iterator[object]:
    found = bodies(data[pages.places[0] :])
    for one, rows in zip(found, np.diff(pages.rows).tolist(), strict=True):
        nulls = len(levels(np.zeros(rows, bool), rows))
        if one.size > nulls:
            yield one


def test_a_row_group_ends_with_a_series_if_it_can(tmp_path: Path):
    rows = table_of([[(at, 1.0) for at in range(count)] for count in (15, 15, 15, 90)], 1)
    path = written(tmp_path, rows)
    assert [group.rows for group in groups_of(path, READINGS)] == [30, 40, 40, 25]


@pytest.mark.parametrize("short", [1, 512])
def test_bounds_and_nulls_are_told_as_the_library_tells_them(tmp_path: Path, monkeypatch, short):
    monkeypatch.setattr(dense, "SERIES_ROWS_MIN", short)
    monkeypatch.setattr(dense, "ROW_GROUP", 40)
    rows = table_of([[(at, 1.0) for at in range(9)], [(at, "on") for at in range(9)]], 1000)
    path = written(tmp_path, rows)
    form = form_for(rows, READINGS, 1 << 20, is_millis=True)
    beside = tmp_path / "beside.parquet"
    with pq.ParquetWriter(beside, form.of(rows).schema, **form.options) as writer:
        writer.write_table(form.of(rows))
    ours, theirs = (pq.read_metadata(each).row_group(0) for each in (path, beside))
    for at in range(theirs.num_columns):
        one, other = (group.column(at).statistics for group in (ours, theirs))
        if other is not None:
            assert one is not None
            assert one.to_dict() == other.to_dict()
    assert pq.read_schema(path).remove_metadata() == pq.read_schema(beside).remove_metadata()


def test_after_a_write_that_failed_no_footer_is_written(tmp_path: Path, monkeypatch):
    rows = table_of([[(at, 1.0) for at in range(9)]], 1000)
    form = form_for(rows, READINGS, 9, is_millis=True)
    writer = DenseWriter(tmp_path / "x", form.of(rows.slice(0, 0)).schema, **form.options)

    def full(*_: object) -> int:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("cloud.lake.table.chunk_file.os.write", full)
    with pytest.raises(OSError, match="no space"):
        writer.write_table(form.of(rows))
    writer.close()
    writer.close()
    assert (tmp_path / "x").read_bytes() == b"PAR1"


def test_a_series_of_one_number_says_nothing_of_the_next_whose_bytes_are_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parquet_chunk, "PAGE_ROWS_MAX", 1_000)
    monkeypatch.setattr(growing, "DENSE_GROUP", 1_000)
    ramp = [float(at) for at in range(0, 2_000, 5)]
    rows = table_of([[(at, 21.5) for at in range(8)], list(enumerate(ramp))], 1000)
    path = written(tmp_path, rows)
    told = pq.read_metadata(path).row_group(0).column(8)
    assert "BYTE_STREAM_SPLIT" in told.encodings
    files, name = SeriesFiles(), series_of(1)
    places = files.find(str(path), name, 0, 10**9)
    found = files.rows([places], 0, 10**9, READINGS.schema)
    assert found.rows["value"].to_pylist() == ramp


def test_what_is_left_behind_words_and_numbers_joins_the_next_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Row groups begin where words follow numbers: four rows of words are not one of their own."""
    monkeypatch.setattr(parquet_chunk, "GROUP_ROWS_MIN", 1)
    held = {"w": [1.5, 2.5] * 6, "n": (np.arange(12) * np.pi).tolist()}
    rows = table_of([list(enumerate(held[kind])) for kind in "wnwwnwwn"], 1000)
    path = written(tmp_path, rows, 96)
    assert [group.rows for group in groups_of(path, READINGS)] == [24, 36, 36]
    same(pq.ParquetFile(path).read(), rows)
