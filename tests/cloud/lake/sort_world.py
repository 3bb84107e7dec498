"""A lake whose periods are sorted when a test says so, with files small enough to be many."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud.lake import sort as lake_sort
from cloud.lake import sort_plan as lake_sort_plan
from cloud.lake.sorter import Sorter
from cloud.lake.table import dense, growing
from cloud.lake.table import forms as lake_forms
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.files import DataFile
from cloud.lake.table.schema import READINGS, SERIES_COLUMNS
from cloud.lake.upkeep import Upkeep
from tests.cloud.query_world import World

QUIET_S = 60.0


def small(monkeypatch: pytest.MonkeyPatch, rows: int = 12) -> None:
    """Files of so many rows, in row groups of three; a few row groups in memory."""
    monkeypatch.setattr(lake_parquet, "ROW_GROUP", 3)
    monkeypatch.setattr(growing, "DENSE_GROUP", 3)
    monkeypatch.setattr(dense, "SERIES_ROWS_MIN", 1)
    monkeypatch.setattr(lake_sort_plan, "ROWS_MAX", rows)
    monkeypatch.setattr(lake_sort_plan, "ROWS_TARGET", rows * 3 // 4)
    monkeypatch.setattr(lake_sort, "BYTES_HELD", 4_000)
    monkeypatch.setattr("cloud.lake.sorter.BYTES_HELD", 100_000)
    monkeypatch.setattr(lake_forms, "_TRIED_ROWS_MIN", 8)


class SortWorld(World):
    """`quiet` lets time pass in which nothing comes; ``free`` is the room of its disk."""

    def __init__(self, root: Path, rows_a_slice: int = 1 << 30) -> None:
        self.now_s = 0.0
        self.free = 1 << 40
        self.rows_a_slice = rows_a_slice
        super().__init__(root, self._upkeep)

    def _upkeep(self) -> Upkeep:
        self.sorter = Sorter(
            quiet_s=QUIET_S,
            rows_a_slice=self.rows_a_slice,
            clock=lambda: self.now_s,
            free=lambda _: self.free,
        )
        return Upkeep(self.sorter)

    def quiet(self) -> None:
        """Time passes, and what is due is sorted."""
        self.consolidator.run_once()
        self.now_s += QUIET_S
        while self.consolidator.run_once().is_upkeep_behind:
            pass

    def files(self) -> tuple[DataFile, ...]:
        return self.live.view.tables[READINGS.name].files

    def paths(self) -> list[str]:
        return [file.path for file in self.files()]


def check_sorted(world: World) -> None:
    """Files of no period overlap, and each is in order."""
    table = world.live.view.tables[READINGS.name]
    periods: dict[str, list[list[tuple[object, ...]]]] = {}
    for file in table.files:
        periods.setdefault(file.period, []).append(keys_in(Path(table.path(file))))
    for held in periods.values():
        held.sort()
        for keys in held:
            assert keys == sorted(keys)
        for one, other in pairwise(held):
            assert one[-1] < other[0]


def keys_in(path: Path) -> list[tuple[object, ...]]:
    """(series …, ts) of each row of a file."""
    rows = pq.read_table(path, partitioning=None)
    columns = [rows[name].to_pylist() for name in SERIES_COLUMNS]
    ts = rows["ts"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return list(zip(*columns, ts, strict=True))
