"""Bins and states in the tables: however readings came, they are those of all readings together."""

import json
import math
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.errors import StorageError
from cloud.lake import plan as lake_plan
from cloud.lake.lists import bins_of, list_columns, states_of
from cloud.lake.rebuild import rebuild
from cloud.lake.rollup import merge_rows, reduce_rows
from cloud.lake.table import parquet
from cloud.lake.table.schema import READINGS, ROLLUP_1D, ROLLUP_1H, TableSpec
from cloud.lake.table.table import look
from cloud.ledger import of_lake as ledger_lake
from cloud.rollup import partials as rollup
from cloud.rollup.bins import BINS_MAX
from cloud.rollup.partials import Readings
from cloud.rollup.states import STATES_MAX
from protos import records
from protos.series import SeriesKey, SeriesKind, make_entry
from tests.cloud.correction_world import STRETCHES, unsynced
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.query_world import World

LISTS = ("bin_exponent", "bins", "bin_counts", "states")
KNOWN = (ROLLUP_1H, ROLLUP_1D)

_ts = st.one_of(
    st.integers(-40, 40).map(lambda n: T0 + n * 431_000_000),
    st.integers(-40, 40).map(lambda n: T0 + n * 700_000),
)
_number = st.one_of(
    st.integers(-300, 300).map(lambda n: n / 10),
    st.sampled_from([math.nan, -0.0, 1e300, -1e300, math.inf, 85.0]),
)
_said = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=9),
    st.integers(-9, 9).map(float),
    st.sampled_from([math.nan, 1e300, 0.1]),
)
_action = st.one_of(
    st.tuples(st.just("send"), st.lists(st.tuples(_ts, _number), min_size=1, max_size=90)),
    st.tuples(st.just("state"), st.lists(st.tuples(_ts, st.integers(0, 20)), min_size=1)),
    st.tuples(st.just("text"), st.lists(st.tuples(_ts, st.sampled_from("abc")), min_size=1)),
    st.tuples(st.just("unsynced"), st.lists(st.tuples(st.integers(0, 99), _number), min_size=1)),
    st.sampled_from([("correct", []), ("consolidate", []), ("reopen", [])]),
)


def state(gateway: Gateway, device: str) -> int:
    """The entry of a series of states."""
    key = SeriesKey(device, "mode", (), "", SeriesKind.STATE)
    for entry in gateway.table:
        if entry.key == key:
            return entry.entry
    number = 1 + max((entry.device_no for entry in gateway.table), default=0)
    gateway.table.append(make_entry(len(gateway.table) + 1, number, key, bytes(16)))
    return len(gateway.table)


def do(world: World, what: str, rows: list) -> None:
    gateway = world.gateway
    ts = [each[0] for each in rows]
    said = [each[1] for each in rows]
    match what:
        case "send" | "text":
            world.send("pump", rows)
        case "state":
            entry, times = np.full(len(rows), state(gateway, "mode")), np.array(ts, np.int64)
            values = np.array(said, np.float64)
            gateway.send(records.numbers(entry, times, values, np.ones(len(rows)), times))
        case "unsynced":
            gateway.send(unsynced(gateway, "pump", STRETCHES[2], [t * 1_000_000 for t in ts], said))
        case "correct":
            gateway.send(STRETCHES[2].correction())
        case _:
            getattr(world, what)()


def kept(root: Path, spec: TableSpec) -> pa.Table:
    paths = [Path(path) for path in look(root, spec).files.paths()]
    return parquet.read(paths, spec) if paths else spec.schema.empty_table()


def by_bucket(rows: pa.Table) -> dict[tuple[int, int], list[object]]:
    """The lists of each bucket, states left out where rows interleave."""
    ts = parquet.times(rows["ts"]).tolist()
    keys = zip(rows["series"].to_pylist(), ts, strict=True)
    lists = [rows[name].to_pylist() for name in LISTS]
    return {key: [repr(each) for each in found] for key, *found in zip(keys, *lists, strict=True)}


