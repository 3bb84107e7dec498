"""Rows of the tail come back bit for bit, whatever they hold, from a fraction of the room."""

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.live.packed import Packed, Runs

INT64 = np.iinfo(np.int64)
TIME = pa.timestamp("us", "UTC")
FAR = st.integers(int(INT64.min), int(INT64.max))
NEAR = st.one_of(st.integers(0, 300), st.integers(0, 80_000), st.integers(0, 1 << 33))
NUMBERS = st.one_of(st.floats(), st.sampled_from([-0.0, math.nan, math.inf, 5e-324]))
WORDS = st.one_of(st.none(), st.sampled_from(["", "open", "zu ✓"]))
COLUMNS: dict[str, tuple[st.SearchStrategy[object], pa.DataType]] = {
    "far": (FAR, pa.int64()),
    "near": (NEAR, pa.int64()),
    "millis": (NEAR.map(lambda at: 1_700_000_000_000_000 + at * 1000), TIME),
    "ts": (FAR, TIME),
    "quality": (st.integers(0, 3), pa.int8()),
    "offset": (st.integers(0, (1 << 64) - 1), pa.uint64()),
    "value": (NUMBERS, pa.float64()),
    "text": (WORDS, pa.dictionary(pa.int32(), pa.string())),
    "id": (st.binary(max_size=3), pa.binary()),
    "none": (st.none(), pa.int64()),
}


@st.composite
def arranged(draw: Callable[..., object]) -> tuple[pa.Table, np.ndarray]:
    """A table, and where its runs begin; some columns change with the runs alone."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    columns, fields = {}, []
    for name, (values, kind) in COLUMNS.items():
        if draw(st.booleans()):
            told = np.repeat(
                np.array([*draw(st.tuples(*[values] * len(lengths)))], object), lengths
            ).tolist()
        else:
            told = [*draw(st.tuples(*[values] * sum(lengths)))]
        columns[name] = _array(told, kind)
        fields.append(pa.field(name, kind))
    table = pa.Table.from_arrays([*columns.values()], schema=pa.schema(fields))
    return table, np.cumsum([0, *lengths[:-1]])


def _array(told: list[object], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(told, pa.string()).dictionary_encode()
    return pa.array(told, pa.int64()).view(kind) if kind == TIME else pa.array(told, kind)


def _bits(table: pa.Table) -> list[object]:
    at = table.schema.get_field_index("value")
    bits = table["value"].combine_chunks().view(pa.int64())
    for name in ("ts", "millis"):
        column = table[name].combine_chunks().view(pa.int64())
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table.set_column(at, "value", bits).to_pylist()


@given(arranged(), st.data())
def test_any_rows_come_back_bit_for_bit_and_so_does_any_slice(made, data) -> None:
    table, runs = made
    packed = Packed.of(table, runs)
    start = data.draw(st.integers(0, table.num_rows - 1))
    end = data.draw(st.integers(start + 1, table.num_rows))
    found = packed.slice(start, end)
    assert found.schema == table.schema
    assert _bits(found) == _bits(table.slice(start, end - start))
    assert packed.slice(start, end, ("near", "text")).equals(found.select(["near", "text"]))
    assert packed.column("far", start, end).equals(found["far"].combine_chunks())


@given(st.lists(FAR, min_size=1, max_size=20, unique=True), FAR)
def test_runs_are_found_by_their_series_and_nothing_else_is(series, other) -> None:
    starts = np.arange(len(series), dtype=np.int32) * 3
    runs = Runs.of(np.array(series, np.int64), starts, 3 * len(series))
    assert {each: runs[each] for each in runs} == {
        each: (3 * at, 3 * at + 3) for at, each in enumerate(series)
    }
    assert (len(runs), set(runs.keys())) == (len(series), set(series))
    assert (other in runs) == (other in series)


@pytest.mark.parametrize(("every_us", "width"), [(1, 2), (1000, 1), (1_000_000, 4)])
def test_times_take_as_many_bytes_as_their_distances_need(every_us: int, width: int) -> None:
    ts = 1_700_000_000_000_000 + np.arange(250) * every_us * (1 if every_us == 1000 else 200)
    table = pa.table({"ts": pa.array(ts, pa.int64()).view(TIME)})
    runs = np.arange(0, 250, 5)
    assert Packed.of(table, runs).nbytes == 4 * len(runs) + width * 250
