"""Time-weighted means and increases of a lake with late data, against a loop over all readings."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.lake import plan as lake_plan
from cloud.lake.rebuild import rebuild
from cloud.lake.table.schema import ROLLUPS
from cloud.lake.table.table import look
from cloud.ledger import of_lake as ledger_lake
from cloud.query import one as query_one
from cloud.query.clean import bad_of
from cloud.query.exact import STATES_MAX
from cloud.query.history import Ask
from cloud.query.one import TooManyReadings
from cloud.query.plan import Buckets, Resolution
from cloud.query.rows import OVER, More
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from protos import records
from tests.cloud import over_model
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World

_row = st.tuples(
    st.one_of(
        st.integers(-40, 40).map(lambda n: T0 + n * 431_000_000),
        st.integers(-40, 40).map(lambda n: T0 + n * 700_000),
    ),
    st.one_of(st.integers(0, 64).map(lambda n: n / 4), st.just(math.nan)),
)
_action = st.one_of(
    st.tuples(st.just("send"), st.sampled_from("ab"), st.lists(_row, min_size=1, max_size=6)),
    st.tuples(st.just("text"), st.just("a"), st.lists(_row, min_size=1, max_size=2)),
    st.sampled_from([("consolidate",), ("restart",), ("ask",)]),
)
_WIDTHS = {Resolution.MINUTE: MINUTE_US, Resolution.HOUR: HOUR_US, Resolution.DAY: DAY_US}


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def say(world: World, device: str, rows: list[tuple[int, str]]) -> None:
    """Texts in the series of numbers of that device."""
    world.sent[device] += rows
    count = len(rows)
    entry = np.full(count, world.gateway.series(device))
    ts = np.array([ts for ts, _ in rows], np.int64)
    texts = [text for _, text in rows]
    world.gateway.send(records.texts(entry, ts, texts, np.ones(count), ts))


def ask(world: World, device: str, start: int, end: int, width: int, more, **other):
    resolution = {width: name for name, width in _WIDTHS.items()}.get(width, Resolution.AUTO)
    grid = None
    if resolution is Resolution.AUTO:
        grid = Buckets(width, None, "odd", np.arange(start, end + 1, width, dtype=np.int64))
    asked = Ask((world.id(device),), start, end, 20_000, resolution, grid=grid, more=more, **other)
    (series,) = world.query.history(asked).series
    return series


def found(world: World, device: str, start: int, end: int, width: int, **other):
    series = ask(world, device, start, end, width, OVER, **other)
    over = series.over
    columns = (over.mean.tolist(), over.covered.tolist(), over.increase.tolist())
    told = list(zip(*columns, strict=True))
    return list(zip(series.partials.bucket.tolist(), told, strict=True))


def check_same(found, wanted) -> None:
    assert [(at, told[1]) for at, told in found] == [(at, told[1]) for at, told in wanted]
    for (_, got), (_, want) in zip(found, wanted, strict=True):
        assert got == pytest.approx(want, rel=1e-9, abs=1e-9, nan_ok=True)


@given(st.lists(_action, min_size=3, max_size=12))
@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_interleaving_gives_the_means_and_increases_of_a_naive_model(
    tmp_path_factory, monkeypatch, actions
):
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    world = World(tmp_path_factory.mktemp("world") / "lake")
    try:
        for action in [*actions, ("ask",)]:
            match action:
                case ("send", device, rows):
                    world.send(device, rows)
                case ("text", device, rows):
                    say(world, device, [(ts, f"is {value}") for ts, value in rows])
                case ("consolidate",):
                    world.consolidate()
                case ("restart",):
                    world.reopen()
                case ("ask",):
                    world.follow()
                    _ask(world)
    finally:
        world.close()


def _ask(world: World) -> None:
    for device, rows in world.sent.items():
        for width in (MINUTE_US, HOUR_US, DAY_US, 7_000_000):
            start = T0 - (HOUR_US if width < MINUTE_US else DAY_US)
            end = T0 + (HOUR_US if width < MINUTE_US else DAY_US)
            end = start + (end - start) // width * width
            edges = range(start, end + 1, width)
            check_same(found(world, device, start, end, width), over_model.over(rows, edges))
            near = ask(world, device, start, end, width, frozenset(More) - {More.EXACT_QUANTILES})
            series = ask(world, device, start, end, width, frozenset(More))
            assert not series.error.any()
            assert width >= HOUR_US or not near.error.any()
            for at, bucket in enumerate(series.partials.bucket.tolist()):
                for name, share in (("p5", Fraction(1, 20)), ("p50", Fraction(1, 2))):
                    want = over_model.quantile(rows, bucket, bucket + width, share)
                    assert repr(series.quantiles[name][at].item()) == repr(want)
                    told = near.quantiles[name][at].item()
                    assert told == pytest.approx(want, abs=near.error[at], rel=0, nan_ok=True)
                stood = over_model.durations(rows, bucket, bucket + width)
                check_durations(series.durations[at], stood)


def check_durations(told, wanted: dict[str, int]) -> None:
    longest = sorted(wanted.values(), reverse=True)
    assert [one.us for one in told if not one.others] == longest[:STATES_MAX]
    rest = [(one.others, one.us) for one in told if one.others]
    left = longest[STATES_MAX:]
    assert rest == ([(len(left), sum(left))] if left else [])
    for one in told:
        if not one.others:
            assert wanted[repr(one.value if one.text is None else one.text)] == one.us


def test_an_answer_without_bad_data_is_that_of_a_series_that_never_had_it(world):
    rows = [(T0 + i * 600_000_000, float((i * 7) % 5)) for i in range(40)]
    world.send("pump", rows)
    world.consolidate()
    world.follow()
    bad = bad_of([(rows[5][0], rows[9][0] + 1), (rows[39][0], rows[39][0] + 1)])
    good = [row for row in rows if bad.good(np.array([row[0]]))[0]]
    for width in (HOUR_US, DAY_US):
        edges = range(T0, T0 + DAY_US + 1, width)
        without = {world.id("pump"): bad}
        got = found(world, "pump", T0, T0 + DAY_US, width, without=without)
        check_same(got, over_model.over(good, edges))
        more = frozenset({More.QUANTILES, More.DURATIONS})
        series = ask(world, "pump", T0, T0 + DAY_US, width, more, without=without)
        for at, start in enumerate(series.partials.bucket.tolist()):
            wanted = over_model.quantile(good, start, start + width, Fraction(1, 2))
            assert series.quantiles["p50"][at] == wanted
            stood = over_model.durations(good, start, start + width)
            check_durations(series.durations[at], stood)


def test_a_bucket_says_the_same_whatever_range_it_is_asked_in(world):
    day = [(T0 - 70 * DAY_US, 100.0), (T0 - 60 * DAY_US, math.nan), (T0 - 30, 4.0)]
    world.send("meter", [*day, (T0 + 5, 9.0), (T0 + HOUR_US, 2.0), (T0 + 2 * HOUR_US, 3.0)])
    world.consolidate()
    world.follow()
    whole = dict(found(world, "meter", T0 - DAY_US, T0 + DAY_US, HOUR_US))
    for at in (T0, T0 + HOUR_US, T0 + 2 * HOUR_US):
        alone = dict(found(world, "meter", at, at + HOUR_US, HOUR_US))
        assert repr(alone) == repr({at: whole[at]})
    assert [told[2] for told in whole.values()] == [4.0, 5.0, 2.0, 1.0]


def test_a_counter_rises_over_days_of_silence_and_words_between(world):
    world.send("meter", [(T0 - 40 * DAY_US, 100.0), (T0 - 39 * DAY_US, 5.0)])
    say(world, "meter", [(T0 - 2 * HOUR_US, "offline")])
    world.consolidate()
    world.send("meter", [(T0 + 7, 12.0)])
    world.follow()
    (bucket,) = found(world, "meter", T0, T0 + MINUTE_US, MINUTE_US)
    assert bucket[1][2] == 7.0


def test_late_data_is_answered_exactly_and_a_rebuild_makes_its_rows_whole(world, monkeypatch):
    step = 60_000_000
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    early = [(T0 + i * step, float(i)) for i in range(0, 120, 2)]
    late = [(T0 + i * step, float(i % 7)) for i in range(1, 120, 2)]
    for rows in (early, late):
        world.send("pump", rows)
        world.consolidate()
    world.follow()
    wanted = over_model.over([*early, *late], range(T0, T0 + DAY_US + 1, HOUR_US))
    check_same(found(world, "pump", T0, T0 + DAY_US, HOUR_US), wanted)
    monkeypatch.setattr(query_one, "READINGS_MAX", 10)
    with pytest.raises(TooManyReadings):
        found(world, "pump", T0, T0 + DAY_US, HOUR_US)
    world.consolidator.close()
    assert unsure(world.root) > 0
    rebuild(world.root)
    assert unsure(world.root) == 0
    world.open()
    world.follow()
    check_same(found(world, "pump", T0, T0 + DAY_US, HOUR_US), wanted)


def test_what_was_said_before_a_bucket_is_not_what_its_own_minute_said(world):
    """Late data make the minute before unsure; the bucket begins within it."""
    for rows in ([(T0, 1.0), (T0 + 5_000_000, 3.0)], [(T0 + 1_000_000, 2.0)]):
        world.send("meter", rows)
        world.consolidate()
    world.send("meter", [(T0 + 8_000_000, 10.0), (T0 + 9_000_000, 11.0)])
    world.follow()
    start = T0 + 7_000_000
    ((_, told),) = found(world, "meter", start, start + 7_000_000, 7_000_000)
    assert told[2] == 8.0


def unsure(root: Path) -> int:
    """Rows of all rollups that do not tell all that they could."""
    found = 0
    for spec in ROLLUPS:
        for path in map(Path, look(root, spec).files.paths()):
            ledger_lake.counted_by(path)  # its columns are those of a table
            assert not ledger_lake.unsound_in(path, spec)
            found += ledger_lake.unsure_in(path, spec)
    return found
