"""Which rows an order to erase takes, beside the statement of it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.lake.table.schema import ANOMALIES, EPISODES, READINGS, ROLLUP_1D, ROLLUP_1M, TableSpec
from cloud.retention.order import ALWAYS_US, EVER_US, Order, held, taken
from cloud.retention.rules import NOTHING
from protos.records import Quality

_edge = st.sampled_from([ALWAYS_US, ALWAYS_US + 1, -1, 0, 1, EVER_US - 1, EVER_US])
_time = st.one_of(_edge, st.integers(-200_000_000, 200_000_000))
_row = st.tuples(
    st.sampled_from("gh"), st.sampled_from("de"), st.sampled_from("mn"), _time,
    st.one_of(st.none(), _time), st.integers(0, 3), st.integers(1, 9),
)  # fmt: skip
_names = st.tuples(st.sampled_from("gh"), st.sampled_from(["", "d"]), st.sampled_from(["", "m"]))
_order = st.builds(
    lambda number, names, two, upto: Order(number, 0, "", "", *names, min(two), max(two), upto),
    st.integers(1, 5), _names, st.tuples(_time, _time), st.integers(1, 9),
)  # fmt: skip


def table(rows: list[tuple], spec: TableSpec) -> pa.Table:
    time = spec.schema.field("ts").type
    columns = [
        pa.array(column, pa.string()).dictionary_encode()
        for column in ([row[at] for row in rows] for at in range(3))
    ]
    times = [pa.array([row[at] for row in rows], pa.int64()).cast(time) for at in (3, 4)]
    quality = pa.array([row[5] for row in rows], pa.int8())
    names = ["gateway", "device", "metric", "ts", "end_ts", "quality"]
    return pa.table([*columns, *times, quality], names)


def is_of(row: tuple, order: Order) -> bool:
    wanted = (order.gateway, order.device, order.metric)
    return all(not name or name == own for name, own in zip(wanted, row, strict=False))


@pytest.mark.parametrize("spec", [READINGS, ANOMALIES, EPISODES, ROLLUP_1M, ROLLUP_1D])
@given(rows=st.lists(_row, min_size=1, max_size=8), order=_order)
def test_it_takes_what_tells_of_any_of_its_times(spec, rows, order):
    due = []
    for row in rows:
        last = row[3] + max(spec.width_us - 1, 0)
        if spec is EPISODES and row[4] is not None:
            last = max(row[3], row[4])
        due.append(is_of(row, order) and row[3] <= order.last_us and last >= order.from_us)
    assert order.takes(table(rows, spec), spec).tolist() == due


@given(rows=st.lists(_row, min_size=1, max_size=8), orders=st.lists(_order, max_size=3))
def test_each_row_is_taken_by_the_first_order_that_does_and_counted_once(rows, orders):
    by = taken(table(rows, READINGS), READINGS, orders)
    for row, number in zip(rows, by.tolist(), strict=True):
        due = [one.number for one in orders
               if is_of(row, one) and one.from_us <= row[3] <= one.last_us]  # fmt: skip
        assert number == (due[0] if due else 0)


@given(rows=st.lists(_row, min_size=1, max_size=8), order=_order)
def test_it_holds_what_it_took_and_what_may_have_had_another_time(rows, order):
    offsets = np.array([row[6] for row in rows])
    unsure = (Quality.GATEWAY_UNSYNCED, Quality.GATEWAY_CORRECTED)
    for spec in (READINGS, ANOMALIES):
        found = held(table(rows, spec), offsets, spec, [order])
        for row, is_held in zip(rows, found.tolist(), strict=True):
            is_due = order.from_us <= row[3] <= order.last_us or row[5] in unsure
            is_due |= spec is ANOMALIES
            assert is_held == (is_of(row, order) and row[6] <= order.upto and is_due)


def test_what_is_erased_and_what_is_removed_by_rule_are_told_apart():
    order = Order(1, 0, "", "", "g", "", "", 0, 9, 9)
    told = NOTHING.ordered(order).after({("g", 1): 3}, {}).erasing({1: {("g", 1): 2, ("g", 2): 1}})
    assert told.ticket == 3
    assert (told.total, told.by_epoch()) == (3, {("g", 1): 3})
    assert told.erased_by_epoch() == {("g", 1): 2, ("g", 2): 1}
    assert [one.readings for one in told.unfinished] == [3]
    assert not told.done(1).unfinished
