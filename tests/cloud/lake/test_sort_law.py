"""Files of any rows, merged in slices of any size, are one run of the same rows in order."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.lake.embedded import no_pause
from cloud.lake.sort import Sorting
from cloud.lake.sort_plan import Run, runs_of
from cloud.lake.sorter import _in_order
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import arrange, by_block
from cloud.lake.table.schema import READINGS
from cloud.lake.table.table import LakeTable
from tests.cloud.lake.sort_world import small
from tests.cloud.lake.table.test_parquet import rows_of
from tests.cloud.lake_world import T0

ROWS = st.tuples(st.sampled_from("cab"), st.integers(0, 6), st.integers(1, 2), st.integers(1, 4))


@given(
    st.lists(st.lists(ROWS, min_size=1, max_size=20), min_size=2, max_size=6),
    st.integers(2, 12),
    st.integers(4, 30),
    st.integers(1, 3),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_files_become_one_run_of_the_same_rows_in_the_order_of_their_blocks(
    tmp_path_factory, monkeypatch, files, rows, a_slice, first
):
    small(monkeypatch, rows)
    monkeypatch.setattr("cloud.lake.sort.BYTES_HELD", 100)
    monkeypatch.setattr("cloud.lake.table.log.fsync", lambda _: None)
    monkeypatch.setattr(lake_parquet, "fsync", lambda _: None)
    table = LakeTable.open(tmp_path_factory.mktemp("lake"), READINGS)
    for end, held in enumerate(files, 1):
        table.append(by_block(arrange(_readings(held))), end)
    files_of = [Run((file,)) for file in table.state.files.files]
    for part in (files_of[:first], None):  # a run of many files is merged again with others
        runs = part or runs_of(table.state.files.files)["2023-11-15"]
        if len(runs) > 1:
            sorting = Sorting(table, "2023-11-15", [_in_order(table, run) for run in runs])
            while not sorting.is_done:
                sorting.advance(a_slice, no_pause)
            sorting.commit()
    (run,) = runs_of(table.state.files.files)["2023-11-15"]
    held = [_rows_in(table.folder / file.path) for file in _in_order(table, run).files]
    assert [row for one in held for row in one] == sorted(row for each in files for row in each)
    for one, other in pairwise(held):
        assert one[-1][:2] < other[0][:2]
    ties = max(Counter(row[:2] for each in files for row in each).values())
    assert all(len(one) <= max(rows, ties) for one in held)


def _readings(rows: list[tuple[str, int, int, int]]) -> pa.Table:
    """Readings of (device, second, epoch, seq)."""
    made = rows_of(*((device, T0 + at * 1_000_000, 0.0) for device, at, _, _ in rows))
    for at, name in ((2, "epoch"), (3, "seq")):
        column = pa.array([row[at] for row in rows], made.schema.field(name).type)
        made = made.set_column(made.schema.get_field_index(name), name, column)
    return made


def _rows_in(path: Path) -> list[tuple[str, int, int, int]]:
    rows = lake_parquet.read([path], READINGS)
    at = (lake_parquet.times(rows["ts"]) - T0) // 1_000_000
    columns = (
        rows["device"].to_pylist(),
        at.tolist(),
        *(rows[n].to_pylist() for n in ("epoch", "seq")),
    )
    return list(zip(*columns, strict=True))
