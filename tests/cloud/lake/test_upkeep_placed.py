"""Sorting, retention and unneeded files in a whole cloud, wherever its tables are made."""

from collections import Counter
from pathlib import Path

import pytest

from cloud.lake.table.schema import PERIOD, READINGS
from cloud.live.live import View
from cloud.rollup.partials import DAY_US
from cloud.settings import Placement
from cloud.verify.whole import verify
from tests.cloud.lake_world import T0
from tests.cloud.operated_cloud import SPAN, Cloud
from tests.cloud.roles.role_world import wait_for

RULE = '\n[retention.old]\nseries = "*/*/temperature"\nreadings_days = 1\n'
BOTH = [Placement.TOGETHER, Placement.APART]


@pytest.fixture(params=BOTH)
def cloud(request: pytest.FixtureRequest, tmp_path: Path):
    made = Cloud(tmp_path)
    made.settings = made.settings.replace("# sort_after_s = 600.0", "sort_after_s = 1.0")
    assert "\nsort_after_s = 1.0" in made.settings
    made.placement = request.param
    yield made
    made.close()


def fill(cloud: Cloud, passes: int = 3) -> None:
    """Readings of two devices on one day, a file with each pass."""
    for at in range(passes):
        for device in ("a °C", "b °C"):
            cloud.send(device, [(T0 + (at * 10 + i) * 1_000_000, float(i)) for i in range(10)])
        cloud.drain()


def view(cloud: Cloud) -> View:
    assert cloud.aggregator is not None
    return cloud.aggregator.live.view


def count(cloud: Cloud) -> dict[str, int]:
    """Of each device, readings that its hours account for."""
    found: Counter[str] = Counter()
    for device, one in cloud.ids().items():
        told = cloud.get(f"history?series={one}&{SPAN}&resolution=1h&columns=count")
        found[device] = sum(sum(series["count"]) for series in told["series"])
    return dict(found)


def test_a_day_that_is_over_is_sorted_and_its_progress_told(cloud: Cloud) -> None:
    cloud.open(cloud.placement)
    fill(cloud)
    wait_for(lambda: {file.run > 0 for file in view(cloud).tables[READINGS.name].files} == {True})
    assert count(cloud) == {"a °C": 30, "b °C": 30}
    lake = cloud.aggregator.lake
    wait_for(lambda: lake.progress is not None and lake.progress.sorting.unsorted == 0)
    assert lake.fault is None


def test_old_readings_leave_are_told_and_stay_told_when_the_role_begins_anew(
    cloud: Cloud,
) -> None:
    cloud.settings += RULE
    cloud.open(cloud.placement)
    fill(cloud)
    cloud.send("a °C", [(T0 + 5 * DAY_US, 1.0)])
    cloud.drain()
    wait_for(lambda: view(cloud).retired.total == 60)
    cloud.kill_consolidation()
    cloud.send("a °C", [(T0 + 5 * DAY_US + 1, 1.0)])
    cloud.drain()
    held = view(cloud)
    assert held.tables[READINGS.name].rows == 2
    assert held.retired.total == 60
    assert sorted(held.retired.hulls.values()) == [(T0, T0 + DAY_US)] * 2
    assert count(cloud) == {"a °C": 30, "b °C": 30}
    cloud.close()
    assert verify(cloud.home / "journal", cloud.home / "lake").faults == []


def test_files_that_nobody_names_go_when_the_lake_is_taken(cloud: Cloud) -> None:
    cloud.open(cloud.placement)
    fill(cloud, passes=1)
    cloud.close()
    left = cloud.home / "lake" / READINGS.name / f"{PERIOD}=2023-11-15" / "left.parquet"
    left.write_bytes(b"half")
    cloud.open(cloud.placement)
    assert not left.exists()
    assert count(cloud) == {"a °C": 10, "b °C": 10}
