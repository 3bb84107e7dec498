"""A block costs its reader a bounded amount of memory, whatever was put into it."""

import gc
import tracemalloc

import numpy as np
import pytest

from protos.block import MalformedBlock, read_block
from protos.codec import strings
from protos.codec.body import decode_body, encode_body
from protos.limits import BLOCK_MEMORY_MAX, BLOCK_ROWS_MAX, MIB, TEXT_BYTES_MAX
from protos.records import Array, Batch, Kind, concat, scores, texts
from tests.protos.test_block import sealed

LONGEST = "x" * TEXT_BYTES_MAX


def said(words: list[str]) -> Batch:
    times = np.arange(len(words))
    return texts(np.ones(len(words)), times, words, 0, times)


def judged(models: Array) -> Batch:
    zeros = np.zeros(len(models))
    return scores(np.ones(len(models)), np.arange(len(models)), zeros, zeros, zeros, models)


def wide(number: int, size: int) -> str:
    """A text of ``size`` bytes, all but one character ASCII: in memory it takes four times that."""
    return f"{number:06d}".ljust(size - 4, "a") + "🌊"


def peak_of_reading(data: bytes) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        read_block(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_few_bytes_that_say_one_long_text_in_every_row_are_refused_before_memory_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as forger:
        forger.setattr(strings, "TEXTS_EXPANDED_BYTES_MAX", 1 << 40)
        body = encode_body(said([LONGEST] * BLOCK_ROWS_MAX))
    assert len(body) < 1000
    tracemalloc.start()
    with pytest.raises(MalformedBlock, match="TEXTS_EXPANDED_BYTES_MAX"):
        decode_body(body)
    assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    tracemalloc.stop()


def test_rows_whose_texts_come_to_too_much_are_refused_when_a_block_is_built() -> None:
    most = 32 * MIB // TEXT_BYTES_MAX
    assert read_block(sealed(said([LONGEST] * most)).data)[2].count(Kind.TEXTS) == most
    with pytest.raises(ValueError, match="TEXTS_EXPANDED_BYTES_MAX"):
        sealed(said([LONGEST] * (most + 1)))


@pytest.mark.parametrize(
    "rows",
    [
        said([wide(n, TEXT_BYTES_MAX) for n in range(8150)]),
        concat(
            [
                said([wide(0, TEXT_BYTES_MAX)] * 8192),
                judged(np.array([wide(n, 50) for n in range(BLOCK_ROWS_MAX - 8192)], object)),
            ]
        ),
    ],
    ids=["long texts, all different", "texts alike and models all different"],
)
def test_the_worst_blocks_that_are_accepted_take_no_more_memory_than_is_stated(rows: Batch) -> None:
    assert peak_of_reading(sealed(rows).data) <= BLOCK_MEMORY_MAX
