"""What the page shows with `points` is what its export gets by the width of the buckets."""

import pytest

from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud.lake_world import T0
from tests.cloud.serve.cases_world import CasesWorld, rows_of


@pytest.fixture
def world(tmp_path):
    made = CasesWorld(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("every", "width", "name"),
    [
        (250_000, 500_000, "500ms"),
        (MINUTE_US // 6, MINUTE_US, "1m"),
        (MINUTE_US, 30 * MINUTE_US, "30m"),
        (HOUR_US, 12 * HOUR_US, "12h"),
        (HOUR_US, 2 * DAY_US, "2d"),
        (HOUR_US, 5 * DAY_US, "5d"),
        (6 * HOUR_US, 28 * DAY_US, "28d"),
        (DAY_US, 56 * DAY_US, "56d"),
    ],
)
def test_buckets_by_their_width_are_those_that_points_gave(world, every, width, name):
    world.put(rows_of(300, every=every))
    asked = {"series": world.id(), "from_": T0 + every, "to": T0 + 299 * every}
    points = -(-298 * every // width) + 1
    shown = world.get("history", **asked, points=points)
    assert shown["bucket_us"] == width
    assert world.get("history", **asked, bucket=name)["series"] == shown["series"]
