"""Batches: built with the schema's types, joined in order, compared by bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.records import SCHEMAS, Batch, Kind, concat, ids, no_rows, numbers, scores, table, texts
from tests.protos.batches import batches


@given(st.lists(batches(rows_max=5), max_size=4))
def test_joined_batches_hold_all_rows_in_order(parts: list[Batch]) -> None:
    whole = concat(parts)
    assert whole.rows == sum(part.rows for part in parts)
    for kind in Kind:
        assert whole.count(kind) == sum(part.count(kind) for part in parts)
        rows = [row for part in parts for row in part.kind(kind)["ts"].tolist()]
        assert whole.kind(kind)["ts"].tolist() == rows
        for column in SCHEMAS[kind]:
            assert whole.kind(kind)[column.name].dtype == column.dtype


def test_a_batch_is_compared_by_bits() -> None:
    zero = numbers([1], [1], [0.0], 0, [0])
    assert zero.same_as(numbers([1], [1], [0.0], 0, [0]))
    assert not zero.same_as(numbers([1], [1], [-0.0], 0, [0]))
    nan = numbers([1], [1], [np.nan], 0, [0])
    assert nan.same_as(numbers([1], [1], [np.nan], 0, [0]))
    assert not texts([1], [1], ["a"], 0, [0]).same_as(texts([1], [1], ["b"], 0, [0]))


def test_a_scalar_stands_for_a_column_of_equal_values() -> None:
    batch = scores(7, [1, 2], 0.5, 9, 4.5, "ewma 1")
    assert batch.kind(Kind.SCORES)["series"].tolist() == [7, 7]
    assert batch.kind(Kind.SCORES)["model"].tolist() == ["ewma 1", "ewma 1"]


def test_a_kind_without_rows_still_has_its_columns() -> None:
    assert list(Batch({}).kind(Kind.GAPS)) == [column.name for column in SCHEMAS[Kind.GAPS]]
    assert Batch({}).count(Kind.GAPS) == Batch({}).rows == len(no_rows(Kind.GAPS)["ts"]) == 0


def test_columns_of_other_names_or_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="column value has shape"):
        numbers([1, 1], [1, 2], [1.0], 0, [0, 0])
    with pytest.raises(ValueError, match="NUMBERS has columns"):
        table(Kind.NUMBERS, {"ts": [1]})
    with pytest.raises(ValueError, match="an id is of 16 bytes"):
        ids([b"short"])
