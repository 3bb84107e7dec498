"""The tail's batches: joined as they grow, to a bound, and cut where the tables take over."""

import math

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cloud.lake.embedded import OFFSET_COLUMN, Decoded
from cloud.lake.table.schema import READINGS, SERIES_COLUMNS
from cloud.live.tail import JOINED, TailBatch, after, batch_of, extend, series_rows

BYTES_MAX = 4096


def batch(start: int, rows: int) -> TailBatch:
    """One block's rows, told apart by their times."""
    named = {name: pa.array(["a"] * rows).dictionary_encode() for name in SERIES_COLUMNS}
    ts = pa.array(np.arange(rows) + start * 1000, pa.timestamp("us", "UTC"))
    offsets = pa.array(np.full(rows, start + 1, np.uint64))
    series = pa.array(np.ones(rows, np.uint32))
    table = pa.table({**named, "series": series, "ts": ts, OFFSET_COLUMN: offsets})
    return batch_of(Decoded(start + 1, {"readings": table}, ()), start)


def told(start: int, ts: list[int]) -> TailBatch:
    """One block of readings of one series with these times."""
    count = len(ts)
    columns = {
        field.name: pa.array([f"{start}"] * count).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array([start] * count).cast(field.type)
        for field in READINGS.schema
    }
    columns["series"] = pa.array([1] * count).cast(READINGS.schema.field("series").type)
    columns["ts"] = pa.array(ts, READINGS.schema.field("ts").type)
    columns[OFFSET_COLUMN] = pa.array([start + 1] * count)
    return batch_of(Decoded(start + 1, {"readings": pa.table(columns)}, ()), start)


def times_in(tail: tuple[TailBatch, ...]) -> list[int]:
    return [
        at for one in tail for at in one.tables["readings"].rows["ts"].cast("int64").to_pylist()
    ]


@given(st.lists(st.integers(1, 120), min_size=1, max_size=40), st.data())
def test_batches_are_joined_to_a_bound_and_keep_every_row(
    sizes: list[int], data: st.DataObject
) -> None:
    tail: tuple[TailBatch, ...] = ()
    for start, rows in enumerate(sizes):
        tail = extend(tail, batch(start, rows), BYTES_MAX)
    assert times_in(tail) == [n * 1000 + row for n, rows in enumerate(sizes) for row in range(rows)]
    largest = max(batch(0, rows).bytes for rows in sizes)
    assert all(one.bytes <= max(BYTES_MAX, largest) for one in tail)
    full = JOINED * (sum(one.bytes for one in tail) // BYTES_MAX + 1)
    assert len(tail) <= full + (JOINED - 1) * (math.log(sum(sizes), JOINED) + 1)
    offset = data.draw(st.integers(0, len(sizes)))
    assert times_in(after(tail, offset)) == [at for at in times_in(tail) if at // 1000 >= offset]


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), min_size=1, max_size=8))
def test_readings_of_batches_that_follow_each_other_in_time_come_as_one(blocks) -> None:
    tail = tuple(told(start, sorted(ts)) for start, ts in enumerate(blocks))
    found = list(series_rows(tail, 1, 3, 28))
    kept = [sorted(at for at in ts if 3 <= at < 28) for ts in blocks]
    begin = {start: ts for start, ts in enumerate(kept) if ts}
    expected: list[tuple[int, list[int]]] = []
    for start, ts in begin.items():
        if expected and expected[-1][1][-1] < ts[0]:
            expected[-1] = (expected[-1][0], expected[-1][1] + ts)
        else:
            expected.append((start, ts))
    assert [(at, rows["ts"].cast("int64").to_pylist()) for at, rows in found] == expected
    values = [value for _, rows in found for value in rows["value"].to_pylist()]
    assert values == [float(start) for start, ts in begin.items() for _ in ts]
    assert all(column.num_chunks == 1 for _, rows in found for column in rows.columns)
