"""Batches for tests: hypothesis strategies over every kind, and realistic readings by seed."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from protos.records import (
    SCHEMAS,
    Array,
    Batch,
    Column,
    ColumnType,
    Kind,
    concat,
    ids,
    numbers,
    strings,
    table,
)

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
NEAR = st.integers(1_760_000_000_000_000, 1_760_000_000_000_000 + 10_000_000)
SECONDS = st.integers(0, 100).map(lambda n: 1_760_000_000_000_000 + n * 1_000_000)
FLOAT_BITS = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(-5000, 5000).map(lambda n: int(np.float64(n / 10).view(np.uint64))),
    st.floats(width=32).map(lambda x: int(np.float64(x).view(np.uint64))),
    st.sampled_from([0, 1 << 63, 0x7FF8000000000001, 0x7FF0000000000000, 0x3FD3333333333334]),
)
ELEMENTS = {
    ColumnType.U1: st.integers(0, 255),
    ColumnType.U4: st.one_of(st.integers(0, 9), st.integers(0, (1 << 32) - 1)),
    ColumnType.I8: st.one_of(NEAR, SECONDS, INT64),
    ColumnType.F8: FLOAT_BITS,
    ColumnType.STR: st.one_of(st.sampled_from(["", "on", "off", "größer"]), st.text(max_size=20)),
    ColumnType.ID16: st.binary(min_size=16, max_size=16),
}


def column(values: list[Any], of: Column) -> Array:
    match of.type:
        case ColumnType.STR:
            return strings(values)
        case ColumnType.ID16:
            return ids(values)
        case ColumnType.F8:
            return np.array(values, np.uint64).view(np.float64)
        case _:
            return np.array(values, of.dtype)


@st.composite
def batches(
    draw: st.DrawFn, rows_max: int = 40, series: st.SearchStrategy[int] | None = None
) -> Batch:
    """Any rows of any kinds; now and then a column is one value, or a series stands together."""
    tables = {}
    for kind in draw(st.sets(st.sampled_from(list(Kind)))):
        rows = draw(st.integers(1, rows_max))
        columns = {}
        for of in SCHEMAS[kind]:
            one = series if series is not None and of.name == "series" else ELEMENTS[of.type]
            if draw(st.booleans()):
                values = [draw(one)] * rows
            else:
                values = draw(st.lists(one, min_size=rows, max_size=rows))
            columns[of.name] = (
                sorted(values) if of.name == "series" and draw(st.booleans()) else values
            )
        tables[kind] = {of.name: column(columns[of.name], of) for of in SCHEMAS[kind]}
    return Batch(tables)


def readings(rows: int, series: int, seed: int, *, interleaved: bool = False) -> Batch:
    """Quantised readings once a second with jitter of about a millisecond, some of each habit."""
    chance = np.random.default_rng(seed)
    each = rows // series
    habits = [
        lambda: np.round(20 + np.cumsum(chance.normal(0, 0.1, each)), 1),
        lambda: np.round(1013 + np.cumsum(chance.normal(0, 0.05, each)), 2),
        lambda: np.cumsum(chance.integers(0, 5, each)).astype(float),
        lambda: np.round(230 + chance.normal(0, 1, each), 1),
        lambda: np.full(each, 21.5),
    ]
    parts = []
    for entry in range(1, series + 1):
        jitter = chance.normal(0, 1000, each).astype(np.int64) + int(chance.integers(0, 1_000_000))
        ts = 1_760_000_000_000_000 + np.arange(each) * 1_000_000 + jitter
        parts.append(numbers(np.full(each, entry), ts, habits[entry % 5](), 0, ts))
    batch = concat(parts)
    if interleaved:
        order = np.argsort(batch.kind(Kind.NUMBERS)["ts"], kind="stable")
        columns = {name: values[order] for name, values in batch.kind(Kind.NUMBERS).items()}
        batch = table(Kind.NUMBERS, columns)
    return batch
