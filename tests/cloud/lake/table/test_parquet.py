"""Files of the lake: order, encodings, exact round trips, and names cut down to what is used."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.lake.table import forms as lake_forms
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import arrange, no_step, order_of, times, write_durably
from cloud.lake.table.schema import READINGS, delta_schema
from tests.cloud.lake_world import T0


def rows_of(*rows: tuple[str, int, float]) -> pa.Table:
    """Readings of (device, ts, value); series ids run against the alphabet on purpose."""
    count = len(rows)
    devices = [row[0] for row in rows]
    columns = {
        "gateway": ["gw"] * count,
        "device": devices,
        "metric": ["m"] * count,
        "unit": [""] * count,
        "labels": ["{}"] * count,
        "kind": [0] * count,
        "series": [1000 - ord(device[0]) for device in devices],
        "ts": pa.array(np.array([row[1] for row in rows], np.int64)),
        "value": [row[2] for row in rows],
        "text": [None] * count,
        "quality": [0] * count,
        "lag_us": [0] * count,
        "epoch": [1] * count,
        "seq": list(range(count)),
    }
    table = pa.table(columns)
    fields = []
    for field in READINGS.schema:
        column = table[field.name].combine_chunks()
        is_time = pa.types.is_timestamp(field.type)
        fields.append(column.view(field.type) if is_time else column.cast(field.type))
    return pa.table(fields, schema=READINGS.schema)


@given(
    st.lists(
        st.tuples(st.sampled_from("cab"), st.integers(-4, 4), st.floats(0, 9)),
        max_size=30,
    )
)
@settings(max_examples=100, deadline=None)
def test_rows_are_ordered_by_name_then_time_and_ties_keep_their_order(rows):
    arranged = arrange(rows_of(*rows))
    found = list(
        zip(
            arranged["device"].to_pylist(),
            times(arranged["ts"]).tolist() if rows else [],
            arranged["value"].to_pylist(),
            strict=True,
        )
    )
    assert found == sorted(rows, key=lambda row: row[:2])


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 3)), min_size=1, max_size=50))
@settings(max_examples=100, deadline=None)
def test_radix_order_equals_a_plain_stable_sort(pairs):
    rank = np.array([pair[0] for pair in pairs], np.int64)
    ts = np.array([pair[1] for pair in pairs], np.int64)
    order = order_of(rank, ts)
    found = np.arange(len(pairs)) if order is None else order
    assert found.tolist() == np.lexsort((ts, rank)).tolist()


def test_a_file_reads_back_bit_for_bit(tmp_path: Path):
    extremes = [(1 << 63) - 1, -(1 << 63) + 1, 0]
    rows = arrange(
        rows_of(*(("d", ts, v) for ts, v in zip(extremes, (np.nan, -0.0, 1.0), strict=True)))
    )
    write_durably(tmp_path / "p" / "f.parquet", rows, READINGS, no_step)
    back = lake_parquet.read([tmp_path / "p" / "f.parquet"], READINGS)
    assert times(back["ts"]).tolist() == sorted(extremes)
    values = back["value"].combine_chunks().to_numpy()
    assert values.tobytes() == rows["value"].combine_chunks().to_numpy().tobytes()
    assert back.schema == READINGS.schema


def test_columns_have_the_encodings_that_make_the_lake_small(tmp_path: Path):
    rows = rows_of(*(("d", i, 1.0) for i in range(10)))
    write_durably(tmp_path / "f.parquet", rows, READINGS, no_step)
    group = pq.read_metadata(tmp_path / "f.parquet").row_group(0)
    found = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert "DELTA_BINARY_PACKED" in found["ts"].encodings
    assert "DELTA_BINARY_PACKED" in found["seq"].encodings
    assert "RLE_DICTIONARY" in found["device"].encodings
    assert {column.compression for column in found.values()} == {"ZSTD"}


def test_row_groups_carry_only_the_names_they_use(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(lake_parquet, "ROW_GROUP", 2)
    rows = arrange(rows_of(*((device, i, 1.0) for device in "abc" for i in range(2))))
    write_durably(tmp_path / "f.parquet", rows, READINGS, no_step)
    file = pq.ParquetFile(tmp_path / "f.parquet", read_dictionary=["device"])
    assert file.num_row_groups == 3
    names = [
        file.read_row_group(i, ["device"])["device"].chunk(0).dictionary.to_pylist()
        for i in range(3)
    ]
    assert names == [["a"], ["b"], ["c"]]


def test_a_crash_while_writing_leaves_no_file_of_that_name(tmp_path: Path):
    def crash(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_durably(tmp_path / "f.parquet", rows_of(("d", 1, 1.0)), READINGS, crash)
    assert not (tmp_path / "f.parquet").exists()


def test_other_engines_see_plain_columns():
    schema = delta_schema(READINGS)
    assert schema.field("device").type == pa.string()
    assert schema.names[-1] == "period"


@pytest.mark.parametrize("step_us", [1, 1_000, 10_000_000])
@pytest.mark.parametrize("digits", [0, 15])
def test_whatever_form_a_file_takes_its_rows_read_back_bit_for_bit(
    tmp_path: Path, step_us: int, digits: int
):
    count = 2 * lake_forms._TRIED_ROWS_MIN
    drawn = np.random.default_rng(5)
    ts = T0 + np.arange(count) * 10_000_000 + drawn.integers(0, 200, count) * step_us
    values = np.round(drawn.normal(20, 3, count), digits)
    rows = arrange(rows_of(*zip(["a"] * count, ts.tolist(), values.tolist(), strict=True)))
    write_durably(tmp_path / "period=x" / "f.parquet", rows, READINGS, no_step)
    assert lake_parquet.read([tmp_path / "period=x" / "f.parquet"], READINGS).equals(rows)
    stored = pq.ParquetFile(tmp_path / "period=x" / "f.parquet").schema_arrow.field("ts").type
    assert stored.unit == ("us" if step_us == 1 else "ms")


def test_times_at_an_exact_cadence_cost_next_to_nothing(tmp_path: Path):
    count = lake_forms._TRIED_ROWS_MIN
    rows = rows_of(*(("a", T0 + i * 10_000_000, 1.0) for i in range(count)))
    write_durably(tmp_path / "period=x" / "f.parquet", rows, READINGS, no_step)
    group = pq.ParquetFile(tmp_path / "period=x" / "f.parquet").metadata.row_group(0)
    times_of = group.column(READINGS.schema.get_field_index("ts"))
    assert times_of.total_compressed_size < count / 8


def test_rows_about_gateways_themselves_stay_apart_though_all_are_of_series_0() -> None:
    rows = rows_of(*((device, ts, 1.0) for ts in (2, 1) for device in "ba"))
    rows = rows.set_column(0, READINGS.schema.field(0), rows["device"])
    rows = rows.set_column(6, READINGS.schema.field(6), pa.array([0] * 4))
    arranged = arrange(rows)
    assert arranged["gateway"].to_pylist() == ["a", "a", "b", "b"]
    assert arranged["device"].to_pylist() == ["a", "a", "b", "b"]
    assert times(arranged["ts"]).tolist() == [1, 2, 1, 2]
    assert arranged["seq"].to_pylist() == [3, 1, 2, 0]
