"""Operations, marks and imports say the same wherever tables are made, and through any change."""

import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from deltalake import DeltaTable

from cloud.lake.table.schema import ROLLUPS, added
from cloud.query.history import Ask, Query
from cloud.query.plan import Resolution
from cloud.query.rows import OVER, BucketSeries
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from cloud.settings import Placement
from cloud.verify.whole import verify
from protos.records import Batch
from tests.cloud import over_model
from tests.cloud.lake.table.test_former import make_former
from tests.cloud.lake_world import T0
from tests.cloud.operated_cloud import SPAN, Cloud
from tests.cloud.query.test_joined_over import told_of
from tests.cloud.query.test_over import check_same
from tests.cloud.roles.role_world import World

APART, TOGETHER = Placement.APART, Placement.TOGETHER
SEAM = T0 + 90 * MINUTE_US
BAD = T0 + 2 * HOUR_US, T0 + 3 * HOUR_US


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return lived(tmp_path_factory.mktemp("together"), TOGETHER, TOGETHER)


@pytest.mark.parametrize("placements", [(APART, APART), (TOGETHER, APART), (APART, TOGETHER)])
def test_one_history_whoever_makes_its_tables(
    tmp_path: Path, together: dict[str, object], placements: tuple[Placement, Placement]
) -> None:
    told = lived(tmp_path, *placements)
    assert told.keys() == together.keys()
    for path, answer in together.items():
        assert told[path] == answer, path


def lived(root: Path, first: Placement, second: Placement) -> dict[str, object]:
    """What a cloud says at the end of one life: it is stopped, moved and killed meanwhile."""
    cloud = Cloud(root)
    try:
        cloud.open(first)
        cloud.send("old °C", minutes(0, 240, lambda i: float(i % 17)))
        cloud.send("new °F", minutes(60, 120, lambda i: 50.0 + i % 9))
        cloud.send("meter Wh", minutes(0, 300, lambda i: 1000.0 * (i % 130)))
        cloud.say("door", [(T0, "open"), (T0 + HOUR_US, "shut")])
        cloud.drain()
        ids = cloud.ids()
        replaced = {"series": ids["old °C"], "other": ids["new °F"], "from": SEAM}
        cloud.post("operations", kind="replace", **replaced)
        cloud.post("marks", kind="bad", **{"from": BAD[0], "to": BAD[1]}, series=[ids["old °C"]])
        cloud.send("new °F", minutes(121, 200, lambda i: 60.0 + i % 11))
        cloud.close()
        cloud.place(second)
        cloud.bring("past °C", minutes(-120, 30, lambda i: float(i % 5)))
        cloud.bring("past °C", minutes(-130, 10, lambda i: float(i % 5)))  # most of it again
        cloud.open(second)
        ids = cloud.ids()
        merged = {"series": ids["old °C"], "other": ids["past °C"], "to": T0}
        cloud.post("operations", kind="merge", **merged)
        cloud.post("operations", kind="unit", series=ids["old °C"], unit="K")
        cloud.send("new °F", minutes(50, 99, lambda i: 70.0 + i % 3, MINUTE_US // 2))  # late
        cloud.kill_consolidation()
        measured = {"series": ids["meter Wh"], "unit": "kWh", "from": T0 + 2 * HOUR_US}
        cloud.post("operations", kind="measured", **measured)
        cloud.send("meter Wh", minutes(301, 400, lambda i: float(i)))
        cloud.post("operations", kind="rename", series=ids["meter Wh"], device="main meter")
        cloud.say("door", [(T0 + 5 * HOUR_US, "open")])
        cloud.drain()
        check(cloud)
        told = cloud.answers()
    finally:
        cloud.close()
    found = verify(cloud.home / "journal", cloud.home / "lake")
    assert found.is_whole, found.faults
    return told


def minutes(first: int, end: int, value, late_us: int = 0) -> list[tuple[int, float]]:
    return [(T0 + i * MINUTE_US + late_us, value(i)) for i in range(first, end)]


def check(cloud: Cloud) -> None:
    """Each joined series is what a naive list of its readings is."""
    model, ids = cloud.model(), cloud.ids()
    assert model.parts.keys() == {"old °C", "meter Wh"}
    for root in model.parts:
        for how, bad in (("", (0, 0)), ("&bad=exclude", BAD if root == "old °C" else (0, 0))):
            asked, rows = (
                f"history?series={ids[root]}&{SPAN}{how}",
                model.rows(root, cloud.sent, bad),
            )
            (raw,) = cloud.get(f"{asked}&resolution=raw")["series"]
            assert raw["t"] == [ts for ts, _ in rows]
            assert raw["v"] == pytest.approx([value for _, value in rows], rel=1e-12)
            columns = "time_mean,covered_us,increase"
            (hours,) = cloud.get(f"{asked}&bucket=1h&columns={columns}")["series"]
            edges = range(T0 - 2 * DAY_US, T0 + 2 * DAY_US + 1, HOUR_US)
            told = zip(*(hours[name] for name in columns.split(",")), strict=True)
            known = [tuple(math.nan if one is None else one for one in each) for each in told]
            wanted = over_model.over(rows, edges)
            check_same(list(zip(hours["t"], known, strict=True)), wanted)
    segments = cloud.get(f"segments?series={ids['past °C']}")["segments"]
    assert {one["device"] for one in segments} == {"old °C", "new °F", "past °C"}


def test_a_lake_of_a_former_version_gets_its_columns_in_the_process_that_makes_tables(
    tmp_path: Path,
) -> None:
    rows = [(T0 + i * 300_000_000, float((i * 7) % 11)) for i in range(60)]
    world = World(tmp_path)
    with closing(world.start()):
        world.gateway.send(numbers(world, rows[:40]))
        world.drain()
    for spec in ROLLUPS:
        make_former(tmp_path / "lake", spec, added(spec))
    world = World(tmp_path)
    with closing(world.start()):
        for spec in ROLLUPS:
            fields = DeltaTable(str(tmp_path / "lake" / spec.name)).schema().fields
            assert added(spec) <= {field.name for field in fields}
        check_hours(world, rows[:40])
        world.gateway.send(numbers(world, rows[40:]))
        world.drain()
        check_hours(world, rows)


def numbers(world: World, rows: Sequence[tuple[int, float]]) -> Batch:
    return world.gateway.numbers("pump", [ts for ts, _ in rows], [value for _, value in rows])


def check_hours(world: World, rows: Sequence[tuple[int, float]]) -> None:
    (name,) = world.live.book.known().names
    ask = Ask((name.id,), T0, T0 + DAY_US, 1000, Resolution.HOUR, more=OVER)
    with closing(Query(world.live, threads=1)) as query:
        (series,) = query.history(ask).series
    assert isinstance(series, BucketSeries)
    check_same(told_of(series), over_model.over(rows, range(T0, T0 + DAY_US + 1, HOUR_US)))
