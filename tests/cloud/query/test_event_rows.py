"""Events picked out of files: the rows, in the order, that the engine finds."""

import functools
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.files import DataFile, FileList
from cloud.lake.table.parquet import arrange, no_step, write_durably
from cloud.lake.table.schema import ANOMALIES, EPISODES, GAPS, TABLES, TableSpec
from cloud.live.live import View
from cloud.query import event_rows as query_event_rows
from cloud.query import events as query_events
from cloud.query.event_rows import EventFiles
from cloud.query.events import Events, EventsAsk, Order
from cloud.query.index import FileIndex
from cloud.query.pool import Pool

_SPECS = {Events.ANOMALIES: ANOMALIES, Events.EPISODES: EPISODES, Events.GAPS: GAPS}
_FEW = st.integers(0, 4)
_TIMES = {"end_ts", "to_ts"}
_ROW = st.fixed_dictionaries(
    {
        "at": st.integers(0, 3),
        "ts": st.integers(-5, 5),
        "length": _FEW,
        "number": st.sampled_from([-1.0, 0.0, 2.5, float("inf"), float("nan")]),
        "whole": st.integers(0, 2),
        "id": st.binary(min_size=1, max_size=1),
        "word": st.sampled_from(["m-1", "m-2", "ö"]),
    }
)


def column(name: str, kind: pa.DataType, rows: list[dict]) -> pa.Array:
    """What a row says of a column of any of the tables."""
    if name in ("gateway", "device", "metric"):
        return pa.array([f"{name}{row['at'] % 2}" for row in rows]).cast(kind)
    if name == "series":
        return pa.array([row["at"] for row in rows], kind)
    if pa.types.is_timestamp(kind):
        held = [row["ts"] + (row["length"] if name in _TIMES else 0) for row in rows]
        return pa.array(np.array(held, np.int64) * 1_000).view(kind)
    if pa.types.is_dictionary(kind):
        return pa.array([row["word"] for row in rows]).cast(kind)
    if pa.types.is_floating(kind):
        return pa.array([row["number"] for row in rows], kind)
    if pa.types.is_binary(kind):
        return pa.array([row["id"] for row in rows], kind)
    return pa.array([row["whole"] for row in rows]).cast(kind)


def table(spec: TableSpec, rows: list[dict]) -> pa.Table:
    made = [column(field.name, field.type, rows) for field in spec.schema]
    return arrange(pa.table(made, schema=spec.schema))


def view_of(folder: Path, spec: TableSpec, files: list[list[dict]]) -> View:
    held = []
    for number, rows in enumerate(files):
        path = folder / f"period=x/{number}.parquet"
        size = write_durably(path, table(spec, rows), spec, no_step)
        ts = [row["ts"] * 1_000 for row in rows]
        name = str(path.relative_to(folder))
        held.append(DataFile(name, "x", len(rows), size, 0, 1, min(ts), max(ts), None))
    none = {name: FileList(str(folder), 0, ()) for name in TABLES}
    tables = none | {spec.name: FileList(str(folder), 0, tuple(held))}
    return View(1, 1, MappingProxyType(tables), ())


@pytest.fixture(scope="module")
def pool():
    made = Pool(1, 1)
    yield made
    made.close()


@given(
    st.sampled_from([*_SPECS]),
    st.lists(st.lists(_ROW, min_size=1, max_size=12), min_size=1, max_size=3),
    st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    st.sampled_from([(), (1,), (0, 2)]),
    st.sampled_from([None, "gateway1"]),
    st.sampled_from([*Order]),
    st.tuples(st.integers(0, 3), st.integers(1, 9)),
)
@settings(max_examples=40, deadline=None)
def test_what_is_picked_here_is_what_the_engine_finds(
    tmp_path_factory, pool, kind, files, span, series, gateway, order, page
):
    patch = pytest.MonkeyPatch()
    patch.setattr(lake_parquet, "fsync", lambda _: None)
    view = view_of(tmp_path_factory.mktemp("lake"), _SPECS[kind], files)
    low, high = (edge * 1_000 for edge in span)
    order = order if kind is Events.EPISODES else Order.NEWEST
    ask = EventsAsk(kind, low, high, series, gateway, None, page[1], page[0], order)
    told = []
    for rows_max in (query_event_rows.ROWS_MAX, 0):
        patch.setattr(query_event_rows, "ROWS_MAX", rows_max)
        found = query_events.found(pool, picked(EventFiles(FileIndex())), view, ask)
        told.append([{name: str(value) for name, value in row.items()} for row in found])
    patch.undo()
    keys = [[_key(row, kind) for row in rows] for rows in told]
    assert keys[0] == keys[1]


def picked(files: EventFiles) -> query_events.Few:
    """What a cloud does that has no readers."""
    return functools.partial(query_events.few, files)


def _key(row: dict, kind: Events) -> tuple:
    """What the order and the choice depend on; of words equal in it the engine takes any."""
    names = {"series", "ts", "epoch", "seq", *query_events._TABLES[kind].ties}
    names |= {"id", "end_ts"} if kind is Events.EPISODES else set(row)
    return tuple((name, row[name]) for name in sorted(names))


def test_files_whose_events_ended_before_are_not_opened_again(tmp_path, pool, monkeypatch):
    row = {"at": 0, "ts": 0, "length": 1, "number": 1.0, "whole": 0, "id": b"a", "word": "m"}
    later = {**row, "ts": 100, "id": b"b"}
    view = view_of(tmp_path, EPISODES, [[row], [later]])
    files = EventFiles(FileIndex())
    ask = EventsAsk(Events.EPISODES, 50_000, 200_000)
    assert [each["id"] for each in query_events.found(pool, picked(files), view, ask)] == [b"b"]
    read: list[str] = []
    whole = query_event_rows._read
    monkeypatch.setattr(
        query_event_rows,
        "_read",
        lambda file, names: (read.append(file.path), whole(file, names))[1],
    )
    assert len(query_events.found(pool, picked(files), view, ask)) == 1
    assert {Path(path).name for path in read} == {"1.parquet"}