def recomputed(root: Path) -> dict[str, dict[tuple[int, int], list[object]]]:
    """The lists that all readings together give."""
    readings = parquet.arrange(kept(root, READINGS))
    hours = reduce_rows(readings, ROLLUP_1H, 0).rows
    return {
        ROLLUP_1H.name: by_bucket(hours),
        ROLLUP_1D.name: by_bucket(merge_rows(hours, ROLLUP_1D)),
    }


@given(st.lists(_action, min_size=2, max_size=12))
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_lists_of_any_passes_merges_and_corrections_are_those_of_all_readings(
    tmp_path_factory, monkeypatch, actions
):
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    world = World(tmp_path_factory.mktemp("world") / "lake")
    try:
        for what, rows in [*actions, ("send", [(T0, 1.0)]), ("consolidate", [])]:
            do(world, what, rows)
        wanted = recomputed(world.root)
        for spec in KNOWN:
            rows = merge_rows(kept(world.root, spec), spec)
            found, unsure = by_bucket(rows), rows["held_us"].is_null().to_pylist()
            assert found.keys() == wanted[spec.name].keys()
            for (key, lists), is_unsure in zip(found.items(), unsure, strict=True):
                assert lists[:3] == wanted[spec.name][key][:3]
                assert lists[3] == (repr(None) if is_unsure else wanted[spec.name][key][3])
        world.consolidator.close()
        rebuild(world.root)
        for spec in KNOWN:
            assert by_bucket(kept(world.root, spec)) == wanted[spec.name]
        world.open()
    finally:
        world.close()


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def test_verify_blames_bins_that_count_other_readings(world):
    world.send("pump", [(T0 + i, i / 8) for i in range(9)])
    world.consolidate()
    path = Path(look(world.root, ROLLUP_1H).files.paths()[0])
    assert not ledger_lake.unsound_in(path, ROLLUP_1H)
    rows = kept(world.root, ROLLUP_1H)
    counts = pa.array([np.array([1] * 8 + [2], "<i4").tobytes()])
    at = rows.schema.get_field_index("bin_counts")
    spoilt = rows.set_column(at, rows.schema.field(at), counts)
    parquet.write_durably(path, spoilt, ROLLUP_1H, parquet.no_step)
    assert ledger_lake.unsound_in(path, ROLLUP_1H) == 1
    torn = rows.set_column(at, rows.schema.field(at), pa.array([b"abc"]))
    parquet.write_durably(path, torn, ROLLUP_1H, parquet.no_step)
    with pytest.raises(StorageError):
        ledger_lake.unsound_in(path, ROLLUP_1H)


def test_rows_with_infinities_are_not_told_to_need_a_rebuild(world):
    world.send("pump", [(T0, math.inf), (T0 + 1, 1.0), (T0 + 2, 2.0), (T0 + 3, math.nan)])
    world.consolidate()
    for spec in KNOWN:
        (path,) = look(world.root, spec).files.paths()
        assert kept(world.root, spec)["bin_exponent"].to_pylist() == [None]
        assert not ledger_lake.unsure_in(Path(path), spec)


def test_a_row_is_bounded_however_many_numbers_and_states_it_has(world):
    times = [T0 + i * 1_000 for i in range(5000)]
    world.send("pump", [(ts, ts * 1.1) for ts in times])
    do(world, "state", [(ts, i % 300) for i, ts in enumerate(times)])
    world.send("door", [(ts, f"word {i % 500}" * 9) for i, ts in enumerate(times)])
    world.consolidate()
    for spec in KNOWN:
        for row in kept(world.root, spec).to_pylist():
            counts = np.frombuffer(row["bin_counts"], "<i4")
            assert len(row["bins"]) == 2 * len(counts) <= 2 * BINS_MAX
            assert len(json.loads(row["states"])) <= STATES_MAX
            assert not len(counts) or counts.sum() == row["valid"]


