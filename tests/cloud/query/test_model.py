"""Any interleaving of ingest, passes, restarts and questions: the history of a naive model."""

import math
from collections import defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.lake import plan as lake_plan
from cloud.query.history import Ask
from cloud.query.plan import Resolution
from cloud.rollup.partials import DAY_US, MINUTE_US
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World, expected, same

_row = st.tuples(
    st.one_of(  # seldom enough for no rollup of minutes, and often enough for one
        st.integers(-5, 5).map(lambda m: T0 + m * 17_000_000),
        st.integers(-9, 9).map(lambda m: T0 + m * 900_000),
    ),
    st.one_of(st.integers(-64, 64).map(lambda n: n / 4), st.just(math.nan)),
)
_action = st.one_of(
    st.tuples(st.just("send"), st.sampled_from("ab"), st.lists(_row, min_size=1, max_size=6)),
    st.tuples(st.just("text"), st.just("c"), st.lists(_row, min_size=1, max_size=3)),
    st.sampled_from([("consolidate",), ("pass",), ("follow",), ("restart",), ("ask",)]),
)


@given(st.lists(_action, min_size=3, max_size=14))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_interleaving_gives_the_history_of_a_naive_model(
    tmp_path_factory, monkeypatch, actions
):
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    world = World(tmp_path_factory.mktemp("world") / "lake")
    try:
        for action in [*actions, ("follow",), ("ask",)]:
            match action:
                case ("send", device, rows):
                    world.send(device, rows)
                case ("text", device, rows):
                    world.send(device, [(ts, f"is {value}") for ts, value in rows])
                case ("consolidate",):
                    world.consolidate()
                case ("pass",):
                    world.consolidator._bytes = 1
                    world.consolidator.run_once()
                case ("follow",):
                    world.follow()
                case ("restart",):
                    world.reopen()
                    world.follow()
                case ("ask",):
                    world.follow()
                    _ask(world)
    finally:
        world.close()


def _ask(world: World) -> None:
    for device in world.sent:
        wanted = expected(world, device, T0 - DAY_US, T0 + DAY_US)
        assert same(world.raw(device, T0 - DAY_US, T0 + DAY_US, limit=4), wanted)
        ask = Ask((world.id(device),), T0 - DAY_US, T0 + DAY_US, 5000, Resolution.MINUTE)
        (series,) = world.query.history(ask).series
        found = series.partials
        groups: dict[int, list[tuple[int, float | str]]] = defaultdict(list)
        for ts, value in wanted:
            groups[ts // MINUTE_US * MINUTE_US].append((ts, value))
        assert found.bucket.tolist() == sorted(groups)
        for i, bucket in enumerate(sorted(groups)):
            values = [value for _, value in groups[bucket]]
            valid = [v for v in values if isinstance(v, float) and v == v]
            assert (found.count[i], found.valid[i]) == (len(values), len(valid))
            assert found.sum[i] == sum(valid)
            if isinstance(values[0], str):
                assert found.last_text[i] == values[-1]
            else:
                assert same([found.first[i].item(), found.last[i].item()], [values[0], values[-1]])
            if valid:
                assert (found.min[i], found.max[i]) == (min(valid), max(valid))
    assert world.live.book.counts()[1] == sum(len(rows) for rows in world.sent.values())
