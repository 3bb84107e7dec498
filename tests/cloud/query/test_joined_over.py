"""Means over time, increases, quantiles and durations of joined series: those of a naive list."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.lake import plan as lake_plan
from cloud.query import one as query_one
from cloud.query.clean import bad_of
from cloud.query.history import Ask
from cloud.query.joined import partials_of
from cloud.query.one import TooManyReadings
from cloud.query.plan import Buckets, Resolution
from cloud.query.rows import OVER, BucketSeries, More
from cloud.rollup import partials as rollup
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US, Readings
from cloud.series.joined import Segment
from cloud.series.operation import BEGINNING, END
from cloud.series.units import Factor
from tests.cloud import over_model
from tests.cloud.joined_model import DEVICES, KIND, Model
from tests.cloud.lake_world import T0
from tests.cloud.query.operated_world import Operated, operations
from tests.cloud.query.test_over import check_durations, check_same

METERS = ("a Wh", "b kWh", "c Wh", "d MJ")
TIER = {MINUTE_US: Resolution.MINUTE, HOUR_US: Resolution.HOUR, DAY_US: Resolution.DAY}
BAD = T0 - 900_000_000, T0 + 2_000_000_000

_time = st.one_of(
    st.integers(-40, 40).map(lambda n: T0 + n * 431_000_000),
    st.integers(-40, 40).map(lambda n: T0 + n * 700_000),
)
_value = st.one_of(st.integers(0, 64).map(lambda n: n / 4), st.just(math.nan))
_number = st.integers(0, 3)


def _actions(units: list[str]) -> st.SearchStrategy:
    rows = st.lists(st.tuples(_time, _value), min_size=1, max_size=6)
    send = st.tuples(st.just("send"), _number, rows)
    operate = st.tuples(st.just("operate"), operations(_time, units))
    other = st.sampled_from([("consolidate",), ("restart",), ("ask",)])
    return st.lists(st.one_of(send, send, operate, operate, other), min_size=5, max_size=14)


@pytest.mark.parametrize(
    ("devices", "actions"),
    [(DEVICES, _actions(["°C", "°F", "K"])), (METERS, _actions(["Wh", "kWh", "MJ"]))],
)
def test_any_operations_and_late_data_tell_over_time_what_a_naive_model_does(
    tmp_path_factory, monkeypatch, devices, actions
):
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)

    @given(actions)
    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def any_of(actions):
        world = Operated(tmp_path_factory.mktemp("world") / "lake", devices)
        try:
            _play(world, actions)
        finally:
            world.close()

    any_of()


def _play(world: Operated, actions) -> None:
    for action in [*actions, ("ask",)]:
        match action:
            case ("send", number, rows):
                world.send(world.devices[number], rows)
            case ("operate", operation):
                world.operate(*operation)
            case ("consolidate",):
                world.consolidate()
            case ("restart",):
                world.reopen()
            case ("ask",):
                world.follow()
                _ask(world)


def _ask(world: Operated) -> None:
    model = Model(world.operations, {name.id: each for each, name in world.names.items()})
    for root in model.parts:
        rows = model.rows(root, world.sent)
        for width in (MINUTE_US, HOUR_US, DAY_US, 7_000_000):
            check(world, root, rows, width)
        check(world, root, model.rows(root, world.sent, BAD), HOUR_US, BAD)


def check(world: Operated, root: str, rows, width: int, bad: tuple[int, int] = (0, 0)) -> None:
    """The answer for a joined series beside that of a loop over ``rows``, which it is made of."""
    around = HOUR_US if width < MINUTE_US else DAY_US
    edges = np.arange(T0 - around // width * width, T0 + around, width, dtype=np.int64)
    series = ask(world, root, edges, width, bad=bad)
    buckets = series.partials.bucket.tolist()
    wanted = over_model.over(rows, edges.tolist())
    check_same(told_of(series), wanted)
    means = ask(world, root, edges, width, frozenset({More.OVER_TIME}), bad)
    check_same(told_of(means), [(at, (*told[:2], math.nan)) for at, told in wanted])
    for at, start in enumerate(buckets):
        for name, share in (("p5", Fraction(1, 20)), ("p50", Fraction(1, 2))):
            want = over_model.quantile(rows, start, start + width, share)
            assert series.quantiles[name][at] == pytest.approx(want, rel=1e-12, nan_ok=True)
        check_durations(series.durations[at], over_model.durations(rows, start, start + width))


def told_of(series: BucketSeries) -> list[tuple[int, over_model.Told]]:
    over = series.over
    told = zip(over.mean.tolist(), over.covered.tolist(), over.increase.tolist(), strict=True)
    return list(zip(series.partials.bucket.tolist(), told, strict=True))


def ask(world, root: str, edges, width: int, more=frozenset(More), bad=(0, 0)) -> BucketSeries:
    resolution = TIER.get(width, Resolution.AUTO)
    grid = None if width in TIER else Buckets(width, None, "odd", edges)
    without = {name.id: bad_of([bad]) for name in world.names.values() if bad[1]}
    start, end = int(edges[0]), int(edges[-1])
    asked = Ask(
        (world.names[root].id,), start, end, 20_000, resolution, grid=grid, without=without,
        joined=world.resolver, more=more,
    )  # fmt: skip
    (series,) = world.query.history(asked).series
    return series


@pytest.fixture
def world(tmp_path: Path):
    """Two meters, the second in kWh takes the place of the first in Wh; thermometers beside."""
    world = Operated(tmp_path / "lake", (*METERS[:2], *DEVICES[:2]))
    yield world
    world.close()


def half_hours(count: int, start: int = 0) -> list[int]:
    return [T0 + (start + i) * HOUR_US // 2 + 1 for i in range(count)]


def test_a_meter_that_was_swapped_counts_on_in_its_first_unit_over_resets(world):
    world.send("a Wh", [(ts, 1000.0 * (i % 30)) for i, ts in enumerate(half_hours(48))])
    world.send("b kWh", [(ts, float(i % 20)) for i, ts in enumerate(half_hours(48, 48))])
    world.consolidate()
    world.operate(KIND.REPLACE, 0, 1, T0 + DAY_US)
    world.follow()
    ids = {name.id: each for each, name in world.names.items()}
    rows = Model(world.operations, ids).rows("a Wh", world.sent)
    for width in (MINUTE_US, HOUR_US, DAY_US, 7_000_000):
        check(world, "a Wh", rows, width)
    edges = np.array([T0, T0 + DAY_US, T0 + 2 * DAY_US], np.int64)
    over = ask(world, "a Wh", edges, DAY_US).over
    assert over.increase.tolist() == [46_000.0, 45_000.0]


def test_means_of_another_unit_are_made_from_rollups_and_rises_of_a_moved_zero_are_not(
    world, monkeypatch
):
    world.send("a °C", [(ts, float(i % 7)) for i, ts in enumerate(half_hours(48))])
    world.send("b °F", [(ts, float(i % 9)) for i, ts in enumerate(half_hours(96, 48))])
    world.consolidate()
    world.operate(KIND.REPLACE, 2, 3, T0 + 36 * HOUR_US)
    world.follow()
    ids = {name.id: each for each, name in world.names.items()}
    rows = Model(world.operations, ids).rows("a °C", world.sent)
    edges = np.arange(T0, T0 + 4 * DAY_US, DAY_US)
    wanted = over_model.over(rows, edges.tolist())
    monkeypatch.setattr(query_one, "READINGS_MAX", 0)
    means = ask(world, "a °C", edges, DAY_US, frozenset({More.OVER_TIME}))
    check_same(told_of(means), [(at, (*told[:2], math.nan)) for at, told in wanted])
    first = ask(world, "a °C", edges[:2], DAY_US, OVER)
    check_same(told_of(first), wanted[:1])
    with pytest.raises(TooManyReadings):
        ask(world, "a °C", edges, DAY_US, OVER)
    monkeypatch.undo()
    check_same(told_of(ask(world, "a °C", edges, DAY_US, OVER)), wanted)


_readings = st.lists(
    st.tuples(st.integers(-9, 9).map(lambda n: T0 + n * 17_000_000), _value), min_size=1
)
_ratio = st.integers(-40, 40).map(lambda n: Fraction(n, 8))


@given(_readings, _ratio.filter(bool), st.one_of(st.just(Fraction(0)), _ratio))
def test_buckets_in_another_unit_are_those_of_converted_readings_or_know_no_resets(rows, a, b):
    rows = sorted(rows, key=lambda row: row[0])
    factor = Factor(a, b)
    said = partials_of(7, 0, Segment(None, BEGINNING, END, "x", factor), reduced(rows))
    values = factor.of(np.array([value for _, value in rows]))
    wanted = reduced([(ts, value) for (ts, _), value in zip(rows, values, strict=True)])
    keeps = factor.is_identity or (a > 0 and b == 0)
    for name in ("integral", "held", "head", "tail", *(("reset_sum",) if keeps else ())):
        of = pytest.approx(getattr(wanted, name), nan_ok=True)
        assert getattr(said, name) == of, name
    assert not rollup.unknown(said, rises=False).any()
    assert rollup.unknown(said, rises=True).tolist() == [not keeps] * len(said)


def reduced(rows):
    ts = np.array([ts for ts, _ in rows], np.int64)
    value = np.array([value for _, value in rows])
    none = np.full(len(rows), None, object)
    held = Readings(np.full(len(rows), 7), ts, value, none, np.zeros(len(rows), np.uint8))
    return rollup.reduce(held, MINUTE_US, 1)
