"""What is marked as bad is left out as if it had never been measured, at every resolution."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.query.clean import RAW_PIECES_MAX, bad_of, pieces
from cloud.query.history import Ask, Cursor
from cloud.query.plan import Resolution
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World

_stretch = st.tuples(st.integers(0, 400), st.integers(1, 120)).map(
    lambda pair: (T0 + pair[0] * 17_000_000, T0 + (pair[0] + pair[1]) * 17_000_000)
)


@given(st.lists(_stretch, max_size=60))
def test_stretches_are_joined_and_say_of_every_time_whether_it_is_bad(stretches):
    bad = bad_of(stretches)
    assert (bad.start[1:] > bad.end[:-1]).all()
    ts = np.arange(T0, T0 + 600 * 17_000_000, 8_500_000)
    expected = [not any(a <= t < b for a, b in stretches) for t in ts.tolist()]
    assert bad.good(ts).tolist() == expected


@given(st.lists(_stretch, max_size=80), st.sampled_from([MINUTE_US, HOUR_US]))
def test_pieces_read_every_good_bucket_once_and_no_cut_one_from_a_rollup(stretches, width):
    bad = bad_of(stretches)
    start, end = T0, T0 + 8 * HOUR_US
    found = pieces(start, end, width, bad)
    assert sum(piece.is_raw for piece in found) <= RAW_PIECES_MAX
    assert all(a.end <= b.start for a, b in pairwise(found))
    read = {at: piece.is_raw for piece in found for at in range(piece.start, piece.end, width)}
    for at in range(start, end, width):
        clean = bad.good(np.arange(at, at + width, 500_000))
        if clean.any():
            assert at in read
        if not clean.all() and at in read:
            assert read[at]


@given(
    st.lists(_stretch, min_size=1, max_size=6),
    st.lists(st.integers(0, 500), min_size=1, max_size=60),
    st.integers(0, 60),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_answer_without_bad_data_is_that_of_a_lake_that_never_had_it(
    tmp_path_factory, stretches, places, split
):
    root: Path = tmp_path_factory.mktemp("world")
    rows = [(T0 + place * 17_000_000, float(i)) for i, place in enumerate(places)]
    bad = bad_of(stretches)
    kept = [row for row in rows if bad.good(np.array([row[0]]))[0]]
    whole, clean = World(root / "whole"), World(root / "clean")
    try:
        for world, part in ((whole, rows), (clean, [(T0 - DAY_US, 0.0), *kept])):
            for piece in (part[:split], part[split:]):
                if piece:
                    world.send("pump", piece)
                world.consolidate()
            world.follow()
        for asked in _asks(whole.id("pump")):
            left_out = whole.query.history(_with(asked, {asked.series[0]: bad}))
            assert _told(left_out) == _told(clean.query.history(asked))
        assert _pages(whole, bad) == sorted(kept, key=lambda row: row[0])
    finally:
        whole.close()
        clean.close()


def _asks(series: int) -> list[Ask]:
    span = T0, T0 + DAY_US
    tiers = (Resolution.MINUTE, Resolution.HOUR, Resolution.DAY)
    fine = [Ask((series,), T0, T0 + HOUR_US, 400)]
    return [Ask((series,), *span, 2000, tier) for tier in tiers] + fine


def _with(ask: Ask, without) -> Ask:
    return Ask(ask.series, ask.from_us, ask.to_us, ask.points, ask.resolution, without=without)


def _told(answer) -> list:
    (series,) = answer.series
    if answer.buckets is None:
        return list(zip(series.ts.tolist(), series.value.tolist(), strict=True))
    names = ("bucket", "count", "sum", "min", "max", "first", "last")
    return [getattr(series.partials, name).tolist() for name in names]


def _pages(world: World, bad) -> list:
    found, cursor = [], None
    while True:
        ask = Ask(
            (world.id("pump"),), T0, T0 + DAY_US, resolution=Resolution.RAW, limit=3,
            cursor=cursor, without={world.id("pump"): bad},
        )  # fmt: skip
        answer = world.query.history(ask)
        (series,) = answer.series
        found += zip(series.ts.tolist(), series.value.tolist(), strict=True)
        cursor: Cursor | None = answer.next
        if cursor is None:
            return found