def test_the_documented_function_tells_how_numbers_are_spread(world):
    numbers = [((i * 7919) % 1009) / 8 for i in range(601)]
    world.send("pump", [(T0 + i * 5_000_000, value) for i, value in enumerate(numbers)])
    world.send("two", [(T0, 4.0), (T0 + 1, 9.0)])
    world.send("same", [(T0 + i, 7.0) for i in range(5)])
    do(world, "state", [(T0, math.nan)])
    world.consolidate()
    text = (Path(__file__).parents[3] / "docs" / "format" / "lake.md").read_text()
    said = text[text.index("    def spread(row)") :].partition("\n\n")[0]
    names: dict[str, Any] = {"np": np}
    exec(textwrap.dedent(said), names)  # the guide's own words
    rows = {row["device"]: row for row in kept(world.root, ROLLUP_1D).to_pylist()}
    found = {device: names["spread"](row) for device, row in rows.items()}
    assert found["two"] == ([4.0, 9.0], [1, 1])
    assert found["same"] == ([7.0], [5])
    assert found["mode"] == ([], [])
    middles, counts = found["pump"]
    median = middles[np.searchsorted(np.cumsum(counts), 301)]
    assert median == pytest.approx(sorted(numbers)[300], abs=126 / 63)
    assert counts.sum() == 601


def test_other_engines_read_the_lists(world):
    world.send("pump", [(T0 + i, i / 8) for i in range(9)])
    do(world, "state", [(T0, 1.0), (T0 + 5, 0.0), (T0 + 9, 1.0)])
    world.consolidate()
    table = DeltaTable(str(world.root / ROLLUP_1H.name)).to_pyarrow_table()
    pump, mode = sorted(table.to_pylist(), key=lambda row: row["metric"], reverse=True)
    low = math.floor(pump["min"] / 2.0 ** pump["bin_exponent"])
    places = low + np.frombuffer(pump["bins"], "<i2")
    assert (places * 2.0 ** pump["bin_exponent"]).tolist() == [i / 8 for i in range(9)]
    assert np.frombuffer(pump["bin_counts"], "<i4").tolist() == [1] * 9
    assert json.loads(mode["states"]) == [{"value": 0.0, "us": 4}, {"value": 1.0, "us": 5}]


@given(st.lists(st.lists(st.tuples(st.integers(0, 9**9), _said), min_size=1), min_size=1))
@settings(max_examples=60, deadline=None)
def test_lists_come_back_from_their_columns_as_they_were(rows):
    readings = [sorted(row, key=lambda each: each[0]) for row in rows]
    flat = [each for row in readings for each in row]
    text = np.empty(len(flat), object)
    text[:] = [said if isinstance(said, str) else None for _, said in flat]
    value = np.array([math.nan if isinstance(said, str) else said for _, said in flat])
    bucket = np.repeat(np.arange(len(rows)), [*map(len, rows)])
    ts = np.array([ts for ts, _ in flat], np.int64)
    zeros = np.zeros(len(flat), np.int64)
    held = Readings(zeros, ts, value, text, zeros, of_states=bucket % 2 == 0)
    made = rollup.reduce_in(held, bucket, 0, lists=True)
    table = pa.table(list_columns(made))
    bins, states = bins_of(table), states_of(table, made.states.of_states)
    assert repr(bins) == repr(made.bins)
    assert repr(states) == repr(made.states)


@pytest.mark.parametrize(("most", "files"), [(11, 2), (12, 1)])
def test_a_merge_counts_a_row_with_lists_as_three(world, monkeypatch, most, files):
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    monkeypatch.setattr(lake_plan, "MERGE_ROWS_MAX", most)
    for _ in range(2):
        world.send("pump", [(T0, 1.0)])
        world.send("fan", [(T0, 1.0)])
        world.consolidate()
    assert len(look(world.root, ROLLUP_1H).files.files) == files
