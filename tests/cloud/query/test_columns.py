"""What a question reads of a rollup's columns: those that tell what it wants, and no others."""

from pathlib import Path

import pytest

from cloud.lake.table.schema import OVER_TIME
from cloud.query.history import Ask
from cloud.query.pages import OpenFile
from cloud.query.plan import Resolution
from cloud.query.rows import QUANTILES, More
from cloud.rollup.partials import DAY_US
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World

BINS = {"bin_exponent", "bins", "bin_counts"}
STATES = {"states"}
ALL = BINS | STATES | {*OVER_TIME}
WANTED = {
    frozenset[More](): set[str](),
    frozenset({More.QUANTILES}): BINS,
    frozenset({More.EXACT_QUANTILES}): set(),
    frozenset({More.DURATIONS}): STATES | {"integral", "held_us", "reset_sum"},
    frozenset({More.OVER_TIME}): {"integral", "held_us", "reset_sum"},
}
"""Of a series of numbers without a text or NaN: its ``head`` and ``tail`` are known to be null."""


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    for device in ("a", "b"):
        world.send(device, [(T0 + i * 60_000_000, float(i % 97)) for i in range(300)])
    world.consolidate()
    world.follow()
    yield world
    world.close()


@pytest.mark.parametrize("more", WANTED, ids=lambda more: "+".join(sorted(m.name for m in more)))
@pytest.mark.parametrize("resolution", [Resolution.HOUR, Resolution.DAY])
@pytest.mark.parametrize("devices", ["a", "ab"])
def test_lists_and_what_was_over_time_are_read_only_where_they_are_asked_for(
    world, monkeypatch, more, resolution, devices
):
    read: set[str] = set()
    for way in ("numbers", "part"):
        true = getattr(OpenFile, way)

        def noted(file, group, name, start, end, true=true):
            read.add(name)
            return true(file, group, name, start, end)

        monkeypatch.setattr(OpenFile, way, noted)
    ids = tuple(world.id(device) for device in devices)
    start = T0 - T0 % DAY_US
    ask = Ask(ids, start, start + 2 * DAY_US, 50, resolution, more=more, ends=False)
    world.query.history(ask)
    assert {"ts", "count", "sum"} <= read
    assert read & ALL == WANTED[more]
    needs_ends = not more <= QUANTILES
    assert needs_ends is ("first_ts" in read) is ("last_ts" in read)
