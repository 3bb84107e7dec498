"""The sieve lets each reading through once, whatever its hashes say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.imports import sieve as sieve_module
from cloud.imports.piece import Numbers, Words, words_array
from cloud.imports.sieve import Sieve, box_of, hashes_of

numbers = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 5), st.sampled_from([0.0, -0.0, 1.5, -2.0])),
    max_size=20,
)


def numbers_of(rows) -> Numbers:
    series, ts, value = zip(*rows, strict=True) if rows else ((), (), ())
    return Numbers(np.array(series, np.uint32), np.array(ts, np.int64), np.array(value, np.float64))


def words_of(rows) -> Words:
    series, ts, text = zip(*rows, strict=True) if rows else ((), (), ())
    return Words(np.array(series, np.uint32), np.array(ts, np.int64), words_array(text))


def one_hash(rows: Numbers) -> np.ndarray:
    return np.zeros(len(rows), np.uint64)


@pytest.mark.parametrize("hashed", [None, one_hash], ids=["its own hash", "one hash for all"])
@given(batches=st.lists(numbers, max_size=6))
def test_numbers_come_through_as_often_as_a_set_would_let_them(hashed, batches) -> None:
    blocks: dict[int, Numbers] = {}
    sieve = Sieve(lambda block: (blocks[block], words_of([])), hashed)
    seen: set[tuple] = set()
    for number, rows in enumerate(batches):
        columns = numbers_of(rows)
        fresh = sieve.fresh_numbers(columns)
        for row, is_fresh in zip(rows, fresh.tolist(), strict=True):
            assert is_fresh == (row not in seen)
            seen.add(row)
        if fresh.any():
            blocks[number] = columns.at(fresh)
            sieve.know(number, box_of(blocks[number]), True)


@given(
    batches=st.lists(
        st.lists(
            st.tuples(st.integers(1, 3), st.integers(0, 3), st.sampled_from(["on", "off", ""]))
        ),
        max_size=6,
    )
)
def test_texts_come_through_as_often_as_a_set_would_let_them(batches) -> None:
    blocks: dict[int, Words] = {}
    sieve = Sieve(lambda block: (numbers_of([]), blocks[block]))
    seen: set[tuple] = set()
    for number, rows in enumerate(batches):
        columns = words_of(rows)
        fresh = sieve.fresh_words(columns)
        for row, is_fresh in zip(rows, fresh.tolist(), strict=True):
            assert is_fresh == (row not in seen)
            seen.add(row)
        if fresh.any():
            blocks[number] = columns.at(fresh)
            sieve.know(number, box_of(blocks[number]), False)


def test_more_blocks_than_are_held_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve_module, "HELD_MAX", 2)
    loads: list[int] = []
    blocks = {
        number: (numbers_of([(1, number, 1.0)]), words_of([(1, 9, f"{number}")]))
        for number in range(5)
    }

    def load(block: int):
        loads.append(block)
        return blocks[block]

    sieve = Sieve(load)
    for number, (rows, words) in blocks.items():
        sieve.know(number, box_of(rows), True)
        sieve.know(number, box_of(words), False)
    every = numbers_of([(1, at, 1.0) for at in range(6)])
    assert sieve.fresh_numbers(every).tolist() == [False] * 5 + [True]
    texts = words_of([(1, 9, f"{n}") for n in range(6)])
    assert sieve.fresh_words(texts).tolist() == [False] * 5 + [True]
    assert len(loads) > 5
    assert len(sieve._held) == 2


def test_a_block_far_away_is_not_read() -> None:
    def load(block: int):
        raise AssertionError("it cannot hold what is asked")

    sieve = Sieve(load)
    for number in range(100):
        sieve.know(number, (1, 5, 1000 + number, 2000 + number), True)
    assert sieve.fresh_numbers(numbers_of([(1, 10, 1.0), (6, 1500, 1.0)])).all()


def test_hashes_of_rows_that_differ_differ() -> None:
    grid = [(s, t, v) for s in range(1, 30) for t in range(30) for v in (0.0, 1.0, 2.0, -1.0)]
    assert len(set(hashes_of(numbers_of(grid)).tolist())) == len(grid)
    assert hashes_of(numbers_of([(1, 1, 0.0)])) == hashes_of(numbers_of([(1, 1, -0.0)]))
