"""Several series in one question, and no word of ends: the same buckets as asked alone, in full."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.query import columns as query_columns
from cloud.query import lake as query_lake
from cloud.query.history import Ask
from cloud.query.plan import Resolution
from cloud.query.rows import BucketSeries, More
from cloud.rollup.partials import DAY_US, HOUR_US, Partials
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World

_DEVICES = ("a", "b", "c")
_SHOWN = {"bucket", "series", "count", "valid", "sum", "min", "max", "first", "last", "last_text"}
_SENT = st.tuples(
    st.sampled_from(_DEVICES),
    st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 3)), min_size=1, max_size=12),
    st.sampled_from(["stay", "consolidate", "follow"]),
)


def told(partials: Partials, names: set[str]) -> dict[str, list]:
    held = {each.name: getattr(partials, each.name) for each in fields(Partials)}
    return {
        name: np.array(column).astype(str).tolist()
        for name, column in held.items()
        if name in names
    }


def listed(series: BucketSeries) -> dict[str, list]:
    assert series.error is not None
    return {name: values.tolist() for name, values in series.quantiles.items()} | {
        "error": series.error.tolist(),
        "of_bins": [series.of_bins],
    }


@given(
    st.lists(_SENT, min_size=1, max_size=8),
    st.tuples(st.integers(0, 42), st.integers(1, 42)),
    st.sampled_from([Resolution.HOUR, Resolution.DAY]),
    st.sampled_from([2, 50]),
    st.sampled_from([query_columns.ROWS_AT_ONCE, 9]),
)
@settings(max_examples=15, deadline=None)
def test_series_asked_together_and_briefly_tell_what_each_tells_alone(
    tmp_path_factory, sent, span, resolution, points, at_once
):
    world = World(tmp_path_factory.mktemp("world") / "lake")
    patch = pytest.MonkeyPatch()
    patch.setattr(query_lake, "ROWS_AT_ONCE", at_once)
    patch.setattr(query_columns, "ROWS_AT_ONCE", at_once)
    try:
        for device, rows, then in sent:
            world.send(device, [(T0 + hour * HOUR_US + value, value) for hour, value in rows])
            if then == "consolidate":
                world.consolidate()
            if then == "follow":
                world.follow()
        world.follow()
        ids = tuple(n.id for n in world.live.book.known().names)
        start = T0 + span[0] * HOUR_US
        ask = (start, start + span[1] * HOUR_US, points, resolution)
        together = world.query.history(Ask(ids, *ask, ends=False)).series
        for series, found in zip(ids, together, strict=True):
            (alone,) = world.query.history(Ask((series,), *ask)).series
            assert told(found.partials, _SHOWN) == told(alone.partials, _SHOWN)
            assert found.partials.count.sum() == alone.partials.count.sum()
        whole = world.query.history(Ask(ids, *ask)).series
        for series, found in zip(ids, whole, strict=True):
            (alone,) = world.query.history(Ask((series,), *ask)).series
            every = {each.name for each in fields(Partials)} - {"integral", "held"}
            assert told(found.partials, every) == told(alone.partials, every)
        lists = frozenset({More.QUANTILES, More.DURATIONS})
        whole = world.query.history(Ask(ids, *ask, more=lists)).series
        for series, found in zip(ids, whole, strict=True):
            (alone,) = world.query.history(Ask((series,), *ask, more=lists)).series
            assert repr(listed(found)) == repr(listed(alone))
            assert found.durations == alone.durations
    finally:
        patch.undo()
        world.close()


def test_a_bucket_of_several_rows_is_told_whole_though_nobody_asks_for_ends(tmp_path):
    world = World(tmp_path / "lake")
    for step in (3, 1, 2):
        world.send("a", [(T0 + step * 1_000_000, step)])
        world.send("b", [(T0 + step * 1_000_000, step), (T0 + DAY_US, 9)])
        world.consolidate()
    world.follow()
    ids = (world.id("a"), world.id("b"))
    found = world.query.history(
        Ask(ids, T0, T0 + 2 * DAY_US, 50, Resolution.HOUR, ends=False)
    ).series
    for each in found:
        assert (each.partials.first[0], each.partials.last[0], each.partials.count[0]) == (1, 3, 3)
    world.close()
