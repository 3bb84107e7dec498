"""Cells of files: numbers, states, texts, and what is no reading; each stands alone."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.imports.cell_values import read_cells
from cloud.imports.piece import Reason
from protos.limits import TEXT_BYTES_MAX

TEXT = pa.string()


def sorted_out(values, decimal: str = ".", kind: pa.DataType = TEXT) -> list:
    """Each cell as its value, its state as a bool, its reason, or None where there is none."""
    cells = read_cells(pa.array(values, kind), decimal)
    found: list = [None] * len(values)
    for row, value in zip(*map(list, cells.numbers), strict=True):
        found[row] = float(value)
    for row, value in zip(*map(list, cells.states), strict=True):
        found[row] = bool(value)
    for row, value in zip(*map(list, cells.texts), strict=True):
        found[row] = value
    for row, why in cells.rejected:
        found[row] = why
    assert cells.missing == found.count(None)
    return found


def test_numbers_states_texts_and_gaps_are_told_apart() -> None:
    cells = ["1.5", "-2e3", "+3", ".5", "7.", "007", " 8 ", "on", "TRUE", "false", "0x10", "1,5"]
    assert sorted_out(cells) == [
        1.5, -2000.0, 3.0, 0.5, 7.0, 7.0, 8.0, "on", True, False, "0x10", "1,5",
    ]  # fmt: skip
    gaps = ["", " ", "NaN", "null", "None", "N/A", "unavailable", "unknown", "-", None]
    assert sorted_out(gaps) == [None] * len(gaps)
    assert sorted_out(["inf", "-Infinity", "1e999"]) == [Reason.NOT_FINITE] * 3
    long = "x" * (TEXT_BYTES_MAX + 1)
    assert sorted_out([long, "µ" * (TEXT_BYTES_MAX // 2)]) == [
        Reason.LONG_TEXT, "µ" * (TEXT_BYTES_MAX // 2),
    ]  # fmt: skip


def test_a_decimal_comma_is_one_only_where_it_is_said() -> None:
    assert sorted_out(["1,5", "-2,25e1", "3", "", "a,b"], ",") == [1.5, -22.5, 3.0, None, "a,b"]
    assert sorted_out(["1.234,5", "1.5"], ",") == ["1.234,5", "1.5"], "a thousand's point is none"


cells = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["", "on", "1e999", "inf", "nan", "true", "+1", "1_000", "0x1", "1,5", "-", "٣"]
    ),
    st.text(max_size=6),
    st.none(),
)


@pytest.mark.parametrize("decimal", [".", ","])
@given(column=st.lists(cells, min_size=1, max_size=8))
def test_what_a_cell_means_never_depends_on_its_neighbours(decimal: str, column) -> None:
    alone = [sorted_out([one], decimal)[0] for one in column]
    assert sorted_out(column, decimal) == alone


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_in_to_its_last_bit(value: float) -> None:
    assert math.copysign(1, value) == math.copysign(1, sorted_out([repr(value)])[0])
    assert sorted_out([repr(value)]) == [value]
    assert sorted_out([repr(value), "on"]) == [value, "on"]


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        ([1, None, -3], pa.int16(), [1.0, None, -3.0]),
        ([1.5, float("nan"), float("inf")], pa.float32(), [1.5, None, Reason.NOT_FINITE]),
        ([True, None], pa.bool_(), [True, None]),
        ([None, None], pa.null(), [None, None]),
        (["on", "1"], pa.dictionary(pa.int8(), pa.string()), ["on", 1.0]),
        ([(1 << 64) - 1], pa.uint64(), [float((1 << 64) - 1)]),
    ],
)
def test_columns_of_every_type_give_their_values(values, kind, found) -> None:
    assert sorted_out(values, kind=kind) == found


def test_rows_are_in_their_order() -> None:
    found = read_cells(pa.array(["1", "on", "2", "off"]))
    assert found.numbers[0].tolist() == [0, 2]
    assert found.texts[0].tolist() == [1, 3]
    assert found.numbers[1].dtype == np.float64
