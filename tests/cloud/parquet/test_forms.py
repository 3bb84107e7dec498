"""Pages of numbers in the forms that take the least room, as a library reads them."""

from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.parquet import chunk as parquet_chunk
from cloud.parquet.chunk import number_pages, numbers_chunk
from cloud.parquet.encode import differences
from cloud.parquet.footer import Told
from cloud.parquet.made import Encoding, Made, levels, packed
from cloud.parquet.run_pages import Runs, chunk_of_runs, text_word
from cloud.parquet.small import Leaf, Part
from cloud.query.pages import decoded
from tests.cloud.lake.table.test_dense import bits

_INT64, _BYTES, _ZSTD = 2, 6, 6


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), min_size=1), st.data())
@settings(deadline=None)
def test_differences_are_those_that_a_library_reads(pages, data):
    large = data.draw(st.lists(st.booleans(), min_size=len(pages), max_size=len(pages)))
    made = Made()
    packs = differences([np.array(page, np.int64) for page in pages], is_large=large)
    for page, held in zip(pages, packs, strict=True):
        body = levels(None, len(page)) + held
        made.page(len(page), Encoding.DELTA_BINARY_PACKED, len(body), packed(body, 3))
    part = Part(sum(map(len, pages)), b"", made.chunk(0).data)
    assert decoded(Leaf(_INT64, _ZSTD), [part]).to_pylist() == [n for page in pages for n in page]


def test_long_pages_of_differences_have_many_blocks():
    times = np.cumsum(np.random.default_rng(3).integers(9_751, 10_249, 20_000)) + 2**40
    (held,) = differences([times], is_large=[True])
    assert len(packed(held, 3)) < 1.14 * len(times)
    made, body = Made(), levels(None, len(times)) + held
    made.page(len(times), Encoding.DELTA_BINARY_PACKED, len(body), packed(body, 3))
    part = Part(len(times), b"", made.chunk(0).data)
    assert decoded(Leaf(_INT64, _ZSTD), [part]).to_pylist() == times.tolist()


@pytest.mark.parametrize("count", [3, 256, 257, 3_000])
def test_many_words_take_two_bytes_a_place(monkeypatch, count):
    monkeypatch.setattr(parquet_chunk, "PAGE_ROWS_MAX", 1 << 20)
    words = np.random.default_rng(1).normal(size=count)
    numbers = np.tile(words, 5)
    numbers[:2_000] = words[0]
    (page,) = number_pages(numbers, None, [(len(numbers), True)])
    assert page.has_words
    chunk = numbers_chunk([page])
    part = Part(chunk.rows, chunk.data[: chunk.dictionary], chunk.data[chunk.dictionary :])
    assert bits(decoded(Leaf(5, _ZSTD), [part]).to_numpy()) == bits(numbers)


@given(st.lists(st.tuples(st.sampled_from(["", "a", "ö", "on"]), st.integers(1, 300)), min_size=1))
def test_runs_of_texts_are_those_that_a_library_reads(told):
    words = sorted({word.encode() for word, _ in told})
    codes = np.array([words.index(word.encode()) for word, _ in told])
    lengths = np.array([count for _, count in told])
    runs = Runs(codes, lengths, [text_word(word) for word in words], is_text=True)
    chunk = chunk_of_runs(runs, is_told=True)
    part = Part(chunk.rows, chunk.data[: chunk.dictionary], chunk.data[chunk.dictionary :])
    due = [word for word, count in told for _ in range(count)]
    assert decoded(Leaf(_BYTES, _ZSTD, True), [part]).to_pylist() == due
    assert chunk.told == Told(0, words[0], words[-1])


def test_pages_end_where_series_do(monkeypatch):
    monkeypatch.setattr(parquet_chunk, "PAGE_ROWS_MIN", 4)
    monkeypatch.setattr(parquet_chunk, "PAGE_ROWS_MAX", 16)
    assert array("q", [end for end, _ in parquet_chunk.page_ends(np.array([0, 2, 9]), 60)]) == (
        array("q", [9, 21, 34, 47, 60])
    )


def test_a_counter_whose_bytes_repeat_takes_less_in_one_block():
    counted = np.arange(0, 40_000, 5, np.int64).astype(np.float64)
    (page,) = number_pages(counted, None, [(len(counted), True)])
    assert page.encoding is Encoding.BYTE_STREAM_SPLIT
    _, stored = page.stored(np.empty(0, np.int64))
    assert len(stored) < 0.8 * len(parquet_chunk._apart(parquet_chunk.planes(counted)))
    part = Part(len(counted), b"", numbers_chunk([page]).data)
    assert bits(decoded(Leaf(5, _ZSTD), [part]).to_numpy()) == bits(counted)
