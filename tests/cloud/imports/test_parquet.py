"""Parquet files of any type of time, in any row groups, and those that cannot be read."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from cloud.errors import OperatorError
from cloud.imports import parquet_file
from cloud.imports.clock_times import TimeRule
from cloud.imports.columns import Mapping
from cloud.imports.piece import Reason
from cloud.imports.source import Wish
from tests.cloud.imports.import_world import World
from tests.cloud.imports.test_csv import T, plain, readings

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "time",
    [
        *(pa.array([AT] * 2, pa.timestamp(unit, "Asia/Tokyo")) for unit in ("s", "ms", "us", "ns")),
        *(pa.array([AT.replace(tzinfo=None)] * 2, pa.timestamp(unit)) for unit in ("s", "ns")),
        *(pa.array([T * scale] * 2, pa.int64()) for scale in (1, 10**3, 10**6, 10**9)),
        pa.array([float(T)] * 2),
        pa.array([str(T)] * 2),
        pa.array(["2023-11-14T22:13:20Z"] * 2).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)  # fmt: skip
def test_times_of_every_type_are_the_same_instant(tmp_path: Path, time: pa.Array) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"time": time, "a": [1.5, 2.5]}), path)
    found, rejects = readings(path)
    assert not rejects
    assert plain(found) == [("x", "a", 0, 1.5), ("x", "a", 0, 2.5)]


def test_columns_of_every_type_become_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table(
        {
            "ts": pa.array([T, T + 1]),
            "whole": pa.array([1, None], pa.int8()),
            "on": [True, False],
            "word": pa.array(["idle", None]).dictionary_encode(),
            "money": pa.array([None, 2], pa.decimal128(9, 2)),
            "list": [[1], [2]],
        }
    )
    pq.write_table(table, path)
    found, rejects = readings(path)
    assert not rejects
    assert {(metric, at, value) for _, metric, at, value in plain(found)} == {
        ("whole", 0, 1.0), ("on", 0, 1.0), ("on", 1, 0.0), ("word", 0, "idle"), ("money", 1, 2.0),
    }  # fmt: skip
    with pytest.raises(OperatorError, match="'list' holds list"):
        readings(path, Wish(Mapping(values=("list",))))


def test_a_long_table_with_labels_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {
        "time": [T, T + 1], "device": ["a", "b"], "metric": ["m", "m"], "value": [1.0, 2.0],
        "room": ["hall", None],
    }  # fmt: skip
    pq.write_table(pa.table(columns), path)
    found, _ = readings(path, Wish(Mapping(labels=("room",))))
    assert [(row[0], row[3]) for row in found] == [("a", (("room", "hall"),)), ("b", ())]


def test_local_times_need_a_zone(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    local = pa.array([AT.replace(tzinfo=None)], pa.timestamp("us"))
    pq.write_table(pa.table({"time": local, "a": [1.0]}), path)
    world = World(tmp_path)
    with pytest.raises(OperatorError, match=r"row 1, column 'time'.*--zone Europe/Berlin"):
        world.bring(path, wish=Wish())
    assert world.bring(path, wish=Wish(rule=TimeRule("Europe/Berlin")))[0].readings == 1
    assert world.held() == {("x", "a", "", (T - 3600) * 10**6, 1.0): 1}


def test_however_its_row_groups_are_cut_the_same_comes_in_once(tmp_path: Path) -> None:
    table = pa.table({"time": T + np.arange(5000), "a": np.arange(5000.0), "b": np.arange(5000.0)})
    world = World(tmp_path)
    for size in (7, 5000):
        path = tmp_path / f"{size}.parquet"
        pq.write_table(table, path, row_group_size=size)
        (outcome,) = world.bring(path, wish=Wish(Mapping(device="one")))
        assert outcome.readings == (10_000 if size == 7 else 0)
    assert sum(world.held().values()) == len(world.held()) == 10_000


def test_a_row_group_that_no_memory_bound_could_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_file, "GROUP_BYTES_MAX", 1000)
    path = tmp_path / "x.parquet"
    pq.write_table(
        pa.table({"time": T + np.arange(500), "a": np.random.default_rng(1).random(500)}), path
    )
    with pytest.raises(OperatorError, match="smaller row groups"):
        readings(path)


@pytest.mark.parametrize("keep", [4, 100, -9])
def test_a_damaged_file_is_told_as_one(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"time": T + np.arange(500), "a": np.arange(500.0)}), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(OperatorError, match="is it whole, and Parquet"):
        readings(path)


def test_a_page_that_was_changed_is_told_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"time": T + np.arange(5000), "a": np.arange(5000.0)})
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    for at in range(60, len(data) // 2, 7):
        data[at] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(OperatorError, match=r"read .*x\.parquet"):
        readings(path)


def test_a_long_word_of_a_dictionary_takes_no_more_memory_than_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_file, "TEXT_BYTES_AT_ONCE", 20_000)
    path = tmp_path / "x.parquet"
    words = ["on", None, "é" * 9000, "off"] * 50
    pq.write_table(pa.table({"time": T + np.arange(200), "a": words}), path)
    parts = []
    for batch in pq.ParquetFile(path, read_dictionary=["a"]).iter_batches():
        parts += parquet_file.parts_of(batch)
    assert sum(part.num_rows for part in parts) == 200
    assert all(part["a"].dictionary_decode().nbytes < 30_000 for part in parts)
    found, rejects = readings(path)
    assert [value for *_, value in plain(found)] == ["on", "off"] * 50
    assert [(one.row, one.reason) for one in rejects] == [
        (row, Reason.LONG_TEXT) for row in range(3, 201, 4)
    ]


@pytest.mark.parametrize(
    "time",
    [
        pa.array([-(2**63), T * 10**9], pa.timestamp("ns", "UTC")),
        pa.array([2**53, T], pa.timestamp("s", "UTC")),
    ],
    ids=lambda column: str(column.type),
)
def test_a_time_that_no_calendar_has_is_told_and_the_others_come_in(
    tmp_path: Path, time: pa.Array
) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"time": time, "a": [1.5, 2.5]}), path)
    found, rejects = readings(path)
    assert plain(found) == [("x", "a", 0, 2.5)]
    assert [(one.row, one.reason) for one in rejects] == [(1, Reason.OUT_OF_RANGE)]
