"""Pages of a column chunk, taken out and decoded alone: the rows that a whole reader gives."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.parquet.pages import NotPages, pages_of
from cloud.parquet.small import Leaf, Part, small_file
from cloud.query.pages import decoded

_INT64, _DOUBLE, _BYTES, _ZSTD = 2, 5, 6, 6
_WHOLE = st.integers(-(2**63), 2**63 - 1)
_VALUES = {
    ("PLAIN", _INT64): _WHOLE,
    ("DELTA_BINARY_PACKED", _INT64): _WHOLE,
    ("RLE_DICTIONARY", _INT64): st.integers(0, 9),
    ("PLAIN", _DOUBLE): st.floats(allow_nan=False),
    ("RLE_DICTIONARY", _DOUBLE): st.sampled_from([0.5, -0.0, 1e300]),
    ("RLE_DICTIONARY", _BYTES): st.text(max_size=4),
    ("PLAIN", _BYTES): st.text(max_size=4),
}


def written(values: list[object], encoding: str, leaf: int, version: str) -> bytes:
    """A Parquet file of two row groups with the values, three of them in a page."""
    of = {_INT64: pa.int64(), _DOUBLE: pa.float64(), _BYTES: pa.string()}[leaf]
    table = pa.table({"x": pa.array(values, of)})
    sink, words = io.BytesIO(), encoding == "RLE_DICTIONARY"
    with pq.ParquetWriter(
        sink, table.schema, compression="zstd", max_rows_per_page=3, use_dictionary=words,
        column_encoding=None if words else {"x": encoding}, write_page_checksum=True,
        data_page_version=version,
    ) as writer:  # fmt: skip
        half = len(values) // 2
        writer.write_table(table.slice(0, half))
        writer.write_table(table.slice(half))
    return sink.getvalue()


def chunk_of(data: bytes, group: int) -> bytes:
    told = pq.read_metadata(io.BytesIO(data)).row_group(group).column(0)
    begin = told.data_page_offset
    begin = min(begin, told.dictionary_page_offset or begin) if told.has_dictionary_page else begin
    return data[begin : begin + told.total_compressed_size]


@given(st.sampled_from(list(_VALUES)), st.sampled_from(["1.0", "2.0"]), st.data())
@settings(max_examples=150, deadline=None)
def test_pages_taken_out_of_chunks_hold_the_rows_that_stood_there(kind, version, data):
    encoding, type_ = kind
    one = st.none() | _VALUES[kind]
    values = data.draw(st.lists(one, min_size=2, max_size=40))
    file = written(values, encoding, type_, version)
    half = len(values) // 2
    parts, due = [], []
    for group, held in enumerate((values[:half], values[half:])):
        chunk = chunk_of(file, group)
        pages = pages_of(chunk)
        assert pages.rows[-1] == len(held)
        start = data.draw(st.integers(0, len(held) - 1))
        end = data.draw(st.integers(start + 1, len(held)))
        first, last = pages.around(start, end)
        assert pages.rows[first] <= start < end <= pages.rows[last]
        assert pages.rows[last] - pages.rows[first] < end - start + 6  # no page more than it takes
        rows = pages.rows[last] - pages.rows[first]
        low, high = pages.places[first], pages.places[last]
        parts.append(Part(rows, chunk[: pages.places[0]], chunk[low:high]))
        due += held[pages.rows[first] : pages.rows[last]]
    found = decoded(Leaf(type_, _ZSTD, is_text=type_ == _BYTES), parts)
    assert found.to_pylist() == due


def test_a_file_may_have_more_parts_than_a_short_list_has_room_for():
    chunk = chunk_of(written([1, 2, 3, 4], "PLAIN", _INT64, "1.0"), 0)
    parts = [Part(2, b"", chunk)] * 300
    assert decoded(Leaf(_INT64, _ZSTD), parts).to_pylist() == [1, 2] * 300
    assert pq.ParquetFile(io.BytesIO(small_file(Leaf(_INT64, _ZSTD), parts))).num_row_groups == 300


@given(st.binary(min_size=1, max_size=60))
def test_bytes_of_no_page_are_refused(data):
    with pytest.raises(NotPages):
        pages_of(b"\x15\x04" + data + b"\xff" * 12)


@given(st.data())
@settings(deadline=None)
def test_a_chunk_that_is_cut_off_is_refused_or_has_whole_pages(data):
    chunk = chunk_of(written(list(range(20)), "PLAIN", _INT64, "1.0"), 0)
    cut = data.draw(st.integers(1, len(chunk) - 1))
    try:
        pages = pages_of(chunk[:cut])
    except NotPages:
        return
    assert cut in pages_of(chunk).places
    assert pages.rows[-1] < 10
