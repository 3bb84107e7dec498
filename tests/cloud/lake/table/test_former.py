"""A lake of a former version opens, answers exactly from the readings, and a rebuild fills it."""

from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from cloud.cli import console
from cloud.lake.rebuild import rebuild
from cloud.lake.table import parquet
from cloud.lake.table.schema import OVER_TIME, ROLLUPS, TableSpec, added
from cloud.lake.table.table import LakeTable, look
from cloud.query.rows import BucketSeries, More
from cloud.rollup.partials import DAY_US, HOUR_US
from cloud.verify.whole import verify
from tests.cloud import over_model
from tests.cloud.lake_world import T0
from tests.cloud.query.test_over import ask, check_same, found, unsure
from tests.cloud.query_world import World
from tests.cloud.verify_world import Home

ROWS = [(T0 + i * 300_000_000, float((i * 7) % 11)) for i in range(60)]


NO_LISTS = frozenset().union(*map(added, ROLLUPS)) - set(OVER_TIME)
LACKING = {"before what was over time": frozenset().union(*map(added, ROLLUPS))}
LACKING |= {"before bins and states": NO_LISTS}


@pytest.fixture(params=LACKING)
def lacking(request) -> frozenset[str]:
    """What tables of a former version lack."""
    return LACKING[request.param]


@pytest.fixture
def world(tmp_path: Path, lacking):
    world = World(tmp_path / "lake")
    world.send("pump", ROWS[:40])
    world.consolidate()
    world.consolidator.close()
    for spec in ROLLUPS:
        make_former(tmp_path / "lake", spec, lacking)
    world.open()
    yield world
    world.close()


def make_former(root: Path, spec: TableSpec, lacking: frozenset[str]) -> None:
    """The table as a version without the newer columns would have written it."""
    state = look(root, spec)
    paths = [Path(path) for path in state.files.paths()]
    rows = parquet.read(paths, spec) if paths else spec.schema.empty_table()
    for path in sorted((root / spec.name).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / spec.name).rmdir()
    kept = [field for field in spec.schema if field.name not in lacking]
    former = TableSpec(spec.name, pa.schema(kept), spec.grain, spec.delta)
    made = LakeTable.open(root, former)
    made.append(rows.select(former.schema.names), state.offset)


def test_a_former_lake_opens_at_its_offset_and_answers_exactly(world):
    for spec in ROLLUPS:
        names = [field.name for field in DeltaTable(str(world.root / spec.name)).schema().fields]
        assert added(spec) <= set(names)
    assert world.consolidator.run_once().offset == 1
    world.follow()
    wanted = over_model.over(ROWS[:40], range(T0, T0 + DAY_US + 1, HOUR_US))
    check_same(found(world, "pump", T0, T0 + DAY_US, HOUR_US), wanted)
    assert not medians(world).of_bins


def medians(world: World) -> BucketSeries:
    """What is told of hours and days; the numbers are whole and few: exact whatever they are of."""
    series = ask(world, "pump", T0, T0 + DAY_US, DAY_US, frozenset({More.QUANTILES}))
    wanted = over_model.quantile(world.sent["pump"], T0, T0 + DAY_US, Fraction(1, 2))
    assert series.quantiles["p50"].tolist() == [wanted]
    return series


def test_it_goes_on_beside_former_rows_and_a_rebuild_fills_them(world):
    world.send("pump", ROWS[40:])
    world.consolidate()
    world.follow()
    wanted = over_model.over(ROWS, range(T0, T0 + DAY_US + 1, HOUR_US))
    check_same(found(world, "pump", T0, T0 + DAY_US, HOUR_US), wanted)
    assert unsure(world.root) > 0
    assert not medians(world).of_bins
    world.consolidator.close()
    rebuild(world.root)
    assert unsure(world.root) == 0
    world.open()
    world.follow()
    check_same(found(world, "pump", T0, T0 + DAY_US, HOUR_US), wanted)
    assert medians(world).of_bins


def test_verify_finds_a_former_lake_whole_and_names_the_rebuild(tmp_path, lacking):
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    home = Home(tmp_path / "cloud")
    home.send("a", 300)
    home.drain()
    home.stop()
    for spec in ROLLUPS:
        make_former(home.root / "lake", spec, lacking)
    told = verify(home.root / "journal", home.root / "lake")
    assert told.faults == []
    assert any(note.startswith("rollup_1h: ") and "rebuild" in note for note in told.notes)
    rebuild(home.root / "lake")
    again = verify(home.root / "journal", home.root / "lake")
    assert (again.faults, again.notes) == ([], [])
