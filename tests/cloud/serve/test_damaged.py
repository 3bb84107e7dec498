"""Files of rollups that say what cannot be: the readings answer, or nothing does."""

from pathlib import Path

import pyarrow as pa
import pytest

from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import no_step
from cloud.lake.table.schema import ROLLUP_1H
from tests.cloud.lake_world import T0
from tests.cloud.serve.test_history import one, send
from tests.cloud.serve_world import World

COUNT = 400
SPAN = {"from_": T0, "to": T0 + 3_600_000_000, "columns": "p50,p99", "bucket": "1h"}


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def spoil(world: World, column: str, by: int) -> None:
    """Every row of the rollup of hours tells ``by`` more in a column of counts."""
    for path in map(Path, world.live.view.tables[ROLLUP_1H.name].paths()):
        rows = lake_parquet.read([path], ROLLUP_1H)
        values = pa.array([one + by for one in rows[column].to_pylist()])
        at = rows.schema.get_field_index(column)
        field = rows.schema.field(at)
        path.unlink()
        rows = rows.set_column(at, field, values.cast(field.type))
        lake_parquet.write_durably(path, rows, ROLLUP_1H, no_step)


@pytest.mark.parametrize("by", [COUNT, 1, -1])
@pytest.mark.parametrize("asked", ["bins", "readings"])
def test_quantiles_of_a_rollup_that_counts_other_numbers_than_there_are_come_of_the_readings(
    world, asked, by
):
    rows = [(T0 + i * 1_000_000, i * 37 % COUNT + 1.0) for i in range(COUNT)]
    send(world, "pump", rows, consolidate=True)
    spoil(world, "valid", by)
    series = one(world, "pump", quantiles=asked, **SPAN)
    assert (series["p50"], series["p99"]) == ([200.0], [396.0])


def test_a_rollup_that_counts_other_readings_than_there_are_is_no_fault_of_the_server(world):
    send(world, "pump", [(T0 + i * 1_000_000, float(i)) for i in range(COUNT)], consolidate=True)
    spoil(world, "count", 1)
    told = "count,mean,p50,quantile_error,time_mean,increase,durations"
    for asked in ("bins", "readings"):
        series = one(world, "pump", quantiles=asked, **SPAN | {"columns": told})
        assert series["count"] == [COUNT + 1]
