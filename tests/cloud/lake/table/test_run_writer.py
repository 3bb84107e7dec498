"""Files written by their runs: any reader finds in them what the library would have written."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.lake.table import column_runs
from cloud.lake.table.forms import form_of
from cloud.lake.table.library_writer import LibraryWriter
from cloud.lake.table.parquet import arrange
from cloud.lake.table.run_writer import RunWriter
from cloud.lake.table.schema import READINGS

LENGTH = 700


def rows_of(seed: int, series: int, rows: int, texts: str, step_us: int) -> pa.Table:
    """Readings of some series, with texts in none, some or all rows."""
    chance = np.random.default_rng(seed)
    of = np.sort(chance.integers(0, series, rows))
    has_text = {"none": np.zeros(rows, bool), "all": np.ones(rows, bool)}.get(
        texts, chance.random(rows) < 0.3
    )
    text = [f"wört {n % 7}" if is_text else None for n, is_text in enumerate(has_text)]
    columns = {
        "gateway": [f"gw-{n // 40}" for n in of],
        "device": [f"döse-{n // 3}" for n in of],
        "metric": [f"m{n % 3}" for n in of],
        "unit": ["°C" if n % 3 else "" for n in of],
        "labels": ['{"a":"b"}'] * rows,
        "kind": (of % 3).astype(np.int8),
        "series": of * 7_919_000_000_000 - 5,
        "ts": (np.arange(rows) - rows // 2) * step_us,
        "value": pa.array(chance.normal(0, 1, rows), mask=has_text),
        "text": text,
        "quality": chance.integers(0, 3, rows) if seed % 2 else np.ones(rows, np.int64),
        "lag_us": chance.integers(-9, 9, rows) if seed % 3 else np.zeros(rows, np.int64),
        "epoch": np.full(rows, -(1 << 62)),
        "seq": np.arange(rows) // 30,
    }
    arrays = []
    for field in READINGS.schema:
        array = pa.array(columns[field.name])
        is_time = pa.types.is_timestamp(field.type)
        arrays.append(array.view(field.type) if is_time else array.cast(field.type))
    return arrange(pa.table(arrays, schema=READINGS.schema))


def told(path: Path) -> list[tuple[tuple[object, ...], Any]]:
    """What the footer says of every chunk, sizes and encodings aside; and its bounds."""
    footer = pq.read_metadata(path)
    found: list[tuple[tuple[object, ...], Any]] = []
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            one = chunk.statistics
            bounds = (one.min, one.max) if one is not None and one.has_min_max else None
            nulls = one is not None and one.null_count
            index = chunk.has_offset_index, chunk.has_column_index
            found.append(((chunk.path_in_schema, chunk.num_values, nulls, index), bounds))
    return found


@given(
    st.integers(0, 1 << 16),
    st.integers(1, 90),
    st.integers(1, LENGTH),
    st.sampled_from(["none", "some", "all"]),
    st.sampled_from([1, 1000]),
    st.sampled_from([7, 64, 300]),
)
@settings(max_examples=60, deadline=None)
def test_every_reader_finds_the_rows_and_bounds_that_the_library_would_write(
    tmp_path_factory, seed, series, rows, texts, step_us, group_rows
):
    folder = tmp_path_factory.mktemp("files")
    ours, theirs = folder / "ours.parquet", folder / "theirs.parquet"
    table = rows_of(seed, series, rows, texts, step_us)
    form = form_of(table, READINGS)
    options = {**form.options, "max_rows_per_page": 50}
    schema = form.of(table.slice(0, 0)).schema
    for kind, path in ((RunWriter, ours), (LibraryWriter, theirs)):
        with kind(path, schema, options) as writer:
            for begin in range(0, rows, 10 * group_rows):
                writer.write(form.of(table.slice(begin, 10 * group_rows)), group_rows)
    found = pq.read_table(ours, page_checksum_verification=True)
    assert found.equals(pq.read_table(theirs))
    assert found.schema.equals(pq.read_schema(theirs))
    for (chunk, bounds), (other, wider) in zip(told(ours), told(theirs), strict=True):
        assert chunk == other
        if "text" in chunk and bounds != wider:
            # Of a dictionary the library tells the bounds of words that no row has.
            assert wider is not None
            assert bounds is None or wider[0] <= bounds[0] <= bounds[1] <= wider[1]
        else:
            assert bounds == wider
    assert pl.read_parquet(ours).equals(pl.read_parquet(theirs))
    sql = f"SELECT * FROM '{{}}' WHERE series >= {series} AND device > 'döse-1' ORDER BY ALL"
    with duckdb.connect() as engine:
        one, other = (engine.sql(sql.format(path)).fetchall() for path in (ours, theirs))
    assert one == other


def test_long_runs_are_written_in_a_fraction_of_the_bytes_and_dense_columns_are_the_librarys(
    tmp_path: Path,
) -> None:
    table = rows_of(2, 3, LENGTH, "none", 1000)
    form = form_of(table, READINGS)
    with RunWriter(tmp_path / "f", form.of(table.slice(0, 0)).schema, form.options) as writer:
        writer.write(form.of(table), LENGTH)
    group = pq.read_metadata(tmp_path / "f").row_group(0)
    size = {
        chunk.path_in_schema: chunk.total_uncompressed_size
        for chunk in map(group.column, range(group.num_columns))
    }
    assert size["series"] < LENGTH
    assert size["lag_us"] > size["epoch"]


def test_a_dictionary_that_is_too_long_is_the_librarys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_runs, "WORDS_BYTES_MAX", 20)
    table = rows_of(2, 3, LENGTH, "none", 1000)
    form = form_of(table, READINGS)
    with RunWriter(tmp_path / "f", form.of(table.slice(0, 0)).schema, form.options) as writer:
        writer.write(form.of(table), 100)
    assert pq.read_table(tmp_path / "f")["device"].to_pylist() == table["device"].to_pylist()
