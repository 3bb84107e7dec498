"""Parts of the tail joined as they are encoded hold the rows that they hold when arranged anew."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.lake.embedded import Decoded, decode
from cloud.lake.names import Names
from cloud.live import tail as live_tail
from cloud.live.packed_join import Order, join
from cloud.live.tail import TailRows, batch_of
from protos import records
from protos.records import Kind
from tests.cloud.lake_world import T0, Gateway, MemoryJournal

_row = st.tuples(
    st.integers(0, 1),
    st.one_of(
        st.integers(0, 90), st.integers(0, 90).map(lambda n: n * 1_000_003), st.just(1 << 40)
    ),
    st.one_of(st.integers(0, 5).map(float), st.just(float("nan"))),
    st.integers(0, 2),
)
_block = st.tuples(st.integers(0, 2), st.lists(_row, min_size=1, max_size=12), st.booleans())
_parts = st.lists(st.lists(_block, min_size=1, max_size=4), min_size=2, max_size=4)


def decoded(parts: list[list[Any]]) -> list[Decoded]:
    """Each part's blocks: gateway, rows of (series, time, value, quality), whether with texts."""
    journal = MemoryJournal()
    gateways = [Gateway(journal, f"gw-{number}") for number in range(3)]
    names, found = Names(journal.series), []
    for blocks in parts:
        entries = []
        for number, rows, has_texts in blocks:
            gateway = gateways[number]
            columns = [np.array(column) for column in zip(*rows, strict=True)]
            series = np.array([gateway.series(f"pump-{each}") for each in columns[0]])
            ts = T0 + columns[1]
            batches = [records.numbers(series, ts, columns[2], columns[3], ts + 7)]
            if has_texts:
                batches.append(gateway.texts("door", [int(ts[0])], [f"at {ts[0] % 3}"]))
                batches.append(gateway.scores("pump-0", [int(ts[0])], [1.0]))
            entries.append(gateway.send(*batches))
        found.append(decode(entries, names))
    return found


def parts_of(table: str, found: list[Decoded]) -> list[TailRows]:
    return [batch_of(one, 0).tables[table] for one in found if table in one.tables]


@given(_parts, st.booleans())
def test_joined_parts_are_what_their_rows_arranged_anew_are(
    parts: list[list[Any]], is_in_order: bool
) -> None:
    if is_in_order:
        parts = [
            [(number, [(row[0], at << 42 | row[1], *row[2:]) for row in rows], has_texts)
             for number, rows, has_texts in blocks]
            for at, blocks in enumerate(parts)
        ]  # fmt: skip
    found = decoded(parts)
    for table in ("readings", "anomalies"):
        held = parts_of(table, found)
        if len(held) < 2:
            continue
        whole = TailRows.joined(held)
        anew = TailRows.of(pa.concat_tables([part.rows for part in held]))
        assert str(whole.rows.to_pylist()) == str(anew.rows.to_pylist())
        assert whole.rows.schema == anew.rows.schema
        assert dict(whole.runs) == dict(anew.runs)
        assert whole.nbytes <= 1.5 * anew.nbytes + 1024


def test_parts_in_order_of_time_are_not_arranged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is once a run in each part and not of all of them is told of each row all the same."""
    blocks = [
        [(0, [(n % 2, 100 * part + n, 1.5, part % 2) for n in range(10)], True)]
        for part in range(4)
    ]
    held = parts_of("readings", decoded(blocks))
    anew = TailRows.of(pa.concat_tables([part.rows for part in held]))
    monkeypatch.setattr(live_tail.lake_parquet, "arrange", None)
    whole = TailRows.joined(held)
    assert str(whole.rows.to_pylist()) == str(anew.rows.to_pylist())
    assert {row["seq"] for row in whole.rows.to_pylist()} == {1, 2, 3, 4}


def test_parts_whose_times_go_back_are_arranged_anew() -> None:
    blocks = [[(0, [(0, 100 - part, float(part), 0)], False)] for part in range(3)]
    rows = TailRows.joined(parts_of("readings", decoded(blocks))).rows
    assert rows["value"].to_pylist() == [2.0, 1.0, 0.0]


def test_what_speaks_of_gateways_themselves_stays_in_order_by_gateway() -> None:
    journal = MemoryJournal()
    names, parts = Names(journal.series), []
    for part in range(2):
        entries = []
        for name in ("gw-b", "gw-a"):
            gap = {"series": 0, "ts": np.array([T0 + part]), "to": T0 + 5, "count": 1, "reason": 1,
                   "seq_from": 0, "seq_to": 0}  # fmt: skip
            entries.append(Gateway(journal, name).send(records.table(Kind.GAPS, gap)))
        parts.append(batch_of(decode(entries, names), 0).tables["gaps"])
    rows = TailRows.joined(parts).rows
    assert rows["gateway"].to_pylist() == ["gw-a", "gw-a", "gw-b", "gw-b"]


def test_orders_of_runs_are_stable() -> None:
    held = [part.packed for part in parts_of("readings", decoded([
        [(0, [(1, 1, 1.0, 0)], False)], [(0, [(0, 2, 2.0, 0), (1, 3, 3.0, 0)], False)],
    ]))]  # fmt: skip
    order = Order.of(held, np.array([1, 0, 1]))
    assert order.rows.tolist() == [1, 0, 2]
    assert join(held, order).column("value", 0, 3).to_pylist() == [2.0, 1.0, 3.0]
