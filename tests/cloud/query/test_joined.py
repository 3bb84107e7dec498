"""Any operations and any history: what is asked of a joined series is what a naive list has."""

import math
from collections import defaultdict
from dataclasses import fields

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.lake import plan as lake_plan
from cloud.live.joined import JoinedBook
from cloud.query import joined as query_joined
from cloud.query.clean import bad_of
from cloud.query.history import Ask
from cloud.query.plan import Resolution
from cloud.query.states import StatesAsk, states
from cloud.rollup.partials import DAY_US, MINUTE_US, Partials
from cloud.serve.shown import Shown
from tests.cloud.joined_model import DEVICES, Model
from tests.cloud.lake_world import T0
from tests.cloud.query.operated_world import Operated, operations

SPAN = T0 - DAY_US, T0 + DAY_US
BAD = T0 - 30_000_000, T0 + 40_000_000


_time = st.integers(-9, 9).map(lambda n: T0 + n * 20_000_000)
_row = st.tuples(
    st.one_of(_time, st.integers(-9, 9).map(lambda n: T0 + n * 900_000)),
    st.one_of(st.integers(-64, 64).map(lambda n: n / 4), st.just(math.nan)),
)
_number = st.integers(0, 3)
_operation = operations(_time, ["°C", "°F", "K"])
_action = st.one_of(
    st.tuples(st.just("send"), _number, st.lists(_row, min_size=1, max_size=6)),
    st.tuples(st.just("operate"), _operation),
    st.tuples(st.just("operate"), _operation),
    st.sampled_from([("consolidate",), ("restart",), ("ask",)]),
)


@given(st.lists(_action, min_size=6, max_size=20))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_operations_and_any_history_are_those_of_a_naive_model(
    tmp_path_factory, monkeypatch, actions
):
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    world = Operated(tmp_path_factory.mktemp("world") / "lake")
    try:
        for action in [*actions, ("ask",)]:
            match action:
                case ("send", number, rows):
                    world.send(DEVICES[number], rows)
                case ("operate", operation):
                    world.operate(*operation)
                case ("consolidate",):
                    world.consolidate()
                case ("restart",):
                    world.reopen()
                case ("ask",):
                    world.follow()
                    _ask(world)
    finally:
        world.close()


def _ask(world: Operated) -> None:
    devices = {name.id: device for device, name in world.names.items()}
    model = Model(world.operations, devices)
    for root, parts in model.parts.items():
        number = world.names[root].id
        for device in (root, *{part[0] for part in parts}):
            assert world.resolver.root(world.names[device].id) == number
        wanted = model.rows(root, world.sent)
        assert _close(_raw(world, number), wanted)
        _ask_buckets(world, number, model.rows(root, world.sent, BAD))
        _ask_states(world, number, wanted)
    _ask_latest(world, model)


def _raw(world: Operated, number: int) -> list[tuple[int, float]]:
    found, cursor = [], None
    while True:
        ask = Ask(
            (number,), *SPAN, resolution=Resolution.RAW, limit=4, cursor=cursor,
            joined=world.resolver,
        )  # fmt: skip
        answer = world.query.history(ask)
        for rows in answer.series:
            assert rows.id == number
            found += zip(rows.ts.tolist(), rows.value.tolist(), strict=True)
        cursor = answer.next
        if cursor is None:
            return found


def _ask_buckets(world: Operated, number: int, wanted: list[tuple[int, float]]) -> None:
    """Minutes from the rollups, a bad stretch left out, as the readings make them."""
    without = {name.id: bad_of([BAD]) for name in world.names.values()}
    ask = Ask((number,), *SPAN, 5000, Resolution.MINUTE, without=without, joined=world.resolver)
    (series,) = world.query.history(ask).series
    found = series.partials
    groups: dict[int, list[float]] = defaultdict(list)
    for ts, value in wanted:
        groups[ts // MINUTE_US * MINUTE_US].append(value)
    assert found.bucket.tolist() == sorted(groups)
    for i, bucket in enumerate(sorted(groups)):
        values = groups[bucket]
        valid = [value for value in values if value == value]
        assert (found.series[i], found.count[i], found.valid[i]) == (
            number, len(values), len(valid),
        )  # fmt: skip
        told = [found.first[i], found.last[i], found.sum[i]]
        assert _same(told, [values[0], values[-1], sum(valid)])
        if valid:
            assert _same([found.min[i], found.max[i]], [min(valid), max(valid)])


def _ask_states(world: Operated, number: int, wanted: list[tuple[int, float]]) -> None:
    ask = StatesAsk(number, T0, SPAN[1], 1000, joined=world.resolver)
    found = states(world.query, ask).stretches
    before = [value for ts, value in wanted if ts < T0]
    if before:
        assert found
        assert found[0].from_us == T0
    at_t0 = [value for ts, value in wanted if ts == T0]
    standing = (at_t0 or before or [None])[-1]
    if standing is not None:
        assert _same([found[0].value], [standing])


def _ask_latest(world: Operated, model: Model) -> None:
    class Held:
        resolver = world.resolver

    shown = Shown(Held(), world.live, world.query)
    known = shown.book().known()
    assert isinstance(shown.book(), JoinedBook)
    by_id = {name.id: i for i, name in enumerate(known.names)}
    assert len(by_id) == len(model.parts)
    assert known.readings.sum() == sum(len(rows) for rows in world.sent.values())
    assert shown.book().retired() == {world.names[root].id for root in model.retired}
    for root in model.parts:
        at, rows = by_id[world.names[root].id], model.rows(root, world.sent)
        assert known.names[at].unit == model.unit[root]
        if rows:
            assert known.last_ts[at] == rows[-1][0]
            assert _same([known.last_value[at]], [rows[-1][1]])
            assert known.first_ts[at] <= rows[0][0]
        else:
            assert known.last_ts[at] < T0 - DAY_US


def _close(found, wanted) -> bool:
    return [ts for ts, _ in found] == [ts for ts, _ in wanted] and _same(
        [value for _, value in found], [value for _, value in wanted]
    )


def _same(found, wanted) -> bool:
    pairs = zip(found, wanted, strict=True)
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (a != a and b != b) for a, b in pairs
    )


def test_what_a_unit_does_to_each_column_of_a_bucket_is_decided() -> None:
    """A new column of partials must be told here what a change of unit makes of it."""
    linear, unchanged = {"first", "last", "head", "tail", "integral"}, {
        "series", "bucket", "count", "valid", "first_ts", "last_ts", "last_text", "last_quality",
        "part",
    }  # fmt: skip
    decided = linear | {"sum", "min", "max", "held", "reset_sum", "bins", "states"} | unchanged
    assert {field.name for field in fields(Partials)} == decided, query_joined.partials_of
